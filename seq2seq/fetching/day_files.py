"""The files of a day: where they lie, how they are stored, what their tags state; written in one rename each."""

import errno
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from seq2seq.fetching.catalogs import SCL
from seq2seq.fetching.passes import Day
from seq2seq.fetching.plan import Plan
from seq2seq.products.base import RasterProfile
from seq2seq.writers.cog import write_cog

S1_NODATA = -32768.0
# Blocks in which an image is put together: of ten bands they take 40 MiB.
BLOCK_PX = 1024


@dataclass(frozen=True)
class DayFiles:
    """sensor: the image's. scl: None where there is none."""

    image: Path
    scl: Path | None

    @classmethod
    def of(cls, out: Path, day: Day, plan: Plan) -> "DayFiles":
        """Where the files of a day lie."""
        name = f"{day.date}.tif"
        has_scl = SCL in plan.source(day.sensor).assets
        return cls(out / day.sensor / name, out / SCL / name if has_scl else None)

    @property
    def all(self) -> tuple[Path, ...]:
        """In the order in which they appear: the image last, so that none is ever without its classes."""
        return (self.image,) if self.scl is None else (self.scl, self.image)


def blocks_of(grid: GeoBox) -> Iterator[tuple[slice, slice]]:
    """Rows and columns that cover the grid once."""
    height, width = grid.shape
    for row in range(0, height, BLOCK_PX):
        for column in range(0, width, BLOCK_PX):
            yield slice(row, min(row + BLOCK_PX, height)), slice(column, min(column + BLOCK_PX, width))


def new_array(folder: Path, name: str, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    """Zeros that lie on disk rather than in memory, in `folder`. Raises OSError where the disk has no room for all."""
    path = folder / name
    with path.open("wb") as file:
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        try:
            # A map of a file without its blocks would end the process when the disk is full.
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):  # of file systems that cannot say
                raise
            os.truncate(file.fileno(), size)
    return np.memmap(path, dtype=dtype, mode="r+", shape=shape)


def write_image(path: Path, values: NDArray[Any], day: Day, plan: Plan) -> None:
    """Writes (C, H, W) as the image of a day. Raises `OutputError`."""
    source = plan.source(day.sensor)
    if day.sensor == "S2":
        profile = RasterProfile("uint16", source.bands, nodata=0.0, tags=tags_of(day, plan))
    else:
        profile = RasterProfile("float32", source.bands, nodata=S1_NODATA, tags=tags_of(day, plan))
    _write(path, values, plan.grid, profile)


def write_classes(path: Path, values: NDArray[Any], day: Day, plan: Plan) -> None:
    """Writes (1, H, W) as the scene classification of a day. Raises `OutputError`."""
    tags = _common_tags(day, plan)
    _write(path, values, plan.grid, RasterProfile("uint8", (SCL,), nodata=0.0, overviews="nearest", tags=tags))


def tags_of(day: Day, plan: Plan) -> dict[str, str]:
    """What an image states of itself: where it comes from and, of S2, that its offset was taken care of."""
    tags = _common_tags(day, plan)
    if day.sensor == "S1":
        return tags | {"BACKSCATTER": "gamma0, radiometrically terrain-corrected, linear power"}
    baselines = sorted({scene.baseline for scene in day.scenes if scene.baseline})
    reasons = sorted({plan.offsets[scene.id].why for scene in day.scenes})
    tags |= {"BOA_ADD_OFFSET": "0", "OFFSET_OF_SOURCE": "; ".join(reasons)}
    return tags | ({"PROCESSING_BASELINE": baselines[-1]} if baselines else {})


def passes_of(day: Day) -> list[dict[str, Any]]:
    """The overpasses of a day, for the record."""
    return [
        {
            "platform": one.platform,
            "relative_orbit": one.orbit,
            "direction": one.direction,
            "began": one.began,
            "items": [scene.id for scene in one.scenes],
        }
        for one in day.passes
    ]


def _common_tags(day: Day, plan: Plan) -> dict[str, str]:
    source = plan.source(day.sensor)
    stated: Mapping[str, list[Any]] = {
        "PLATFORM": [one.platform for one in day.passes],
        "RELATIVE_ORBIT": [one.orbit for one in day.passes],
        "ORBIT_DIRECTION": [one.direction for one in day.passes],
        "ACQUISITION_TIME": [one.began for one in day.passes],
    }
    tags = {name: ", ".join(map(str, values)) for name, values in stated.items() if any(v is not None for v in values)}
    return tags | {
        "ACQUISITION_DATE": day.date,
        "STAC_CATALOG": source.catalog.url,
        "STAC_COLLECTION": source.collection.name,
        "STAC_ITEMS": " ".join(day.items),
        "SOFTWARE": f"decloud {version('decloud')}",
    }


def _write(path: Path, values: NDArray[Any], grid: GeoBox, profile: RasterProfile) -> None:
    write_cog(
        path,
        (
            (Window.from_slices(rows, columns), np.asarray(values[:, rows, columns]))
            for rows, columns in blocks_of(grid)
        ),
        geobox=grid,
        profile=profile,
    )
