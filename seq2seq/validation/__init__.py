"""Proof: what is hidden from a fit, and what it says of the result."""
