"""A simulator of the Azure Functions host; README.md describes its behaviour and limits."""
