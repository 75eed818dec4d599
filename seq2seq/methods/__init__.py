"""Methods of reconstruction, each behind the same face."""
