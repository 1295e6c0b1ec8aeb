"""Paths in the lake, and the interface of a lake; no SDK."""
