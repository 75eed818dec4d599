"""One job at a time, from its claim to its end: who supervises it, and the process that works on it."""
