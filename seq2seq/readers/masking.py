"""Whose cloud masks a sequence gets: the user's own, else s2cloudless where its bands are there, else the rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from seq2seq.clouds import (
    S2CLOUDLESS_BANDS,
    CloudDetector,
    S2CloudlessDetector,
    rule_detector,
    s2cloudless_installed,
)
from seq2seq.config import ReconstructionConfig
from seq2seq.errors import ConfigError, MissingDataError
from seq2seq.pairing import gsd_m
from seq2seq.readers.acquisitions import MaskAcquisition
from seq2seq.readers.checks import check_masks
from seq2seq.readers.contents import Raster
from seq2seq.readers.names import listed

MaskSource = Literal["user", "s2cloudless", "rules"]

DETECTED_BUFFER_PX = 3  # detectors miss the thin rims of clouds; the user's mask is theirs and is not touched


@dataclass(frozen=True)
class Masking:
    """How cloud masks come about. masks: per date the user's, or None where `detector` has to find clouds.

    source: what is reported. user_buffer_px, detected_buffer_px: how far either is grown.
    """

    masks: tuple[MaskAcquisition | None, ...]
    detector: CloudDetector | None
    source: MaskSource
    user_buffer_px: int
    detected_buffer_px: int

    @property
    def margin_px(self) -> int:
        """How far beyond a block its masks depend on."""
        detected = self.detector.reach_px + self.detected_buffer_px if self.detector else 0
        return max(detected, self.user_buffer_px)


def choose_masking(
    rasters: Sequence[Raster], s2: Sequence[Raster], bands: tuple[str, ...], config: ReconstructionConfig
) -> tuple[Masking, tuple[str, ...]]:
    """The masking that `config.cloud_detector` asks for, and what the user should know about it.

    Raises `ConfigError` for a detector that cannot run here, `MissingDataError` for masks that were demanded and are
    not there, and what `check_masks` raises.
    """
    own, warnings = _own_masks(rasters, s2, config)
    complete = all(mask is not None for mask in own)
    source: MaskSource = "user"
    detector: CloudDetector | None = None
    if not complete:
        name, more = _detector_name(bands, config)
        size_m = gsd_m(s2[0].header.geobox)
        detector = S2CloudlessDetector(size_m) if name == "s2cloudless" else rule_detector(bands, size_m)
        source = "user" if any(mask is not None for mask in own) else name
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
    rasters: Sequence[Raster], s2: Sequence[Raster], config: ReconstructionConfig
) -> tuple[tuple[MaskAcquisition | None, ...], list[str]]:
    """Per S2 date the user's mask or None."""
    if config.cloud_detector in ("s2cloudless", "rules"):
        return (None,) * len(s2), [f"MASK is not used: cloud_detector is {config.cloud_detector}"] if rasters else []
    by_date = {mask.raster.header.date: mask for mask in check_masks(rasters, s2[0].header)}
    own = tuple(by_date.get(raster.header.date) for raster in s2)
    missing = [str(raster.header.date) for raster, mask in zip(s2, own, strict=True) if mask is None]
    if missing and config.cloud_detector == "user":
        raise MissingDataError(f"cloud_detector is user, but MASK lacks {listed(missing)}")
    warnings = []
    if missing and rasters:
        warnings.append(f"MASK lacks {listed(missing)}: clouds on these dates are detected")
    strays = sorted(str(date) for date in set(by_date) - {raster.header.date for raster in s2})
    if strays:
        warnings.append(f"MASK has dates that S2 lacks, ignored: {listed(strays)}")
    return own, warnings


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
