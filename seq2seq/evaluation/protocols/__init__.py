"""One protocol in each file."""
