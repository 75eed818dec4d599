"""SEN12MS-CR: a cloudy image, its radar and a clear image of the same season, 256 x 256 px, all over the world.

    ROIs1158_spring_s1/s1_106/ROIs1158_spring_s1_106_p30.tif
    ROIs1158_spring_s2_cloudy/s2_cloudy_106/ROIs1158_spring_s2_cloudy_106_p30.tif
    ROIs1158_spring_s2/s2_106/ROIs1158_spring_s2_106_p30.tif

Splits are those of the UnCRtainTS loader, by whole names. That loader looks for its names anywhere in a path, so that
its training split also takes what merely begins alike: `s1_1` brings in 106 and 123 of the test split.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seq2seq.bands import L1C
from seq2seq.datasets.base import DatasetInfo, Sample, Samples
from seq2seq.datasets.cloud_score import cloud_or_shadow
from seq2seq.datasets.patches import check_root, check_same_size, check_split, has_values, read_optical, read_patch
from seq2seq.errors import MissingDataError

TITLE = "SEN12MS-CR"
_SENSORS = CLOUDY, RADAR, CLEAR = ("s2_cloudy", "s1", "s2")
# Names carry a season and no date: its middle stands for it, the same for image, radar and target.
_SEASONS = {
    "ROIs1158_spring": "2018-04-15",
    "ROIs1868_summer": "2018-07-15",
    "ROIs1970_fall": "2018-10-15",
    "ROIs2017_winter": "2018-01-15",
}
_TRAIN = {
    "ROIs1158_spring": "9 1 124 40 101 21 134 145 141 66 8 26 77 113 100 117 119 6 58 120 110 126 115 121 39 109 63 75 "
    "132 128 142 15 45 97 147",
    "ROIs1868_summer": "90 87 25 124 114 135 40 101 42 31 36 139 56 133 55 43 113 76 123 143 93 125 89 120 126 72 115 "
    "121 146 140 95 102 7 11 132 15 137 4 27 147 86 47 100",
    "ROIs1970_fall": "3 22 148 107 1 114 135 40 42 31 149 64 28 144 57 35 133 30 134 141 112 116 37 26 77 100 83 71 93 "
    "119 104 136 6 41 125 91 131 120 110 19 14 81 39 109 33 88 11 128 142 122 4 27 147 85 82 105",
    "ROIs2017_winter": "68 25 62 135 42 64 21 55 112 116 8 59 49 104 81 146 75 94 102 61 47",
}
_VAL = {
    "ROIs1158_spring": "17",
    "ROIs1868_summer": "19 80 127 17",
    "ROIs1970_fall": "65",
    "ROIs2017_winter": "22 107 130 84",
}
_TEST = {
    "ROIs1158_spring": "106 123 140 31 44",
    "ROIs1868_summer": "119 73",
    "ROIs1970_fall": "139",
    "ROIs2017_winter": "108 63",
}
_PATCH = re.compile(r"_p(\d+)\.tif$")


def _areas(table: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(f"{season}/{number}" for season, numbers in table.items() for number in numbers.split())


SPLITS = {"train": _areas(_TRAIN), "val": _areas(_VAL), "test": _areas(_TEST)}


@dataclass(frozen=True)
class _Triplet:
    """The files of a patch. area: as `SPLITS` has it."""

    area: str
    patch: int
    root: Path

    @property
    def name(self) -> str:
        return f"{self.area}/p{self.patch}"

    def path(self, sensor: str) -> Path:
        season, number = self.area.split("/")
        return _folder(self.root, self.area, sensor) / f"{season}_{sensor}_{number}_p{self.patch}.tif"


class Patches:
    """The triplets of a split: `Samples`."""

    def __init__(self, triplets: list[_Triplet]) -> None:
        self._triplets = triplets

    def __len__(self) -> int:
        return len(self._triplets)

    def name(self, index: int) -> str:
        """The area and the number of the patch: ROIs1158_spring/106/p30."""
        return self._triplets[index].name

    def __getitem__(self, index: int) -> Sample:
        """Reads the three images. Raises `InputError` naming the file."""
        triplet = self._triplets[index]
        cloudy, clear = (read_optical(triplet.path(sensor)) for sensor in (CLOUDY, CLEAR))
        radar = read_patch(triplet.path(RADAR), bands=2)
        check_same_size(dict(zip(map(triplet.path, _SENSORS), (cloudy, radar, clear), strict=True)))
        date = np.array([_SEASONS[triplet.area.split("/")[0]]], dtype="datetime64[D]")
        return Sample(
            name=triplet.name,
            s2=cloudy[None],
            s1=radar[None],
            valid=has_values(cloudy[None]),
            cloud=cloud_or_shadow(cloudy)[None],
            dates=date,
            bands=L1C,
            truth=clear[None],
            scored=has_values(clear[None]),
            asked=date,
        )


def open_patches(root: Path, split: str) -> Samples:
    """Finds the triplets of a split below `root`; patches that lack one of the three are left out, as by the authors.

    Raises `InputError` where there are none, naming what is missing.
    """
    check_split(TITLE, SPLITS, split)
    check_root(root, TITLE)
    cloudy = [each for area in SPLITS[split] for each in _patches(root, area)]
    if not cloudy:
        example = _folder(root, SPLITS[split][0], CLOUDY)
        raise MissingDataError(
            f"{root}: has no cloudy patch of the {split} split of {TITLE}, such as {example.relative_to(root)}/*.tif; "
            "give the folder that holds ROIs1158_spring_s2_cloudy and its like",
            file=str(root),
        )
    whole = [each for each in cloudy if all(each.path(sensor).is_file() for sensor in _SENSORS)]
    if not whole:
        missing = next(path for path in map(cloudy[0].path, _SENSORS) if not path.is_file())
        raise MissingDataError(
            f"{missing}: is missing, and so for all {len(cloudy)} patches of the {split} split; unpack "
            f"{missing.parent.parent.name} to {root} too",
            file=str(missing),
        )
    return Patches(whole)


def _folder(root: Path, area: str, sensor: str) -> Path:
    season, number = area.split("/")
    return root / f"{season}_{sensor}" / f"{sensor}_{number}"


def _patches(root: Path, area: str) -> list[_Triplet]:
    """The cloudy patches of an area by number."""
    folder = _folder(root, area, CLOUDY)
    names = (_PATCH.search(path.name) for path in folder.glob("*.tif")) if folder.is_dir() else ()
    return [_Triplet(area, number, root) for number in sorted(int(found[1]) for found in names if found)]


INFO = DatasetInfo(
    name="sen12mscr",
    title=TITLE,
    about="A cloudy Sentinel-2 L1C image, Sentinel-1 of about its time, and a clear image of the same season. It has "
    "no cloud masks: clouds and shadows are found by DSen2-CR's rule (threshold 0.2, B01 + B10 from 0.15 to 0.2).",
    bands=L1C,
    splits=SPLITS,
    open=open_patches,
    source="Ebel, Meraner, Schmitt and Zhu, Multisensor data fusion for cloud removal in global and all-season "
    "Sentinel-2 imagery, IEEE Transactions on Geoscience and Remote Sensing 59, 2021",
    licence="CC BY 4.0; contains modified Copernicus Sentinel data",
)
