"""All dates in one file: what cubes are called. `seq2seq.writers.cubes` writes them."""

from seq2seq.products.base import NETCDF as NETCDF_TYPE
from seq2seq.products.base import ZARR as ZARR_TYPE
from seq2seq.products.base import ZIP, Product, ProductFile

NETCDF = Product(
    name="netcdf",
    title="NetCDF cube",
    about="All dates in one NetCDF4 file, CF conventions: reflectance, uncertainty, cloud_mask.",
    media_type=NETCDF_TYPE,
    stac_role="data",
    format="netcdf",
    parts=(ProductFile("cube.nc", NETCDF_TYPE),),
)
ZARR = Product(
    name="zarr",
    title="Zarr cube",
    about="All dates in one Zarr v3 store, a folder; a service sends it in one file.",
    media_type=ZARR_TYPE,
    stac_role="data",
    format="zarr",
    parts=(ProductFile("cube.zarr", ZARR_TYPE),),
)
# One file is what can be sent: a service makes it of a Zarr store.
ZARR_ZIP = Product(
    name="zarr_zip",
    title="Zarr cube, zipped",
    about="The Zarr store in one file, readable as it is.",
    media_type=ZIP,
    stac_role="data",
    format="zarr.zip",
    parts=(ProductFile("cube.zarr.zip", ZIP),),
)
