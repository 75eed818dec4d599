"""Products that lie in an input as the ZIPs in which they are downloaded: each unpacked when the input is opened."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath

from seq2seq.readers.archive import ArchiveLimits, extract
from seq2seq.readers.base import Member
from seq2seq.readers.formats.safe import image_name, is_product_archive, metadata_level, tile_metadata

# JPEG 2000 does not deflate, and metadata are little beside it.
_LIMITS = ArchiveLimits(expansion=4)


@contextmanager
def unpacked_products(members: Sequence[Member]) -> Iterator[list[Member]]:
    """The members, each ZIP replaced by what a product's reader wants of it, in a folder that goes with the context.

    The ZIPs share the limits of one, whatever an archive around them was allowed. Raises as `archive.extract` does.
    """
    packed = [member for member in members if is_product_archive(PurePosixPath(member.name))]
    found = [member for member in members if not is_product_archive(PurePosixPath(member.name))]
    left = _LIMITS.allowed(sum(member.path.stat().st_size for member in packed))
    with tempfile.TemporaryDirectory(prefix="decloud-") as folder:
        for index, member in enumerate(packed):
            target = Path(folder, str(index))
            target.mkdir()
            inner, _ = extract(
                member.path, target, name=member.name, limits=replace(_LIMITS, total_bytes=left), is_within=True
            )
            left -= sum(one.path.stat().st_size for one in inner)
            found += _of_product(member, inner)
        yield found


def _of_product(archive: Member, inner: Sequence[Member]) -> list[Member]:
    """What belongs to a product, as if the archive were a folder."""
    return [
        Member(f"{archive.name}/{member.name}", member.path)
        for member in inner
        if image_name(name := PurePosixPath(member.name)) or metadata_level(name) or tile_metadata(name)
    ]
