"""Covers of the parcels of a simulated landscape: their plants, sowing, mowing, harvest and ploughing."""

from dataclasses import dataclass

import numpy as np

from seq2seq.sequence import Float32


@dataclass(frozen=True)
class Cover:
    """The plants of a parcel through the year. Days are days of the year; cover is a fraction of ground in [0, 1]."""

    name: str
    share: float  # of the parcels
    leaf: str  # endmember of its green canopy
    winter: float = 0.0  # green cover outside the season
    summer: float = 0.0  # green cover at its peak
    rise: tuple[float, float] = (110, 10)  # middle and time scale of green-up
    fall: tuple[float, float] = (280, 12)  # of senescence
    dead: float = 0.0  # share of the canopy that stays as dry matter after senescence
    volume: float = 0.0  # radar: water content of the full canopy, relative to a cereal
    wood: float = 0.0  # radar: volume that stays all year
    harvest: float | None = None
    stubble: float = 0.0  # dry cover after harvest
    plough: float | None = None  # bares the soil until the next emergence
    emergence: float | None = None
    mowing: tuple[float, ...] = ()
    built: float = 0.0
    water: bool = False
    burns: bool = False
    floods: bool = True

    @property
    def gone(self) -> float:
        """Day of the year by which this year's dry matter has left: after the harvest, else decayed by winter."""
        return 345 if self.harvest is None else self.harvest + 12


COVERS: tuple[Cover, ...] = (
    Cover(
        "winter cereal", 0.26, "crop", winter=0.25, summer=0.95, rise=(85, 11), fall=(183, 7), dead=0.9, volume=1.0,
        harvest=206, stubble=0.6, plough=245, emergence=315, burns=True,
    ),
    Cover(
        "maize", 0.20, "crop", summer=0.92, rise=(162, 8), fall=(262, 9), dead=0.8, volume=1.4,
        harvest=278, stubble=0.35, plough=112, emergence=135,
    ),
    Cover(
        "grassland", 0.20, "grass", winter=0.55, summer=0.9, rise=(98, 12), fall=(290, 18), dead=0.1, volume=0.45,
        mowing=(148, 205, 255), burns=True,
    ),
    Cover(
        "deciduous forest", 0.08, "deciduous", winter=0.2, summer=0.95, rise=(118, 6), fall=(298, 8), dead=0.25,
        volume=0.5, wood=1.6, burns=True, floods=False,
    ),
    Cover(
        "coniferous forest", 0.05, "conifer", winter=0.8, summer=0.88, volume=0.3, wood=2.2, burns=True, floods=False,
    ),
    Cover("fallow", 0.06, "grass", winter=0.08, summer=0.3, rise=(130, 15), fall=(240, 20), dead=0.5, volume=0.3),
    Cover("water", 0.05, "grass", water=True),
    Cover("urban", 0.10, "grass", winter=0.5, summer=0.85, rise=(105, 10), volume=0.5, built=0.7, floods=False),
)  # fmt: skip


def of_cover(name: str, item: int | None = None) -> Float32:
    """Lists one attribute of all covers, (number of covers,)."""
    values = [getattr(cover, name) for cover in COVERS]
    return np.array(values if item is None else [value[item] for value in values], dtype=np.float32)
