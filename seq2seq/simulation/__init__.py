"""Simulated sequences with known truth."""
