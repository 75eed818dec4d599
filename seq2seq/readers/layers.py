"""What a format finds: files or parts of files with a date and bands."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from seq2seq.readers.composed import select
from seq2seq.readers.contents import Raster

Sensor = Literal["S2", "S1", "SCL", "MASK"]


@dataclass(frozen=True)
class Layer:
    """One or more bands of one acquisition. raster: its header has the date, and the bands' own names: B02, VV.

    Of SCL and MASK the one band's name is that of its kind: masks of one kind and date lie side by side, of several
    kinds they are joined by "or".
    """

    sensor: Sensor
    raster: Raster

    @property
    def day(self) -> np.datetime64:
        """UTC."""
        return self.raster.header.date

    @property
    def bands(self) -> tuple[str, ...]:
        """Names, "" for none."""
        return tuple(band or "" for band in self.raster.header.descriptions)


def with_bands(layers: Sequence[Layer], bands: Sequence[str]) -> list[Layer]:
    """The layers with no other bands; none that has none of them."""
    kept = []
    for layer in layers:
        indexes = [index for index, band in enumerate(layer.bands) if band in bands]
        if indexes:
            kept.append(replace(layer, raster=select(layer.raster, indexes)))
    return kept


def by_day(layers: Sequence[Layer]) -> Iterator[list[Layer]]:
    """Sorted by day, in their order within one."""
    days: dict[np.datetime64, list[Layer]] = defaultdict(list)
    for layer in layers:
        days[layer.day].append(layer)
    return (days[day] for day in sorted(days))
