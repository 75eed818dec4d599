"""The direction in which a radar satellite passed, from the time of day: Sentinel-1 flies along dusk and dawn."""

import re

from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox

from seq2seq.readers.pairing import footprint

# Beyond it, a pass from one side of the pole to the other changes its local time too quickly.
_HIGHEST_LATITUDE = 60.0
_TIME = re.compile(r"(?<!\d)20\d{6}T([0-2]\d)([0-5]\d)([0-5]\d)")
_DEGREES = CRS("EPSG:4326")


def pass_direction(name: str, grid: GeoBox) -> str:
    """A for ascending, which is in the evening, D for descending, in the morning; "" where the name has no time.

    Local time of the ascending node: 18:00 (Sentinel-1 mission).
    """
    found = _TIME.search(name.upper())
    outline = footprint(grid, _DEGREES) if found else None
    if not found or outline is None:
        return ""
    (longitude, latitude), *_ = outline.centroid.coords
    if abs(latitude) > _HIGHEST_LATITUDE:
        return ""
    hours = int(found[1]) + int(found[2]) / 60 + int(found[3]) / 3600
    return "A" if (hours + longitude / 15) % 24 >= 12 else "D"
