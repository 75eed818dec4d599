"""Cubes: arrays with axes for time, bands, y and x in NetCDF and Zarr, read without a flag.

Storage (`hdf5`, `zarr_arrays`) gives out groups of arrays, `axes`, `times`, `crs` and `names` say what they mean, and
`reading` makes layers of them. Values stay as stored: scale, offset and no-data value go into headers, so that the one
place that knows about Sentinel-2's offset sees digital numbers. That is why no xarray stands in between; and because
every chunk of a file that nobody vouches for is decoded here, to a size that is known before.
"""
