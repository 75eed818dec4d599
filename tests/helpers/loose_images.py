"""Trees of tiny images as other programs name them."""

import zipfile
from pathlib import Path

import numpy as np
from sequence_files import TRANSFORM, write_tif

from seq2seq.readers import open_sequence

SIDE = 24
DAYS = ("2020-06-04", "2020-06-09", "2020-06-14")


def dn(seed: int = 0, bands: int = 1, side: int = SIDE) -> np.ndarray:
    """(C, H, W) uint16 of dark, clear ground."""
    return np.random.default_rng(seed).integers(300, 1500, (bands, side, side)).astype(np.uint16)


def db(seed: int = 0, bands: int = 1, side: int = SIDE) -> np.ndarray:
    """(C, H, W) float32 backscatter."""
    return np.random.default_rng(seed).normal(-13, 2, (bands, side, side)).astype(np.float32)


def classes(cloudy_rows: int = 6, side: int = SIDE) -> np.ndarray:
    """(1, H, W) of SCL: cloud in the first rows, vegetation and soil elsewhere."""
    scl = np.full((1, side, side), 4, np.uint8)
    scl[:, :, side // 2 :] = 5
    scl[:, :cloudy_rows] = 9
    return scl


def write(root: Path, name: str, pixels: np.ndarray, **profile) -> Path:
    """One file at `name`, with slashes."""
    return write_tif(root / name, pixels, **{"transform": TRANSFORM, **profile})


def compact(day: str) -> str:
    """20200604."""
    return day.replace("-", "")


def packed(root: Path, archive: Path) -> Path:
    """All that lies in the folder, in a ZIP."""
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(root.rglob("*")):
            if path.is_file():
                file.write(path, path.relative_to(root).as_posix())
    return archive


def read(path: Path, config=None):
    """The opened sequence's info and all of its pixels."""
    with open_sequence(path, config) if config else open_sequence(path) as source:
        return source.info, source.read()


def said(info, words: str) -> bool:
    """Whether some warning holds these words."""
    return any(words in warning for warning in info.warnings)
