"""Uploads that no honest user sends: seeded mutations of a small sequence, as a ZIP, and hand-made attacks on TIFF."""

import io
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from sequence_files import BANDS, DATES, TRANSFORM, s1_db, s2_dn, write_sequence, write_tif

SIZE = {"height": 16, "width": 16}
USED_DATES = DATES[:2]
SECOND = f"S2/{USED_DATES[1]}.tif"

Members = dict[str, bytes]


def small_sequence(root: Path) -> Members:
    """Name -> bytes of 2 dates with S2, S1 and masks; the second date's are tiled and packed, each in another way."""
    s2, s1 = s2_dn(2, **SIZE), s1_db(2, **SIZE)
    masks = np.random.default_rng(5).random((2, 16, 16)) > 0.8
    write_sequence(root, s2=s2, s1=s1, masks=masks, dates=USED_DATES)
    tiled = {"tiled": True, "blockxsize": 16, "blockysize": 16}
    write_tif(root / SECOND, s2[1], bands=BANDS, nodata=0, compress="deflate", predictor=2, **tiled)
    second = f"{USED_DATES[1]}.tif"
    write_tif(root / "S1" / second, s1[1], bands=("VV", "VH"), compress="zstd", predictor=3, interleave="band", **tiled)
    write_tif(root / "MASK" / second, masks[1][None].astype(np.uint8), compress="lzw", **tiled)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*.tif"))}


def zipped(members: Members | list[tuple[str, bytes]], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP of members in their order; names may repeat."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as archive:
        for name, content in members.items() if isinstance(members, dict) else members:
            archive.writestr(zipfile.ZipInfo(name), content, compression)
    return packed.getvalue()


def vrt_of(path: Path | str, *, width: int = 16, height: int = 16, bands: int = 4) -> bytes:
    """A VRT dataset, as text, that shows another raster."""
    shown = "".join(
        f'<VRTRasterBand dataType="UInt16" band="{band}"><SimpleSource><SourceFilename relativeToVRT="0">{path}'
        f"</SourceFilename><SourceBand>{band}</SourceBand></SimpleSource></VRTRasterBand>"
        for band in range(1, bands + 1)
    )
    return f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}">{shown}</VRTDataset>'.encode()


def raw_vrt_of(path: Path | str) -> bytes:
    """A VRT, as text, that shows the bytes of any file as pixels."""
    return (
        '<VRTDataset rasterXSize="16" rasterYSize="1"><VRTRasterBand dataType="Byte" band="1" '
        f'subClass="VRTRawRasterBand"><SourceFilename relativetoVRT="0">{path}</SourceFilename>'
        "<ImageOffset>0</ImageOffset><PixelOffset>1</PixelOffset><LineOffset>16</LineOffset>"
        "</VRTRasterBand></VRTDataset>"
    ).encode()


def empty_tiff(
    path: Path, *, width: int, height: int, count: int = 4, dtype: str = "uint16", **profile: object
) -> bytes:
    """A small file whose header declares a large image of which nothing was ever written."""
    shape = {"width": width, "height": height, "count": count, "dtype": dtype}
    where = {"crs": "EPSG:32631", "transform": TRANSFORM}
    with rasterio.open(path, "w", driver="GTiff", SPARSE_OK=True, **shape, **where, **profile):
        pass
    return path.read_bytes()


def big_tiff(directories: list[tuple[list[tuple[int, int, int, int]], int]]) -> bytes:
    """A BigTIFF of directories, each (entries of tag, type, count, value or offset; offset of the next directory)."""
    content = struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16)
    for entries, following in directories:
        content += struct.pack("<Q", len(entries))
        content += b"".join(struct.pack("<HHQQ", *entry) for entry in entries)
        content += struct.pack("<Q", following)
    return content


@dataclass(frozen=True)
class Mutation:
    """One upload. `kind` says what was done to it."""

    kind: str
    upload: bytes


def mutation(seed: int, sound: Members, secret: Path) -> Mutation:
    """The mutation number `seed`: the same bytes each time. `secret` is a file of the host that some reach for."""
    rng = np.random.default_rng([20, seed])
    kind = list(_KINDS)[seed % len(_KINDS)]
    return Mutation(kind, _KINDS[kind](rng, dict(sound), secret))


def _pick(rng: np.random.Generator, members: Members) -> str:
    return str(rng.choice(sorted(members)))


def _flipped(rng: np.random.Generator, content: bytes, *, start: int = 0, end: int | None = None) -> bytes:
    end = len(content) if end is None else min(end, len(content))
    flipped = bytearray(content)
    for _ in range(int(rng.integers(1, 9))):
        flipped[int(rng.integers(start, end))] ^= 1 << int(rng.integers(8))
    return bytes(flipped)


def _cut(rng: np.random.Generator, content: bytes) -> bytes:
    return content[: int(rng.integers(0, len(content)))]


def _archive_cut(rng: np.random.Generator, members: Members, _: Path) -> bytes:
    return _cut(rng, zipped(members))


def _archive_flipped(rng: np.random.Generator, members: Members, _: Path) -> bytes:
    return _flipped(rng, zipped(members))


def _directory_flipped(rng: np.random.Generator, members: Members, _: Path) -> bytes:
    packed = zipped(members)
    return _flipped(rng, packed, start=packed.index(b"PK\x01\x02"))


def _local_headers_flipped(rng: np.random.Generator, members: Members, _: Path) -> bytes:
    packed = zipped(members, zipfile.ZIP_STORED)
    starts = [at for at in range(len(packed)) if packed[at : at + 4] == b"PK\x03\x04"]
    at = int(rng.choice(starts))
    return _flipped(rng, packed, start=at, end=at + 46)


def _archive_overwritten(rng: np.random.Generator, members: Members, _: Path) -> bytes:
    packed = bytearray(zipped(members))
    at, size = int(rng.integers(len(packed))), int(rng.integers(1, 200))
    packed[at : at + size] = rng.bytes(size)
    return bytes(packed)


def _archive_within_garbage(rng: np.random.Generator, members: Members, _: Path) -> bytes:
    return rng.bytes(int(rng.integers(1, 90))) + zipped(members) + rng.bytes(int(rng.integers(0, 90)))


def _tiff_cut(rng: np.random.Generator, members: Members, _: Path) -> bytes:
    name = _pick(rng, members)
    return zipped(members | {name: _cut(rng, members[name])})


def _tiff_flipped(rng: np.random.Generator, members: Members, _: Path) -> bytes:
    name = _pick(rng, members)
    return zipped(members | {name: _flipped(rng, members[name])})


def _tiff_header_flipped(rng: np.random.Generator, members: Members, _: Path) -> bytes:
    name = _pick(rng, members)
    return zipped(members | {name: _flipped(rng, members[name], end=400)})


def _tag_replaced(rng: np.random.Generator, members: Members, _: Path) -> bytes:
    """One tag gets another type, count or value, often an extreme one."""
    name = _pick(rng, members)
    content = bytearray(members[name])
    (directory,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, directory)
    at = directory + 2 + 12 * int(rng.integers(count))
    extreme = int(rng.choice([0, 1, 2, 255, 65535, 2**31 - 1, 2**31, 2**32 - 1, int(rng.integers(2**32))]))
    field = int(rng.integers(3))
    if field == 0:
        struct.pack_into("<H", content, at + 2, extreme % 20)
    else:
        struct.pack_into("<I", content, at + 4 * field, extreme)
    return zipped(members | {name: bytes(content)})


def _directory_loop(rng: np.random.Generator, members: Members, _: Path) -> bytes:
    """The next directory is this one, or some place in the file."""
    name = _pick(rng, members)
    content = bytearray(members[name])
    (directory,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, directory)
    following = int(rng.choice([directory, int(rng.integers(len(content)))]))
    struct.pack_into("<I", content, directory + 2 + 12 * count, following)
    return zipped(members | {name: bytes(content)})


def _noise_after_magic(rng: np.random.Generator, members: Members, _: Path) -> bytes:
    magic = [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"][int(rng.integers(4))]
    return zipped(members | {_pick(rng, members): magic + rng.bytes(int(rng.integers(4, 4000)))})


def _contents_swapped(rng: np.random.Generator, members: Members, _: Path) -> bytes:
    first, second = rng.choice(sorted(members), 2, replace=False)
    return zipped(members | {str(first): members[str(second)], str(second): members[str(first)]})


def _halves_joined(rng: np.random.Generator, members: Members, _: Path) -> bytes:
    first, second = (str(name) for name in rng.choice(sorted(members), 2, replace=False))
    at = int(rng.integers(8, min(len(members[first]), len(members[second]))))
    return zipped(members | {first: members[first][:at] + members[second][at:]})


def _member_missing(rng: np.random.Generator, members: Members, _: Path) -> bytes:
    for _ in range(int(rng.integers(1, 6))):
        members.pop(_pick(rng, members))
    return zipped(members)


def _bomb(rng: np.random.Generator, members: Members, _: Path) -> bytes:
    """Megabytes of zeros after a sound start, or instead of it."""
    name = _pick(rng, members)
    start = members[name] if rng.integers(2) else b"II*\0"
    return zipped(members | {name: start + bytes(int(rng.integers(1, 5)) * 2**20)})


def _lying_sizes(rng: np.random.Generator, members: Members, _: Path) -> bytes:
    """Declared sizes in the central directory are something else."""
    packed = bytearray(zipped(members))
    starts = [at for at in range(len(packed)) if packed[at : at + 4] == b"PK\x01\x02"]
    for at in rng.choice(starts, int(rng.integers(1, len(starts))), replace=False):
        declared = int(rng.choice([0, 1, 700, int(rng.integers(2**32))]))
        struct.pack_into("<I", packed, int(at) + int(rng.choice([20, 24])), declared)
    return bytes(packed)


_NAMES = (
    "../../evil.tif",
    "/evil.tif",
    "S2/../../../evil.tif",
    "C:\\evil.tif",
    "S2\\..\\..\\evil.tif",
    "",
    ".",
    "/",
    "S2/",
    "S2/.tif",
    "S2/2020-09-09.tif/2020-09-09.tif",
    "S2/\n2020-09-09.tif",
    "S2/2020-09-09\x1b[2J.tif",
    "S2/2020-08-11.TIF",
    "s2/2020-08-11.tif",
    "S2/2020-08-11 (copy).tif",
    "/vsicurl/http:/127.0.0.1/2020-09-09.tif",
    "S2/vsizip/2020-09-09.tif",
    "S2/" + "a" * 300 + "2020-09-09.tif",
    "S2/2020-09-09\u202efit.tif",
    "more.zip",
)


def _odd_name(rng: np.random.Generator, members: Members, _: Path) -> bytes:
    return zipped([*members.items(), (_NAMES[int(rng.integers(len(_NAMES)))], members[SECOND])])


def _vrt(rng: np.random.Generator, members: Members, secret: Path) -> bytes:
    text = vrt_of(secret) if rng.integers(2) else raw_vrt_of(secret)
    name = _pick(rng, members)
    where = [name, f"{name}.ovr", f"{name}.msk", f"{name}.aux.xml", f"{name.removesuffix('.tif')}.vrt"]
    return zipped(members | {where[int(rng.integers(len(where)))]: text})


def _link(rng: np.random.Generator, members: Members, secret: Path) -> bytes:
    packed = io.BytesIO()
    name = _pick(rng, members)
    with zipfile.ZipFile(packed, "w") as archive:
        for other, content in members.items():
            member = zipfile.ZipInfo(other)
            member.external_attr = (0o120777 if other == name else 0o100644) << 16
            archive.writestr(member, str(secret) if other == name else content)
    return packed.getvalue()


_KINDS: dict[str, Callable[[np.random.Generator, Members, Path], bytes]] = {
    "archive cut": _archive_cut,
    "archive flipped": _archive_flipped,
    "central directory flipped": _directory_flipped,
    "local headers flipped": _local_headers_flipped,
    "archive overwritten": _archive_overwritten,
    "archive within garbage": _archive_within_garbage,
    "TIFF cut": _tiff_cut,
    "TIFF flipped": _tiff_flipped,
    "TIFF header flipped": _tiff_header_flipped,
    "tag replaced": _tag_replaced,
    "directory loop": _directory_loop,
    "noise after magic": _noise_after_magic,
    "contents swapped": _contents_swapped,
    "halves joined": _halves_joined,
    "member missing": _member_missing,
    "bomb": _bomb,
    "lying sizes": _lying_sizes,
    "odd name": _odd_name,
    "VRT": _vrt,
    "link": _link,
}
