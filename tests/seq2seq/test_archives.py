"""What an archive may not do, and that an honest one leaves nothing behind."""

import os
import stat
import struct
import tempfile
import zipfile
import zlib

import pytest
from sequence_files import pack, s1_db, write_sequence

from seq2seq.errors import OutputError, UnreadableFileError, UnsafeArchiveError
from seq2seq.readers import open_sequence
from seq2seq.readers.archive import ArchiveLimits, extract


@pytest.fixture
def archive(tmp_path):
    return pack(write_sequence(tmp_path / "input", s1=s1_db()), tmp_path / "input.zip")


@pytest.fixture
def unpacked(tmp_path):
    folder = tmp_path / "unpacked"
    folder.mkdir()
    return folder


def add(archive, name, content=b"x", **attributes):
    """One more member, whose header fields can be anything."""
    member = zipfile.ZipInfo(name)
    for key, value in attributes.items():
        setattr(member, key, value)
    with zipfile.ZipFile(archive, "a") as packed:
        packed.writestr(member, content)
    return archive


@pytest.mark.parametrize(
    "name",
    [
        "../evil.tif",
        "S2/../../evil.tif",
        "/etc/evil.tif",
        "C:/evil.tif",
        "..\\evil.tif",
        "S2\\..\\..\\evil.tif",
        "S2/..",
    ],
)
def test_a_way_out_of_the_folder_is_refused(archive, unpacked, name):
    with pytest.raises(UnsafeArchiveError, match=r"input\.zip: .* leaves the archive's folder"):
        extract(add(archive, name), unpacked)
    assert not list(unpacked.iterdir())


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFBLK])
def test_links_and_devices_are_refused(archive, unpacked, kind):
    with pytest.raises(UnsafeArchiveError, match=r"S2/x\.tif' is a link or a device"):
        extract(add(archive, "S2/x.tif", b"/etc/passwd", external_attr=(kind | 0o777) << 16), unpacked)


def test_an_encrypted_member_is_refused(archive, unpacked):
    content = archive.read_bytes()
    at = content.rindex(b"PK\x01\x02")
    flags = struct.unpack_from("<H", content, at + 8)[0] | 1
    archive.write_bytes(content[: at + 8] + struct.pack("<H", flags) + content[at + 10 :])
    with pytest.raises(UnsafeArchiveError, match="is encrypted"):
        extract(archive, unpacked)


@pytest.mark.parametrize("again", ["S2/2020-08-01.tif", "s2/2020-08-01.TIF", "S2\\2020-08-01.tif"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_one_name_twice_is_refused(archive, unpacked, again):
    with pytest.raises(UnsafeArchiveError, match="more than once"):
        extract(add(archive, again), unpacked)


@pytest.mark.parametrize("name", ["more.zip", "S2/more.tar.gz", "S2/2020-01-01.7Z"])
def test_archives_within_are_refused(archive, unpacked, name):
    with pytest.raises(UnsafeArchiveError, match="archive within the archive"):
        extract(add(archive, name), unpacked)


def test_a_bomb_is_stopped_while_it_inflates_though_it_declares_little(tmp_path, unpacked):
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("S2/2020-08-01.tif", b"II*\0" + bytes(50_000_000))
    assert archive.stat().st_size < 100_000
    with pytest.raises(UnsafeArchiveError, match=r"bomb\.zip: 'S2/2020-08-01\.tif' inflates to more than 2,000,000"):
        extract(archive, unpacked, limits=ArchiveLimits(file_bytes=2_000_000))
    assert sum(path.stat().st_size for path in unpacked.iterdir()) <= 2_000_000


def test_a_bomb_that_lies_about_its_size_inflates_no_further_than_it_says(tmp_path, unpacked):
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("S2/2020-08-01.tif", bytes(50_000_000))
    content = archive.read_bytes()
    lying = content.replace(struct.pack("<I", 50_000_000), struct.pack("<I", 1000))
    archive.write_bytes(lying)
    with pytest.raises((UnreadableFileError, UnsafeArchiveError)):
        extract(archive, unpacked, limits=ArchiveLimits(total_bytes=2_000_000))
    assert sum(path.stat().st_size for path in unpacked.iterdir()) <= 2_000_000


def test_an_archive_of_14_kilobytes_cannot_write_a_gigabyte_whatever_its_compression(tmp_path, unpacked):
    """Deflate stops at 1000 times; bzip2 packs a mebibyte of zeros into a few bytes."""
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_BZIP2) as packed, packed.open("S2/2020-08-01.tif", "w") as member:
        member.write(b"II*\0")
        for _ in range(80):
            member.write(bytes(2**20))
    assert archive.stat().st_size < 14_000
    with pytest.raises(
        UnsafeArchiveError, match=r"inflates to more than 67,\d\d\d,\d\d\d bytes; in all, an archive may"
    ):
        extract(archive, unpacked)
    assert sum(path.stat().st_size for path in unpacked.iterdir()) < 70_000_000


def test_members_share_one_allowance(tmp_path, unpacked):
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for month in range(1, 10):
            packed.writestr(f"S2/2020-0{month}-01.tif", b"II*\0" + bytes(12_000_000))
    with pytest.raises(UnsafeArchiveError, match="100 times its own size"):
        extract(archive, unpacked)
    assert sum(path.stat().st_size for path in unpacked.iterdir()) < 64 * 2**20 + 100 * archive.stat().st_size


def test_the_first_bytes_of_all_members_are_looked_at_before_one_is_unpacked(archive, unpacked):
    with pytest.raises(UnreadableFileError, match=r"S2/2020-12-24\.tif: is not a TIFF, its first bytes are b'%PDF'"):
        extract(add(archive, "S2/2020-12-24.tif", b"%PDF" + bytes(1000)), unpacked)
    assert not list(unpacked.iterdir())


def test_unpacking_leaves_others_their_disk_space(archive, unpacked, monkeypatch):
    usage = type("Usage", (), {"free": 2**28 + 2000})
    monkeypatch.setattr("seq2seq.readers.archive.shutil.disk_usage", lambda _: usage)
    with pytest.raises(OutputError, match=r"no space left to unpack it: 268,437,456 bytes are free, 268,435,456 must"):
        extract(archive, unpacked)


def test_too_many_members_and_too_many_bytes_are_refused_before_anything_is_unpacked(archive, unpacked):
    with pytest.raises(UnsafeArchiveError, match="10 members, at most 9 are allowed"):
        extract(archive, unpacked, limits=ArchiveLimits(members=9))
    with pytest.raises(UnsafeArchiveError, match="at most 1,000 are allowed"):
        extract(archive, unpacked, limits=ArchiveLimits(total_bytes=1000))
    assert not list(unpacked.iterdir())


@pytest.mark.parametrize("keep", [0, 2, 100, 0.5, 0.99])
def test_a_truncated_archive_is_unreadable(archive, unpacked, keep):
    content = archive.read_bytes()
    archive.write_bytes(content[: keep if isinstance(keep, int) else int(len(content) * keep)])
    with pytest.raises(UnreadableFileError, match=r"input\.zip: not a readable ZIP"):
        open_sequence(archive)


def test_a_flipped_bit_in_the_data_is_found(archive, unpacked):
    content = bytearray(archive.read_bytes())
    content[500] ^= 0x10
    archive.write_bytes(content)
    with pytest.raises(UnreadableFileError, match=r"input\.zip"):
        extract(archive, unpacked)


def test_a_full_disk_is_not_the_archives_fault(archive, unpacked, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("seq2seq.readers.archive._inflate_member", full)
    with pytest.raises(OutputError, match="no space left"):
        extract(archive, unpacked)


def test_unpacked_files_have_names_of_ours_and_messages_those_of_the_user(archive, unpacked):
    files, ignored = extract(archive, unpacked)
    assert sorted(path.name for path in unpacked.iterdir()) == sorted(f"{index}.tif" for index in range(10))
    assert {file.name for file in files} >= {"S2/2020-08-01.tif", "S1/2020-09-10.tif"}
    assert ignored == []


def test_other_files_are_left_out_with_a_warning_and_apples_leftovers_without(archive, unpacked):
    add(add(archive, "README.txt"), "__MACOSX/S2/._2020-08-01.tif")
    with open_sequence(archive) as source:
        assert len(source.info.dates) == 5
        assert source.info.warnings[0] == "1 files of the archive were ignored: README.txt"


def test_nothing_is_left_of_an_archive_after_use_or_failure(archive, tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    with open_sequence(archive) as source:
        assert os.listdir(scratch)
        source.read()
    assert not os.listdir(scratch)
    broken = pack(write_sequence(tmp_path / "short", dates=("2020-08-01",)), tmp_path / "short.zip")
    with pytest.raises(Exception, match="at least 2"):
        open_sequence(broken)
    assert not os.listdir(scratch)


def test_the_test_above_flips_a_bit_that_the_checksum_covers(archive):
    with zipfile.ZipFile(archive) as packed:
        first = packed.infolist()[0]
        assert first.header_offset + 30 + len(first.filename) < 500 < first.compress_size
        assert zlib.crc32(packed.read(first)) == first.CRC
