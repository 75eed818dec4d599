"""AllClear: three Sentinel-2 L1C images with what Sentinel-1 saw near them, to a clear one, at places worldwide.

    metadata/datasets/test_tx3_s2-s1_100pct_1proi.json      {"roi1_2022-01-01_...": {"roi": ["roi1", [lat, lon]],
    data/roi1/2022_1/s2_toa/roi1_s2_toa_2022_1_1_median.tif     "s2_toa": [["2022-01-01 00:13:45", PATH], ...],
    data/roi1/2022_1/cld_shdw/roi1_cld_shdw_2022_1_1_median.tif  "s1": [...], "target": [[TIME, PATH]]}, ...}

Published paths begin with a folder of the authors' machine; what counts is the part from the place's own folder on.
"""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from seq2seq.bands import L1C
from seq2seq.datasets.arrays import found, inside, read_json
from seq2seq.datasets.base import DatasetInfo, Sample, Samples
from seq2seq.datasets.patches import check_root, check_split, has_values
from seq2seq.errors import DuplicateDatesError, InputError, InvalidPixelsError, MissingDataError, UnreadableFileError
from seq2seq.sequence import Bool, Dates, Float32

TITLE = "AllClear"
CROP_PX = 256
S1_WITHIN_DAYS = 2  # as the authors' loader pairs them
LOWEST_DB = (-25.0, -32.5)  # VV, VH; the highest is 0
MASK_BANDS = (1, 4)  # of 5, from 0: cloud and shadow
_BRIGHTEST_DN = np.float32(10_000)
# Indices of samples, and the list of places that they are of.
INDICES = {"test": "test_tx3_s2-s1_100pct.json", "test-light": "test_tx3_s2-s1_100pct_1proi.json"}
ROIS = "test_rois_3k.txt"


@dataclass(frozen=True)
class _Image:
    """One image of the index. `path`: as it is stored, below the folder of the data set."""

    date: np.datetime64
    path: Path


def read_crop(path: Path, *, bands: tuple[int, ...], date: np.datetime64) -> Float32:
    """(C, H, W) float32 of these bands, from 0, of the 256 x 256 px in the middle. Raises `InputError` naming it."""
    from seq2seq.readers.contents import Window
    from seq2seq.readers.geotiff import open_geotiff

    found(path, f"unpack the archive of its place, and the one of its masks, as {TITLE} delivers them")
    tiff = open_geotiff(path, name=str(path), date=date)
    height, width = tiff.header.geobox.shape
    stored = len(tiff.header.descriptions)
    if stored <= max(bands):
        raise InvalidPixelsError(f"{path}: has {stored} bands, {max(bands) + 1} are needed", file=str(path), date=date)
    top, left = max(0, height // 2 - CROP_PX // 2), max(0, width // 2 - CROP_PX // 2)
    window = Window(top, min(top + CROP_PX, height), left, min(left + CROP_PX, width))
    return np.asarray(tiff.read(window)[list(bands)], dtype=np.float32)


def _optical(image: _Image) -> Float32:
    """(13, H, W) reflectance."""
    values = np.nan_to_num(read_crop(image.path, bands=tuple(range(len(L1C))), date=image.date), nan=0.0)
    return np.asarray(np.clip(values, 0, _BRIGHTEST_DN) / _BRIGHTEST_DN)


def _radar(image: _Image) -> Float32:
    """(2, H, W) dB within the authors' bounds; NaN where there is none."""
    low = np.array(LOWEST_DB, dtype=np.float32)[:, None, None]
    return np.asarray(np.clip(read_crop(image.path, bands=(0, 1), date=image.date), low, 0))


def _clouded(root: Path, image: _Image) -> Bool:
    """(H, W) cloud or shadow of the file of masks beside an optical image; what has no mask counts as cloud."""
    path = inside(root, str(image.path.relative_to(root)).replace("s2_toa", "cld_shdw"))
    masks = np.nan_to_num(read_crop(path, bands=MASK_BANDS, date=image.date), nan=1.0)
    return np.asarray((masks > 0).any(axis=0))


def _roi_of(entry: Any) -> str:
    """The name of the place of an entry. Whatever an entry lacks is raised as Python does."""
    return str(entry["roi"][0])


class Indexed:
    """The samples of an index: `Samples`."""

    def __init__(self, root: Path, index: Path, entries: dict[str, Any]) -> None:
        self._root, self._index = root, index
        self._entries = list(entries.items())

    def __len__(self) -> int:
        return len(self._entries)

    def name(self, index: int) -> str:
        """The key of the index: the place, and the first and last day."""
        return self._entries[index][0]

    def __getitem__(self, index: int) -> Sample:
        """Reads the images of a sample and their masks. Raises `InputError` naming the file, or the index."""
        name, entry = self._entries[index]
        targets, inputs, radar = (self._images(name, entry, key) for key in ("target", "s2_toa", "s1"))
        target = targets[0]
        # A date that is asked for shows nothing of itself.
        inputs = [image for image in inputs if image.date != target.date]
        if not inputs:
            raise MissingDataError(
                f"{self._index}: {name} has no Sentinel-2 image but its target", file=str(self._index)
            )
        images = [_optical(image) for image in (*inputs, target)]
        clouds = [_clouded(self._root, image) for image in (*inputs, target)]
        _check_sides(name, [image.shape[1:] for image in images] + [cloud.shape for cloud in clouds])
        s2, truth = np.stack(images[:-1]), images[-1][None]
        dates: Dates = np.array([image.date for image in inputs], dtype="datetime64[D]")
        asked: Dates = np.array([target.date], dtype="datetime64[D]")
        beside = _nearest(radar, np.concatenate([dates, asked]), s2.shape[2:], name)
        return Sample(
            name=name,
            s2=s2,
            s1=None if beside is None else beside[:-1],
            valid=has_values(s2),
            cloud=np.stack(clouds[:-1]),
            dates=dates,
            bands=L1C,
            truth=truth,
            scored=~clouds[-1][None],
            asked=asked,
            asked_s1=None if beside is None else beside[-1:],
        )

    def _images(self, name: str, entry: Any, key: str) -> list[_Image]:
        """What an index lists of a sample below `key`, by date."""
        try:
            roi = _roi_of(entry)
            listed = [(np.datetime64(str(time)[:10], "D"), str(path)) for time, path in entry.get(key, ())]
        except (TypeError, KeyError, IndexError, ValueError, AttributeError) as error:
            raise UnreadableFileError(
                f"{self._index}: {name} has no `roi` or no list of [time, path] as `{key}`", file=str(self._index)
            ) from error
        if key != "s1" and not listed:
            raise MissingDataError(f"{self._index}: {name} lists no `{key}`", file=str(self._index))
        images = sorted((_Image(date, self._locate(path, roi)) for date, path in listed), key=lambda each: each.date)
        if key == "s2_toa" and len({image.date for image in images}) < len(images):
            raise DuplicateDatesError(f"{self._index}: {name} lists two images of a day", file=str(self._index))
        return images

    def _locate(self, path: str, roi: str) -> Path:
        """The file of a published path, which may begin with a folder of the authors' machine."""
        parts = PurePosixPath(path).parts
        relative = "/".join(parts[parts.index(roi) :] if roi in parts else parts)
        if ".." in parts:
            raise InputError(f"{self._index}: {path} leaves {self._root}; only files inside are read", file=path)
        located = [inside(self._root, f"{folder}{relative}") for folder in ("data/", "")] if roi in parts else []
        located = located or [inside(self._root, relative)]
        return next((each for each in located if each.is_file()), located[0])


def _check_sides(name: str, sides: list[tuple[int, ...]]) -> None:
    if len(set(sides)) > 1:
        raise InputError(f"{name}: its images and masks are of {sorted(set(sides))} px, must be of one size")


def _nearest(radar: list[_Image], dates: Dates, sides: tuple[int, ...], name: str) -> Float32 | None:
    """(T, 2, H, W) the radar nearest to each date, of those not more than two days away; NaN: none. None: no radar."""
    values = np.full((len(dates), 2, *sides), np.nan, dtype=np.float32)
    for position, date in enumerate(dates):
        near = [image for image in radar if abs((image.date - date).astype(int)) <= S1_WITHIN_DAYS]
        if near:
            image = _radar(min(near, key=lambda each: abs((each.date - date).astype(int))))
            _check_sides(name, [sides, image.shape[1:]])
            values[position] = image
    return values if np.isfinite(values).any() else None


def open_index(root: Path, split: str) -> Samples:
    """Reads the index of a split, and no image. Raises `InputError` where the folder has none, or it is none."""
    check_split(TITLE, INDICES, split)
    check_root(root, TITLE)
    places = [inside(root, f"{folder}{INDICES[split]}") for folder in ("metadata/datasets/", "datasets/", "")]
    index = next((place for place in places if place.is_file()), None)
    if index is None:
        raise MissingDataError(
            f"{root}: has no metadata/datasets/{INDICES[split]}; give the folder of {TITLE}'s metadata and data",
            file=str(root),
        )
    entries = read_json(index)
    if not isinstance(entries, dict) or not entries:
        raise UnreadableFileError(f"{index}: is no index of samples by name", file=str(index))
    _check_rois(root, index, entries)
    return Indexed(root, index, entries)


def _check_rois(root: Path, index: Path, entries: dict[str, Any]) -> None:
    """Raises `InputError` where the list of the test split's places is there, and a sample is of none of them."""
    listing = inside(root, f"metadata/rois/{ROIS}")
    if not listing.is_file():
        return
    rois = set(listing.read_text(encoding="utf-8", errors="replace").split())
    for name, entry in entries.items():
        try:
            roi = _roi_of(entry)
        except (TypeError, KeyError, IndexError):
            roi = "no place"
        if roi not in rois:
            raise InputError(f"{index}: {name} is of {roi}, which {listing} does not list", file=str(index))


INFO = DatasetInfo(
    name="allclear",
    title=TITLE,
    about="Three Sentinel-2 L1C images of a place with Sentinel-1 within two days of them, to predict a clear one, "
    "with masks of clouds and shadows. Places: 19 000 to train, 1 000 to validate, 3 000 to test.",
    bands=L1C,
    splits={"test": (f"metadata/rois/{ROIS}",), "test-light": (f"metadata/rois/{ROIS}, one sample a place",)},
    open=open_index,
    source="Zhou, Kao, Phoo, Mall, Hariharan and Bala, AllClear: A comprehensive dataset and benchmark for cloud "
    "removal in satellite imagery, NeurIPS datasets and benchmarks, 2024",
    licence="see allclear.cs.cornell.edu (not verified); contains modified Copernicus Sentinel data",
)
