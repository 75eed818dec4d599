"""The service's speed: what is measured of it, beside nginx and pygeoapi in the same run; see `benchmarks/run.py`."""
