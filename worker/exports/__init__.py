"""Bringing results where their owners want them: into buckets, and to presigned addresses."""
