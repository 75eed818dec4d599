"""A whole tile of Sentinel-2, 10980 x 10980 pixels, by the method `linear`: does memory stay bounded to its end?

Fields of 600 m in one value a band and date, under clouds of 1.8 km: files of some megabytes, so that what is measured
is the program and no disk. Such fields say nothing about quality.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from parts import Bench, Row, inspected, read_report
from rasterio.transform import from_origin

SIZE, QUICK_SIZE = 10_980, 180
BANDS = ("B02", "B03", "B04", "B08")
DATES = ("2023-04-01", "2023-04-11", "2023-04-21", "2023-05-01")
FIELD_PX, CLOUD_PX, CLOUD_SHARE = 60, 180, 0.4
CLOUD, VEGETATION = 9, 4  # classes of SCL
DRIVER = {"driver": "GTiff", "crs": "EPSG:32631", "tiled": True, "blockxsize": 512, "blockysize": 512}
DRIVER |= {"compress": "deflate", "zlevel": 1, "transform": from_origin(600_000, 5_700_000, 10, 10)}


def whole_tile(bench: Bench) -> Iterator[Row]:
    """Plans the scene, estimates it and runs it to its end."""
    size = QUICK_SIZE if bench.quick else SIZE
    source = bench.work / f"whole-tile-{size}"
    if not source.exists():
        make_scene(source / "input", size)
    settings = bench.work / "linear.json"
    settings.write_text(json.dumps({"method": "linear"}))
    expected = inspected(source, "--config", str(settings))[1]["estimate"]
    measured, out = bench.run(source, f"out-{source.name}", "--method", "linear")
    yield {
        "key": f"{len(DATES)} x {len(BANDS)} x {size} x {size}",
        "wall_s": measured.wall_s,
        "peak_gb": measured.peak_gb,
        "tiles": read_report(out)["training"]["tiles"],
        "estimate_s": expected["seconds"],
        "estimate_gb": expected["memory_gb"],
    }


def make_scene(folder: Path, size: int) -> None:
    """Writes GeoTIFFs of every date, and their scene classification."""
    (folder / "S2").mkdir(parents=True)
    (folder / "SCL").mkdir()
    bands = [_random(band, size, FIELD_PX) for band in range(len(BANDS))]
    for t, date in enumerate(DATES):
        cloudy = _random(100 + t, size, CLOUD_PX) < CLOUD_SHARE
        shape = {"width": size, "height": size}
        with rasterio.open(
            folder / "S2" / f"{date}.tif", "w", count=len(BANDS), dtype="uint16", **DRIVER, **shape
        ) as to:
            for index, (name, field) in enumerate(zip(BANDS, bands, strict=True), start=1):
                values = (1000 + 2000 * field * (1 + 0.2 * t)).astype(np.uint16)
                to.write(_blocks(values, size, FIELD_PX), index)
                to.set_band_description(index, name)
        with rasterio.open(folder / "SCL" / f"{date}.tif", "w", count=1, dtype="uint8", **DRIVER, **shape) as to:
            classes = np.where(cloudy, CLOUD, VEGETATION).astype(np.uint8)
            to.write(_blocks(classes, size, CLOUD_PX), 1)


def _random(seed: int, size: int, block_px: int) -> NDArray[np.float64]:
    count = -(-size // block_px)
    return np.random.default_rng(seed).random((count, count))


def _blocks(values: NDArray[np.integer], size: int, block_px: int) -> NDArray[np.integer]:
    return np.kron(values, np.ones((block_px, block_px), values.dtype))[:size, :size]
