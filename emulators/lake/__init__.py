"""A stand-in for one ADLS Gen2 account: README.md lists its operations, assumptions and limits."""
