"""Hostile uploads, through the real sandbox: none reaches anything but itself, and each ends in one clear line."""

import io
import json
import socket
import stat
import struct
import tempfile
import threading
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hostile_inputs import (
    SECOND,
    USED_DATES,
    Members,
    big_tiff,
    empty_tiff,
    mutation,
    raw_vrt_of,
    small_sequence,
    vrt_of,
    zipped,
)
from import_batches import Batch, import_batch, pixel_bytes
from sequence_files import BANDS, s2_dn, write_tif

from seq2seq.readers import read_sequence
from worker.imports.importer import CRASHED, LIMIT, ImportProblem, ImportReport, import_upload
from worker.imports.limits import ImportLimits

MARK = b"what-only-the-host-may-know"
SECRET_DN = 4242
MUTATIONS = 200
ACCEPTED = "accepted"


@dataclass(frozen=True)
class Host:
    """This machine, as an upload would like to see it: secrets in files, and a server that counts who connects."""

    folder: Path
    port: int
    connections: list[bytes]

    @property
    def text(self) -> Path:
        return self.folder / "secret.txt"

    @property
    def raster(self) -> Path:
        return self.folder / "secret.tif"


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    folder, connections, over = tmp_path_factory.mktemp("host"), [], threading.Event()
    (folder / "secret.txt").write_bytes(MARK * 40)
    write_tif(folder / "secret.tif", np.full((4, 16, 16), SECRET_DN, np.uint16))
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)

        def accept():
            while not over.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                connections.append(connection.recv(64))
                connection.close()

        thread = threading.Thread(target=accept)
        thread.start()
        yield Host(folder, server.getsockname()[1], connections)
        over.set()
        thread.join()


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return small_sequence(tmp_path_factory.mktemp("sound"))


Attack = Callable[[Members, Host, Path], bytes]


def second(content: Callable[[Host, Path], bytes]) -> Attack:
    """The file of the second date is something else."""
    return lambda sound, host, scratch: zipped(sound | {SECOND: content(host, scratch)})


def member(name: str, content: bytes | None = None, **attributes: object) -> Attack:
    """One more member, whose header fields can be anything."""

    def attack(sound: Members, host: Host, _: Path) -> bytes:
        packed = io.BytesIO(zipped(sound))
        with zipfile.ZipFile(packed, "a") as archive:
            one = zipfile.ZipInfo(name.replace("PORT", str(host.port)))
            for key, value in attributes.items():
                setattr(one, key, value)
            archive.writestr(one, sound[SECOND] if content is None else content)
        return packed.getvalue()

    return attack


def link(kind: int) -> Attack:
    return lambda sound, host, scratch: member(
        "S2/2020-09-09.tif", str(host.text).encode(), create_system=3, external_attr=(kind | 0o777) << 16
    )(sound, host, scratch)


def patched(offset: int, layout: str, value: int) -> Attack:
    """One field of the central directory is something else in the entry of each file."""

    def attack(sound: Members, *_: object) -> bytes:
        packed = bytearray(zipped(sound | {f"notes/{index}.txt": b"x" for index in range(12)}))
        for at in [at for at in range(len(packed)) if packed[at : at + 4] == b"PK\x01\x02"]:
            struct.pack_into(layout, packed, at + offset, value)
        return bytes(packed)

    return attack


def sidecars(sound: Members, host: Host, _: Path) -> bytes:
    text = vrt_of(host.raster, width=8, height=8)
    georeference = b"<PAMDataset><GeoTransform>0,1,0,0,0,-1</GeoTransform></PAMDataset>"
    beside = {f"{SECOND}.ovr": text, f"{SECOND}.msk": text, f"{SECOND}.aux.xml": georeference}
    return zipped(sound | beside | {"S2/2020-08-11.vrt": text, "S2/2020-08-11.tfw": b"1\n0\n0\n-1\n0\n0\n"})


def too_many(sound: Members, *_: object) -> bytes:
    return zipped([*sound.items(), *((f"notes/{index}.txt", b"") for index in range(10_000))], zipfile.ZIP_STORED)


def huge_dates(sound: Members, _: Host, scratch: Path) -> bytes:
    """Each within the budget of a file, together far beyond that of a sequence, and all of them empty."""
    image = empty_tiff(scratch / "empty.tif", width=15_000, height=15_000, tiled=True, blockxsize=2048, blockysize=2048)
    return zipped({f"S2/{date}.tif": image for date in USED_DATES})


def empty_giants(sound: Members, _: Host, scratch: Path) -> bytes:
    """Within the budget of a sequence, but nothing was ever written; a minute of zeros if anybody looked."""
    image = empty_tiff(scratch / "giant.tif", width=2000, height=4000, tiled=True, nodata=0)
    return zipped({f"S2/{date}.tif": image for date in USED_DATES})


def strips_of_a_pixel(sound: Members, _: Host, scratch: Path) -> bytes:
    """Few pixels, but each is looked up and decoded for itself."""
    image = empty_tiff(scratch / "strips.tif", width=1, height=100_000, blockysize=1, nodata=0)
    return zipped({f"S2/{date}.tif": image for date in USED_DATES})


def packed_giants(sound: Members, _: Host, scratch: Path) -> bytes:
    """The same with one value everywhere, which zstd packs into next to nothing."""
    pixels = np.full((4, 4000, 2000), 7, np.uint16)
    image = write_tif(scratch / "giant.tif", pixels, tiled=True, compress="zstd", nodata=0).read_bytes()
    return zipped({f"S2/{date}.tif": image for date in USED_DATES})


def pointing(host: Host, scratch: Path) -> bytes:
    path = write_tif(scratch / "pointing.tif", s2_dn(1, height=16, width=16)[0], bands=BANDS)
    with rasterio.open(path, "r+") as file:
        file.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=str(host.raster))
    return path.read_bytes()


def circle(sound: Members, *_: object) -> bytes:
    content = bytearray(sound[SECOND])
    (directory,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, directory)
    struct.pack_into("<I", content, directory + 2 + 12 * count, directory)
    return zipped(sound | {SECOND: bytes(content)})


def novel(host: Host, scratch: Path) -> bytes:
    words = "tell me " * 4000
    return write_tif(
        scratch / "novel.tif", s2_dn(1, height=16, width=16)[0], bands=(words, "B3", "B4", "B8")
    ).read_bytes()


def sparse(scratch: Path, **shape: int) -> bytes:
    return empty_tiff(scratch / "sparse.tif", **shape)


LEAVES, DOUBLE = "leaves the archive's folder", "more than once"
# name: (how, code of the problem, words of its detail)
ATTACKS: dict[str, tuple[Attack, str, str]] = {
    "vrt-of-a-raster": (second(lambda host, _: vrt_of(host.raster)), "unreadable-file", f"{SECOND}: is not a TIFF"),
    "vrt-of-any-file": (second(lambda host, _: raw_vrt_of(host.text)), "unreadable-file", "is not a TIFF"),
    "vrt-after-magic": (second(lambda host, _: b"II*\0" + vrt_of(host.raster)), "unreadable-file", SECOND),
    "vrt-of-a-server": (
        second(lambda host, _: vrt_of(f"/vsicurl/http://127.0.0.1:{host.port}/x.tif")),
        "unreadable-file",
        "is not a TIFF",
    ),
    "sidecars": (sidecars, ACCEPTED, ""),
    "vsicurl-absolute": (member("/vsicurl/http://127.0.0.1:PORT/2020-09-09.tif"), "unsafe-archive", LEAVES),
    "vsicurl-below-s2": (member("S2/vsicurl/http:/127.0.0.1:PORT/2020-09-09.tif"), ACCEPTED, ""),
    "vsizip": (member("S2/vsizip/x.zip/2020-09-09.tif"), ACCEPTED, ""),
    "declares-too-much": (patched(24, "<I", 2**32 - 2), "unsafe-archive", "at most 68,719,476,736"),
    "too-many-members": (too_many, "unsafe-archive", "10006 members, at most 10000"),
    "huge-header": (
        second(lambda _, scratch: sparse(scratch, width=65_535, height=65_535, tiled=True)),
        "unreadable-file",
        "65535 x 65535 px, at most 250,000,000",
    ),
    "huge-strip": (
        second(
            lambda _, scratch: sparse(
                scratch, width=8000, height=8000, count=16, interleave="pixel", blockysize=8000, compress="deflate"
            )
        ),
        "unreadable-file",
        "stored in pieces of 2,048,000,000 bytes",
    ),
    "huge-dates": (huge_dates, LIMIT, "S2 has 450,000,000 pixels on 2 dates; it may use pixel_dates = 400,000,000"),
    "many-tags": (
        second(lambda *_: big_tiff([([(256, 3, 1, 16)] * 1_000_000, 0)])),
        "unreadable-file",
        "1000000 tags in a directory, at most 4096",
    ),
    "endless-tag": (
        second(lambda *_: big_tiff([([(324, 16, 2**40, 16), (325, 16, 2**40, 16)], 0)])),
        "unreadable-file",
        "in a directory",
    ),
    "far-directory": (second(lambda *_: struct.pack("<2sHHHQ", b"II", 43, 8, 0, 2**62)), "unreadable-file", "within a"),
    "empty-giants": (
        empty_giants,
        LIMIT,
        "decode to 128,000,000 bytes of pixels, more than 67,",
    ),
    "strips-of-a-pixel": (strips_of_a_pixel, LIMIT, "decode to 819,200,000 bytes of pixels"),
    "packed-giants": (packed_giants, LIMIT, "bytes decode to 128,000,000 bytes of pixels"),
    "overviews-elsewhere": (
        second(lambda host, scratch: pointing(host, scratch)),
        "unreadable-file",
        f"{SECOND}: its metadata point to another file",
    ),
    "directory-circle": (circle, ACCEPTED, ""),
    "dot-dot": (member("../evil.tif"), "unsafe-archive", LEAVES),
    "dot-dot-inside": (member("S2/../../../evil.tif"), "unsafe-archive", LEAVES),
    "dot-dot-windows": (member("S2\\..\\..\\..\\evil.tif"), "unsafe-archive", LEAVES),
    "absolute": (member("/evil.tif"), "unsafe-archive", LEAVES),
    "absolute-windows": (member("C:\\evil.tif"), "unsafe-archive", LEAVES),
    "symbolic-link": (link(stat.S_IFLNK), "unsafe-archive", "is a link or a device"),
    "pipe": (link(stat.S_IFIFO), "unsafe-archive", "is a link or a device"),
    "device": (link(stat.S_IFCHR), "unsafe-archive", "is a link or a device"),
    "zip-within": (member("more.zip"), "unsafe-archive", "an archive within the archive"),
    "tar-within": (member("S2/2020-09-09.tar.gz"), "unsafe-archive", "an archive within the archive"),
    "zip-as-tif": (second(lambda *_: zipped({"S2/2020-08-01.tif": b"x"})), "unreadable-file", "is not a TIFF"),
    "name-twice": (member(SECOND), "unsafe-archive", DOUBLE),
    "name-twice-by-case": (member(SECOND.lower().replace("tif", "TIF")), "unsafe-archive", DOUBLE),
    "name-twice-by-slash": (member(SECOND.replace("/", "\\")), "unsafe-archive", DOUBLE),
    "date-twice": (member("S2/20200811_copy.tif"), "duplicate-dates", "are both of 2020-08-11"),
    "encrypted": (patched(8, "<H", 1), "unsafe-archive", "is encrypted"),
    "unknown-compression": (patched(10, "<H", 99), "unreadable-file", "not a readable ZIP"),
    "no-name": (member(""), "unsafe-archive", "is no name"),
    "only-a-dot": (member("."), "unsafe-archive", "is no name"),
    "line-break": (member("S2/\n2020-09-09.tif"), "unsafe-archive", "control characters"),
    "terminal-codes": (member("S2/2020-09-09\x1b[2J.tif"), "unsafe-archive", "control characters"),
    "novel-as-band-name": (second(novel), "unknown-bands", "tell me tell me"),
}


@pytest.fixture(scope="module")
def attacks(sound, host, tmp_path_factory) -> Batch:
    folder = tmp_path_factory.mktemp("attacks")
    with pytest.warns(UserWarning, match="Duplicate name"):
        uploads = {name: attack(sound, host, folder) for name, (attack, _, _) in ATTACKS.items()}
    batch = import_batch(
        {"sound": zipped(sound), **uploads}, folder / "batch", limits=ImportLimits(pixel_dates=400_000_000)
    )
    return batch


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_refused_in_one_line_or_changes_nothing(attacks, sound, name):
    _, code, words = ATTACKS[name]
    outcome = attacks.outcomes[name]
    assert outcome.trace is None
    if code == ACCEPTED:
        assert outcome.problem is None
        assert pixel_bytes(outcome.copy) == pixel_bytes(attacks.outcomes["sound"].copy)
        return
    assert outcome.problem is not None
    assert outcome.problem.code == code
    assert words in outcome.problem.detail
    assert_clear(outcome.problem)


def test_no_attack_reached_the_network_or_a_secret(attacks, host):
    copies = [outcome.copy for outcome in attacks.outcomes.values() if outcome.copy]
    assert len(copies) == 1 + sum(code == ACCEPTED for _, code, _ in ATTACKS.values())
    said = json.dumps([outcome.problem.to_dict() for outcome in attacks.outcomes.values() if outcome.problem])
    assert MARK.decode() not in said + attacks.printed
    assert_nothing_of_the_host(copies[0].parent)
    assert host.connections == []


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_the_listener_of_these_tests_hears_a_reader_that_is_not_sandboxed(host, tmp_path):
    (tmp_path / "x.tif").write_bytes(vrt_of(f"/vsicurl/http://127.0.0.1:{host.port}/listener-check.tif"))
    with rasterio.Env(GDAL_HTTP_MAX_RETRY=0), pytest.raises(rasterio.RasterioIOError):
        rasterio.open(tmp_path / "x.tif").read(1)
    assert host.connections
    host.connections.clear()


def test_an_upload_that_is_a_path_for_gdal_is_a_missing_file(host, tmp_path):
    problem = import_upload(Path(f"/vsicurl/http://127.0.0.1:{host.port}/2020-09-09.zip"), tmp_path / "input")
    assert problem == ImportProblem("missing-data", "2020-09-09.zip: does not exist", ())
    assert host.connections == []


def test_a_folder_may_not_link_out_of_itself(sound, host, tmp_path):
    root = unpacked(sound, tmp_path / "fields")
    (root / SECOND).unlink()
    (root / SECOND).symlink_to(host.raster)
    problem = import_upload(root, tmp_path / "input")
    assert problem.code == "unsafe-archive"
    assert problem.detail == f"fields: '{SECOND}' is a link"
    assert list(tmp_path.iterdir()) == [root]


def test_sidecars_of_a_folder_change_nothing(sound, host, tmp_path):
    root = unpacked(sound, tmp_path / "fields")
    clean = read_sequence(root)
    with zipfile.ZipFile(io.BytesIO(sidecars(sound, host, tmp_path))) as archive:
        archive.extractall(root)
    with rasterio.open(root / SECOND) as unprotected:
        assert unprotected.overviews(1), "the attack works on an unprotected reader"
    assert isinstance(import_upload(root, tmp_path / "input"), ImportReport)
    copied = read_sequence(tmp_path / "input")
    assert np.array_equal(copied.s2.pixels, clean.s2.pixels)
    assert copied.s2.geobox == clean.s2.geobox


def bomb(*megabytes: int) -> bytes:
    """Each mebibyte packs into 16 KiB, as honest files may."""
    piece = np.random.default_rng(0).bytes(2**14) + bytes(2**20 - 2**14)
    members = {date: b"II*\0" + size * piece for date, size in zip(USED_DATES, megabytes, strict=False)}
    return zipped({f"S2/{date}.tif": content for date, content in members.items()})


@pytest.mark.parametrize(
    ("megabytes", "limit", "allowed"), [((40, 1), "file_bytes", 10 * 2**20), ((200, 200), "disk_bytes", 30 * 2**20)]
)
def test_a_bomb_is_stopped_at_the_limit_while_it_inflates(tmp_path, megabytes, limit, allowed):
    (tmp_path / "bomb.zip").write_bytes(bomb(*megabytes))
    assert (tmp_path / "bomb.zip").stat().st_size < 8_000_000
    problem = import_upload(tmp_path / "bomb.zip", tmp_path / "input", limits=ImportLimits(**{limit: allowed}))
    assert problem.code == LIMIT
    assert problem.detail == f"bomb.zip: the import was stopped while unpacking; it may use {limit} = {allowed:,}"
    assert problem.errors == ({"limit": limit, "allowed": allowed},)
    assert [path.name for path in tmp_path.iterdir()] == ["bomb.zip"]


@pytest.mark.parametrize(
    "part", [0, 1, *(pytest.param(part, marks=pytest.mark.slow) for part in range(2, MUTATIONS // 50))]
)
def test_mutated_uploads_are_imported_or_refused_in_one_line(sound, host, tmp_path, part):
    """Fifty in a process, five of each kind of damage in two of them. What is accepted was read whole there."""
    mutations = {f"m{seed}": mutation(seed, sound, host.text) for seed in range(50 * part, 50 * part + 50)}
    before = listing(tmp_path.parent)
    batch = import_batch({name: one.upload for name, one in mutations.items()}, tmp_path / "batch")
    for name, outcome in batch.outcomes.items():
        assert outcome.trace is None, f"{name}, {mutations[name].kind}: {outcome.trace}"
        if outcome.problem:
            assert_clear(outcome.problem)
    assert {outcome.problem is None for outcome in batch.outcomes.values()} == {True, False}
    assert_nothing_of_the_host(tmp_path / "batch" / "job")
    assert {path for path in listing(tmp_path.parent) - before if tmp_path / "batch" not in path.parents} == {
        tmp_path / "batch"
    }
    assert host.connections == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(MUTATIONS))
def test_a_mutated_upload_in_a_process_of_its_own(sound, host, tmp_path, seed):
    one = mutation(seed, sound, host.text)
    (tmp_path / "upload").write_bytes(one.upload)
    outcome = import_upload(tmp_path / "upload", tmp_path / "input", name="fields.zip")
    if isinstance(outcome, ImportProblem):
        assert_clear(outcome)
        assert [path.name for path in tmp_path.iterdir()] == ["upload"]
    else:
        assert sorted(path.name for path in tmp_path.iterdir()) == ["input", "upload"]
        read_sequence(tmp_path / "input")
    assert_nothing_of_the_host(tmp_path / "input")
    assert host.connections == []


def assert_clear(problem: ImportProblem) -> None:
    """One printable line of a known code, no trace, no path and no secret of this machine."""
    text = json.dumps(problem.to_dict())
    assert problem.code != CRASHED, text
    assert problem.detail.isprintable()
    assert 10 < len(problem.detail) <= 500
    assert "Traceback" not in text
    assert tempfile.gettempdir() not in text
    assert MARK.decode() not in text
    assert all(isinstance(error, dict) and error for error in problem.errors)


def assert_nothing_of_the_host(folder: Path) -> None:
    """No byte of the secrets, neither in files nor in decoded pixels."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            assert MARK not in path.read_bytes()
            if path.suffix == ".tif":
                with rasterio.open(path) as file:
                    pixels = file.read()
                assert MARK not in pixels.tobytes()
                assert not (pixels == SECRET_DN).any()
        assert not path.is_symlink()


def listing(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


def unpacked(members: Members, root: Path) -> Path:
    for name, content in members.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root
