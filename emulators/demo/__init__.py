"""`make demo`: a short demonstration of the app on all stand-ins."""
