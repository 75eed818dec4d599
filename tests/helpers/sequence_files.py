"""Writes small sequences as a user would have them: `S2/DATE.tif`, `S1/DATE.tif`, `MASK/DATE.tif`, folder or ZIP."""

import zipfile
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin

DATES = ("2020-08-01", "2020-08-11", "2020-08-21", "2020-08-31", "2020-09-10")
BANDS = ("B02", "B03", "B04", "B08")
HEIGHT, WIDTH = 24, 32
TRANSFORM = from_origin(600_000, 5_600_000, 10, 10)


def s2_dn(dates=5, bands=4, height=HEIGHT, width=WIDTH, seed=0):
    """(T, C, H, W) uint16 of a dark, clear, slightly varying scene."""
    rng = np.random.default_rng(seed)
    scene = rng.integers(300, 1500, (1, bands, height, width))
    return (scene + rng.integers(0, 100, (dates, bands, height, width))).astype(np.uint16)


def s1_db(dates=5, height=HEIGHT, width=WIDTH, seed=1):
    """(T, 2, H, W) float32 dB."""
    return np.random.default_rng(seed).normal(-13, 2, (dates, 2, height, width)).astype(np.float32)


def write_tif(path, pixels, *, bands=None, nodata=None, crs="EPSG:32631", transform=TRANSFORM, **profile):
    """One GeoTIFF of (C, H, W)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scales, offsets = profile.pop("scales", None), profile.pop("offsets", None)
    count, height, width = pixels.shape
    shape = {"count": count, "height": height, "width": width, "dtype": pixels.dtype}
    with rasterio.open(
        path, "w", driver="GTiff", **shape, crs=crs, transform=transform, nodata=nodata, **profile
    ) as file:
        file.write(pixels)
        if bands:
            file.descriptions = tuple(bands)
        if scales:
            file.scales = scales
        if offsets:
            file.offsets = offsets
    return path


def write_sequence(root, *, s2=None, s1=None, masks=None, dates=DATES, bands=BANDS, nodata=0):
    """A whole input folder; `s1` and `masks` (T, H, W) only where given."""
    s2 = s2_dn(len(dates), len(bands)) if s2 is None else s2
    for index, date in enumerate(dates):
        write_tif(root / "S2" / f"{date}.tif", s2[index], bands=bands, nodata=nodata)
        if s1 is not None:
            write_tif(root / "S1" / f"{date}.tif", s1[index], bands=("VV", "VH"))
        if masks is not None:
            write_tif(root / "MASK" / f"{date}.tif", masks[index][None].astype(np.uint8))
    return root


def pack(root: Path, archive: Path, prefix: str = "", files: str = "*.tif") -> Path:
    """The folder as a ZIP, everything below `prefix`."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(root.rglob(files)):
            packed.write(path, prefix + path.relative_to(root).as_posix())
    return archive
