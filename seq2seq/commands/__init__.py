"""The commands of the library: run, inspect, simulate, weights."""
