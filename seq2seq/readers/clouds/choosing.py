"""Which detector looks for clouds, and whether it can here."""

from seq2seq.config import DETECTORS, DetectorName, ReconstructionConfig
from seq2seq.errors import ConfigError
from seq2seq.readers.clouds.csmask import CSMASK_BANDS, csmask_detector, csmask_installed
from seq2seq.readers.clouds.detecting import CloudDetector
from seq2seq.readers.clouds.rules import rule_detector
from seq2seq.readers.clouds.s2cloudless import S2CLOUDLESS_BANDS, S2CloudlessDetector, s2cloudless_installed
from seq2seq.readers.clouds.score import score_detector

_S2CLOUDLESS_HINT, _CSMASK_HINT = "pip install 'decloud[clouds]'", "pip install 'decloud[csmask]'"


def chosen_detector(bands: tuple[str, ...], config: ReconstructionConfig) -> tuple[DetectorName, list[str]]:
    """What detects clouds where no mask came with the images, and what to say about it."""
    if config.cloud_detector in DETECTORS:
        return config.cloud_detector, []
    if any(band not in bands for band in S2CLOUDLESS_BANDS):
        return "rules", []
    if s2cloudless_installed():
        return "s2cloudless", []
    return "rules", [f"s2cloudless is not installed ({_S2CLOUDLESS_HINT}): clouds are found by rules"]


def make_detector(name: DetectorName, bands: tuple[str, ...], gsd_m: float) -> CloudDetector:
    """The detector for an input with these bands. Raises `ConfigError` where it cannot run here."""
    if name == "rules":
        return rule_detector(bands)
    if name == "score":
        return score_detector(bands)
    if name == "s2cloudless":
        _check(name, [band for band in S2CLOUDLESS_BANDS if band not in bands], s2cloudless_installed())
        return S2CloudlessDetector(gsd_m)
    detector = csmask_detector(bands, gsd_m)
    _check(name, [] if detector else _missing(bands), csmask_installed())
    assert detector is not None
    return detector


def _missing(bands: tuple[str, ...]) -> list[str]:
    lacking = [band for band in CSMASK_BANDS if band not in bands]
    return ["B08 or B8A" if band == "B08" else band for band in lacking if band != "B08" or "B8A" not in bands]


def _check(name: str, missing: list[str], installed: bool) -> None:
    if missing:
        raise ConfigError(f"cloud detector {name} needs {', '.join(missing)}, which the input lacks")
    if not installed:
        hint = _S2CLOUDLESS_HINT if name == "s2cloudless" else _CSMASK_HINT
        raise ConfigError(f"cloud detector {name} is not installed: {hint}")
