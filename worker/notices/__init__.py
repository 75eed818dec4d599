"""Telling subscribers what became of their jobs."""
