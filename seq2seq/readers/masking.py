"""The choice of cloud masks: the user's own, else s2cloudless where its bands are there, else the rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from seq2seq.config import ReconstructionConfig
from seq2seq.errors import ConfigError, MissingDataError
from seq2seq.readers.checks import check_masks
from seq2seq.readers.cloud_detection import (
    S2CLOUDLESS_BANDS,
    CloudDetector,
    S2CloudlessDetector,
    rule_detector,
    s2cloudless_installed,
)
from seq2seq.readers.contents import CloudMask, Contents, Raster
from seq2seq.readers.names import listed
from seq2seq.readers.pairing import gsd_m
from seq2seq.readers.scl import MASKED_WORDS, check_scl, looks_like_scl, sampled_classes

MaskSource = Literal["user", "scl", "s2cloudless", "rules"]

DETECTED_BUFFER_PX = 3  # detectors miss the thin rims of clouds; the user's mask is theirs and is not touched


@dataclass(frozen=True)
class Masking:
    """The sources of cloud masks. masks: per date the user's, or None where `detector` has to find clouds.

    source: what is reported. user_buffer_px, detected_buffer_px: how far either is grown.
    """

    masks: tuple[CloudMask | None, ...]
    detector: CloudDetector | None
    source: MaskSource
    user_buffer_px: int
    detected_buffer_px: int

    @property
    def margin_px(self) -> int:
        """The distance beyond a block that its masks depend on."""
        detected = self.detector.reach_px + self.detected_buffer_px if self.detector else 0
        return max(detected, self.user_buffer_px)


def choose_masking(
    contents: Contents, bands: tuple[str, ...], config: ReconstructionConfig
) -> tuple[Masking, tuple[str, ...]]:
    """The masking that `config.cloud_detector` asks for, and what the user should know about it.

    Raises `ConfigError` for a detector that cannot run here, `MissingDataError` for masks that were demanded and are
    not there, and what `check_masks` and `check_scl` raise.
    """
    own, own_source, warnings = _own_masks(contents, config)
    complete = all(mask is not None for mask in own)
    source: MaskSource = own_source
    detector: CloudDetector | None = None
    if not complete:
        name, more = _detector_name(bands, config)
        size_m = gsd_m(contents.s2[0].header.geobox)
        detector = S2CloudlessDetector(size_m) if name == "s2cloudless" else rule_detector(bands, size_m)
        source = own_source if any(mask is not None for mask in own) else name
        warnings += more
    buffer_px = config.cloud_buffer_px
    masking = Masking(
        masks=own,
        detector=detector,
        source=source,
        user_buffer_px=0 if buffer_px is None else buffer_px,
        detected_buffer_px=DETECTED_BUFFER_PX if buffer_px is None else buffer_px,
    )
    return masking, tuple(warnings)


def _own_masks(
    contents: Contents, config: ReconstructionConfig
) -> tuple[tuple[CloudMask | None, ...], Literal["user", "scl"], list[str]]:
    """Per S2 date the user's mask or None: that of MASK, else that of SCL. Which of them it is, and what to say."""
    s2 = contents.s2
    there = [sensor for sensor, rasters in (("MASK", contents.masks), ("SCL", contents.scl)) if rasters]
    if config.cloud_detector in ("s2cloudless", "rules"):
        unused = [f"{sensor} is not used: cloud_detector is {config.cloud_detector}" for sensor in there]
        return (None,) * len(s2), "user", unused
    masks, are_scl, warnings = _read_masks(contents.masks, s2[0])
    by_date = {mask.header.date: mask for mask in masks}
    scl_by_date: dict[np.datetime64, CloudMask] = {
        mask.header.date: mask for mask in check_scl(contents.scl, s2[0].header.geobox)
    }
    dates = [raster.header.date for raster in s2]
    from_scl = [str(date) for date in dates if date in scl_by_date and date not in by_date]
    if from_scl:
        warnings.append(f"clouds on {listed(from_scl)} are those of SCL; masked are its classes {MASKED_WORDS}")
    own = tuple(by_date.get(date, scl_by_date.get(date)) for date in dates)
    warnings += _gaps(own, dates, there, config)
    for sensor, dated in (("MASK", by_date), ("SCL", scl_by_date)):
        if strays := sorted(str(date) for date in set(dated) - set(dates)):
            warnings.append(f"{sensor} has dates that S2 lacks, ignored: {listed(strays)}")
    return own, "scl" if are_scl or not masks else "user", warnings


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


def _detector_name(
    bands: tuple[str, ...], config: ReconstructionConfig
) -> tuple[Literal["s2cloudless", "rules"], list[str]]:
    """What detects clouds where the user gave no mask."""
    missing = [band for band in S2CLOUDLESS_BANDS if band not in bands]
    demanded = config.cloud_detector == "s2cloudless"
    if config.cloud_detector == "rules" or (missing and not demanded):
        return "rules", []
    if missing:
        raise ConfigError(f"cloud_detector s2cloudless needs {', '.join(missing)}, which the input lacks")
    if s2cloudless_installed():
        return "s2cloudless", []
    hint = "pip install 'decloud[clouds]'"
    if demanded:
        raise ConfigError(f"cloud_detector s2cloudless is not installed: {hint}")
    return "rules", [f"s2cloudless is not installed ({hint}): clouds are found by rules"]
