"""One export of one run: stage, decide, publish, and reconcile the records."""
