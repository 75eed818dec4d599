"""What keeps the queue moving: the doorbell that wakes workers, the list of those there are, and the reaper."""
