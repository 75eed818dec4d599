"""A finished result, opened again: as an `xarray.Dataset` that reads its files when its values are asked for."""
