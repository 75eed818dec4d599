"""Methods side by side on a user's own sequences: the same hidden pixels for all, one table."""
