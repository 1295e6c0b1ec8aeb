"""A stand-in of the Azure Functions host: README.md says what it does and what it doesn't."""
