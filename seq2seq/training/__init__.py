"""Supervised training of a method on a published data set: `loop.train`, which loads torch; a job does not."""
