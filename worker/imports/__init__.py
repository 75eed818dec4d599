"""Untrusted files become a working copy of ours, in a process that can reach nothing else."""
