"""GeoTIFF patches as data sets deliver them: checked, read whole, scaled as authors scale them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seq2seq.errors import ConfigError, InputError, InvalidPixelsError
from seq2seq.sequence import Bool, Float32
from seq2seq.wording import not_one_of

_BRIGHTEST_DN = 10000.0
# Of names without a date.
_NO_DATE = np.datetime64("NaT")


def check_root(root: Path, title: str) -> None:
    """Raises `InputError` where `root` is no folder that can be listed."""
    if not root.is_dir():
        raise InputError(f"{root}: is not a folder; give the one that {title} was unpacked to", file=str(root))


def check_split(title: str, splits: Mapping[str, object], split: str) -> None:
    """Raises `ConfigError` for a split that the data set has not."""
    if split not in splits:
        raise ConfigError(not_one_of(f"split of {title}", split, splits))


def read_patch(path: Path, *, bands: int, date: np.datetime64 = _NO_DATE) -> Float32:
    """(C, H, W) float32 of a GeoTIFF as it is stored. Raises `InputError` naming the file."""
    from seq2seq.readers.contents import Window
    from seq2seq.readers.geotiff import open_geotiff

    try:
        tiff = open_geotiff(path, name=str(path), date=date)
    except InputError as error:
        error.date = None if np.isnat(date) else error.date
        raise
    height, width = tiff.header.geobox.shape
    found = len(tiff.header.descriptions)
    if found != bands:
        raise InvalidPixelsError(f"{path}: has {found} bands, this data set has {bands}", file=str(path))
    values: NDArray[np.float32] = tiff.read(Window(0, height, 0, width)).astype(np.float32)
    return values


def read_optical(path: Path, *, date: np.datetime64 = _NO_DATE) -> Float32:
    """(13, H, W) reflectance of a patch of digital numbers: clipped to 0..10000, over 10000; NaN is 0."""
    values = np.nan_to_num(read_patch(path, bands=13, date=date), nan=0.0)
    return np.asarray(np.clip(values, 0, _BRIGHTEST_DN) / np.float32(_BRIGHTEST_DN))


def check_same_size(images: Mapping[Path, Float32]) -> None:
    """Raises `InputError` where the sides of the images differ."""
    sizes = {image.shape[1:]: path for path, image in images.items()}
    if len(sizes) > 1:
        (one, first), (other, second) = list(sizes.items())[:2]
        raise InputError(
            f"{first}: is {one[0]} x {one[1]} px, {second} is {other[0]} x {other[1]} px; patches of one place must "
            "be of one size",
            file=str(first),
        )


def has_values(reflectance: Float32) -> Bool:
    """Finds (T, H, W) where any band of (T, C, H, W) is above 0: these sets store what lies outside a swath as 0."""
    return np.asarray((reflectance > 0).any(axis=1), dtype=bool)
