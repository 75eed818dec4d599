"""Scenes as overpasses, and overpasses as days: what is mosaicked, and what shares the one file of a day.

An overpass is what one satellite saw in one go: its tiles or slices, of whatever UTM zone. Its day is that on which it
began, UTC. A sequence has one image a day, so two overpasses of a day share it, pixel by pixel: see `mosaic`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from odc.geo.geom import Geometry

from seq2seq.fetching.scenes import Scene

Sensor = Literal["S2", "S1"]

# Tiles and slices of one overpass follow each other within this; the same satellite comes back after 98 minutes.
_LONGEST_BREAK = timedelta(minutes=20)
_LATEST = "99.99"  # baseline of test products: never the one to keep


@dataclass(frozen=True)
class Overpass:
    """scenes: in the order in which they are laid, the first on top."""

    scenes: tuple[Scene, ...]

    @property
    def platform(self) -> str:
        """The satellite's name."""
        return self.scenes[0].platform

    @property
    def orbit(self) -> int | None:
        """The relative orbit, where a scene states it."""
        return next((scene.orbit for scene in self.scenes if scene.orbit is not None), None)

    @property
    def direction(self) -> str | None:
        """ascending or descending, where a scene states it."""
        return next((scene.direction for scene in self.scenes if scene.direction), None)

    @property
    def began(self) -> str:
        """The time of the first scene, UTC, to the second."""
        return min(scene.time for scene in self.scenes).strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def cloud(self) -> float | None:
        """Percent, the mean of the scenes that state it."""
        stated = [scene.cloud for scene in self.scenes if scene.cloud is not None]
        return sum(stated) / len(stated) if stated else None


@dataclass(frozen=True)
class Day:
    """The image of one sensor and day. passes: in the order of preference."""

    sensor: Sensor
    date: str
    passes: tuple[Overpass, ...]

    @property
    def scenes(self) -> tuple[Scene, ...]:
        """All of them."""
        return tuple(scene for one in self.passes for scene in one.scenes)

    @property
    def items(self) -> tuple[str, ...]:
        """The names of all scenes."""
        return tuple(scene.id for scene in self.scenes)


def overpasses(scenes: Iterable[Scene], epsg: int) -> list[Overpass]:
    """The overpasses, by time. Of a tile that is there in several versions the newest is taken.

    epsg: of the grid; scenes that are in it already are laid on top, then newer versions.
    """
    by_platform = defaultdict(list)
    for scene in scenes:
        by_platform[scene.platform].append(scene)
    found = [Overpass(_laid(group, epsg)) for same in by_platform.values() for group in _chains(same)]
    return sorted(found, key=lambda one: (one.began, one.platform))


def days_of(passes: Iterable[Overpass], sensor: Sensor, footprint: Geometry) -> list[Day]:
    """The days, sorted. Of two overpasses the clearer one is preferred for S2, for S1 the one that covers more of
    `footprint` (to a tenth), then that of the orbit which is the most frequent."""
    passes = list(passes)
    orbits = Counter(one.orbit for one in passes)
    by_date = defaultdict(list)
    for one in passes:
        by_date[one.began[:10]].append(one)

    def preference(one: Overpass) -> tuple[float, ...]:
        if sensor == "S2":
            return (100.0 if one.cloud is None else one.cloud,)
        return -round(covered(one, footprint), 1), -orbits[one.orbit]

    return [Day(sensor, date, tuple(sorted(by_date[date], key=preference))) for date in sorted(by_date)]


def covered(one: Overpass, footprint: Geometry) -> float:
    """The share of `footprint` that the scenes cover as they state it, 0 to 1."""
    share = 0.0
    for scene in one.scenes:
        outline = outline_of(scene)
        share += 1.0 if outline is None else footprint.intersection(outline).area / footprint.area
    return min(1.0, share)


def touches(scene: Scene, footprint: Geometry) -> bool:
    """Whether a scene covers some of `footprint`; True where it does not state what it covers."""
    outline = outline_of(scene)
    return outline is None or bool(footprint.intersection(outline).area > 0)


def outline_of(scene: Scene) -> Geometry | None:
    """The scene's footprint; None where it states none that is valid."""
    if scene.footprint is None:
        return None
    try:
        outline = Geometry(dict(scene.footprint), "EPSG:4326")
        # One that crosses the dateline may go around the other side of the globe.
        return outline if outline.is_valid and outline.area > 0 and _width(outline) < 180 else None
    except Exception:  # shapely's own tree; whatever it dislikes, the footprint is a stranger's
        return None


def _width(outline: Geometry) -> float:
    left, _, right, _ = outline.boundingbox
    return float(right - left)


def _chains(scenes: Sequence[Scene]) -> list[list[Scene]]:
    """Scenes of one satellite, parted where it had left."""
    chains: list[list[Scene]] = []
    for scene in sorted(scenes, key=lambda scene: (scene.time, scene.id)):
        if chains and scene.time - chains[-1][-1].time <= _LONGEST_BREAK:
            chains[-1].append(scene)
        else:
            chains.append([scene])
    return chains


def _laid(scenes: Sequence[Scene], epsg: int) -> tuple[Scene, ...]:
    """Without versions that are superseded, in the order in which they are laid."""
    newest: dict[str, tuple[str, ...]] = {}
    for scene in scenes:
        if scene.tile is not None:
            newest[scene.tile] = max(newest.get(scene.tile, ()), _version(scene))
    # Two of one version are the parts of a tile that was received in two pieces.
    kept = [scene for scene in scenes if scene.tile is None or _version(scene) == newest[scene.tile]]
    kept.sort(key=lambda scene: (scene.made, scene.id), reverse=True)
    return tuple(sorted(kept, key=lambda scene: scene.epsg != epsg))


def _version(scene: Scene) -> tuple[str, ...]:
    baseline = scene.baseline or ""
    return ("" if baseline == _LATEST else baseline,)
