"""HTTP itself: connections, heads, bodies, conditions, files as answers."""
