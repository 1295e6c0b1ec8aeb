"""Where things lie, and what is asked of a lake; no SDK."""
