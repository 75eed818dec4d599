"""What cubes leave unsaid of their units: digital numbers in floating point, radar in codes, classes in any type."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from seq2seq.radiometry import S2_SCALE
from seq2seq.readers.composed import Converted
from seq2seq.readers.contents import Header, Raster, Window
from seq2seq.readers.cubes.rasters import CubeRaster, Storage
from seq2seq.readers.layers import Sensor
from seq2seq.sequence import Float32

# Reflectance is never so high on average, and digital numbers never so low.
_LEAST_DN = 10.0
_SAMPLED_DATES, _SAMPLE_PX = 8, 128


def in_known_units(
    sensor: Sensor, rasters: Sequence[CubeRaster], storage: Storage, name: str, say: Callable[[str], None]
) -> Sequence[Raster]:
    """The rasters of one variable in units that all readers know; `say` is told what was taken for granted."""
    unscaled = storage.scale == 1 and storage.offset == 0
    if sensor == "S2" and unscaled and np.dtype(storage.dtype).kind == "f" and _looks_like_dn(rasters):
        say(f"{name}: S2 holds digital numbers as floating point without a scale: read as reflectance x 10000")
        return [replace(raster, header=_scaled(raster.header)) for raster in rasters]
    if sensor == "S1" and unscaled and storage.dtype == "uint16":
        say(f"{name}: S1 is 16 bit without a scale: read as dB = 20 log10(value) - 83, as openEO codes it")
        return [_from_coded(raster) for raster in rasters]
    if sensor == "SCL":
        return [_classes(raster) for raster in rasters]
    return rasters


def _scaled(header: Header) -> Header:
    return replace(header, scales=(S2_SCALE,) * len(header.scales))


def _looks_like_dn(rasters: Sequence[CubeRaster]) -> bool:
    parts = []
    for raster in rasters[:: -(-len(rasters) // _SAMPLED_DATES) or 1]:
        height, width = raster.header.geobox.shape
        row, column = max(0, (height - _SAMPLE_PX) // 2), max(0, (width - _SAMPLE_PX) // 2)
        window = Window(row, min(height, row + _SAMPLE_PX), column, min(width, column + _SAMPLE_PX))
        parts.append(raster.read(window).ravel())
    values = np.concatenate(parts) if parts else np.empty(0)
    values = values[np.isfinite(values) & (values != 0)]
    return bool(values.size and np.median(values) > _LEAST_DN)


def _from_coded(raster: CubeRaster) -> Raster:
    header = replace(raster.header, dtype="float32", nodata=float("nan"))
    nodata = raster.header.nodata

    def convert(coded: Any) -> Float32:
        empty = (coded == 0) | (coded == np.iinfo(np.uint16).max)
        empty |= coded == (0 if nodata is None else nodata)
        return np.where(empty, np.nan, 20 * np.log10(np.maximum(coded, 1).astype(np.float32)) - 83).astype(np.float32)

    return Converted(raster, header, convert)


def _classes(raster: CubeRaster) -> Raster:
    """Classes in a byte, 0 without data."""
    header = replace(raster.header, dtype="uint8", nodata=0.0, scales=(1.0,), offsets=(0.0,))
    return Converted(raster, header, lambda stored: _in_a_byte(stored, raster.storage))


def _in_a_byte(stored: Any, storage: Storage) -> Any:
    """What is no class stays none: 254 is."""
    classes = np.where(storage.is_empty(stored) | ~np.isfinite(stored), 0, stored)
    return np.where((classes < 0) | (classes > 254), np.where(classes == 255, 255, 254), classes).astype(np.uint8)
