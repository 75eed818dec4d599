"""Clients that cost little themselves, the same for us and for the peers."""

import http.client
import re
import shutil
import socket
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

CHUNK = 1 << 20
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}
_BYTES = {"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}


class ClientAbsentError(Exception):
    """The program that makes the requests is not installed."""


@dataclass(frozen=True)
class Load:
    """rate: answers a second; p50_s, p99_s: time to the answer; bytes_s: of bodies and headers. failed: not 2xx."""

    rate: float
    p50_s: float
    p99_s: float
    bytes_s: float
    failed: int

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def wrk(url: str, *, connections: int, seconds: float, headers: dict[str, str]) -> Load:
    """One address over kept connections, as fast as they are answered. Raises `ClientAbsentError`."""
    program = shutil.which("wrk")
    if program is None:
        raise ClientAbsentError("wrk is not installed (Debian: apt-get install wrk)")
    command = [program, "-t1", f"-c{connections}", f"-d{seconds:g}s", "--latency", "--timeout", "20s"]
    command += [word for name, value in headers.items() for word in ("-H", f"{name}: {value}")]
    return read_wrk(subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout)


def read_wrk(said: str) -> Load:
    """The figures of its output."""

    def seconds(percentile: str) -> float:
        found = re.search(rf"{percentile}%\s+([\d.]+)(us|ms|s|m)\b", said)
        assert found, said
        return float(found[1]) * _UNITS[found[2]]

    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    speed = re.search(r"Transfer/sec:\s+([\d.]+)([KMG]?B)", said)
    assert rate, said
    assert speed, said
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
    return Load(
        rate=float(rate[1]),
        p50_s=seconds("50"),
        p99_s=seconds("99"),
        bytes_s=float(speed[1]) * _BYTES[speed[2]],
        failed=int(failed[1] if failed else 0) + sum(map(int, broken.groups()) if broken else ()),
    )


def send_file(file: Path, url: str, headers: dict[str, str]) -> tuple[float, dict[str, str]]:
    """PUT of a whole file from the page cache, by the kernel: seconds to the end of the answer, and its headers."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=600)
    connection.connect()
    assert isinstance(connection.sock, socket.socket)
    with file.open("rb") as source:
        began = time.perf_counter()
        connection.putrequest("PUT", parts.path)
        for name, value in {"Content-Length": str(file.stat().st_size), **headers}.items():
            connection.putheader(name, value)
        connection.endheaders()
        connection.sock.sendfile(source)
        answer = connection.getresponse()
        body = answer.read()
        taken_s = time.perf_counter() - began
    connection.close()
    if answer.status not in (201, 204):
        raise RuntimeError(f"PUT {url}: {answer.status}: {body[:300]!r}")
    return taken_s, dict(answer.getheaders())


def receive(url: str, headers: dict[str, str]) -> tuple[float, int]:
    """GET of a whole file, thrown away: seconds, and bytes of the body."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=600)
    buffer, received = bytearray(CHUNK), 0
    began = time.perf_counter()
    connection.request("GET", parts.path, headers=headers)
    answer = connection.getresponse()
    while count := answer.readinto(buffer):
        received += count
    taken_s = time.perf_counter() - began
    connection.close()
    if answer.status not in (200, 206):
        raise RuntimeError(f"GET {url}: {answer.status}")
    return taken_s, received
