"""Where exports come from: Pigment's API."""
