"""Proof: pixels hidden from a fit, and the evidence that they give."""
