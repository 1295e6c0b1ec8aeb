"""Pigment exports to ADLS Gen2."""
