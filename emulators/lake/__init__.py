"""A stand-in for one ADLS Gen2 account: README.md says what it does and where it guesses."""
