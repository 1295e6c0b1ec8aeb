"""Local stand-ins on real protocols."""
