"""One export of one run: stage, decide, publish, and make the records agree."""
