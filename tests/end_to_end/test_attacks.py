"""What one who means harm can do to the others, tried on a real `decloud serve` over loopback."""

import json
import resource
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from served import Served, Serving, resident

from worker.access import keys
from worker.database.connections import Database

pytestmark = pytest.mark.slow

MB = 1 << 20
DESCRIPTORS = 1024
SILENT = 1100
STALLERS = 24


def key_of(served: Served, owner: str) -> str:
    database = Database(f"sqlite:///{served.data / 'decloud.db'}")
    try:
        return keys.create(database, owner=owner)[1]
    finally:
        database.close()


def connect(served: Served) -> socket.socket:
    address = urlsplit(served.url)
    assert address.hostname is not None
    return socket.create_connection((address.hostname, address.port or 80), timeout=10)


def open_files(served: Served) -> int:
    return len(list(Path(f"/proc/{served.process.pid}/fd").iterdir()))


def has_ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(1, socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


@contextmanager
def silence(served: Served, count: int) -> Iterator[list[socket.socket]]:
    """So many connections that say nothing; those that the server ends are opened again, for as long as it lasts."""
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < count + 200:
        pytest.skip(f"{count} connections need {count + 200} open files here")
    silent = [connect(served) for _ in range(count)]
    over = threading.Event()

    def renew() -> None:
        while not over.wait(0.05):
            for number in [number for number, each in enumerate(silent) if has_ended(each)][:100]:
                silent[number].close()
                with suppress(OSError):
                    silent[number] = connect(served)

    thread = threading.Thread(target=renew)
    thread.start()
    try:
        yield silent
    finally:
        over.set()
        thread.join()
        for each in silent:
            each.close()


def test_silent_connections_beyond_all_descriptors_stop_nobodys_work(serving: Serving, tmp_path: Path) -> None:
    served = serving(open_files=(DESCRIPTORS, DESCRIPTORS))
    file = tmp_path / "fields.zip"
    file.write_bytes(b"bytes of a sequence")
    client = served.client()
    with silence(served, SILENT):
        job = served.submit(client, file, steps=20, seconds=3)
        answers = []
        while not client.job(job.id).ended:
            answers.append(httpx.get(f"{served.url}/health/live", timeout=10, trust_env=False))
            assert open_files(served) < DESCRIPTORS // 2
            time.sleep(0.1)
        ended = client.job(job.id)
        assert (ended.status, ended.values["attempt"]) == ("successful", 1)
        assert len(answers) > 5
        assert {answer.status_code for answer in answers} == {200}
    assert "Too many open files" not in served.log.read_text()


def test_where_all_connections_are_busy_the_server_says_that_it_lives_and_that_it_is_busy(
    serving: Serving, tmp_path: Path
) -> None:
    served = serving(open_files=(DESCRIPTORS, DESCRIPTORS), max_connections=20)
    file = tmp_path / "fields.zip"
    file.write_bytes(b"bytes of a sequence")
    client = served.client()
    job = served.submit(client, file, steps=100, seconds=60)
    head = f"GET /jobs/{job.id}/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {served.key}\r\n\r\n"
    readers = [connect(served) for _ in range(20)]
    for reader in readers:
        reader.sendall(head.encode())
        assert reader.recv(100).startswith(b"HTTP/1.1 200 ")
    headers = {"Authorization": f"Bearer {served.key}"}
    for _ in range(30):
        assert httpx.get(f"{served.url}/health/live", timeout=5, trust_env=False).status_code == 200
        refused = httpx.get(f"{served.url}/jobs", headers=headers, timeout=5, trust_env=False)
        assert (refused.status_code, refused.json()["code"]) == (503, "too-many-connections")
        assert int(refused.headers["retry-after"]) > 0
    readers[0].close()
    deadline = time.monotonic() + 10
    while httpx.get(f"{served.url}/jobs", headers=headers, timeout=5, trust_env=False).status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    for reader in readers:
        reader.close()


def unknown_members(size: int) -> bytes:
    """A JSON object of about so many bytes: nothing but members that nobody knows."""
    count = size // 12
    return json.dumps({f"k{number:06}": 0 for number in range(count)}, separators=(",", ":")).encode()[:-1] + b"}"


@contextmanager
def watched(served: Served) -> Iterator[list[float]]:
    """Seconds that another user's requests take, one after the other, beside what happens inside."""
    waited: list[float] = []
    over = threading.Event()

    def ask(key: str) -> None:
        with httpx.Client(headers={"Authorization": f"Bearer {key}"}, timeout=60, trust_env=False) as http:
            while not over.is_set():
                began = time.monotonic()
                assert http.get(f"{served.url}/jobs").status_code == 200
                waited.append(time.monotonic() - began)
                time.sleep(0.01)

    thread = threading.Thread(target=ask, args=(key_of(served, "bob"),))
    thread.start()
    try:
        yield waited
    finally:
        over.set()
        thread.join()


def all_at_once(call: Callable[[], int], count: int) -> set[int]:
    with ThreadPoolExecutor(count) as pool:
        return set(pool.map(lambda _: call(), range(count)))


@pytest.mark.parametrize(
    ("size", "with_key", "expected"),
    [(MB, True, {413}), (60_000, True, {400}), (MB, False, {401, 413}), (60_000, False, {401})],
)
def test_members_that_nobody_knows_stall_no_other_user(
    serving: Serving, size: int, with_key: bool, expected: set[int]
) -> None:
    served = serving()
    body = unknown_members(size)
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {served.key}"} if with_key else {})

    def stall() -> int:
        with httpx.Client(timeout=120, trust_env=False) as http:
            return http.post(f"{served.url}/processes/decloud/execution", content=body, headers=headers).status_code

    with watched(served) as waited:
        time.sleep(1)
        before, quiet = resident(served), len(waited)
        statuses = all_at_once(stall, STALLERS)
    during = waited[quiet:]
    grown = resident(served) - before
    print(f"\n{size} bytes, {len(during)} requests: median {1000 * statistics.median(during):.0f} ms, "
          f"worst {1000 * max(during):.0f} ms, grown by {grown / MB:.0f} MB")  # fmt: skip
    assert statuses <= expected, statuses
    assert max(during) < 1.0
    assert grown < 24 * MB


def test_trailers_are_dropped_and_do_not_end_in_memory(serving: Serving) -> None:
    served = serving()
    before = resident(served)
    sent = 0
    with connect(served) as connection:
        connection.sendall(
            b"PUT /uploads/a.zip HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + served.key.encode() +
            b"\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"
        )  # fmt: skip
        with suppress(OSError):
            for number in range(600):
                connection.sendall(b"X-%d: " % number + b"x" * MB + b"\r\n")
                sent += MB
    print(f"\n{sent / MB:.0f} MB of trailers sent, grown by {(resident(served) - before) / MB:.0f} MB")
    assert sent < 16 * MB
    assert resident(served) - before < 24 * MB


def test_a_key_in_a_trailer_is_none(serving: Serving) -> None:
    served = serving()
    with connect(served) as connection:
        connection.sendall(
            b"POST /processes/decloud/execution?validate_only=true HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        time.sleep(0.3)
        with suppress(OSError):
            connection.sendall(b"2\r\n{}\r\n0\r\nAuthorization: Bearer " + served.key.encode() + b"\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 401 ")
