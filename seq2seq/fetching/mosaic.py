"""One image of a day from its scenes, block by block.

Within an overpass a pixel is that of the first scene that has all bands of it. Of two overpasses of a day the first has
precedence, but what it shows as cloud and the other does not, or does not reach, is the other's: nothing that could be
read in either is lost. All bands of a pixel, and its class, are of one scene.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from odc.geo.geobox import GeoBox

from seq2seq.fetching.passes import Day
from seq2seq.fetching.scenes import Scene
from seq2seq.sequence import Bool, Float32

# Classes of Level-2A in which ground is seen: dark areas, vegetation, soil, water, unclassified, snow.
_CLEAR = (2, 4, 5, 6, 7, 11)


@dataclass(frozen=True)
class Layer:
    """values: (C, h, w), NaN without data. classes: (h, w) of SCL, 0 without data, or None."""

    values: Float32
    classes: Float32 | None

    @property
    def valid(self) -> Bool:
        """(h, w) all bands have data."""
        return np.asarray(np.isfinite(self.values).all(axis=0))

    @property
    def clear(self) -> Bool:
        """(h, w) there is data, and no cloud as far as is known."""
        return self.valid if self.classes is None else self.valid & np.isin(self.classes, _CLEAR)

    def under(self, other: "Layer", take: Bool) -> "Layer":
        """With the pixels of `other` where `take` says so."""
        values = np.where(take, other.values, self.values)
        if self.classes is None or other.classes is None:
            return Layer(values, self.classes)
        return Layer(values, np.where(take, other.classes, self.classes))


# Reads one scene on a block.
ReadScene = Callable[[Scene, GeoBox], Layer]


def laid(scenes: Sequence[Scene], block: GeoBox, read: ReadScene) -> Layer:
    """One overpass: the scenes one under the other, no more of them read than are needed."""
    first, *others = scenes
    layer = read(first, block)
    for scene in others:
        valid = layer.valid
        if valid.all():
            break
        layer = layer.under(below := read(scene, block), ~valid & below.valid)
    return layer


def image_of(day: Day, block: GeoBox, read: ReadScene) -> Layer:
    """The image of a day."""
    first, *others = day.passes
    layer = laid(first.scenes, block, read)
    for one in others:
        clear = layer.clear
        if clear.all():
            break
        other = laid(one.scenes, block, read)
        layer = layer.under(other, (~layer.valid & other.valid) | (~clear & other.clear))
    return layer
