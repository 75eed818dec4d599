"""From what sources say of one date to its mask: joined, small clouds left out, shadows added, grown, holes filled.

Everything is decided in a bounded neighbourhood, which `Finishing.reach_px` states.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from seq2seq.readers.clouds.casting import Cast
from seq2seq.readers.clouds.detecting import SHADOW_DISTANCE_M, within
from seq2seq.readers.clouds.labels import (
    BUFFER,
    CLOUD_CODES,
    GIVEN,
    HOLE,
    NEAR,
    NO_DATA,
    PROJECTED,
    SHADOW_CODES,
    TOO_SMALL,
    UInt8,
    is_masked,
)
from seq2seq.sequence import Bool


@dataclass(frozen=True, eq=False)
class Evidence:
    """One date in a window, (H, W) each. clouds, shadows: by source, True = so it says. dark, dim: as
    shadows are, and as faint ones are.

    Where there is no data, nothing is said.
    """

    no_data: Bool
    clouds: Mapping[str, Bool]
    shadows: Mapping[str, Bool] = field(default_factory=dict)
    dark: Bool | None = None
    dim: Bool | None = None


@dataclass(frozen=True)
class Finishing:
    """How masks are finished. given_buffer_px, detected_buffer_px: how far what came with the images, and what was
    found, is grown. least_px: smaller clouds are none. holes_px: smaller clear holes are filled. near_px: of the rule
    that needs no sun."""

    given_buffer_px: int
    detected_buffer_px: int
    least_px: int
    holes_px: int
    near_px: int

    @classmethod
    def of(cls, *, gsd_m: float, given_px: int, detected_px: int, least_px: int, holes_px: int) -> "Finishing":
        """With the distance to a cloud in pixels of `gsd_m`."""
        return cls(given_px, detected_px, least_px, holes_px, round(SHADOW_DISTANCE_M / gsd_m))

    def reach_px(self, casts: Iterable[Cast | None]) -> int:
        """Pixels that a mask value depends on in each direction. A cloud of fewer than N pixels ends within N."""
        shadows = max((max(self.near_px, cast.reach_px if cast else 0) for cast in casts), default=0)
        return self.least_px + shadows + max(self.given_buffer_px, self.detected_buffer_px) + self.holes_px

    def finish(self, evidence: Evidence, cast: Cast | None) -> UInt8:
        """(H, W) codes of `labels`. cast: None where shadows are nothing but what is dark near a cloud."""
        every = _any(evidence.clouds.values(), evidence.no_data.shape)
        kept = every & ~_smaller(every, self.least_px)
        clouds = {name: plane & kept for name, plane in evidence.clouds.items()}
        fallen, near = self._fallen(kept, evidence.dim, cast), self._near(kept, evidence.dark)
        given = _any([*_of(clouds, given=True), *_of(evidence.shadows, given=True)], kept.shape)
        found = _any([*_of(clouds, given=False), *_of(evidence.shadows, given=False), fallen, near], kept.shape)
        grown = _grown(given, self.given_buffer_px) | _grown(found, self.detected_buffer_px)
        codes: UInt8 = np.zeros(kept.shape, dtype=np.uint8)
        codes[every & ~kept] = TOO_SMALL
        codes[grown] = BUFFER
        codes[near] = NEAR
        codes[fallen] = PROJECTED
        for name, plane in evidence.shadows.items():
            codes[plane] = SHADOW_CODES[name]
        for name, code in sorted(CLOUD_CODES.items(), key=lambda item: -item[1]):  # what the user gave comes last
            if name in clouds:
                codes[clouds[name]] = code
        codes[evidence.no_data] = NO_DATA
        if self.holes_px:
            codes[_smaller(~is_masked(codes), self.holes_px)] = HOLE
        return codes

    def _near(self, cloud: Bool, dark: Bool | None) -> Bool:
        """Dark near a cloud, in any direction: the clouds that cast shadows into a scene may lie outside it."""
        if dark is None or not dark.any() or not cloud.any():
            return np.zeros_like(cloud)
        return np.asarray(dark & within(cloud[None], self.near_px)[0] & ~cloud)

    def _fallen(self, cloud: Bool, dim: Bool | None, cast: Cast | None) -> Bool:
        """Dim where the sun casts a cloud's shadow."""
        if dim is None or cast is None or not dim.any() or not cloud.any():
            return np.zeros_like(cloud)
        return np.asarray(dim & cast.of(cloud) & ~cloud)


def _of(planes: Mapping[str, Bool], *, given: bool) -> list[Bool]:
    return [plane for name, plane in planes.items() if (name in GIVEN) == given]


def _any(planes: Iterable[Bool], shape: tuple[int, ...]) -> Bool:
    joined = np.zeros(shape, dtype=bool)
    for plane in planes:
        joined |= plane
    return joined


def _grown(mask: Bool, radius_px: int) -> Bool:
    return within(mask[None], radius_px)[0] if radius_px and mask.any() else mask


def _smaller(mask: Bool, least_px: int) -> Bool:
    """(H, W), True in patches of fewer than `least_px` pixels that touch by their sides."""
    if least_px < 2 or not mask.any():
        return np.zeros_like(mask)
    patches, _ = ndimage.label(mask)
    sizes: NDArray[Any] = np.bincount(patches.ravel())
    sizes[0] = least_px
    return np.asarray(sizes[patches] < least_px)
