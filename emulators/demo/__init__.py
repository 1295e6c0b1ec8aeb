"""`make demo`: what the app does, told in a few lines on all stand-ins."""
