"""Folders named as SEN12MS-CR and SEN12MS-CR-TS are published, with images of a few pixels."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sequence_files import write_tif

SIDE = 32
DATES = ("2018-01-05", "2018-01-20", "2018-02-14", "2018-03-01", "2018-03-26", "2018-04-10")


def clear_dn(seed: int, side: int = SIDE, bands: int = 13) -> np.ndarray:
    """(13, H, W) of a dark, clear scene; B10 sees nothing."""
    image = np.random.default_rng(seed).integers(500, 1200, (bands, side, side)).astype(np.uint16)
    image[10] = 10
    return image


def cloudy_dn(seed: int, rows: slice = slice(None), side: int = SIDE) -> np.ndarray:
    """The same with a bright white cloud over some rows."""
    image = clear_dn(seed, side)
    image[:, rows] = 7000
    return image


def radar_db(seed: int, side: int = SIDE) -> np.ndarray:
    return np.random.default_rng(seed).normal(-13, 2, (2, side, side)).astype(np.float32)


def write_triplet(
    root: Path,
    area: str = "ROIs1158_spring/106",
    patch: int = 30,
    *,
    cloudy: np.ndarray | None = None,
    clear: np.ndarray | None = None,
    sensors: Sequence[str] = ("s1", "s2", "s2_cloudy"),
) -> None:
    """A patch of SEN12MS-CR."""
    season, number = area.split("/")
    images = {
        "s1": radar_db(patch),
        "s2": clear_dn(patch + 1000) if clear is None else clear,
        "s2_cloudy": cloudy_dn(patch, slice(0, 16)) if cloudy is None else cloudy,
    }
    for sensor in sensors:
        name = f"{season}_{sensor}_{number}_p{patch}.tif"
        write_tif(root / f"{season}_{sensor}" / f"{sensor}_{number}" / name, images[sensor])


def write_series(
    root: Path,
    area: str = "ROIs1158/106",
    patch: int = 0,
    *,
    images: Sequence[np.ndarray] | None = None,
    radar: bool = True,
) -> None:
    """A patch of SEN12MS-CR-TS; by default clouds leave the date of number 3 alone."""
    folder, number = area.split("/")
    if images is None:
        images = [cloudy_dn(n, slice(0, 0 if n == 3 else 10)) for n in range(len(DATES))]
    for n, (date, image) in enumerate(zip(DATES, images, strict=True)):
        for sensor, pixels in (("s2", image), *([("s1", radar_db(n))] if radar else [])):
            name = f"{sensor}_{folder}_{number}_ImgNo_{n}_{date}_patch_{patch}.tif"
            write_tif(root / area / sensor.upper() / str(n) / name, pixels)
