"""EarthNet2021: cubes of Sentinel-2 every five days over Europe, 128 x 128 px of 20 m, blue, green, red, near infrared.

    iid_test_split/context/29SND/context_29SND_2017-06-20_2017-11-16_...npz     `highresdynamic` (128, 128, C, 10)
    iid_test_split/target/29SND/target_29SND_2017-06-20_2017-11-16_...npz       (128, 128, C, 20)
    iid_test_split.hdf5     /iid_test_split/29SND/29SND_2017-06-20_.../highresdynamic (128, 128, C, 30), by U-TILISE

The last channel is the cloud mask, 1 = cloud. The first image is four days after the day in the name.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq.datasets.arrays import check_shape, found, inside, read_npz
from seq2seq.datasets.base import DatasetInfo, Sample, Samples
from seq2seq.datasets.earthnet_hdf5 import list_cubes, read_cube
from seq2seq.datasets.patches import check_root, check_split
from seq2seq.errors import InputError, InvalidPixelsError, MissingDataError
from seq2seq.sequence import Dates

TITLE = "EarthNet2021"
BANDS = ("B02", "B03", "B04", "B8A")
ARRAY = "highresdynamic"
FIRST_DAY, EVERY_DAYS, IMAGES = 4, 5, 30
SPLITS = {"iid": ("iid_test_split",), "ood": ("ood_test_split",)}
_CHANNELS = (5, 7)  # four bands and the mask; with cloud probability and classes before it
_NAME = re.compile(r"^[0-9A-Z]{5}_(\d{4}-\d\d-\d\d)_(\d{4}-\d\d-\d\d)_")


@dataclass(frozen=True)
class _Cube:
    """One cube. read: (H, W, C, T) of its files. file: what messages name."""

    name: str
    file: Path
    read: Callable[[], NDArray[Any]]


class Cubes:
    """The cubes of a split: `Samples`. Nothing is scored until a protocol hides something."""

    def __init__(self, cubes: list[_Cube]) -> None:
        self._cubes = cubes

    def __len__(self) -> int:
        return len(self._cubes)

    def name(self, index: int) -> str:
        """The name of the cube: tile, first and last day, place."""
        return self._cubes[index].name

    def __getitem__(self, index: int) -> Sample:
        """Reads all dates of a cube. Raises `InputError` naming the file."""
        cube = self._cubes[index]
        values = cube.read().astype(np.float32).transpose(3, 2, 0, 1)  # (T, C, H, W)
        check_shape(cube.file, values.shape, "(128, 128, 5 or 7, T)", axes=4, channels=_CHANNELS)
        dates = dates_of(cube.name, len(values), cube.file)
        pixels, masked = values[:, : len(BANDS)], values[:, -1]
        valid = np.asarray(np.isfinite(pixels).all(axis=1))
        s2 = np.clip(np.nan_to_num(pixels, nan=0.0), 0, 1)
        return Sample(
            name=cube.name,
            s2=s2,
            s1=None,
            valid=valid,
            cloud=~(masked == 0),  # no mask counts as cloud
            dates=dates,
            bands=BANDS,
            truth=s2,
            scored=np.zeros_like(valid),
            asked=dates,
        )


def dates_of(name: str, count: int, file: Path) -> Dates:
    """(T,) every five days from the fourth day after the first one in the name of a cube."""
    named = _NAME.match(name)
    try:
        start = np.datetime64(named[1], "D") if named else None
    except ValueError:
        start = None
    if start is None:
        raise InputError(
            f"{file}: {name} names no first and last day, such as 29SND_2017-06-20_2017-11-16_", file=str(file)
        )
    return np.asarray(start + FIRST_DAY + EVERY_DAYS * np.arange(count), dtype="datetime64[D]")


def _read_pair(context: Path, target: Path) -> NDArray[Any]:
    """(H, W, C, T) of both parts of a test cube."""
    found(target, f"unpack {TITLE}'s target cubes beside the context cubes")
    parts = [read_npz(path, ARRAY) for path in (context, target)]
    if any(part.ndim != 4 for part in parts) or parts[0].shape[:3] != parts[1].shape[:3]:
        raise InvalidPixelsError(
            f"{target}: is {parts[1].shape}, its context is {parts[0].shape}; both must be (128, 128, C, T)",
            file=str(target),
        )
    return np.concatenate(parts, axis=3)


def _npz_cubes(root: Path, folder: str) -> list[_Cube]:
    cubes = []
    for path in sorted((root / folder / "context").glob("*/context_*.npz")):
        name = path.stem.removeprefix("context_")
        context = inside(root, path.relative_to(root))
        target = inside(root, f"{folder}/target/{path.parent.name}/target_{name}.npz")
        cubes.append(_Cube(name, context, partial(_read_pair, context, target)))
    return cubes


def _hdf5_cubes(path: Path, folder: str) -> list[_Cube]:
    return [
        _Cube(address.rsplit("/", 1)[-1], path, partial(read_cube, path, address, ARRAY))
        for address in list_cubes(path, folder)
    ]


def open_cubes(root: Path, split: str) -> Samples:
    """Finds the cubes of a split, of EarthNet2021's own files or of U-TILISE's. Raises `InputError` without any."""
    check_split(TITLE, SPLITS, split)
    check_root(root, TITLE)
    folder = SPLITS[split][0]
    hdf5 = inside(root, f"{folder}.hdf5")
    cubes = _npz_cubes(root, folder) or (_hdf5_cubes(hdf5, folder) if hdf5.is_file() else [])
    if not cubes:
        raise MissingDataError(
            f"{root}: has no cube of the {split} split of {TITLE}, neither {folder}/context/TILE/context_*.npz nor "
            f"{folder}.hdf5; give the folder that holds {folder}",
            file=str(root),
        )
    return Cubes(cubes)


INFO = DatasetInfo(
    name="earthnet",
    title=TITLE,
    about="30 images, five days apart, blue, green, red and near infrared, 128 x 128 px, with cloud masks and without "
    "radar. `iid` has places of the training split's kind, `ood` is elsewhere. Its own .npz cubes, or U-TILISE's HDF5.",
    bands=BANDS,
    splits=SPLITS,
    open=open_cubes,
    source="Requena-Mesa, Benson, Reichstein, Runge and Denzler, EarthNet2021: A large-scale dataset and challenge for "
    "Earth surface forecasting as a guided video prediction task, CVPR workshops, 2021",
    licence="see earthnet.tech (not verified); contains modified Copernicus Sentinel data",
)
