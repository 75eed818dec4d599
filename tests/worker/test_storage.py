"""Every storage: what was put is what is got, whole or not at all, and no key leads anywhere else."""

import errno
import os
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from service_storages import MIB, S3Server, everything_in, file_size_limit, keys_in, pattern, read, size_of

from worker.errors import InvalidKey, InvalidSettings, NotFound, RangeNotSatisfiable, StorageFullError
from worker.storage import LocalStorage, ObjectStorage, Storage, open_storage

# -- put, get, size


@pytest.mark.parametrize("kind", ["bytes", "file", "pieces"])
@pytest.mark.parametrize("size", [0, 1, MIB + 1])
def test_what_was_put_is_what_is_got(storage: Storage, tmp_path: Path, size: int, kind: str) -> None:
    content = pattern(size)
    source: bytes | Path | Iterator[bytes] = content
    if kind == "file":
        source = tmp_path / "source"
        source.write_bytes(content)
    elif kind == "pieces":
        source = (content[at : at + 100_003] for at in range(0, size, 100_003))
    storage.put("uploads/one", source)
    storage.get("uploads/one", tmp_path / "new" / "folder" / "got")
    assert (tmp_path / "new" / "folder" / "got").read_bytes() == content
    assert size_of(storage, "uploads/one") == size
    assert read(storage, "uploads/one") == content
    assert kind != "file" or (tmp_path / "source").read_bytes() == content


def test_a_second_put_replaces_the_whole(storage: Storage) -> None:
    storage.put("a/b", b"a long first value")
    storage.put("a/b", b"short")
    assert read(storage, "a/b") == b"short"


def test_empty_pieces_and_other_kinds_of_bytes_are_stored_as_they_are(storage: Storage) -> None:
    storage.put("a", iter([b"", b"one", bytearray(b"two"), memoryview(b"three"), b""]))
    assert read(storage, "a") == b"onetwothree"


def test_getting_replaces_the_file_that_is_there_and_leaves_nothing_beside(storage: Storage, tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "file").write_bytes(b"earlier and longer")
    storage.put("a", b"new")
    for link in (False, True, True):
        storage.get("a", tmp_path / "to" / "file", link=link)
        assert everything_in(tmp_path / "to") == ["file"]
        assert (tmp_path / "to" / "file").read_bytes() == b"new"


def test_a_file_that_is_not_stored_is_named_by_every_call(storage: Storage, tmp_path: Path) -> None:
    storage.put("results/job/1/there", b"x")
    for key in ("nothing", "results/job/1/nothing", "results/job", "results/job/1"):
        for call in (
            lambda key: storage.open_range(key, 0, 0),
            storage.open_range,
            lambda key: storage.get(key, tmp_path / "to" / "file"),
        ):
            with pytest.raises(NotFound, match=key):
                call(key)
        with pytest.raises(NotFound):
            storage.get(key, tmp_path / "to" / "file", link=True)
    assert not (tmp_path / "to").exists() or not everything_in(tmp_path / "to")


def test_taking_a_file_stores_it_and_it_is_gone(storage: Storage, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(pattern(5000))
    storage.put("results/x", source, take=True)
    assert read(storage, "results/x") == pattern(5000)
    assert not source.exists()


def test_taking_a_file_that_has_a_second_name_never_lets_that_name_change_what_is_stored(
    storage: Storage, tmp_path: Path
) -> None:
    source, other = tmp_path / "source", tmp_path / "other"
    source.write_bytes(b"as it was")
    other.hardlink_to(source)
    storage.put("results/x", source, take=True)
    other.write_bytes(b"changed!!")
    assert read(storage, "results/x") == b"as it was"
    assert not source.exists()


@pytest.mark.parametrize("take", [False, True])
def test_a_link_a_folder_or_a_pipe_is_never_stored_in_place_of_a_file(
    storage: Storage, tmp_path: Path, take: bool
) -> None:
    (tmp_path / "secret").write_text("of the host")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "folder", "pipe"):
        with pytest.raises(ValueError, match=f"{name} is (a link|not a plain file)"):
            storage.put("results/x", tmp_path / name, take=take)
    assert not keys_in(storage, "results/x")
    assert (tmp_path / "link").is_symlink()


# -- ranges


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (0, 1),
        (0, None),
        (9 * MIB, None),
        (9 * MIB, 9 * MIB + 1),
        (3 * MIB - 7, 3 * MIB + 5),
        (4 * MIB - 1, 8 * MIB + 1),
        (5, 5),
        (9 * MIB + 1, None),
        (9 * MIB + 1, 9 * MIB + 1),
    ],
)
def test_a_range_is_those_bytes(big: tuple[Storage, bytes], start: int, end: int | None) -> None:
    storage, content = big
    assert read(storage, "big", start, end) == content[start:end]


@pytest.mark.parametrize(
    "start_end", [(-1, None), (0, 9 * MIB + 2), (9 * MIB + 2, None), (7, 6), (2**40, 2**41), (0, -1)]
)
def test_a_range_outside_the_file_is_refused_with_the_numbers_before_any_byte(
    big: tuple[Storage, bytes], start_end: tuple[int, int | None]
) -> None:
    storage, content = big
    with pytest.raises(RangeNotSatisfiable, match=f"bytes {start_end[0]} to .* it has {len(content)}") as caught:
        storage.open_range("big", *start_end)
    assert caught.value.extra == {"size": len(content), "start": start_end[0], "end": start_end[1]}


@pytest.mark.parametrize("start_end", [(0, 1), (1, MIB), (9 * MIB, 9 * MIB + 1), (7, 7)])
def test_what_can_be_read_now_is_the_range(big: tuple[Storage, bytes], start_end: tuple[int, int]) -> None:
    storage, content = big
    found = storage.read_now("big", *start_end)
    assert found is None or bytes(found) == content[slice(*start_end)]
    assert found is None or isinstance(storage, LocalStorage), "an object is never at hand"


def test_nothing_is_read_now_that_has_to_be_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = LocalStorage(tmp_path)
    storage.put("a", b"12345678")
    asked = []

    def preadv(handle: int, buffers: list[bytearray], at: int, flags: int) -> int:
        asked.append(flags)
        raise answers.pop(0)

    monkeypatch.setattr(os, "preadv", preadv)
    answers = [BlockingIOError(errno.EAGAIN, "not in memory"), OSError(errno.EOPNOTSUPP, "cannot tell")]
    assert [storage.read_now("a", 0, 8) for _ in range(4)] == [None] * 4
    assert asked == [os.RWF_NOWAIT] * 2, "a file system that cannot tell is not asked again"
    monkeypatch.setattr(os, "preadv", lambda *_: 3)
    fresh = LocalStorage(tmp_path)
    assert fresh.read_now("a", 0, 8) is None, "a part of the range is not the range"
    with pytest.raises(RangeNotSatisfiable):
        fresh.read_now("a", 0, 9)
    with pytest.raises(NotFound):
        fresh.read_now("b", 0, 1)


@pytest.fixture(scope="module", params=["local", "objects"])
def big(
    request: pytest.FixtureRequest, s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Storage, bytes]:
    """A storage with one file, `big`, of more than one window, part and piece; nobody changes it."""
    storage: Storage
    if request.param == "local":
        storage = LocalStorage(tmp_path_factory.mktemp("big"))
    else:
        storage = ObjectStorage(f"s3://{s3_server.new_bucket()}", s3_server.options)
    content = pattern(9 * MIB + 1)
    storage.put("big", content)
    return storage, content


def test_a_file_of_no_bytes_has_one_range(storage: Storage) -> None:
    storage.put("empty", b"")
    assert read(storage, "empty") == read(storage, "empty", 0, 0) == b""
    with pytest.raises(RangeNotSatisfiable):
        storage.open_range("empty", 0, 1)


def test_reading_needs_no_more_memory_than_a_few_pieces(big: tuple[Storage, bytes]) -> None:
    storage, content = big
    seen = 0
    tracemalloc.start()
    try:
        for chunk in storage.open_range("big"):
            assert len(chunk) <= 4 * MIB
            seen += len(chunk)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert seen == len(content)
    assert peak < 8.5 * MIB  # two pieces at the moment one follows the other


def test_putting_an_endless_looking_source_needs_no_more_memory_than_a_few_pieces(storage: Storage) -> None:
    piece = pattern(MIB)
    tracemalloc.start()
    try:
        storage.put("a", (bytes(piece) for _ in range(24)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size_of(storage, "a") == 24 * MIB
    assert peak < 4 * MIB


# -- delete


def test_deleting_a_prefix_deletes_exactly_its_keys(storage: Storage) -> None:
    keep = ["results/ab", "results/a.json", "results/b/1", "uploads/a", "a", "results/A/1"]
    gone = ["results/a/1/x", "results/a/1/deep/er/y", "results/a/2/x"]
    for key in keep + gone:
        storage.put(key, key.encode())
    storage.delete_prefix("results/a")
    assert keys_in(storage, *keep, *gone) == set(keep)
    assert all(read(storage, key) == key.encode() for key in keep)


def test_deleting_a_key_deletes_that_key(storage: Storage) -> None:
    storage.put("uploads/1", b"x")
    storage.put("uploads/12", b"y")
    storage.delete_prefix("uploads/1")
    assert keys_in(storage, "uploads/1", "uploads/12") == {"uploads/12"}


def test_deleting_what_is_not_there_is_no_error(storage: Storage) -> None:
    for _ in range(2):
        storage.delete_prefix("results/nothing/here")
    storage.put("a", b"x")
    storage.delete_prefix("a")
    storage.delete_prefix("a")


# -- keys

ESCAPES = [
    "",
    "/",
    "/etc/passwd",
    "..",
    "../outside",
    "results/../../outside",
    "results/..",
    "results//x",
    "results/./x",
    "./x",
    "results/",
    "results\\..\\x",
    "C:\\x",
    "a\0b",
    "a\nb",
    "a\x7fb",
    ".incoming/x",
    ".hidden",
    "\ud800",
    "x" * 256,
    "/".join(["x" * 100] * 11),
]


@pytest.mark.parametrize("key", ESCAPES, ids=ascii)
def test_a_key_that_could_escape_is_refused_by_every_call(storage: Storage, tmp_path: Path, key: str) -> None:
    calls: list[Callable[[], object]] = [
        lambda: storage.put(key, b"x"),
        lambda: storage.get(key, tmp_path / "got"),
        lambda: storage.get(key, tmp_path / "got", link=True),
        lambda: storage.open_range(key),
        lambda: storage.open_range(key, 0, 0),
        lambda: storage.delete_prefix(key),
    ]
    for call in calls:
        with pytest.raises(InvalidKey, match="is no key") as caught:
            call()
        assert len(str(caught.value)) < 300
        assert str(caught.value).isprintable()
    (tmp_path / "source").write_bytes(b"x")
    for take in (False, True):
        with pytest.raises(InvalidKey):
            storage.put(key, tmp_path / "source", take=take)
    assert (tmp_path / "source").exists()


hostile_text = st.text(st.sampled_from("ab./\\ \0\n%~*?#&+=:;'\"<>{}|^`é日\u202e\ufeff-_"), min_size=1, max_size=12)


@pytest.mark.parametrize("kind", ["local", "objects"])
def test_whatever_is_asked_for_stays_inside_and_comes_back_or_is_refused(
    kind: str, tmp_path: Path, object_storage: ObjectStorage, local_storage: LocalStorage
) -> None:
    storage: Storage = local_storage if kind == "local" else object_storage
    before = everything_in(tmp_path)

    @settings(max_examples=60 if kind == "objects" else 120, deadline=None, derandomize=True)
    @given(key=hostile_text)
    @example(key="a/%2e%2e/b")
    @example(key="%2F")
    @example(key="a/ b ")
    @example(key="a?uploads")
    @example(key="*")
    def check(key: str) -> None:
        try:
            storage.put(key, key.encode())
        except InvalidKey:
            return
        storage.put("zz", b"other")
        assert read(storage, key) == key.encode()
        storage.delete_prefix(key)
        assert keys_in(storage, key, "zz") == {"zz"}

    check()
    storage.delete_prefix("zz")
    assert everything_in(tmp_path) == before


# -- what goes wrong half-way


class SourceError(Exception):
    pass


def broken_source(good: int) -> Iterator[bytes]:
    yield pattern(good)
    raise SourceError("the sender hung up")


@pytest.mark.parametrize("good", [0, 1000, 20 * MIB])
def test_a_source_that_breaks_leaves_what_was_there_and_says_so_itself(
    storage: Storage, request: pytest.FixtureRequest, good: int
) -> None:
    storage.put("results/a", b"earlier")
    for key in ("results/a", "results/b"):
        with pytest.raises(SourceError, match="hung up"):
            storage.put(key, broken_source(good))
    assert read(storage, "results/a") == b"earlier"
    assert keys_in(storage, "results/b") == set()
    if isinstance(storage, LocalStorage):
        assert everything_in(storage.folder) == ["results/a"]
    else:
        server, bucket = request.getfixturevalue("s3_server"), request.getfixturevalue("bucket")
        assert "<UploadId>" not in server.ask("GET", f"{bucket}?uploads")


def test_an_error_of_the_source_is_never_taken_for_one_of_the_storage(storage: Storage, tmp_path: Path) -> None:
    def lost() -> Iterator[bytes]:
        yield b"x"
        raise ConnectionResetError(errno.ECONNRESET, "by the sender")

    def missing() -> Iterator[bytes]:
        yield (tmp_path / "missing").read_bytes()

    with pytest.raises(ConnectionResetError, match="by the sender"):
        storage.put("a", lost())
    with pytest.raises(FileNotFoundError):
        storage.put("a", missing())
    for take in (False, True):
        with pytest.raises(FileNotFoundError):
            storage.put("a", tmp_path / "missing", take=take)


def test_no_space_where_a_file_is_got_leaves_no_half_file(storage: Storage, tmp_path: Path) -> None:
    storage.put("a", pattern(3 * MIB))
    with file_size_limit(2 * MIB), pytest.raises(StorageFullError, match="no space for got"):
        storage.get("a", tmp_path / "to" / "got")
    assert everything_in(tmp_path / "to") == []


# -- many at once


def pieces(content: bytes) -> Iterator[bytes]:
    for at in range(0, len(content), 65_536):
        yield content[at : at + 65_536]


def test_puts_of_one_key_at_once_leave_one_whole_value(storage: Storage) -> None:
    values = [bytes([number]) * (MIB + number) for number in range(8)]
    seen = []
    storage.put("a/b", values[0])
    with ThreadPoolExecutor(8) as threads:
        puts = [threads.submit(storage.put, "a/b", pieces(value)) for value in values]
        while not all(put.done() for put in puts):
            seen.append(read(storage, "a/b"))
        for put in puts:
            put.result()
    seen.append(read(storage, "a/b"))
    assert all(value in values for value in seen)


# -- opening


def test_a_storage_is_opened_by_its_address(tmp_path: Path, s3_server: S3Server, bucket: str) -> None:
    odd = tmp_path / "a folder with %20 and ünï#?"
    for url in (odd, str(odd), f"file://{odd}"):
        storage = open_storage(url)
        assert isinstance(storage, LocalStorage)
        assert storage.folder == odd
    opened = open_storage(f"s3://{bucket}/prefix/", s3_server.options)
    opened.put("a", b"x")
    assert read(ObjectStorage(f"s3://{bucket}", s3_server.options), "prefix/a") == b"x"


@pytest.mark.parametrize(
    ("url", "options", "said"),
    [
        ("gs://bucket", {}, "not of the form"),
        ("", {}, "not of the form"),
        ("file://", {}, "not of the form"),
        ("file://host/folder", {}, "three slashes"),
        ("file:///folder", {"endpoint": "x"}, "endpoint"),
        ("s3://", {}, "not of the form"),
        ("s3:///prefix", {}, "not of the form"),
        ("s3://bucket/../x", {}, "prefix"),
        ("s3://bucket?x=y", {}, "not of the form"),
        ("s3://user:pass-word@bucket/x", {}, "not of the form"),
        ("s3://bucket", {"endpiont": "http://x"}, "endpiont"),
        ("s3://bucket", {"secret_access_key": "pass-word"}, "storage_options"),
    ],
)
def test_an_address_that_cannot_be_opened_is_one_line_that_repeats_no_password(
    url: str, options: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    with pytest.raises(InvalidSettings, match=said) as caught:
        open_storage(url, options)
    assert "\n" not in str(caught.value)
    assert "pass-word" not in f"{caught.value} {caught.value.extra}"
