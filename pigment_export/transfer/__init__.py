"""Bytes, and their proof: a stream from a source through the inspector to a sink."""
