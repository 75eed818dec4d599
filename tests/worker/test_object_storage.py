"""Files in an object store: parts, prefixes, and what the store may answer."""

import http.server
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from service_storages import MIB, S3Server, everything_in, keys_in, pattern, read

from worker.errors import StorageFullError, StorageUnavailable
from worker.storage import ObjectStorage
from worker.storage import objects as objects_module


def test_more_files_than_one_listing_shows_are_deleted(object_storage: ObjectStorage) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: object_storage.put(f"many/{number}", b""), range(1005)))
    object_storage.put("many-more", b"")
    object_storage.delete_prefix("many")
    assert keys_in(object_storage, "many/0", "many/1000", "many/1004", "many-more") == {"many-more"}


def test_a_large_file_is_sent_in_parts_and_comes_back_whole(object_storage: ObjectStorage, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(pattern(20 * MIB + 3))
    object_storage.put("a", tmp_path / "source")
    object_storage.get("a", tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == pattern(20 * MIB + 3)


def test_a_file_of_any_size_fits_in_the_parts_s3_takes(
    object_storage: ObjectStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    monkeypatch.setattr(objects_module.obstore, "put", lambda *_, chunk_size, **__: sent.append(chunk_size))
    with (tmp_path / "sparse").open("wb") as sparse:
        for size in (1, 2**30, 100 * 2**30, 2**40):
            sparse.truncate(size)
            object_storage.put("a", tmp_path / "sparse")
            assert -(-size // sent[-1]) <= 10_000
            assert sent[-1] >= 5 * MIB


def test_an_object_replaced_while_it_is_read_is_never_mixed_with_the_new_one(object_storage: ObjectStorage) -> None:
    object_storage.put("a", b"1" * (9 * MIB))
    reading = object_storage.open_range("a")
    first = next(reading)
    object_storage.put("a", b"2" * (9 * MIB))
    assert set(first) == {ord("1")}
    with pytest.raises(StorageUnavailable, match="a cannot be read: the object store said 412"):
        next(reading)


def test_two_prefixes_of_one_bucket_do_not_see_each_other(s3_server: S3Server, bucket: str) -> None:
    one, other, root = (ObjectStorage(f"s3://{bucket}{part}", s3_server.options) for part in ("/one", "/on/e/", ""))
    one.put("a/b", b"1")
    other.put("a/b", b"2")
    one.delete_prefix("a")
    assert not keys_in(one, "a/b")
    assert read(other, "a/b") == read(root, "on/e/a/b") == b"2"


def test_a_bucket_that_is_not_there_is_no_missing_file(s3_server: S3Server) -> None:
    nowhere = ObjectStorage("s3://no-such-bucket/x", s3_server.options)
    for call in (
        lambda: nowhere.put("a", b"x"),
        lambda: nowhere.open_range("a", 0, 0),
        lambda: nowhere.open_range("a"),
        lambda: nowhere.delete_prefix("a"),
    ):
        with pytest.raises(StorageUnavailable, match="404 Not Found NoSuchBucket"):
            call()


class Refusing(http.server.BaseHTTPRequestHandler):
    """Answers every request alike."""

    status, code = 500, "InternalError"

    def refuse(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        body = b"" if self.command == "HEAD" else f"<Error><Code>{self.code}</Code></Error>".encode()
        self.send_response(self.status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = refuse  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def refusing(status: int, code: str) -> Iterator[dict[str, str]]:
    handler = type("Refusing", (Refusing,), {"status": status, "code": code})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield {
                "endpoint": f"http://127.0.0.1:{server.server_port}",
                "access_key_id": "decloud",
                "secret_access_key": "a-real-secret",
            }
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects_module, "_RETRIES", 0)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("status", "code"), [(507, "XMinioStorageFull"), (403, "QuotaExceeded"), (400, "XMinioAdminBucketQuotaExceeded")]
)
def test_an_object_store_without_space_is_full(status: int, code: str) -> None:
    with refusing(status, code) as options, pytest.raises(StorageFullError, match=f"no space for a: .*{code}"):
        ObjectStorage("s3://bucket", options).put("a", b"x")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("status", "code"), [(500, "InternalError"), (403, "AccessDenied"), (503, "SlowDown")])
def test_an_object_store_that_refuses_is_named_with_its_answer_and_without_our_secret(
    status: int, code: str, tmp_path: Path
) -> None:
    with refusing(status, code) as options:
        storage = ObjectStorage("s3://bucket", options)
        for call in (
            lambda: storage.put("a", b"x"),
            lambda: storage.get("a", tmp_path / "got"),
            lambda: storage.open_range("a", 0, 0),
            lambda: storage.delete_prefix("a"),
        ):
            with pytest.raises(StorageUnavailable, match=rf"a cannot be \w+: the object store said {status}") as caught:
                call()
            assert "a-real-secret" not in f"{caught.value} {caught.value.__cause__} {caught.value.extra} {storage}"
            assert "\n" not in str(caught.value)
    assert everything_in(tmp_path) == []


@pytest.mark.usefixtures("impatient")
def test_an_object_store_that_is_not_there_is_named() -> None:
    storage = ObjectStorage("s3://bucket", {"endpoint": "http://127.0.0.1:1", "skip_signature": "true"})
    with pytest.raises(StorageUnavailable, match="a cannot be stored: the object store said nothing"):
        storage.put("a", b"x")


def test_a_moment_of_weakness_of_the_object_store_is_not_noticed(
    s3_server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = iter([True, True, False])

    class Weak(Refusing):
        status, code = 503, "SlowDown"

        def do_PUT(self) -> None:
            if next(failures, False):
                self.refuse()
                return
            body = self.rfile.read(int(self.headers["content-length"]))
            request = urllib.request.Request(
                f"{s3_server.endpoint}{self.path}", data=body, method="PUT", headers={"content-type": "image/tiff"}
            )
            with urllib.request.urlopen(request) as answer:
                self.send_response(answer.status)
                self.send_header("etag", answer.headers["etag"])
                self.send_header("content-length", "0")
                self.end_headers()

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Weak) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            endpoint = f"http://127.0.0.1:{server.server_port}"
            ObjectStorage(f"s3://{bucket}", {**s3_server.options, "endpoint": endpoint}).put("a", b"strong")
        finally:
            server.shutdown()
            thread.join()
    assert next(failures, None) is None
    assert read(ObjectStorage(f"s3://{bucket}", s3_server.options), "a") == b"strong"
