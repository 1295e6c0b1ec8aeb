"""Azure's SDKs: the lake, the vault, and what their errors mean."""
