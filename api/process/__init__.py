"""The one process of OGC API - Processes: its inputs, its outputs, a job's status."""
