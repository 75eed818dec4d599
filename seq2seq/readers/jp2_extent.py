"""The structure of a JPEG 2000 file, read without decoding: its boxes, its image size, and whether all tiles are there.

A file is a chain of boxes, each with its length; one of them holds the codestream, a main header and a chain of
tile-parts, each with its length (ISO/IEC 15444-1, annexes A and I).
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

SIGNATURE = b"\0\0\0\x0cjP  \r\n\x87\n"

_SOC, _SIZ, _SOT, _SOD, _EOC = 0xFF4F, 0xFF51, 0xFF90, 0xFF93, 0xFFD9
_SHORTEST_TILE_PART = 14  # bytes: a start marker with its fields, and the marker of its data
_MAX_BOXES = 1000
_MAX_MARKERS = 10_000
_MAX_METADATA_BYTES = 16 * 2**20
# A Sentinel-2 band has 121 tiles of a part each; a pixel each, they take longer to find than to decode.
_MAX_TILE_PARTS = 500_000


@dataclass(frozen=True)
class Component:
    """A band as it is coded. bits: of its values. step: (x, y) pixels of the image to each of its own."""

    bits: int
    signed: bool
    step: tuple[int, int]


@dataclass(frozen=True)
class Codestream:
    """The image as its main header declares it. shape, tile: (rows, columns)."""

    shape: tuple[int, int]
    tile: tuple[int, int]
    tiles: int
    components: tuple[Component, ...]


@dataclass(frozen=True)
class Box:
    """A part of the file. at, end: where its content begins and ends."""

    kind: bytes
    at: int
    end: int


@dataclass(frozen=True)
class Jp2Structure:
    """What the file declares. metadata: the content of all boxes but the codestream's, one after another.

    missing_tiles: of those that the main header declares. kinds: of boxes on the top level.
    """

    image: Codestream
    metadata: bytes
    missing_tiles: int
    kinds: frozenset[bytes]


def structure_of(path: str | os.PathLike[str]) -> Jp2Structure:
    """The structure of the file. Raises `ValueError` in words where it is cut or is none."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        boxes = list(_boxes(file, size))
        streams = [box for box in boxes if box.kind == b"jp2c"]
        if len(streams) != 1:
            raise ValueError(f"{len(streams)} codestreams, expected one")
        image, after = _main_header(file, streams[0])
        return Jp2Structure(
            image=image,
            metadata=_metadata(file, boxes),
            missing_tiles=image.tiles - sum(tile < image.tiles for tile in _tiles(file, after, streams[0].end)),
            kinds=frozenset(box.kind for box in boxes),
        )


def _boxes(file: BinaryIO, size: int) -> Iterator[Box]:
    """Of the top level."""
    at = 0
    for _ in range(_MAX_BOXES):
        if at == size:
            return
        length, kind = struct.unpack(">I4s", _read(file, at, 8, size))
        head = 8
        if length == 1:
            (length,), head = struct.unpack(">Q", _read(file, at + 8, 8, size)), 16
        end = size if length == 0 else at + length
        if end < at + head:
            raise ValueError(f"a box of {length} bytes at byte {at}")
        if end > size:
            raise ValueError(f"it has {size:,} of {end:,} bytes")
        yield Box(kind, at + head, end)
        at = end
    raise ValueError(f"more than {_MAX_BOXES} boxes")


def _metadata(file: BinaryIO, boxes: list[Box]) -> bytes:
    others = [box for box in boxes if box.kind != b"jp2c"]
    size = sum(box.end - box.at for box in others)
    if size > _MAX_METADATA_BYTES:
        raise ValueError(f"{size:,} bytes of metadata, at most {_MAX_METADATA_BYTES:,} are read")
    return b"\n".join(_read(file, box.at, box.end - box.at, box.end) for box in others)


def _main_header(file: BinaryIO, box: Box) -> tuple[Codestream, int]:
    """The image, and where its first tile-part begins."""
    start, first = struct.unpack(">HH", _read(file, box.at, 4, box.end))
    if (start, first) != (_SOC, _SIZ):
        raise ValueError("its codestream does not begin with an image size")
    at = box.at + 2
    image = _image_size(file, at + 2, box.end)
    for _ in range(_MAX_MARKERS):
        marker, length = struct.unpack(">HH", _read(file, at, 4, box.end))
        if marker == _SOT:
            return image, at
        if marker < 0xFF00 or marker in (_SOD, _EOC) or length < 2:
            break
        at += 2 + length
    raise ValueError("its main header does not lead to a tile")


def _image_size(file: BinaryIO, at: int, end: int) -> Codestream:
    """What the SIZ marker declares."""
    names = struct.unpack(">HHIIIIIIIIH", _read(file, at, 38, end))
    length, _, right, bottom, left, top, tile_width, tile_height, tile_left, tile_top, count = names
    if length != 38 + 3 * count or not count:
        raise ValueError(f"an image size of {length} bytes for {count} bands")
    if right <= left or bottom <= top or not tile_width or not tile_height or tile_left > left or tile_top > top:
        raise ValueError("its image or its tiles have no size")
    coded = struct.iter_unpack(">BBB", _read(file, at + 38, 3 * count, end))
    across = -(-(right - tile_left) // tile_width) - (left - tile_left) // tile_width
    down = -(-(bottom - tile_top) // tile_height) - (top - tile_top) // tile_height
    return Codestream(
        shape=(bottom - top, right - left),
        tile=(min(tile_height, bottom - top), min(tile_width, right - left)),
        tiles=across * down,
        components=tuple(Component((bits & 0x7F) + 1, bits > 0x7F, (x, y)) for bits, x, y in coded),
    )


def _tiles(file: BinaryIO, at: int, end: int) -> set[int]:
    """The numbers of the tiles that begin, and end, before the codestream does."""
    found: set[int] = set()
    for _ in range(_MAX_TILE_PARTS):
        if (at + 2 <= end and struct.unpack(">H", _read(file, at, 2, end)) == (_EOC,)) or at == end:
            return found
        marker, _, tile, length, _, _ = struct.unpack(">HHHIBB", _read(file, at, 12, end))
        if marker != _SOT:
            raise ValueError(f"no tile at byte {at}")
        if length == 0:  # as far as there is data: the last one
            return found | {tile}
        if length < _SHORTEST_TILE_PART or at + length > end:
            raise ValueError(f"tile {tile} ends at byte {at + length:,}, its codestream at {end:,}")
        found.add(tile)
        at += length
    raise ValueError(f"more than {_MAX_TILE_PARTS:,} parts of tiles")


def _read(file: BinaryIO, at: int, size: int, end: int) -> bytes:
    """Exactly that many bytes, before `end`."""
    if at + size > end:
        raise ValueError(f"ends at byte {end:,}, within a header")
    file.seek(at)
    return file.read(size)
