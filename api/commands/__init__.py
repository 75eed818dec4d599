"""The program `decloud`."""
