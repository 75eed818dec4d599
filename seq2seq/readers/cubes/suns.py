"""The sun over each date of a cube, where variables along its times alone say so: Earth Engine exports have them."""

import numpy as np

from seq2seq.readers.cubes.arrays import MAX_DATES, Group, read_all
from seq2seq.readers.cubes.rasters import storage_of
from seq2seq.readers.sun import Sun, stated_sun


def suns_of(group: Group, time: str | None, count: int) -> list[Sun | None]:
    """Per date of the axis `time`, or of a group without one; None where an angle lacks or is filled."""
    dims = () if time is None else (time,)
    angles = {}
    for name, array in group.arrays.items():
        if tuple(array.dims) == dims and array.kind != "text" and array.dtype is not None and _is_angle(name):
            storage = storage_of(array)
            values = storage.values(read_all(array, MAX_DATES).reshape(-1)).astype(np.float64)
            filled = values == storage.nodata
            angles[name] = np.where(filled, np.nan, values * storage.scale + storage.offset)
    return [stated_sun({name: values[date] for name, values in angles.items()}) for date in range(count)]


def _is_angle(name: str) -> bool:
    upper = name.upper()
    return ("SUN" in upper or "SOLAR" in upper) and any(word in upper for word in ("AZIMUTH", "ZENITH", "ELEVATION"))
