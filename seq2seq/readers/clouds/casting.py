"""Where the shadows of clouds can lie: along the sun's rays, for clouds of any height in a range."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from seq2seq.sequence import Bool

# Bases of clouds that cast shadows worth masking. Fmask looks from 200 m to 12 km (Zhu and Woodcock 2012); what lies
# higher is mostly thin, and a longer ray meets more that is dark for other reasons.
HEIGHT_M = (200.0, 4000.0)
# A low sun draws shadows out; farther off, clouds are not looked for.
FARTHEST_M = 6000.0
# An oblique view shifts a cloud by up to 0.18 of its height against its shadow, and its rim is not where light ends.
SLACK_M = 60.0


@dataclass(frozen=True)
class Cast:
    """The shadows of one date. step: (rows, columns) in pixels for a metre of a cloud's height. gsd_m: of a pixel."""

    step: tuple[float, float]
    gsd_m: float

    @property
    def slack_px(self) -> int:
        """Of the clouds' outlines."""
        return max(1, round(SLACK_M / self.gsd_m))

    @property
    def highest_m(self) -> float:
        """The height up to which shadows are near enough."""
        length_m = math.hypot(*self.step) * self.gsd_m
        return max(min(HEIGHT_M[1], FARTHEST_M / max(length_m, 1e-6)), HEIGHT_M[0])

    @property
    def reach_px(self) -> int:
        """Pixels from a cloud to the end of its shadow, in either direction."""
        return math.ceil(max(map(abs, self.step)) * self.highest_m) + self.slack_px + 2

    def of(self, cloud: Bool) -> Bool:
        """(H, W) cloud -> where its shadow can lie: the cloud moved by every height of the range, and grown."""
        first = [each * HEIGHT_M[0] for each in self.step]
        whole = [each * (self.highest_m - HEIGHT_M[0]) for each in self.step]
        steps = max(1, math.ceil(max(map(abs, whole))))
        unit = [each / steps for each in whole]
        swept, done = _moved(cloud, first), 1
        while done <= steps:  # moved by 0 to done - 1 steps so far; doubled each time
            further = min(done, steps + 1 - done)
            swept = swept | _moved(swept, [each * further for each in unit])
            done += further
        return np.asarray(ndimage.binary_dilation(swept, iterations=self.slack_px)) if swept.any() else swept


def _moved(cloud: Bool, by: list[float]) -> Bool:
    """(H, W) moved by whole pixels; what comes from outside is clear."""
    rows, columns = round(by[0]), round(by[1])
    moved = np.zeros_like(cloud)
    height, width = cloud.shape
    if abs(rows) < height and abs(columns) < width:
        moved[_to(rows, height), _to(columns, width)] = cloud[_to(-rows, height), _to(-columns, width)]
    return moved


def _to(by: int, length: int) -> slice:
    return slice(max(0, by), length + min(0, by))
