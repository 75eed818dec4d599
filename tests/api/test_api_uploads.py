"""Uploads over HTTP: in one shot and by tus; cut, resumed, taken over, refused, and never stored unasked."""

import hashlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from service_api import Serve, ServedApi, User
from service_storages import pattern
from service_workers import until
from tus_requests import PIECE, TUS, b64, begin, code_of, offset_of, send, staged, stored

from api.receiving import staging
from worker.access import keys
from worker.jobs import uploads


class RawSender:
    """A client that sends what and when the test wants, and may die."""

    def __init__(self, user: User, head: str) -> None:
        self.socket = user.raw(head)

    def send(self, content: bytes) -> None:
        self.socket.sendall(content)

    def answer(self) -> bytes:
        """All until the server closes, or is silent for a while."""
        self.socket.settimeout(0.5)
        received = b""
        try:
            while piece := self.socket.recv(65536):
                received += piece
        except (TimeoutError, ConnectionResetError):
            pass
        return received

    def die(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        self.socket.close()


def patching(user: User, address: str, offset: int, length: int, *headers: str) -> RawSender:
    lines = [
        f"PATCH {address} HTTP/1.1",
        *(f"{name}: {value}" for name, value in PIECE.items()),
        f"Upload-Offset: {offset}",
        f"Content-Length: {length}",
        *headers,
    ]
    return RawSender(user, "\r\n".join(lines))


def test_a_file_sent_in_one_shot_is_stored_whole_with_its_checksum(api: ServedApi, user: User) -> None:
    content = pattern(3_000_001)
    answer = user.put("/uploads/fields.zip", content=content)
    told = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"{api.url}/uploads/{told['id']}"
    assert told["href"] == f"/uploads/{told['id']}"
    assert told["state"] == "complete"
    assert told["name"] == "fields.zip"
    assert told["length"] == told["offset"] == len(content)
    assert told["sha256"] == hashlib.sha256(content).hexdigest()
    assert stored(user, told["href"]) == content
    assert user.get(told["href"]).json() == told
    assert user.get("/uploads").json()["uploads"] == [told]
    assert told["id"] not in staged(api)


def test_a_body_of_unknown_length_is_taken_as_it_comes(user: User) -> None:
    def pieces() -> Iterator[bytes]:
        for number in range(50):
            yield bytes([number]) * 40_000

    told = user.put("/uploads/x.zip", content=pieces()).json()
    assert told["length"] == 2_000_000
    assert stored(user, told["href"]) == b"".join(pieces())


def test_a_digest_that_was_announced_is_verified(api: ServedApi, user: User) -> None:
    content = b"bytes of a sequence"
    right = f"sha-256=:{b64(hashlib.sha256(content).digest())}:"
    assert user.put("/uploads/x.zip", content=content, headers={"Repr-Digest": right}).status_code == 201
    before = staged(api)
    wrong = user.put("/uploads/x.zip", content=content + b"!", headers={"Content-Digest": right})
    assert (wrong.status_code, code_of(wrong)) == (460, "checksum-mismatch")
    assert len(user.get("/uploads").json()["uploads"]) == 1
    assert staged(api) == before


def test_a_single_shot_that_breaks_off_leaves_nothing(api: ServedApi, user: User) -> None:
    before = staged(api)
    sender = RawSender(user, "PUT /uploads/x.zip HTTP/1.1\r\nContent-Length: 5000000")
    sender.send(pattern(3_000_000))
    until(lambda: user.get("/uploads").json()["uploads"])
    sender.die()
    until(lambda: not user.get("/uploads").json()["uploads"])
    assert staged(api) == before


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "multipart/form-data; boundary=x"}, 415),
        ({"Content-Encoding": "gzip"}, 415),
        ({"Content-Range": "bytes 0-9/100"}, 400),
        ({"Repr-Digest": "sha-256=:AAAA:"}, 400),
    ],
)
def test_what_is_not_the_file_itself_is_refused(user: User, headers: dict[str, str], status: int) -> None:
    assert user.put("/uploads/x.zip", content=b"x", headers=headers).status_code == status


def test_an_empty_file_is_refused(user: User) -> None:
    for content in (b"", iter([b""])):
        answer = user.put("/uploads/x.zip", content=content)
        assert answer.status_code == 400
        assert "empty" in answer.json()["detail"]
    assert user.post("/uploads", headers={**TUS, "Upload-Length": "0"}).status_code == 400
    assert user.get("/uploads").json()["uploads"] == []


def test_a_file_sent_in_pieces_is_complete_with_the_last(user: User) -> None:
    content = pattern(2_500_000)
    address = begin(user, len(content), **{"Upload-Metadata": f"filename {b64('Äcker.zip'.encode())},empty"})
    assert user.get(address).json()["state"] == "receiving"
    for start in range(0, len(content), 1_000_000):
        assert offset_of(user, address) == start
        piece = content[start : start + 1_000_000]
        answer = send(user, address, start, piece)
        assert answer.status_code == 204
        assert int(answer.headers["upload-offset"]) == start + len(piece)
        assert answer.headers["tus-resumable"] == "1.0.0"
        assert "upload-expires" in answer.headers
    told = user.get(address).json()
    assert told["state"] == "complete"
    assert told["sha256"] == hashlib.sha256(content).hexdigest()
    assert told["name"] == "Äcker.zip"
    assert stored(user, address) == content
    head = user.head(address, headers=TUS)
    assert head.headers["upload-length"] == head.headers["upload-offset"] == str(len(content))
    assert head.headers["upload-metadata"] == f"filename {b64('Äcker.zip'.encode())},empty"


def test_the_length_may_be_told_later(user: User) -> None:
    answer = user.post("/uploads", headers={**TUS, "Upload-Defer-Length": "1"})
    address = answer.headers["location"].removeprefix(user.api.url)
    assert send(user, address, 0, b"abc").status_code == 204
    assert user.head(address, headers=TUS).headers["upload-defer-length"] == "1"
    assert send(user, address, 3, b"def", **{"Upload-Length": "6"}).status_code == 204
    assert user.get(address).json()["sha256"] == hashlib.sha256(b"abcdef").hexdigest()


def test_what_the_server_can_do_is_told_to_anybody(api: ServedApi) -> None:
    answer = api.anybody().options("/uploads")
    assert api.anybody().options("/uploads/any").headers["tus-extension"] == answer.headers["tus-extension"]
    assert answer.status_code == 204
    assert answer.headers["tus-version"] == "1.0.0"
    assert answer.headers["tus-max-size"] == str(api.settings.max_upload_bytes)
    assert set(answer.headers["tus-extension"].split(",")) == {
        *("creation", "creation-with-upload", "creation-defer-length"),
        *("expiration", "termination", "checksum", "concatenation"),
    }
    assert "sha1" in answer.headers["tus-checksum-algorithm"].split(",")


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_a_damaged_piece_does_not_count(user: User, algorithm: str) -> None:
    first, second = pattern(1_200_000), b"the end"
    address = begin(user, len(first) + len(second))
    right = f"{algorithm} {b64(hashlib.new(algorithm, first).digest())}"
    damaged = b"!" + first[1:]
    answer = send(user, address, 0, damaged, **{"Upload-Checksum": right})
    assert (answer.status_code, code_of(answer)) == (460, "checksum-mismatch")
    assert offset_of(user, address) == 0
    assert send(user, address, 0, first, **{"Upload-Checksum": right}).status_code == 204
    broken = send(user, address, len(first), b"the e!d", **{"Upload-Checksum": right})
    assert broken.status_code == 460
    assert offset_of(user, address) == len(first)
    assert send(user, address, len(first), second).status_code == 204
    assert user.get(address).json()["sha256"] == hashlib.sha256(first + second).hexdigest()


def test_a_piece_that_breaks_off_is_continued_where_it_broke(user: User) -> None:
    content = pattern(3_000_000)
    address = begin(user, len(content))
    sender = patching(user, address, 0, len(content))
    sender.send(content[:1_700_000])
    time.sleep(0.3)
    sender.die()
    got = until(lambda: offset_of(user, address))
    assert 0 < got <= 1_700_000
    assert send(user, address, got, content[got:]).status_code == 204
    assert stored(user, address) == content
    assert user.get(address).json()["sha256"] == hashlib.sha256(content).hexdigest()


def test_a_checked_piece_that_breaks_off_counts_for_nothing(user: User) -> None:
    address = begin(user, 3_000_000)
    sender = patching(user, address, 0, 3_000_000, f"Upload-Checksum: sha1 {b64(bytes(20))}")
    sender.send(pattern(2_500_000))
    time.sleep(0.3)
    sender.die()
    assert offset_of(user, address) == 0


def test_asking_for_the_offset_ends_a_request_whose_sender_is_silent(user: User) -> None:
    content = pattern(2_000_000)
    address = begin(user, len(content))
    silent = patching(user, address, 0, len(content))
    silent.send(content[:1_000_000])
    until(lambda: user.api.app.state.services.intake._active)
    time.sleep(0.2)
    began = time.monotonic()
    got = offset_of(user, address)
    assert got == 1_000_000
    assert time.monotonic() - began < 2
    assert send(user, address, got, content[got:]).status_code == 204
    assert b"409 Conflict" in silent.answer()
    assert stored(user, address) == content


def test_looking_at_an_upload_interrupts_nobody(user: User) -> None:
    content = pattern(2_000_000)
    address = begin(user, len(content))
    sender = patching(user, address, 0, len(content))
    sender.send(content[:500_000])
    time.sleep(0.2)
    assert user.get(address).json()["state"] == "receiving"
    sender.send(content[500_000:])
    until(lambda: user.get(address).json().get("state") == "complete")
    assert b"204 No Content" in sender.answer()


@pytest.mark.usefixtures("impatient")
def test_what_has_come_counts_before_the_request_ends(user: User) -> None:
    address = begin(user, 3_000_000)
    sender = patching(user, address, 0, 3_000_000)
    sender.send(pattern(2_000_000))
    until(lambda: user.get(address).json().get("offset", 0) >= 1_000_000, within_s=5)
    sender.die()


def test_two_senders_at_once_do_not_mix(user: User) -> None:
    content = pattern(2_000_000)
    address = begin(user, len(content))
    first = patching(user, address, 0, len(content))
    first.send(b"\x00" * 700_000)
    time.sleep(0.2)
    answer = send(user, address, 0, content)  # takes over; what the first had sent counts, so 0 is wrong by now
    assert (answer.status_code, code_of(answer)) == (409, "offset-conflict")
    assert answer.json()["expected"] == 700_000
    assert send(user, address, 700_000, content[700_000:]).status_code == 204
    first.send(b"\x00" * 1000)
    assert stored(user, address) == b"\x00" * 700_000 + content[700_000:]


def test_removing_an_upload_ends_its_sender_and_leaves_no_bytes(api: ServedApi, user: User) -> None:
    address = begin(user, 2_000_000)
    sender = patching(user, address, 0, 2_000_000)
    sender.send(pattern(1_000_000))
    time.sleep(0.2)
    assert user.delete(address, headers=TUS).status_code == 204
    assert b" 409 " in sender.answer()
    assert user.head(address, headers=TUS).status_code == user.delete(address).status_code == 404
    assert address.rpartition("/")[2] not in staged(api)


@pytest.mark.usefixtures("impatient")
def test_a_sender_that_never_pauses_is_interrupted_as_well(api: ServedApi, user: User) -> None:
    address = begin(user, 10**10)
    sender = patching(user, address, 0, 10**10)
    over = threading.Event()

    def send_for_ever() -> None:
        with suppress(OSError):
            while not over.is_set():
                sender.send(b"x" * 100_000)

    thread = threading.Thread(target=send_for_ever)
    thread.start()
    until(lambda: user.get(address).json().get("offset", 0) > 0)
    began = time.monotonic()
    assert user.delete(address).status_code == 204
    assert time.monotonic() - began < 3
    over.set()
    sender.die()
    thread.join()


def test_a_server_that_stops_records_what_has_come(serve: Serve) -> None:
    api = serve()
    user = api.user()
    address = begin(user, 5_000_000)
    sender = patching(user, address, 0, 5_000_000)
    sender.send(pattern(1_500_000))
    until(lambda: api.app.state.services.intake._active)
    time.sleep(0.3)
    api.stop_serving()
    assert sender.socket.recv(100).startswith(b"HTTP/1.1 503 ")
    assert uploads.get(api.database, address.rpartition("/")[2], user.owner).offset == 1_500_000


def test_an_upload_that_jobs_need_is_not_removed(user: User) -> None:
    upload = user.upload()
    user.submit(sequence={"href": f"/uploads/{upload}"})
    answer = user.delete(f"/uploads/{upload}")
    assert (answer.status_code, code_of(answer)) == (409, "upload-in-use")


def test_more_bytes_than_announced_are_refused(user: User) -> None:
    address = begin(user, 10)
    assert send(user, address, 0, b"x" * 11).status_code == 400
    assert send(user, address, 0, iter([b"x" * 11])).status_code == 400
    assert user.get(address).json()["offset"] <= 10


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Upload-Offset": "5"}, 409),
        ({"Upload-Offset": "-1"}, 400),
        ({"Upload-Offset": "1e3"}, 400),
        ({"Upload-Offset": "9" * 40}, 400),
        ({"Upload-Offset": ""}, 400),
        ({"Tus-Resumable": "0.2.2"}, 412),
        ({"Content-Type": "text/plain"}, 415),
        ({"Upload-Checksum": "md5 AAAA"}, 400),
        ({"Upload-Checksum": "sha1"}, 460),
        ({"Upload-Checksum": "sha1 not-base64!"}, 400),
        ({"Upload-Length": "x", "Upload-Offset": "0"}, 204),  # the length is known already
    ],
)
def test_malformed_headers_of_a_piece_are_refused(user: User, headers: dict[str, str], status: int) -> None:
    address = begin(user, 10)
    answer = user.patch(address, headers={**PIECE, "Upload-Offset": "0", **headers}, content=b"x")
    assert answer.status_code == status
    if status == 412:
        assert answer.headers["tus-version"] == "1.0.0"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Upload-Length": "-5"},
        {"Upload-Length": "ten"},
        {"Upload-Length": "1" * 5000},
        {"Upload-Length": "10", "Upload-Defer-Length": "1"},
        {"Upload-Defer-Length": "2"},
        {"Upload-Length": "10", "Upload-Defer-Length": "2"},
        {"Upload-Length": "10", "Upload-Defer-Length": ""},
        {"Upload-Length": "10", "Upload-Metadata": "filename !!"},
        {"Upload-Length": "10", "Upload-Metadata": "a YQ==,a YQ=="},
        {"Upload-Length": "10", "Upload-Metadata": "," * 50},
        {"Upload-Length": "10", "Upload-Metadata": f"a {b64(bytes(4000))}"},
    ],
)
def test_malformed_headers_of_a_new_upload_are_refused(user: User, headers: dict[str, str]) -> None:
    answer = user.post("/uploads", headers={**TUS, **headers})
    assert (answer.status_code, code_of(answer)) == (400, "invalid-request")
    assert answer.headers["tus-resumable"] == "1.0.0"
    assert user.get("/uploads").json()["uploads"] == []


def test_names_are_kept_as_text_and_open_nothing(api: ServedApi, user: User) -> None:
    for name in ("../../etc/passwd", "a\x00b", "x\r\nSet-Cookie: a=b", "\\\\server\\share", "💥" * 300):
        address = begin(user, 1, **{"Upload-Metadata": f"filename {b64(name.encode())}"})
        assert send(user, address, 0, b"x").status_code == 204
        told = user.get(address)
        assert "set-cookie" not in told.headers
        assert len(told.json()["name"]) <= 255
    answer = user.put("/uploads/%2e%2e%2f%2e%2e%2fetc%2fpasswd", content=b"x")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-key")  # a name with slashes is no address
    assert user.put("/uploads/a%0d%0ab%00", content=b"x").status_code == 201


def test_without_a_key_not_one_byte_is_read(api: ServedApi) -> None:
    before = staged(api)
    nobody = api.anybody(key="dcl_000000000000_" + "0" * 48)
    for method, path in (("PUT", "/uploads/x.zip"), ("PATCH", "/uploads/some-id")):
        sender = RawSender(nobody, f"{method} {path} HTTP/1.1\r\nContent-Length: 1000000000\r\nExpect: 100-continue")
        answer = sender.answer()
        assert answer.startswith(b"HTTP/1.1 401 ")
        assert b"100 Continue" not in answer
        assert b"connection: close" in answer.lower()
        assert b"www-authenticate: bearer" in answer.lower()
        sender.die()
    assert staged(api) == before


def test_too_large_an_upload_is_refused_before_it_is_sent(api: ServedApi) -> None:
    before, user = staged(api), api.user(max_upload_bytes=1000)
    sender = RawSender(user, "PUT /uploads/x.zip HTTP/1.1\r\nContent-Length: 1001\r\nExpect: 100-continue")
    assert b"HTTP/1.1 413 " in sender.answer()
    answer = user.post("/uploads", headers={**TUS, "Upload-Length": "1001"})
    assert (answer.status_code, code_of(answer), answer.json()["limit"]) == (413, "upload-too-large", 1000)
    unannounced = user.put("/uploads/x.zip", content=iter([b"x" * 600, b"x" * 600]))
    assert (unannounced.status_code, unannounced.json()["limit"]) == (413, 1000)
    assert user.get("/uploads").json()["uploads"] == []
    assert staged(api) == before


def test_an_owner_stores_no_more_than_the_quota(api: ServedApi) -> None:
    user = api.user(max_stored_bytes_per_owner=1000)
    assert user.put("/uploads/x.zip", content=b"x" * 900).status_code == 201
    for answer in (
        user.put("/uploads/y.zip", content=b"x" * 200),
        user.put("/uploads/z.zip", content=iter([b"x" * 200])),
    ):
        assert (answer.status_code, answer.json()["quota"]) == (429, "max_stored_bytes_per_owner")
    assert len(user.get("/uploads").json()["uploads"]) == 1


def test_below_the_disk_floor_nothing_is_taken(serve: Serve) -> None:
    api = serve(disk_floor_bytes=2**60)
    user = api.user()
    for answer in (
        user.put("/uploads/x.zip", content=b"x"),
        user.post("/uploads", headers={**TUS, "Upload-Length": "5"}),
        user.get("/health/ready"),
    ):
        assert (answer.status_code, code_of(answer)) == (507, "storage-full")
        assert answer.json()["floor_bytes"] == 2**60
        assert answer.json()["free_bytes"] > 0
    assert user.get("/uploads").json()["uploads"] == []
    assert user.get("/health/live").status_code == 200


def test_a_disk_that_fills_up_is_told_and_what_was_stored_can_be_continued(
    api: ServedApi, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = pattern(5_000_000)
    address = begin(user, len(content))
    room = [2_500_000]

    def write_all(handle: int, piece: bytes | bytearray) -> None:
        if len(piece) > room[0]:
            raise OSError(28, "No space left on device")
        room[0] -= len(piece)
        os.write(handle, piece)

    monkeypatch.setattr(staging, "write_all", write_all)
    answer = send(user, address, 0, content)
    assert (answer.status_code, code_of(answer)) == (507, "storage-full")
    monkeypatch.undo()
    got = offset_of(user, address)
    assert 0 < got < 2_500_001
    assert send(user, address, got, content[got:]).status_code == 204
    assert stored(user, address) == content


@pytest.mark.usefixtures("impatient")
def test_a_key_revoked_while_it_uploads_is_stopped(api: ServedApi) -> None:
    user = api.user()
    address = begin(user, 3_000_000)
    sender = patching(user, address, 0, 3_000_000)
    sender.send(pattern(1_000_000))
    (key,) = keys.listing(api.database, user.owner)
    keys.revoke(api.database, key.id)
    until(lambda: user.get(address).status_code == 401, within_s=5)
    sender.socket.settimeout(6)
    assert sender.socket.recv(100).startswith(b"HTTP/1.1 401 ")


def test_another_owners_upload_does_not_exist(api: ServedApi, user: User) -> None:
    other = api.user()
    address = begin(other, 10)
    for answer in (
        user.get(address),
        user.head(address, headers=TUS),
        user.delete(address),
        send(user, address, 0, b"x"),
    ):
        assert answer.status_code == 404
    assert user.get("/uploads").json()["uploads"] == []
    assert offset_of(other, address) == 0


def test_bytes_beyond_what_counts_are_written_again_after_a_crash(api: ServedApi, user: User) -> None:
    content = pattern(2_000_000)
    address = begin(user, len(content))
    send(user, address, 0, content[:1_000_000])
    file = api.settings.data / "incoming" / address.rpartition("/")[2]
    with file.open("ab") as ahead:  # written, but not recorded, when the process was killed
        ahead.write(b"?" * 700_000)
    api.app.state.services.intake._digests.clear()  # as a new process
    assert offset_of(user, address) == 1_000_000
    assert send(user, address, 1_000_000, content[1_000_000:]).status_code == 204
    assert stored(user, address) == content
    assert user.get(address).json()["sha256"] == hashlib.sha256(content).hexdigest()


def test_a_crash_between_the_last_byte_and_completion_is_made_good(
    api: ServedApi, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = pattern(100_000)
    for step in ("storage.put", "uploads.complete"):
        address = begin(user, len(content))
        with monkeypatch.context() as broken:
            target: Any = api.app.state.services.storage if step == "storage.put" else uploads
            broken.setattr(target, step.partition(".")[2], _crash)
            assert send(user, address, 0, content).status_code == 500
        assert offset_of(user, address) == len(content)
        told = user.get(address).json()
        assert told["state"] == "complete"
        assert told["sha256"] == hashlib.sha256(content).hexdigest()
        assert stored(user, address) == content


def _crash(*_: Any, **__: Any) -> None:
    raise RuntimeError("killed here")


def test_bytes_that_are_gone_are_told_as_gone(api: ServedApi, user: User) -> None:
    address = begin(user, 100)
    send(user, address, 0, b"x" * 50)
    (api.settings.data / "incoming" / address.rpartition("/")[2]).write_bytes(b"x" * 20)
    answer = send(user, address, 50, b"x" * 50)
    assert (answer.status_code, code_of(answer)) == (410, "upload-gone")


def test_a_file_that_another_process_writes_is_locked(api: ServedApi, user: User) -> None:
    address = begin(user, 100)
    send(user, address, 0, b"x" * 50)
    file = staging.StagedFile(api.settings.data / "incoming" / address.rpartition("/")[2], 50, None)
    answer = send(user, address, 50, b"x" * 50)
    assert (answer.status_code, code_of(answer)) == (423, "upload-locked")
    file.close()
    assert send(user, address, 50, b"x" * 50).status_code == 204


def test_what_nobody_will_continue_is_swept(api: ServedApi, user: User) -> None:
    incoming = api.app.state.services.incoming
    kept, gone = begin(user, 100), begin(user, 100)
    for address in (kept, gone):
        send(user, address, 0, b"x" * 50)
    uploads.discard(api.database, gone.rpartition("/")[2], user.owner)
    shot = uploads.create(
        api.database, owner=user.owner, length=9, limits=api.settings, metadata={"decloud": "single-shot"}
    )
    files = {name: incoming.path / name for name in (kept.rpartition("/")[2], gone.rpartition("/")[2], shot.id)}
    files[shot.id].write_bytes(b"x")
    incoming.sweep(api.database, ())
    assert all(file.exists() for file in files.values())  # too young to be sure
    for file in files.values():
        os.utime(file, (time.time() - 100, time.time() - 100))
    incoming.sweep(api.database, ())
    assert [file.exists() for file in files.values()] == [True, False, False]
    assert [upload["id"] for upload in user.get("/uploads").json()["uploads"]] == [kept.rpartition("/")[2]]


@pytest.mark.parametrize("seed", range(4))
def test_an_upload_cut_at_random_bytes_arrives_as_it_was(user: User, seed: int) -> None:
    import numpy as np

    rng = np.random.default_rng(seed)
    content = pattern(2_000_000 + seed)
    address = begin(user, len(content))
    for _ in range(5):
        offset = offset_of(user, address)
        sender = patching(user, address, offset, len(content) - offset)
        sender.send(content[offset : offset + int(rng.integers(1, len(content) - offset))])
        time.sleep(float(rng.uniform(0, 0.05)))
        sender.die()
    offset = offset_of(user, address)
    assert send(user, address, offset, content[offset:]).status_code == 204
    assert user.get(address).json()["sha256"] == hashlib.sha256(content).hexdigest()
    assert stored(user, address) == content


def test_files_arrive_in_storage_as_others_there_are(user: User, api: ServedApi) -> None:
    upload = user.upload()
    folder = Path(str(api.settings.storage_url).removeprefix("file://"))
    api.storage.put("other", b"x")
    assert (folder / "uploads" / upload).stat().st_mode == (folder / "other").stat().st_mode
