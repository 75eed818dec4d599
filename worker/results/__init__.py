"""What is added to a finished result, and how it reaches the storage."""
