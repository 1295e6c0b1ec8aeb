"""A stand-in for Pigment's export API."""
