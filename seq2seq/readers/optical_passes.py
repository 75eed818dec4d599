"""Two passes of Sentinel-2 on one day, as at high latitudes and where swaths overlap: which of them a date shows.

A sequence has one image a day, UTC. Pieces of one pass lie side by side, and one sun and one view light them; two
passes do not, so that they are not mixed without need: the pass of the orbit that more dates have, whose view the
others share, lies on top, and the other fills what it leaves without data. Masks and classes follow the images.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from seq2seq.readers.layers import Layer
from seq2seq.wording import listed

_FOLLOWING = ("S2", "SCL", "MASK")


def passes_in_order(layers: Sequence[Layer], said: list[str]) -> list[Layer]:
    """The layers, those of a day's more frequent orbit before those of the other; what was done goes to `said`.

    Orbits are what names and metadata state; without them passes cannot be told from pieces of one.
    """
    orbits: dict[np.datetime64, set[str]] = defaultdict(set)
    for layer in layers:
        if layer.sensor == "S2" and layer.raster.header.orbit:
            orbits[layer.day].add(layer.raster.header.orbit)
    frequent = Counter(orbit for found in orbits.values() for orbit in found)
    twice = {day: sorted(found, key=lambda orbit: (-frequent[orbit], orbit)) for day, found in orbits.items()}
    twice = {day: ranked for day, ranked in twice.items() if len(ranked) > 1}
    if not twice:
        return list(layers)
    passes = [f"{day} ({' over '.join(ranked)})" for day, ranked in sorted(twice.items())]
    said.append(
        f"S2 passed more than once on {listed(passes)}: the orbit with more dates lies on top, the other fills where "
        "it has no data; give the passes as separate inputs to keep both"
    )

    def rank(layer: Layer) -> int:
        ranked = twice.get(layer.day, [])
        known = layer.sensor in _FOLLOWING and layer.raster.header.orbit in ranked
        return ranked.index(layer.raster.header.orbit) if known else 0

    return sorted(layers, key=rank)
