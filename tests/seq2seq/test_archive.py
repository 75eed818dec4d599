"""Archives: what any reader of ZIP files unpacks is what was stored, and any part of the bytes can be had alone."""

import io
import random
import shutil
import subprocess
import tracemalloc
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from service_storages import MIB, S3Server, pattern

from worker.errors import InvalidKey, NotFound, RangeNotSatisfiable
from worker.storage import LocalStorage, ObjectStorage, Storage
from worker.storage.archive import Archive, ArchiveEntry

MODIFIED = 1622548801.5  # 2021-06-01 12:00:01 UTC
CONTENTS = {
    "declouded/2021-05-01.tif": pattern(70_001),
    "declouded/2021-05-06.tif": pattern(3),
    "report.json": b"{}",
    "empty": b"",
    "preview für überall 日本.png": pattern(512),
}


def stored(storage: Storage, contents: dict[str, bytes]) -> list[ArchiveEntry]:
    entries = []
    for number, (name, content) in enumerate(contents.items()):
        storage.put(f"results/job/{number}", content)
        entries.append(ArchiveEntry(name, f"results/job/{number}", len(content), zlib.crc32(content)))
    return entries


def whole(archive: Archive) -> bytes:
    return b"".join(archive.open_range())


@pytest.fixture
def archive(local_storage: LocalStorage) -> Archive:
    return Archive(local_storage, stored(local_storage, CONTENTS), modified=MODIFIED)


class Seekable(io.RawIOBase):
    """An archive as a file, read by ranges as a remote reader would."""

    def __init__(self, archive: Archive) -> None:
        self.archive, self.at = archive, 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self.at = offset + (0, self.at, self.archive.size)[whence]
        return self.at

    def tell(self) -> int:
        return self.at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        got = b"".join(self.archive.open_range(self.at, min(self.at + len(buffer), self.archive.size)))
        buffer[: len(got)] = got
        self.at += len(got)
        return len(got)


def test_what_is_unpacked_is_what_was_stored(storage: Storage) -> None:
    archive = Archive(storage, stored(storage, CONTENTS), modified=MODIFIED)
    with zipfile.ZipFile(io.BytesIO(whole(archive))) as unpacked:
        assert unpacked.testzip() is None
        assert unpacked.namelist() == list(CONTENTS)
        for name, content in CONTENTS.items():
            assert unpacked.read(name) == content
        for info in unpacked.infolist():
            assert info.compress_type == zipfile.ZIP_STORED
            assert info.date_time == (2021, 6, 1, 12, 0, 0)
            assert info.external_attr >> 16 == 0o100644
            assert info.extract_version == 20  # readable by the oldest of programs


@pytest.mark.skipif(shutil.which("unzip") is None, reason="unzip is not installed")
def test_unzip_finds_nothing_to_complain_about(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "all.zip").write_bytes(whole(archive))
    said = subprocess.run(["unzip", "-o", "all.zip", "-d", "out"], cwd=tmp_path, capture_output=True, text=True)
    assert said.returncode == 0, said
    assert "warning" not in said.stderr + said.stdout
    for name in ("declouded/2021-05-01.tif", "report.json", "empty"):
        assert (tmp_path / "out" / name).read_bytes() == CONTENTS[name]


def test_the_length_is_known_before_anything_is_read(archive: Archive, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "files" / "results")
    assert (
        archive.size
        == sum(map(len, CONTENTS.values())) + sum(30 + 46 + 2 * len(name.encode()) for name in CONTENTS) + 22
    )


def test_the_length_is_that_of_the_bytes(archive: Archive) -> None:
    assert len(whole(archive)) == archive.size


def test_an_archive_of_nothing_is_one(local_storage: LocalStorage) -> None:
    archive = Archive(local_storage, [], modified=MODIFIED)
    assert len(whole(archive)) == archive.size == 22
    assert zipfile.ZipFile(io.BytesIO(whole(archive))).namelist() == []


def test_the_same_files_give_the_same_bytes_wherever_they_are_kept(
    local_storage: LocalStorage, object_storage: ObjectStorage
) -> None:
    one, other = (Archive(kept, stored(kept, CONTENTS), modified=MODIFIED) for kept in (local_storage, object_storage))
    assert whole(one) == whole(one) == whole(other)
    assert one.etag == other.etag
    assert len(one.etag) == 64


def test_whatever_changes_a_byte_changes_the_etag(local_storage: LocalStorage) -> None:
    entries = stored(local_storage, CONTENTS)
    first = entries[0]
    variants = [
        Archive(local_storage, changed, modified=modified)
        for changed, modified in [
            (entries, MODIFIED),
            (entries, MODIFIED + 2),
            (entries[1:], MODIFIED),
            (entries[::-1], MODIFIED),
            ([ArchiveEntry("other", first.key, first.size, first.crc32), *entries[1:]], MODIFIED),
            ([ArchiveEntry(first.name, first.key, first.size, first.crc32 ^ 1), *entries[1:]], MODIFIED),
            ([ArchiveEntry(first.name, first.key, first.size - 1, first.crc32), *entries[1:]], MODIFIED),
            ([ArchiveEntry(first.name, "results/job/2/other", first.size, first.crc32), *entries[1:]], MODIFIED),
        ]
    ]
    assert len({archive.etag for archive in variants}) == len(variants)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Archive, bytes]:
    storage = LocalStorage(tmp_path_factory.mktemp("archive"))
    archive = Archive(storage, stored(storage, CONTENTS), modified=MODIFIED)
    return archive, whole(archive)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_every_range_is_that_part_of_the_whole(kept: tuple[Archive, bytes], data: st.DataObject) -> None:
    archive, content = kept
    # near the seams between headers and files as often as anywhere
    seams = st.sampled_from(archive._starts).flatmap(lambda at: st.integers(max(at - 2, 0), min(at + 2, archive.size)))
    start, end = sorted(
        (data.draw(seams | st.integers(0, archive.size)), data.draw(seams | st.integers(0, archive.size)))
    )
    assert b"".join(archive.open_range(start, end)) == content[start:end]


def test_a_download_that_breaks_again_and_again_is_whole_in_the_end(
    s3_server: S3Server, object_storage: ObjectStorage
) -> None:
    contents = {f"declouded/{number}.tif": pattern(MIB // 2 + number) for number in range(8)}
    entries = stored(object_storage, contents)
    got, chance = b"", random.Random(3)
    while len(got) < (archive := Archive(object_storage, entries, modified=MODIFIED)).size:
        for chunk in archive.open_range(len(got)):
            got += chunk[: chance.randrange(len(chunk) + 1)]
            break
    with zipfile.ZipFile(io.BytesIO(got)) as unpacked:
        assert unpacked.testzip() is None
        assert {name: unpacked.read(name) for name in unpacked.namelist()} == contents


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (5, 4), (0, 10**9), (10**9, None)])
def test_a_range_outside_the_archive_is_refused_with_the_numbers_by_the_call(
    archive: Archive, start: int, end: int | None
) -> None:
    with pytest.raises(RangeNotSatisfiable, match=f"bytes {start} to .* of the archive .* it has {archive.size}"):
        archive.open_range(start, end)


def test_a_file_of_more_than_4_gib_and_what_follows_it_are_found(local_storage: LocalStorage) -> None:
    """The large one is a hole: read where it is asked for, never as a whole."""
    large = 2**32 + 5
    entries = stored(local_storage, {"before": b"one", "large": b"", "after": b"two", "last": pattern(1000)})
    with (local_storage.folder / "results/job/1").open("wb") as hole:
        hole.truncate(large)
    entries[1] = ArchiveEntry("large", "results/job/1", large, 0x12345678)
    archive = Archive(local_storage, entries, modified=MODIFIED)
    assert archive.size > large
    with zipfile.ZipFile(io.BufferedReader(Seekable(archive))) as unpacked:
        assert [info.file_size for info in unpacked.infolist()] == [3, large, 3, 1000]
        assert [info.extract_version for info in unpacked.infolist()] == [20, 45, 45, 45]
        assert unpacked.getinfo("large").CRC == 0x12345678
        for name, content in (("before", b"one"), ("after", b"two"), ("last", pattern(1000))):
            assert unpacked.read(name) == content
        with unpacked.open("large") as part:
            assert part.read(5000) == bytes(5000)


@pytest.mark.parametrize("size", [2**32 - 2, 2**32 - 1, 2**32])
def test_zip64_begins_exactly_where_32_bits_end(local_storage: LocalStorage, size: int) -> None:
    local_storage.put("large", b"")
    with (local_storage.folder / "large").open("wb") as hole:
        hole.truncate(size)
    archive = Archive(local_storage, [ArchiveEntry("large", "large", size, 0)], modified=MODIFIED)
    tail = archive.size - size
    assert tail == 30 + 5 + 46 + 5 + 22 + (56 + 20) + (0 if size < 2**32 - 1 else 20 + 20)
    with zipfile.ZipFile(io.BufferedReader(Seekable(archive))) as unpacked:
        assert unpacked.getinfo("large").file_size == size


@pytest.mark.parametrize("count", [65_534, 65_535, 65_537])
def test_more_files_than_16_bits_can_count_are_all_there(local_storage: LocalStorage, count: int) -> None:
    local_storage.put("nothing", b"")
    entries = [ArchiveEntry(f"{number}", "nothing", 0, 0) for number in range(count)]
    archive = Archive(local_storage, entries, modified=MODIFIED)
    directory = b"".join(archive.open_range(archive._starts[-2]))
    assert (b"PK\6\6" in directory) == (count >= 65_535)
    with zipfile.ZipFile(io.BufferedReader(Seekable(archive))) as unpacked:
        assert len(unpacked.namelist()) == count


def test_streaming_needs_no_more_memory_than_a_few_pieces(local_storage: LocalStorage) -> None:
    entries = stored(local_storage, {f"{number}": pattern(9 * MIB) for number in range(3)})
    archive = Archive(local_storage, entries, modified=MODIFIED)
    tracemalloc.start()
    try:
        seen = sum(len(chunk) for chunk in archive.open_range())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert seen == archive.size
    assert peak < 4 * MIB


def test_a_download_that_is_given_up_closes_the_file_it_was_reading(local_storage: LocalStorage) -> None:
    closed: list[str] = []

    class Watched(LocalStorage):
        def _range(self, key: str, start: int, end: int | None) -> Iterator[bytes]:  # type: ignore[override]
            try:
                yield from super()._range(key, start, end)
            finally:
                closed.append(key)

    entries = stored(local_storage, {"large": pattern(5 * MIB)})
    chunks = Archive(Watched(local_storage.folder), entries, modified=MODIFIED).open_range()
    next(chunks)
    next(chunks)
    assert closed == []
    chunks.close()
    assert closed == ["results/job/0"]


def test_a_stored_file_that_is_gone_or_too_short_ends_the_answer_instead_of_filling_it(
    local_storage: LocalStorage,
) -> None:
    entries = stored(local_storage, {"a": b"one", "b": b"two"})
    archive = Archive(local_storage, entries, modified=MODIFIED)
    local_storage.put("results/job/1", b"t")
    with pytest.raises(RangeNotSatisfiable, match="results/job/1"):
        whole(archive)
    local_storage.delete_prefix("results/job/1")
    with pytest.raises(NotFound):
        whole(archive)


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "a//b", "a\\..\\b", "", "a\0b", ".hidden"])
def test_a_name_that_could_leave_the_folder_it_is_unpacked_to_is_refused(name: str) -> None:
    with pytest.raises(InvalidKey):
        ArchiveEntry(name, "key", 1, 0)


@pytest.mark.parametrize(("size", "crc32"), [(-1, 0), (1, -1), (1, 2**32)])
def test_sizes_and_checksums_that_cannot_be_are_refused(size: int, crc32: int) -> None:
    with pytest.raises(ValueError, match=f"name: size is {size}, crc32 is {crc32}"):
        ArchiveEntry("name", "key", size, crc32)


def test_two_files_of_one_name_are_refused(local_storage: LocalStorage) -> None:
    with pytest.raises(ValueError, match="2 files have 1 names"):
        Archive(local_storage, [ArchiveEntry("a", "x", 1, 0), ArchiveEntry("a", "y", 1, 0)], modified=0)


@pytest.mark.parametrize(
    ("modified", "said"),
    [(0, (1980, 1, 1, 0, 0, 0)), (1e11, (2107, 12, 31, 23, 59, 58)), (1709251199, (2024, 2, 29, 23, 59, 58))],
)
def test_times_a_zip_cannot_say_become_the_nearest_it_can(
    local_storage: LocalStorage, modified: float, said: tuple[int, ...]
) -> None:
    archive = Archive(local_storage, stored(local_storage, {"a": b"x"}), modified=modified)
    assert zipfile.ZipFile(io.BytesIO(whole(archive))).infolist()[0].date_time == said
