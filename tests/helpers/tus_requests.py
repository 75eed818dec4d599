"""Requests by tus 1.0, as tests make them by hand, and what a server has of an upload."""

import base64
from typing import Any

import httpx
from service_api import ServedApi, User
from service_storages import everything_in, read

TUS = {"Tus-Resumable": "1.0.0"}
PIECE = {**TUS, "Content-Type": "application/offset+octet-stream"}


def code_of(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return str(answer.json()["code"])


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def begin(user: User, length: int, **headers: str) -> str:
    answer = user.post("/uploads", headers={**TUS, "Upload-Length": str(length), **headers})
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"].startswith(f"{user.api.url}/uploads/")
    return str(answer.headers["location"].removeprefix(user.api.url))


def send(user: User, address: str, offset: int, content: Any, **headers: str) -> httpx.Response:
    return user.patch(address, headers={**PIECE, "Upload-Offset": str(offset), **headers}, content=content)


def offset_of(user: User, address: str) -> int:
    answer = user.head(address, headers=TUS)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    return int(answer.headers["upload-offset"])


def stored(user: User, address: str) -> bytes:
    return read(user.api.storage, address.removeprefix("/"))


def staged(api: ServedApi) -> list[str]:
    return everything_in(api.settings.data / "incoming")
