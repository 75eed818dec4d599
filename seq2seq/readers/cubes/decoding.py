"""Decoders of chunks. Each is told how many bytes there are to be, and stops there: no chunk unpacks to more.

A decoder raises ValueError for bytes that are not what they should be.
"""

import bz2
import struct
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

# Takes the stored bytes and the number of bytes that they decode to.
Decoder = Callable[[bytes, int], bytes]


def inflate(stored: bytes, size: int) -> bytes:
    """DEFLATE with a header of zlib or gzip."""
    try:
        return _exactly(zlib.decompressobj(wbits=47).decompress(stored, size + 1), size)
    except zlib.error as error:
        raise ValueError(str(error)) from error


def bunzip(stored: bytes, size: int) -> bytes:
    """bzip2."""
    try:
        return _exactly(bz2.BZ2Decompressor().decompress(stored, size + 1), size)
    except (OSError, EOFError) as error:
        raise ValueError(str(error)) from error


def unshuffle(stored: bytes, size: int, *, itemsize: int) -> bytes:
    """Bytes of numbers, stored as all first bytes, all second bytes, ...; what is no whole number stays at the end."""
    if itemsize < 1:
        raise ValueError(f"shuffled numbers of {itemsize} bytes")
    whole = len(_exactly(stored, size)) // itemsize * itemsize
    planes = np.frombuffer(stored[:whole], dtype=np.uint8).reshape(itemsize, -1)
    return planes.T.tobytes() + stored[whole:]


def without_sum(stored: bytes, size: int) -> bytes:
    """Four bytes of a checksum at the end taken away, from whatever is left then: it may be packed."""
    return stored[:-4]


def unblosc(stored: bytes, size: int) -> bytes:
    """Blosc, whose header states the sizes."""
    from numcodecs import Blosc

    if len(stored) < 16:
        raise ValueError("the header of Blosc is cut off")
    plain, _, packed = struct.unpack("<III", stored[4:16])
    if plain != size or packed != len(stored):
        raise ValueError(f"Blosc states {plain:,} bytes in {packed:,}")
    return _into(Blosc(), stored, size)


def unzstd(stored: bytes, size: int) -> bytes:
    """Zstandard."""
    from numcodecs import Zstd

    return _into(Zstd(), stored, size)


def unlz4(stored: bytes, size: int) -> bytes:
    """LZ4 with its size in front, as numcodecs has it."""
    from numcodecs import LZ4

    if struct.unpack("<I", stored[:4].ljust(4, b"\0"))[0] != size:
        raise ValueError("LZ4 states another size")
    return _into(LZ4(), stored, size)


def decoder(name: str, settings: Mapping[str, Any], itemsize: int) -> Decoder | None:
    """The decoder of a Zarr codec, None for one that is not read."""
    if name == "shuffle":
        width = settings.get("elementsize", itemsize)
        return lambda stored, size: unshuffle(stored, size, itemsize=width if isinstance(width, int) else 0)
    return _BY_NAME.get(name)


# A checksum is not looked at: what it would find, decompressing or the pixels show.
_BY_NAME: dict[str, Decoder] = {
    "blosc": unblosc,
    "zstd": unzstd,
    "lz4": unlz4,
    "gzip": inflate,
    "zlib": inflate,
    "bz2": bunzip,
    "crc32c": without_sum,
}


def _into(codec: Any, stored: bytes, size: int) -> bytes:
    """Decoded into memory of that size: a stream that holds more is refused by who decodes it."""
    out = bytearray(size)
    try:
        codec.decode(stored, out=out)
    except (RuntimeError, TypeError, BufferError) as error:
        raise ValueError(str(error)) from error
    return bytes(out)


def _exactly(values: bytes, size: int) -> bytes:
    if len(values) != size:
        raise ValueError(f"{'more than' if len(values) > size else f'{len(values):,} of'} {size:,} bytes")
    return values
