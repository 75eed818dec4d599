"""One POST: what is sent, how long it may take, how little of the answer is read, and whom it trusts."""

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from webhook_receiver import Names, RawServer, Receiver, certify

from worker.notices.destinations import Resolver, parse
from worker.notices.posting import Answer, NoAnswer, post
from worker.settings import Settings

ServeRaw = Callable[[Callable[[socket.socket], None]], RawServer]
GREETING = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def serve_raw() -> Iterator[ServeRaw]:
    servers: list[RawServer] = []

    def start(behave: Callable[[socket.socket], None]) -> RawServer:
        servers.append(RawServer(behave))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def send(url: str, *, body: bytes = b"{}", within_s: float = 10.0) -> Answer:
    destination = parse(url, Settings(webhook_private_hosts=("127.0.0.1", "hooks.example", "other.example")))
    addresses = Resolver(1).addresses(destination, 5)
    tls = ssl.create_default_context()
    return post(destination, addresses, headers={"X-A": "b"}, body=body, tls=tls, within_s=within_s)


def saying(*pieces: bytes) -> Callable[[socket.socket], None]:
    """Reads a little, then says it."""

    def behave(connection: socket.socket) -> None:
        connection.recv(65536)
        for piece in pieces:
            connection.sendall(piece)

    return behave


def test_the_receiver_gets_the_bytes_as_they_are(receiver: Receiver) -> None:
    assert send(f"{receiver.url}/a?b=c#d", body=b"\x00\xff" * 1000) == Answer(204)
    (got,) = receiver.received
    assert (got.path, got.body, got.headers["x-a"]) == ("/a?b=c", b"\x00\xff" * 1000, "b")
    assert got.headers["host"] == receiver.host


def test_an_answers_status_and_wish_are_read_after_interim_ones(serve_raw: ServeRaw) -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    final = b"HTTP/1.0 503 Service Unavailable\r\nServer: x\r\nretry-AFTER: 120 \r\n\r\n"
    server = serve_raw(saying(interim[:10], interim[10:] + final[:3], final[3:]))
    assert send(f"http://127.0.0.1:{server.port}") == Answer(503, 120.0)
    dated = serve_raw(saying(GREETING + b"Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n\r\n"))
    assert send(f"http://127.0.0.1:{dated.port}") == Answer(200)


@pytest.mark.parametrize(
    "said", [b"", b"220 mail.example ESMTP\r\n\r\n", b"HTTP/1.1 200", b"HTTP/2 99\r\n\r\n", b"\x16"]
)
def test_what_is_no_http_is_no_answer(serve_raw: ServeRaw, said: bytes) -> None:
    with pytest.raises(NoAnswer, match=r"not HTTP|without an answer|reset"):
        send(f"http://127.0.0.1:{serve_raw(saying(said)).port}")


def test_an_endless_body_is_not_read_and_an_endless_head_not_to_its_end(serve_raw: ServeRaw) -> None:
    sent: list[int] = []

    def endless(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        sent.append(0)
        connection.sendall(GREETING)
        for _ in range(100_000):
            connection.sendall(filler)
            sent[-1] += len(filler)

    filler = b"\r\n" + b"x" * 998
    server = serve_raw(endless)
    assert send(f"http://127.0.0.1:{server.port}") == Answer(200)
    filler = b"X-Filler: " + b"x" * 988 + b"\r\n"
    with pytest.raises(NoAnswer, match="not HTTP"):
        send(f"http://127.0.0.1:{server.port}")
    assert all(count < 10_000_000 for count in sent)


@pytest.mark.parametrize("endless", [b"x", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\nA: "])
def test_a_drop_at_a_time_takes_no_longer_than_silence(serve_raw: ServeRaw, endless: bytes) -> None:
    def drip(connection: socket.socket) -> None:
        for _ in range(100):
            connection.sendall(endless)
            time.sleep(0.05)

    server = serve_raw(drip)
    began = time.monotonic()
    with pytest.raises(NoAnswer, match=r"no answer within 0\.4 s"):
        send(f"http://127.0.0.1:{server.port}", within_s=0.4)
    assert time.monotonic() - began < 2


def test_a_receiver_that_takes_nothing_in_is_not_waited_for(serve_raw: ServeRaw) -> None:
    server = serve_raw(lambda connection: time.sleep(0.6))
    with pytest.raises(NoAnswer, match=r"no answer within 0\.4 s"):
        send(f"http://127.0.0.1:{server.port}", body=b"x" * 20_000_000, within_s=0.4)


def test_nobody_at_the_port_is_said_in_words(names: Names) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening
        names.answers = {"hooks.example": [["127.0.0.1"]]}
        with pytest.raises(NoAnswer, match="connection refused"):
            send(f"http://hooks.example:{taken.getsockname()[1]}")


def test_the_next_address_is_tried_when_one_does_not_answer(names: Names, receiver: Receiver) -> None:
    names.answers = {"hooks.example": [["127.0.0.2", "127.0.0.1"]]}
    assert send(f"http://hooks.example:{receiver.port}").status == 204
    assert names.asked == ["hooks.example"]


# -- TLS


@pytest.fixture
def secure_receiver(tmp_path: Path, names: Names, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """Of the name hooks.example; its certificate is trusted."""
    context, trusted = certify(tmp_path, "hooks.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    names.answers = {name: [["127.0.0.1"]] for name in ("hooks.example", "other.example")}
    receiver = Receiver(tls=context)
    yield receiver
    receiver.close()


def test_a_certificate_must_be_for_the_name_although_the_number_is_called(secure_receiver: Receiver) -> None:
    assert send(f"https://hooks.example:{secure_receiver.port}/a").status == 204
    with pytest.raises(NoAnswer, match="its certificate is not valid: Hostname mismatch"):
        send(f"https://other.example:{secure_receiver.port}/b")
    assert [got.path for got in secure_receiver.received] == ["/a"]


def test_a_certificate_that_nobody_vouches_for_is_refused(
    secure_receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _, other = certify(tmp_path, "another.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(other))
    with pytest.raises(NoAnswer, match="its certificate is not valid: self"):
        send(f"https://hooks.example:{secure_receiver.port}")
    assert secure_receiver.received == []


def test_what_speaks_no_tls_is_sent_nothing(receiver: Receiver) -> None:
    with pytest.raises(NoAnswer, match="no secure connection"):
        send(f"https://127.0.0.1:{receiver.port}")
    assert receiver.received == []
