"""PASTIS-R: a season of Sentinel-2 L2A and Sentinel-1 over 2 433 patches of French farmland, in five folds.

    metadata.geojson                {"features": [{"properties": {"ID_PATCH": 10000, "Fold": 1,
    DATA_S2/S2_10000.npy                "dates-S2": {"0": 20180920, ...}, "dates-S1A": {...}}}, ...]}
    DATA_S1A/S1A_10000.npy          (T, 3, 128, 128): VV, VH in dB, and their ratio, which is left out

It has no cloud masks: clouds are found by our rules. Radar of a date is the nearest of the ascending passes.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq.bands import L2A_10
from seq2seq.datasets.arrays import check_shape, found, inside, read_json, read_npy
from seq2seq.datasets.base import DatasetInfo, Sample, Samples
from seq2seq.datasets.patches import check_root, check_split
from seq2seq.errors import InputError, InvalidPixelsError, MissingDataError, UnreadableFileError
from seq2seq.sequence import Bool, Dates, Float32
from seq2seq.wording import one_line

TITLE = "PASTIS-R"
FOLDS = 5
# The Sentinel-1 pass nearest to a date of Sentinel-2, if it is no further away: both satellites pass every six days.
S1_WITHIN_DAYS = 6
# As RESTORE-DiT and AGFlow scale it.
BRIGHTEST_DN = 8_000.0
_REFLECTANCE_DN = np.float32(10_000)
_GSD_M = 10.0
SPLITS = {
    **{f"fold-{fold}": (f"Fold {fold}",) for fold in range(1, FOLDS + 1)},
    **{
        f"train-{fold}": tuple(f"Fold {other}" for other in range(1, FOLDS + 1) if other != fold)
        for fold in range(1, FOLDS + 1)
    },
}


@dataclass(frozen=True)
class _Patch:
    """One patch of the metadata. s2_dates, s1_dates: in the order of the arrays."""

    number: str
    fold: int
    s2_dates: Dates
    s1_dates: Dates


class Patches:
    """The patches of a split: `Samples`. Nothing is scored until a protocol hides something."""

    def __init__(self, root: Path, patches: list[_Patch]) -> None:
        self._root, self._patches = root, patches

    def __len__(self) -> int:
        return len(self._patches)

    def name(self, index: int) -> str:
        """The number of the patch."""
        return self._patches[index].number

    def __getitem__(self, index: int) -> Sample:
        """Reads both series of a patch. Raises `InputError` naming the file."""
        patch = self._patches[index]
        dn, dates = self._series(patch, "S2", patch.s2_dates, channels=len(L2A_10))
        radar, passes = self._series(patch, "S1A", patch.s1_dates, channels=3)
        if radar.shape[2:] != dn.shape[2:]:
            raise InputError(f"{patch.number}: S2 is {dn.shape[2:]} px, S1A is {radar.shape[2:]} px", file=patch.number)
        valid = np.asarray((dn > 0).any(axis=1))
        s2 = np.asarray(np.clip(dn, 0, BRIGHTEST_DN) / np.float32(BRIGHTEST_DN), dtype=np.float32)
        return Sample(
            name=patch.number,
            s2=s2,
            s1=nearest_passes(radar[:, :2], passes, dates),
            valid=valid,
            cloud=_find_clouds(dn, valid),
            dates=dates,
            bands=L2A_10,
            truth=s2,
            scored=np.zeros_like(valid),
            asked=dates,
        )

    def _series(self, patch: _Patch, sensor: str, dates: Dates, *, channels: int) -> tuple[Float32, Dates]:
        """(T, C, H, W) float32 and (T,) by date, the first of two of a day."""
        path = inside(self._root, f"DATA_{sensor}/{sensor}_{patch.number}.npy")
        found(path, f"{TITLE} keeps one file a patch there; unpack it whole")
        values = read_npy(path)
        check_shape(path, values.shape, f"(T, {channels}, 128, 128)", axes=4, channels=(channels,))
        if len(values) != len(dates):
            raise InvalidPixelsError(
                f"{path}: has {len(values)} images, metadata.geojson has {len(dates)} dates of them", file=str(path)
            )
        days, first = np.unique(dates, return_index=True)
        return np.nan_to_num(values[first].astype(np.float32), nan=0.0 if sensor == "S2" else np.nan), days


def nearest_passes(radar: Float32, passes: Dates, dates: Dates) -> Float32:
    """(T, 2, H, W) dB of the pass nearest to each of `dates`, the earlier of two; NaN where none is near."""
    away = np.abs((passes[None] - dates[:, None]).astype(np.int64))  # (T, passes)
    values = radar[away.argmin(axis=1)]
    values[away.min(axis=1) > S1_WITHIN_DAYS] = np.nan
    return np.asarray(values)


def _find_clouds(dn: Float32, valid: Bool) -> Bool:
    """(T, H, W) clouds and shadows by the rules that any input without masks gets."""
    from seq2seq.readers.clouds.detecting import cloud_or_shadow
    from seq2seq.readers.clouds.rules import rule_detector

    detector = rule_detector(L2A_10)
    planes = [L2A_10.index(band) for band in detector.bands]
    return cloud_or_shadow(detector, dn[:, planes] / _REFLECTANCE_DN, valid, _GSD_M)


def open_patches(root: Path, split: str) -> Samples:
    """Reads the metadata, and no image. Raises `InputError` where there is none, or it lists no patch of the split."""
    check_split(TITLE, SPLITS, split)
    check_root(root, TITLE)
    path = inside(root, "metadata.geojson")
    found(path, f"give the folder that holds {TITLE}'s metadata.geojson, DATA_S2 and DATA_S1A")
    listed = read_json(path)
    features = listed.get("features") if isinstance(listed, dict) else None
    if not isinstance(features, list):
        raise UnreadableFileError(f"{path}: is no GeoJSON of features", file=str(path))
    patches = [_patch(feature, position, path) for position, feature in enumerate(features)]
    chosen = [patch for patch in patches if f"Fold {patch.fold}" in SPLITS[split]]
    if not chosen:
        raise MissingDataError(f"{path}: lists no patch of {', '.join(SPLITS[split])}", file=str(path))
    return Patches(root, sorted(chosen, key=lambda patch: (len(patch.number), patch.number)))


def _patch(feature: Any, position: int, path: Path) -> _Patch:
    try:
        properties = feature["properties"]
        number = int(properties.get("ID_PATCH", feature.get("id")))
        fold = int(properties["Fold"])
        if not 1 <= fold <= FOLDS:
            raise ValueError(f"Fold is {fold}, must be 1 to {FOLDS}")
        return _Patch(str(number), fold, _dates(properties["dates-S2"]), _dates(properties["dates-S1A"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableFileError(
            f"{path}: feature {position} lacks ID_PATCH, Fold, dates-S2 or dates-S1A as {TITLE} has them "
            f"({one_line(error, 100)})",
            file=str(path),
        ) from error


def _dates(listed: Any) -> Dates:
    """(T,) of {"0": 20180920, ...}, which may be a text of that."""
    entries = json.loads(listed) if isinstance(listed, str) else listed
    days = [str(entries[key]) for key in sorted(entries, key=int)]
    if not days:
        raise ValueError("no dates")
    return np.array([f"{day[:4]}-{day[4:6]}-{day[6:8]}" for day in days], dtype="datetime64[D]")


INFO = DatasetInfo(
    name="pastis",
    title=TITLE,
    about="38 to 61 dates of Sentinel-2 L2A, 10 bands, and about 70 ascending passes of Sentinel-1, of which each date "
    f"gets the nearest within {S1_WITHIN_DAYS} days. It has no cloud masks: clouds are found by our rules. "
    "`fold-1` to `fold-5` are tested on, `train-1` to `train-5` the other four of each.",
    bands=L2A_10,
    splits=SPLITS,
    open=open_patches,
    source="Sainte Fare Garnot, Landrieu and Chehata, Multi-modal temporal attention models for crop mapping from "
    "satellite time series, ISPRS Journal 187, 2022",
    licence="see the data set's page on Zenodo (not verified); contains modified Copernicus Sentinel data",
)
