"""Who masked a pixel: a small number for each source and rule, with its name in reports and its colour in pictures."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seq2seq.sequence import Bool

UInt8 = NDArray[np.uint8]


@dataclass(frozen=True)
class Label:
    """One source or rule. code: as pixels have it. name: in report.json. colour: #rrggbb. masks: False of what ended up
    clear."""

    code: int
    name: str
    title: str
    colour: str
    masks: bool = True


CLEAR, NO_DATA, TOO_SMALL, HOLE, BUFFER, NEAR, PROJECTED = range(7)
# Sources by the names that settings and reports have; of clouds, and of those that tell shadows apart.
CLOUD_CODES = {"user": 16, "scl": 17, "s2cloudless": 18, "rules": 19, "score": 20, "csmask": 21}
SHADOW_CODES = {"scl": 33, "csmask": 37}
# Those that come with the images; all others look for clouds.
GIVEN = ("user", "scl")

LABELS: tuple[Label, ...] = (
    Label(NO_DATA, "no_data", "no data", "#3d3d3d"),
    Label(CLOUD_CODES["user"], "user", "your mask", "#e8e8e8"),
    Label(CLOUD_CODES["scl"], "scl_cloud", "SCL cloud", "#f2c14e"),
    Label(SHADOW_CODES["scl"], "scl_shadow", "SCL shadow", "#8a5a00"),
    Label(CLOUD_CODES["s2cloudless"], "s2cloudless_cloud", "cloud, s2cloudless", "#66c2ff"),
    Label(CLOUD_CODES["rules"], "rules_cloud", "cloud, rules", "#4e9af2"),
    Label(CLOUD_CODES["score"], "score_cloud", "cloud, score", "#7d7df0"),
    Label(CLOUD_CODES["csmask"], "csmask_cloud", "cloud, csmask", "#58c9b9"),
    Label(SHADOW_CODES["csmask"], "csmask_shadow", "shadow, csmask", "#1d6b60"),
    Label(PROJECTED, "projected_shadow", "shadow along the sun", "#7b3294"),
    Label(NEAR, "near_shadow", "dark near a cloud", "#b0569f"),
    Label(BUFFER, "buffer", "buffer", "#f28e8e"),
    Label(HOLE, "hole", "small clear hole, filled", "#c8553d"),
    Label(TOO_SMALL, "too_small", "cloud too small, left clear", "#5fbf4a", masks=False),
)
BY_CODE = {label.code: label for label in LABELS}


def is_masked(codes: UInt8) -> Bool:
    """True where a pixel is cloud, shadow or no data."""
    return np.asarray((codes != CLEAR) & (codes != TOO_SMALL))


def colours_of(codes: UInt8) -> UInt8:
    """(h, w) codes -> (h, w, 4) red, green, blue, alpha; clear is transparent."""
    table = np.zeros((256, 4), dtype=np.uint8)
    for label in LABELS:
        table[label.code] = (*bytes.fromhex(label.colour[1:]), 255)
    return np.asarray(table[codes])
