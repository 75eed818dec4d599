"""Writes JPEG 2000 files as products hold them: lossless, tiled, placed by GMLJP2, without a no-data value."""

import struct
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin


def write_jp2(path: Path, pixels, *, gsd=10.0, left=600_000.0, top=5_600_000.0, crs="EPSG:32631", tile=64, **options):
    """One file of (C, H, W)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = pixels.shape
    shape = {"count": count, "height": height, "width": width, "dtype": pixels.dtype}
    place = {"crs": crs, "transform": from_origin(left, top, gsd, gsd)}
    lossless = {"QUALITY": "100", "REVERSIBLE": "YES", "BLOCKXSIZE": tile, "BLOCKYSIZE": tile}
    with rasterio.open(path, "w", driver="JP2OpenJPEG", **shape, **place, **(lossless | options)) as file:
        file.write(pixels)
    return path


def band(height=48, width=64, seed=0, low=300, high=3000):
    """(1, H, W) uint16 of ground that is dark somewhere."""
    return np.random.default_rng(seed).integers(low, high, (1, height, width)).astype(np.uint16)


def patch_size(path: Path, field: int, *values: int) -> None:
    """Overwrites 32-bit fields of the image size, from `field`: 0 is the width of the image, 4 that of a tile."""
    content = bytearray(path.read_bytes())
    at = content.index(b"\xff\x4f\xff\x51") + 8 + 4 * field
    content[at : at + 4 * len(values)] = struct.pack(f">{len(values)}I", *values)
    path.write_bytes(content)


def add_box(path: Path, kind: bytes, content: bytes, *, before: bytes = b"jp2c") -> None:
    """Puts a box in front of another."""
    old = path.read_bytes()
    at = old.index(before) - 4
    path.write_bytes(old[:at] + struct.pack(">I4s", len(content) + 8, kind) + content + old[at:])
