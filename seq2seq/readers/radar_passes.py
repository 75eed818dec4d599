"""Radar passes of a day and polarisations: which of them make one series."""

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from seq2seq.readers.layers import Layer, with_bands
from seq2seq.wording import listed


def one_pass_a_day(layers: Sequence[Layer], said: list[str]) -> list[Layer]:
    """S1 with one orbit a day, the more frequent of two, and with the polarisations that most dates have."""
    s1 = [layer for layer in layers if layer.sensor == "S1"]
    frequent = Counter(orbit for _, orbit in {(layer.day, layer.raster.header.orbit) for layer in s1})
    orbit_of: dict[np.datetime64, str] = {}
    for layer in s1:
        orbit = layer.raster.header.orbit
        best = orbit_of.get(layer.day, orbit)
        orbit_of[layer.day] = orbit if frequent[orbit] > frequent[best] else best
    passed = [layer for layer in s1 if layer.raster.header.orbit == orbit_of[layer.day]]
    if len(passed) < len(s1):
        days = sorted({str(layer.day) for layer in s1 if layer.raster.header.orbit != orbit_of[layer.day]})
        said.append(f"S1 passed twice on {listed(days)}: the orbit with more dates is used")
    return _common_polarisations(passed, said)


def _common_polarisations(layers: Sequence[Layer], said: list[str]) -> list[Layer]:
    """Only the bands that most dates have, and only dates that have them."""
    days: dict[np.datetime64, set[str]] = defaultdict(set)
    for layer in layers:
        days[layer.day] |= set(layer.bands)
    if not days:
        return []
    usual = Counter(frozenset(bands) for bands in days.values()).most_common(1)[0][0]
    lacking = sorted(str(day) for day, bands in days.items() if not usual <= bands)
    if lacking:
        said.append(f"S1 of {listed(lacking)} lacks {' or '.join(sorted(usual))} and is left out")
    return with_bands([layer for layer in layers if usual <= days[layer.day]], sorted(usual, reverse=True))
