"""The processes that a worker starts: what holds for all of them, and the memory that they have."""
