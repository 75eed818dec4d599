"""All cubes that are written: a further one is a module here, its product in `seq2seq.products.cubes`, and a line."""

from collections.abc import Container

from seq2seq.extras import naming_extra
from seq2seq.products import Product
from seq2seq.writers.cubes.base import Cube, CubeLayout, Variable
from seq2seq.writers.cubes.netcdf import NetCDF
from seq2seq.writers.cubes.zarr import Zarr, ZippedZarr

__all__ = ["CUBES", "Cube", "CubeLayout", "Variable", "load_cubes"]

CUBES: tuple[Cube, ...] = (NetCDF(), Zarr(), ZippedZarr())


def load_cubes(products: Container[Product]) -> None:
    """Imports what the cubes among `products` need. Raises `MissingExtraError`, naming what to install."""
    for cube in CUBES:
        if cube.product in products:
            with naming_extra():
                cube.load()
