"""The choice of cloud masks: the user's own, else s2cloudless where its bands are there, else the rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from seq2seq.config import DETECTORS, DetectorName, ReconstructionConfig
from seq2seq.errors import MissingDataError
from seq2seq.readers.checks import check_masks
from seq2seq.readers.clouds.casting import Cast
from seq2seq.readers.clouds.choosing import chosen_detector, make_detector
from seq2seq.readers.clouds.detecting import CloudDetector
from seq2seq.readers.clouds.finishing import Finishing
from seq2seq.readers.contents import CloudMask, Contents, Header, Raster
from seq2seq.readers.pairing import gsd_m
from seq2seq.readers.scl import MASKED_WORDS, check_scl, looks_like_scl, sampled_classes
from seq2seq.readers.sun import computed_sun, shadow_step
from seq2seq.wording import listed

MaskSource = Literal["user", "scl", "s2cloudless", "rules", "score", "csmask"]

DETECTED_BUFFER_PX = 3  # detectors miss the thin rims of clouds; the user's mask is theirs and is not touched


@dataclass(frozen=True)
class Given:
    """Masks that came with the images, of one source: "user" or "scl". masks: per date, or None."""

    name: Literal["user", "scl"]
    masks: tuple[CloudMask | None, ...]


@dataclass(frozen=True)
class Detecting:
    """A detector and the dates on which what it finds counts, per date."""

    name: DetectorName
    detector: CloudDetector
    dates: tuple[bool, ...]


@dataclass(frozen=True)
class Masking:
    """The sources of cloud masks, and what becomes of what they say.

    source: what is reported. casts: per date how shadows fall, None where only what is dark near a cloud
    is shadow. sun: how that is known, in words.
    """

    given: tuple[Given, ...]
    detecting: tuple[Detecting, ...]
    source: MaskSource
    finishing: Finishing
    casts: tuple[Cast | None, ...]
    sun: str = ""

    @property
    def masks(self) -> tuple[CloudMask | None, ...]:
        """Per date the first mask that came with the images, None where there is none."""
        return tuple(
            next((each.masks[date] for each in self.given if each.masks[date] is not None), None)
            for date in range(len(self.casts))
        )

    @property
    def bands(self) -> tuple[str, ...]:
        """Those that some detector looks at."""
        return tuple(dict.fromkeys(band for each in self.detecting for band in each.detector.bands))

    @property
    def margin_px(self) -> int:
        """The distance beyond a block that what is found there depends on."""
        return max((each.detector.reach_px for each in self.detecting), default=0)

    @property
    def cell_px(self) -> int:
        """Blocks that detectors get start at multiples of it."""
        return int(np.lcm.reduce([each.detector.cell_px for each in self.detecting] or [1]))

    @property
    def reach_px(self) -> int:
        """The distance beyond a block of found things that their masks depend on."""
        return self.finishing.reach_px(self.casts if self.detecting else ())


def choose_masking(
    contents: Contents, bands: tuple[str, ...], config: ReconstructionConfig
) -> tuple[Masking, tuple[str, ...]]:
    """The masking that the settings ask for, and what the user should know about it.

    Raises `ConfigError` for a detector that cannot run here, `MissingDataError` for masks that were demanded and are
    not there, and what `check_masks` and `check_scl` raise.
    """
    given, warnings = _given_masks(contents, config)
    headers = [raster.header for raster in contents.s2]
    forced = config.cloud_detector in DETECTORS  # on all dates, whatever masks are added to it
    without = tuple(forced or all(each.masks[date] is None for each in given) for date in range(len(headers)))
    source: MaskSource = given[0].name if given else "user"
    size_m = gsd_m(headers[0].geobox)
    detecting = []
    if any(without):
        name, more = chosen_detector(bands, config)
        source = source if not all(without) else name
        detecting.append(Detecting(name, make_detector(name, bands, size_m), without))
        warnings += more
    for name in config.added_detectors:
        if all(each.name != name or not all(each.dates) for each in detecting):
            detecting = [each for each in detecting if each.name != name]
            detecting.append(Detecting(name, make_detector(name, bands, size_m), (True,) * len(headers)))
    casts, sun = _casts(headers, config) if detecting else ((None,) * len(headers), "")
    buffer_px = config.cloud_buffer_px
    finishing = Finishing.of(
        gsd_m=size_m,
        given_px=0 if buffer_px is None else buffer_px,
        detected_px=DETECTED_BUFFER_PX if buffer_px is None else buffer_px,
        least_px=config.cloud_min_px,
        holes_px=config.cloud_holes_px,
    )
    return Masking(given, tuple(detecting), source, finishing, casts, sun), tuple(warnings)


def _casts(headers: Sequence[Header], config: ReconstructionConfig) -> tuple[tuple[Cast | None, ...], str]:
    """Per date how its shadows fall, and how that is known, in words."""
    if config.cloud_shadows == "near":
        return (None,) * len(headers), "Shadow is what is dark within 1 km of a cloud."
    casts = []
    for header in headers:
        sun = header.sun or computed_sun(header.date, header.geobox)
        casts.append(Cast(shadow_step(sun, header.geobox), gsd_m(header.geobox)))
    stated = sum(header.sun is not None for header in headers)
    known = {len(headers): "as metadata state it", 0: "computed from date and place"}.get(
        stated, f"as metadata state it on {stated} dates and computed on {len(headers) - stated}"
    )
    return tuple(casts), f"Shadow is what is dark within 1 km of a cloud, or dim where one falls, by the sun {known}."


def _given_masks(contents: Contents, config: ReconstructionConfig) -> tuple[tuple[Given, ...], list[str]]:
    """What came with the images and counts: MASK, and SCL on dates that it lacks; and what to say."""
    s2, added = contents.s2, config.added_clouds
    rasters = {"MASK": contents.masks, "SCL": contents.scl}
    there = [folder for folder, found in rasters.items() if found]
    warnings = []
    if config.cloud_detector not in ("auto", "user"):
        asked = {"MASK": "user" in added, "SCL": "scl" in added}
        unused = [folder for folder in there if not asked[folder]]
        warnings += [f"{folder} is not used: cloud_detector is {config.cloud_detector}" for folder in unused]
        rasters = {folder: found if asked[folder] else () for folder, found in rasters.items()}
    masks, are_scl, more = _read_masks(rasters["MASK"], s2[0])
    by_date = {mask.header.date: mask for mask in masks}
    scl_by_date: dict[np.datetime64, CloudMask] = {
        mask.header.date: mask for mask in check_scl(rasters["SCL"], s2[0].header.geobox)
    }
    warnings += more
    dates = [raster.header.date for raster in s2]
    joined = "scl" in added
    from_scl = [str(date) for date in dates if date in scl_by_date and (joined or date not in by_date)]
    if from_scl:
        warnings.append(f"clouds on {listed(from_scl)} are those of SCL; masked are its classes {MASKED_WORDS}")
    first = tuple(by_date.get(date) for date in dates)
    second = tuple(scl_by_date.get(date) if joined or date not in by_date else None for date in dates)
    if config.cloud_detector in ("auto", "user"):
        either = [mask or other for mask, other in zip(first, second, strict=True)]
        warnings += _gaps(either, dates, there, config)
    for folder, dated in (("MASK", by_date), ("SCL", scl_by_date)):
        if strays := sorted(str(date) for date in set(dated) - set(dates)):
            warnings.append(f"{folder} has dates that S2 lacks, ignored: {listed(strays)}")
    given = (Given("scl" if are_scl else "user", first), Given("scl", second))
    return tuple(each for each in given if any(mask is not None for mask in each.masks)), warnings


def _gaps(
    own: Sequence[CloudMask | None],
    dates: Sequence[np.datetime64],
    there: Sequence[str],
    config: ReconstructionConfig,
) -> list[str]:
    """Warnings on dates that have no mask in the folders that are `there`."""
    missing = [str(date) for date, mask in zip(dates, own, strict=True) if mask is None]
    lacking = f"{' and '.join(there)} lack" if len(there) == 2 else f"{there[0] if there else 'MASK'} lacks"
    if missing and config.cloud_detector == "user":
        raise MissingDataError(f"cloud_detector is user, but {lacking} {listed(missing)}", date=missing[0])
    if missing and there:
        return [f"{lacking} {listed(missing)}: clouds on these dates are detected"]
    return []


def _read_masks(rasters: Sequence[Raster], s2: Raster) -> tuple[Sequence[CloudMask], bool, list[str]]:
    """The masks of MASK, whether they are SCL, and what to say about values that are neither 0 nor 1."""
    values = sampled_classes(rasters)
    if looks_like_scl(values):
        said = f"MASK holds classes of SCL ({_values(values)}), not 0 and 1; masked are {MASKED_WORDS}"
        return check_scl(rasters, s2.header.geobox), True, [said]
    masks = check_masks(rasters, s2.header)
    if len(values - {0}) > 1:
        return masks, False, [f"MASK holds the values {_values(values)}: all but 0 are taken as cloud"]
    return masks, False, []


def _values(values: set[int]) -> str:
    return listed([str(value) for value in sorted(values)])
