"""The contents of an input, for `decloud inspect` and for the report of a run. Loads no torch."""

from pathlib import Path
from typing import Any

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.crs import CRS
from rasterio.warp import transform

from seq2seq.config import ReconstructionConfig
from seq2seq.estimate import estimate
from seq2seq.readers import SequenceSource
from seq2seq.readers.pairing import describe_pixel, gsd_m
from seq2seq.report.contradictions import contradictions_of
from seq2seq.report.masked import describe_masked
from seq2seq.report.plain import to_plain
from seq2seq.report.schema import Grid, InputReport, RadarReport
from seq2seq.sequence import crs_name

_SIDE_PARTS = 4
_ARCHIVES = (".zip", ".tar", ".tgz")
# Names of folders that every sequence has.
_GENERIC = frozenset({"input", "inputs", "in", "data", "sequence", "s2", "upload"})


def describe_input(source: SequenceSource) -> InputReport:
    """The report's `input`: dates, bands, grid, S1 pairing, mask source, cloud per date, who masked it, warnings."""
    info = source.info
    return InputReport(
        path=str(info.path),
        name=sequence_name(info.path),
        simulated=info.simulated,
        dates=tuple(str(date) for date in info.dates),
        bands=tuple(info.bands),
        grid=_grid(info.geobox),
        s1=RadarReport(
            available=bool(info.s1_bands),
            units=info.s1_units,
            dates=tuple(None if np.isnat(date) else str(date) for date in info.s1_dates),
        ),
        mask_source=info.mask_source,
        cloud_fraction=tuple(float(fraction) for fraction in source.cloud_fractions),
        warnings=tuple(info.warnings),
        requested=tuple(map(str, info.requested)) or None,
        masked=describe_masked(source.masked_by),
    )


def describe(source: SequenceSource, config: ReconstructionConfig, processes: int = 1) -> dict[str, Any]:
    """The output of `decloud inspect --json`: the report's `input`, and what only matters before a run.

    processes: that a run would have.
    """
    info, cost = source.info, estimate(source.info.shape, config, processes)
    return {
        **to_plain(describe_input(source)),
        "format": info.format,
        "radiometry": {
            "dtype": info.radiometry.dtype,
            "scale": info.radiometry.scale,
            "offset": info.radiometry.offset,
            "nodata": info.radiometry.nodata,
        },
        "s1_bands": list(info.s1_bands),
        "s1_acquisitions": [str(date) for date in info.s1_acquisitions],
        "estimate": {"seconds": cost.seconds, "memory_gb": cost.memory_gb, "on": "2 CPU cores"},
        "outline": outline(info.geobox),
        "fingerprint": info.fingerprint,
        "contradictions": [to_plain(one) for one in contradictions_of(source, config)],
    }


def outline(geobox: GeoBox) -> list[list[float]]:
    """The border of a grid as [longitude, latitude] in degrees, closed; counterclockwise where rows go south.

    Corners, and points between them: straight sides of a projected grid are curves in degrees.
    """
    height, width = geobox.shape
    parts, back = np.linspace(0, 1, _SIDE_PARTS, endpoint=False), np.linspace(1, 0, _SIDE_PARTS, endpoint=False)
    columns = width * np.concatenate([0 * parts, parts, 0 * parts + 1, back, [0]])
    rows = height * np.concatenate([parts, 0 * parts + 1, back, 0 * parts, [0]])
    grid = geobox.affine
    x, y = grid.a * columns + grid.b * rows + grid.c, grid.d * columns + grid.e * rows + grid.f
    degrees = transform(CRS.from_user_input(geobox.crs), CRS.from_epsg(4326), x.tolist(), y.tolist())
    return [[round(longitude, 6), round(latitude, 6)] for longitude, latitude in zip(*degrees[:2], strict=True)]


def sequence_name(path: Path) -> str:
    """A short name for a sequence: the last part of its path that identifies it, without the ending of an archive.

    fields/input, fields.zip and fields/data/S2 are all "fields"; relative paths count from where they are resolved.
    """
    for part in (path, *path.absolute().parents):
        name = part.name.removesuffix(part.suffix) if part.suffix.lower() in _ARCHIVES else part.name
        if name and name not in (".", "..") and name.lower() not in _GENERIC:
            return name
    return path.name or "sequence"


def _grid(geobox: GeoBox) -> Grid:
    """With a pixel's side in metres, in words, and as the grid has it where that counts in degrees."""
    height, width = geobox.shape
    return Grid(
        crs=crs_name(geobox),
        width=width,
        height=height,
        gsd_m=gsd_m(geobox),
        pixel=describe_pixel(geobox),
        gsd_degrees=float(abs(geobox.resolution.x)) if geobox.crs.geographic else None,
    )
