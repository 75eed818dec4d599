"""The API killed, in a process of its own: what was answered is there, and what was begun goes on."""

import hashlib
import threading
import time
from contextlib import suppress

import httpx
import pytest
from service_api import ApiProcess
from service_storages import pattern, read
from service_workers import until

from worker.access import quotas
from worker.jobs import uploads

TUS = {"Tus-Resumable": "1.0.0"}
PIECE = {**TUS, "Content-Type": "application/offset+octet-stream"}


def test_an_upload_goes_on_after_the_server_was_killed_in_the_middle_of_it(api_process: ApiProcess) -> None:
    user, content = api_process.user, pattern(6_000_000)
    begun = user.post("/uploads", headers={**TUS, "Upload-Length": str(len(content))})
    address = begun.headers["location"].removeprefix(api_process.url)
    sender = user.raw(
        f"PATCH {address} HTTP/1.1\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n"
        f"Content-Type: application/offset+octet-stream\r\nContent-Length: {len(content)}"
    )
    sender.sendall(content[:4_000_000])
    recorded = until(lambda: user.get(address).json()["offset"])
    api_process.kill()
    api_process.start()
    offset = int(user.head(address, headers=TUS).headers["upload-offset"])
    assert recorded <= offset <= 4_000_000
    headers = {**TUS, "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
    assert user.patch(address, headers=headers, content=content[offset:]).status_code == 204
    assert user.get(address).json()["sha256"] == hashlib.sha256(content).hexdigest()
    assert read(api_process.storage, address.removeprefix("/")) == content


def test_what_was_answered_survives_a_kill_at_any_moment(api_process: ApiProcess) -> None:
    user = api_process.user
    answered: list[tuple[str, str]] = []
    over = threading.Event()

    def send() -> None:
        number = 0
        with httpx.Client(base_url=api_process.url, headers=user.headers, trust_env=False) as client:
            while not over.is_set():
                number += 1
                content = f"sequence {number}".encode() * 1000
                try:
                    answer = client.put(f"/uploads/{number}.zip", content=content)
                    answered.append((answer.json()["href"], hashlib.sha256(content).hexdigest()))
                except (httpx.TransportError, ValueError, KeyError):
                    continue

    thread = threading.Thread(target=send)
    thread.start()
    until(lambda: len(answered) > 5)
    time.sleep(0.05)
    api_process.kill()
    over.set()
    thread.join()
    api_process.start()
    for href, sha256 in answered:
        told = user.get(href).json()
        assert (told["state"], told["sha256"]) == ("complete", sha256)
        assert hashlib.sha256(read(api_process.storage, href.removeprefix("/"))).hexdigest() == sha256


@pytest.mark.slow
def test_a_whole_is_made_of_its_parts_however_often_the_server_is_killed(api_process: ApiProcess) -> None:
    """Ten times at another moment of it: the same upload, every byte of it once, and counted once."""
    user, content = api_process.user, pattern(120_000_000)
    addresses = []
    for start in range(0, len(content), 40_000_000):
        part = content[start : start + 40_000_000]
        headers = {**PIECE, "Upload-Length": str(len(part)), "Upload-Concat": "partial"}
        begun = user.post("/uploads", headers=headers, content=part)
        addresses.append(begun.headers["location"])
    wanted = {**TUS, "Upload-Concat": f"final;{' '.join(addresses)}"}
    killed_within = 0
    for number in range(10):
        killer = threading.Timer(0.02 + 0.03 * number, api_process.kill)
        killer.start()
        with suppress(httpx.TransportError):
            user.post("/uploads", headers=wanted)
        killer.join()
        api_process.start()
        assert quotas.usage(api_process.database, "ann").stored_bytes == len(content)
        killed_within += any(upload.state == "receiving" for upload in uploads.listing(api_process.database, "ann"))
    answer = user.post("/uploads", headers=wanted)
    assert answer.status_code == 201
    (told,) = user.get("/uploads").json()["uploads"]
    assert told["sha256"] == hashlib.sha256(content).hexdigest()
    assert read(api_process.storage, told["href"].removeprefix("/")) == content
    assert killed_within, "no kill came in the midst of it"
