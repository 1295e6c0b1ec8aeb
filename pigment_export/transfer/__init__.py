"""Stream bytes from a source through the inspector to a sink, and prove them."""
