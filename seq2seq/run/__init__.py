"""One run: from observations, and from files, to a result."""
