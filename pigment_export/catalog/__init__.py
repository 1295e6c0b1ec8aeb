"""What is exported: the file, its exports, Pigment's options."""
