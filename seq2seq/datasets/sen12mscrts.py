"""SEN12MS-CR-TS: a year of Sentinel-2 L1C and Sentinel-1, 30 acquisitions of 256 x 256 px at 53 places.

    ROIs2017/146/S2/9/s2_ROIs2017_146_ImgNo_9_2018-04-26_patch_0.tif      ROIs2017/146/S1/9/s1_..._patch_0.tif

Two data sets are made of the same files: the authors' samples of three cloudy dates and a clear one, and whole series.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seq2seq.bands import L1C
from seq2seq.datasets.base import DatasetInfo, Sample, Samples
from seq2seq.datasets.cloud_score import cloud_or_shadow, find_clouds
from seq2seq.datasets.date_pairs import INPUTS, DatePair, choose_pair, find_pairs
from seq2seq.datasets.patches import check_root, check_same_size, check_split, has_values, read_optical, read_patch
from seq2seq.errors import InputError, MissingDataError
from seq2seq.sequence import Dates, Float32

TITLE = "SEN12MS-CR-TS"
S1, S2 = "S1", "S2"
ACQUISITIONS = 30
_ALL = {
    "ROIs1158": "106",
    "ROIs1868": "17 36 56 73 85 100 114 119 121 126 127 139 142 143",
    "ROIs1970": "20 21 35 40 57 65 71 82 83 91 112 116 119 128 132 133 135 139 142 144 149",
    "ROIs2017": "8 22 25 32 49 61 63 69 75 103 108 115 116 117 130 140 146",
}
_TEST = {"ROIs1158": "106", "ROIs1868": "73 100 119 142", "ROIs1970": "20 132 139", "ROIs2017": "32 63 103 108 140"}
_VAL = {"ROIs1868": "17 127", "ROIs1970": "65", "ROIs2017": "22 117"}
_NAME = re.compile(r"_ImgNo_(\d+)_(\d{4}-\d\d-\d\d)_patch_(\d+)\.tif$")


def _areas(table: dict[str, str]) -> tuple[str, ...]:
    return tuple(f"{folder}/{number}" for folder, numbers in table.items() for number in numbers.split())


# In the order of the authors' loader, which the official pairs of dates go by.
SPLITS = {
    "train": tuple(area for area in _areas(_ALL) if area not in (*_areas(_TEST), *_areas(_VAL))),
    "val": _areas(_VAL),
    "test": _areas(_TEST),
}


@dataclass(frozen=True)
class _Acquisition:
    """One date of a patch. `date`: of S2."""

    date: np.datetime64
    s2: Path
    s1: Path

    def optical(self) -> Float32:
        """(13, H, W) reflectance."""
        return read_optical(self.s2, date=self.date)

    def radar(self) -> Float32:
        """(2, H, W) dB."""
        return read_patch(self.s1, bands=2, date=self.date)


@dataclass(frozen=True)
class _Place:
    """A patch and its acquisitions, by number."""

    name: str
    acquisitions: tuple[_Acquisition, ...]

    def dates(self, positions: tuple[int, ...]) -> Dates:
        return np.array([self.acquisitions[position].date for position in positions], dtype="datetime64[D]")


def _check_sizes(acquisitions: Sequence[_Acquisition], optical: list[Float32], radar: list[Float32]) -> None:
    """Raises `InputError` where images of a place differ in size."""
    paths = [each.s2 for each in acquisitions] + [each.s1 for each in acquisitions]
    check_same_size(dict(zip(paths, [*optical, *radar], strict=True)))


class _OfPlaces:
    """What both kinds of samples share."""

    def __init__(self, places: list[_Place]) -> None:
        self._places = places

    def __len__(self) -> int:
        return len(self._places)

    def name(self, index: int) -> str:
        """The area and the number of the patch: ROIs2017/146/patch_0."""
        return self._places[index].name


class Triplets(_OfPlaces):
    """Three cloudy dates, and the least cloudy one to predict: `Samples`.

    pairs: the authors', by number of the patch; None: chosen by their rule, which reads all dates.
    """

    def __init__(self, places: list[_Place], pairs: list[DatePair] | None) -> None:
        super().__init__(places)
        self._pairs = pairs

    def __getitem__(self, index: int) -> Sample:
        """Reads the dates of a pair. Raises `InputError` naming the file, or the patch whose dates are too few."""
        place = self._places[index]
        pair = self._pair(index)
        positions = tuple(sorted(pair.inputs))
        seen = [place.acquisitions[position] for position in positions]
        target = place.acquisitions[pair.target]
        optical, truth = [each.optical() for each in seen], target.optical()
        radar = [each.radar() for each in (*seen, target)]
        _check_sizes((*seen, target), [*optical, truth], radar)
        s2 = np.stack(optical)
        return Sample(
            name=place.name,
            s2=s2,
            s1=np.stack(radar[:-1]),
            valid=has_values(s2),
            cloud=np.stack([cloud_or_shadow(image) for image in s2]),
            dates=place.dates(positions),
            bands=L1C,
            truth=truth[None],
            scored=has_values(truth[None]),
            asked=place.dates((pair.target,)),
            asked_s1=radar[-1][None],
        )

    def _pair(self, index: int) -> DatePair:
        place = self._places[index]
        dates = len(place.acquisitions)
        if self._pairs is None:
            clouds = [find_clouds(each.optical()) for each in place.acquisitions]
            pair = choose_pair([float(cloud.mean()) for cloud in clouds])
            if pair is None:
                raise MissingDataError(f"{place.name}: has {dates} dates, {INPUTS + 1} are needed at least")
            return pair
        pair = self._pairs[index]
        if pair.target in pair.inputs:
            raise InputError(f"{place.name}: its target, number {pair.target}, is also an input: nothing to predict")
        if not all(0 <= position < dates for position in (*pair.inputs, pair.target)):
            raise InputError(f"{place.name}: the pairs name {(*pair.inputs, pair.target)}, it has {dates} dates")
        return pair


class Series(_OfPlaces):
    """All dates of a patch. Nothing is scored until a protocol hides something: `Samples`."""

    def __getitem__(self, index: int) -> Sample:
        """Reads all dates. Raises `InputError` naming the file."""
        place = self._places[index]
        optical = [each.optical() for each in place.acquisitions]
        radar = [each.radar() for each in place.acquisitions]
        _check_sizes(place.acquisitions, optical, radar)
        s2 = np.stack(optical)
        dates = place.dates(tuple(range(len(place.acquisitions))))
        valid = has_values(s2)
        return Sample(
            name=place.name,
            s2=s2,
            s1=np.stack(radar),
            valid=valid,
            cloud=np.stack([cloud_or_shadow(image) for image in s2]),
            dates=dates,
            bands=L1C,
            truth=s2,
            scored=np.zeros_like(valid),
            asked=dates,
        )


def open_triplets(root: Path, split: str) -> Samples:
    """Finds the patches of a split, and the authors' pairs of dates where they lie converted in `root`."""
    places = _find(root, split)
    pairs = find_pairs(root, split)
    if pairs is not None and len(pairs) != len(places):
        raise InputError(
            f"{root}: has {len(places)} patches of the {split} split and {len(pairs)} official pairs of dates, which "
            "go by number: all areas of the split must be there, or none of the pairs",
            file=str(root),
        )
    return Triplets(places, pairs)


def open_series(root: Path, split: str) -> Samples:
    """Finds the patches of a split."""
    return Series(_find(root, split))


def _find(root: Path, split: str) -> list[_Place]:
    """The patches of a split, areas in the loader's order. Raises `InputError` where there are none, or S1 is not."""
    check_split(TITLE, SPLITS, split)
    check_root(root, TITLE)
    places = [place for area in SPLITS[split] if (root / area / S2).is_dir() for place in _places(root, area)]
    if not places:
        raise MissingDataError(
            f"{root}: has no patch of the {split} split of {TITLE}, such as {SPLITS[split][0]}/S2/0/s2_*_patch_0.tif; "
            "give the folder that holds ROIs1158 and its like",
            file=str(root),
        )
    return places


def _places(root: Path, area: str) -> list[_Place]:
    """The patches of an area by number, those of its first acquisition."""
    optical, radar = (_files(root / area / sensor) for sensor in (S2, S1))
    if not radar:
        raise MissingDataError(
            f"{root / area}: has no S1 folder with patches; unpack the area's Sentinel-1 archive to {root} too",
            file=str(root / area),
        )
    patches: dict[int, dict[int, tuple[np.datetime64, Path]]] = {}
    for (number, patch), found in optical.items():
        patches.setdefault(patch, {})[number] = found
    return [_place(area, patch, patches[patch], radar, root) for patch in sorted(patches)]


def _place(
    area: str,
    patch: int,
    optical: dict[int, tuple[np.datetime64, Path]],
    radar: dict[tuple[int, int], tuple[np.datetime64, Path]],
    root: Path,
) -> _Place:
    acquisitions: list[_Acquisition] = []
    for number in sorted(optical):
        date, path = optical[number]
        if (number, patch) not in radar:
            folder = root / area / S1 / str(number)
            raise MissingDataError(
                f"{folder}: has no Sentinel-1 patch {patch}, Sentinel-2 has {path.name}", file=str(folder), date=date
            )
        if acquisitions and date <= acquisitions[-1].date:
            raise InputError(
                f"{path}: is of {date}, the acquisition before it of {acquisitions[-1].date}", file=str(path), date=date
            )
        acquisitions.append(_Acquisition(date, path, radar[number, patch][1]))
    return _Place(f"{area}/patch_{patch}", tuple(acquisitions))


def _files(folder: Path) -> dict[tuple[int, int], tuple[np.datetime64, Path]]:
    """Dates and files by number of the acquisition, of the 30 that the loader reads, and of the patch."""
    found: dict[tuple[int, int], tuple[np.datetime64, Path]] = {}
    for number in range(ACQUISITIONS):
        for path in sorted((folder / str(number)).glob("*.tif")):
            name = _NAME.search(path.name)
            if name and int(name[1]) == number:
                found[number, int(name[3])] = (np.datetime64(name[2], "D"), path)
    return found


_MASKS = (
    "It has no cloud masks: clouds and shadows are found by DSen2-CR's rule (threshold 0.2, B01 + B10 from 0.15 "
    "to 0.2); that of its own loaders, from 0.4 to 0.9, misses most clouds."
)
_SOURCE = (
    "Ebel, Xu, Schmitt and Zhu, SEN12MS-CR-TS: A remote-sensing data set for multimodal multitemporal cloud removal, "
    "IEEE Transactions on Geoscience and Remote Sensing 60, 2022"
)
_LICENCE = "CC BY 4.0; contains modified Copernicus Sentinel data"

TRIPLETS = DatasetInfo(
    name="sen12mscrts",
    title=TITLE,
    about=f"Three cloudy dates with their radar, and the least cloudy of 30 to predict. {_MASKS}",
    bands=L1C,
    splits=SPLITS,
    open=open_triplets,
    source=_SOURCE,
    licence=_LICENCE,
)
SERIES = DatasetInfo(
    name="sen12mscrts-series",
    title=f"{TITLE}, whole series",
    about=f"All 30 dates of a year with their radar. {_MASKS}",
    bands=L1C,
    splits=SPLITS,
    open=open_series,
    source=_SOURCE,
    licence=_LICENCE,
)
