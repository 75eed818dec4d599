"""Kinds of cloud masks that come with images, and what their values mean: a line each.

Their order is their rank where a date has several. What knows clouds and shadows goes before what knows clouds alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq.sequence import Bool

Rule = Callable[[NDArray[Any]], Bool]


@dataclass(frozen=True)
class MaskKind:
    """One kind. names: as bands and files are called, in capitals. masked: raw values to True = cloud, shadow, no data.

    words: what is masked, for people. share: values are a share of 1, stored as such or in percent, in 255ths or
    10000ths; `masked` gets the share. own: drawn by the user, who knows better than any other kind.
    """

    name: str
    names: tuple[str, ...]
    masked: Rule
    words: str
    share: bool = False
    own: bool = False


def _bits(*bits: int) -> Rule:
    """True where any of these bits is set, or nothing is known."""
    flags = sum(1 << bit for bit in bits)

    def masked(raw: NDArray[Any]) -> Bool:
        unknown = ~np.isfinite(raw)
        return np.asarray(unknown | ((np.where(unknown, 0, raw).astype(np.int64) & flags) != 0))

    return masked


def _below(threshold: float) -> Rule:
    return lambda raw: np.asarray(~(raw >= threshold))  # NaN is no data


def _at_least(threshold: float) -> Rule:
    return lambda raw: np.asarray(~(raw < threshold))


def _not_zero(raw: NDArray[Any]) -> Bool:
    return np.asarray(raw != 0)


SCL_NAMES = ("SCL", "SCENE_CLASSIFICATION")
# s2cloudless' own default (Skakun et al. 2022, CMIX, used it too); Sen2Cor's probability is held against the same.
CLOUD_PROBABILITY = 0.4
# Cloud Score+: Google suggests 0.50 to 0.65 (Pasquarella et al. 2023).
CLEAR_SCORE = 0.6

KINDS: tuple[MaskKind, ...] = (
    MaskKind(
        "MASK",
        ("MASK", "MASKS", "CLOUD_MASK", "CLOUD_MASKS", "CLOUDMASK", "CLOUDS", "CLOUD"),
        _not_zero,
        "every value but 0",
        own=True,
    ),
    MaskKind("cs_cdf", ("CS_CDF",), _below(CLEAR_SCORE), "Cloud Score+ below 0.60", share=True),
    MaskKind("cs", ("CS", "CLOUD_SCORE"), _below(CLEAR_SCORE), "Cloud Score+ below 0.60", share=True),
    MaskKind("dlmask", ("DLMASK", "S2_DLMASK"), _not_zero, "1 to 4, cloud and shadow"),
    MaskKind("HLS_FMASK", (), _bits(1, 2, 3), "bits 1 cloud, 2 beside cloud or shadow, 3 shadow"),
    MaskKind("QAI", ("QAI",), _bits(0, 1, 2, 3), "bits 0 no data, 1 and 2 cloud, 3 shadow"),
    MaskKind(
        "cloud probability",
        ("CLOUD_PROBABILITY", "CLOUDPROBABILITY", "PROBABILITY", "S2CLOUDLESS", "CLOUD_PROB", "CLP"),
        _at_least(CLOUD_PROBABILITY),
        "40 % and more",
        share=True,
    ),
    MaskKind("CLM", ("CLM",), _not_zero, "every value but 0"),
    MaskKind(
        "MSK_CLASSI",
        ("MSK_CLASSI_OPAQUE", "MSK_CLASSI_CIRRUS", "MSK_CLASSI_B00", "MSK_CLASSI"),
        _not_zero,
        "opaque clouds and cirrus",
    ),
    MaskKind("QA60", ("QA60",), _bits(10, 11), "bits 10 opaque cloud, 11 cirrus"),
    MaskKind("MSK_CLDPRB", ("MSK_CLDPRB", "CLDPRB", "CLD"), _at_least(CLOUD_PROBABILITY), "40 % and more", share=True),
)

# Of radar: where slopes hide each other, nothing was measured.
RADAR_KINDS: tuple[MaskKind, ...] = (
    MaskKind("LS_MAP", ("LS_MAP",), _bits(2, 4), "bits 2 layover, 4 shadow"),
    MaskKind("RTC_MASK", (), _not_zero, "1 shadow, 2 layover, 3 both, 255 no data"),
)


def full_scale(highest: float, dtype: str) -> float:
    """The value that stands for a share of 1, from the highest there is: 1, 100, 255 or 10000."""
    if not np.issubdtype(np.dtype(dtype), np.integer) and highest <= 1:
        return 1.0
    return next((full for full in (100.0, 255.0) if highest <= full), 10_000.0)
