"""The CRS of a cube, from any of the places where writers put it; never from a text that makes PROJ open a file."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from odc.geo.crs import CRS

from seq2seq.errors import MisalignedGridsError
from seq2seq.readers.cubes.arrays import Array, Group, read_all

_LONGEST = 20_000
_WKT = re.compile(r"\s*(?:PROJCS|PROJCRS|GEOGCS|GEOGCRS|GEODCRS|BOUNDCRS|COMPD_?CS|COMPOUNDCRS|PROJECTEDCRS)\s*\[")
_EPSG = re.compile(r"(?i)\s*(?:\+init=)?(?:urn:ogc:def:crs:)?epsg:{1,2}(?:[\d.]*:)?(\d{4,6})\s*")
# Shift grids and the like, which PROJ would open.
_FILES = re.compile(r"(?i)grids|parameterfile|paramfile|\+init|\+file|catalog|pipeline|extension")
_HARMLESS = re.compile(r"(?i)EXTENSION\s*\[\s*\"PROJ4\"\s*,[^]]*?\+nadgrids=@null[^]]*?\]\s*,?")
_AUTHORITY = re.compile(r'AUTHORITY\["EPSG",\s*"(\d{4,6})"\]\s*\]\s*$')
_SAME_M = 0.01
_TEXTS = ("crs_wkt", "spatial_ref", "proj:wkt2", "proj:code", "proj:epsg", "crs", "epsg")
_VARIABLES = ("spatial_ref", "crs", "epsg", "proj:epsg", "proj:code")


def crs_of(array: Array, group: Group) -> CRS | None:
    """What the variable, its grid mapping, its group or the file state; None where they state nothing.

    Raises `MisalignedGridsError` for a statement that is none.
    """
    for statement in _statements(array, group):
        if found := _read(statement, array):
            return found
    return None


def _statements(array: Array, group: Group) -> Iterator[Any]:
    mapping = str(array.attributes.get("grid_mapping", "")).split(":")[0].strip()
    if mapping and (variable := group.find(mapping)):
        yield from _of(variable.attributes)
    for name in _VARIABLES:
        if variable := group.find(name):
            yield from _of(variable.attributes)
    yield from _of(array.attributes)
    above: Group | None = group
    while above is not None:
        yield from _of(above.attributes)
        above = above.parent
    for name in _VARIABLES:
        variable = group.find(name)
        if variable is not None and variable.shape in ((), (1,)):
            if variable.dtype is not None and variable.dtype.kind in "iu":
                yield int(read_all(variable, 1).reshape(-1)[0])
            elif variable.kind == "text":
                value = read_all(variable, 1).reshape(-1)[0]
                yield value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _of(attributes: Mapping[str, Any]) -> Iterator[Any]:
    return (attributes[name] for name in _TEXTS if attributes.get(name) not in (None, "", 0))


def _read(statement: Any, array: Array) -> CRS | None:
    """The CRS that a text or a number states, None where it is no statement."""
    if isinstance(statement, float) and statement.is_integer():
        statement = int(statement)
    if isinstance(statement, int):
        return _made(f"EPSG:{statement}", array) if 1024 <= statement <= 999_999 else None
    if not isinstance(statement, str) or not statement.strip():
        return None
    if len(statement) > _LONGEST:
        raise MisalignedGridsError(f"{array.place}: the text of its CRS has {len(statement):,} characters")
    if found := _EPSG.fullmatch(statement):
        return _made(f"EPSG:{found[1]}", array)
    if statement.strip().isdigit():
        return _read(int(statement), array)
    if not (_WKT.match(statement) or statement.lstrip().startswith("+proj=")):
        return None
    if _FILES.search(_HARMLESS.sub("", statement)):
        raise MisalignedGridsError(f"{array.place}: its CRS points to another file (a shift grid), which is not opened")
    return _made(statement, array)


def _made(text: str, array: Array) -> CRS:
    try:
        made = CRS(text)
        code = made.epsg or _stated_code(text, made)
        return CRS(f"EPSG:{code}") if code else made
    except Exception as error:  # pyproj has its own tree; whatever it dislikes, the CRS is the user's
        reason = " ".join(str(error).split())[:120]
        raise MisalignedGridsError(f"{array.place}: CRS {text[:40]!r} is not understood ({reason})") from error


def _stated_code(text: str, made: CRS) -> int | None:
    """The code that a WKT ends with, where it leads to the same places: PROJ does not know it by odd names of axes."""
    found = _AUTHORITY.search(text)
    if not found:
        return None
    stated = CRS(f"EPSG:{found[1]}")
    area = stated.proj.area_of_use
    if area is None or made.geographic != stated.geographic:
        return None
    middle = (area.west + area.east) / 2, (area.south + area.north) / 2
    places = [CRS("EPSG:4326").transformer_to_crs(one)(*middle) for one in (made, stated)]
    apart = max(abs(a - b) for a, b in zip(*places, strict=True))
    return int(found[1]) if apart < (1e-7 if stated.geographic else _SAME_M) else None
