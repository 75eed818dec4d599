"""The page of the service's speed says what was measured, beside its goals. No figure here is real."""

import sys
from typing import Any

import pytest
from locations import ROOT

sys.path.append(str(ROOT / "benchmarks"))

from service.loads import read_wrk
from service.measures import MEASURES
from service.page import SECTIONS, render

ON = {
    "date": "2026-01-02 03:04 UTC",
    "commit": "abc",
    "cpu": "A CPU",
    "cores": 2,
    "ram_gb": 24.0,
    "versions": {"python": "3.11", "nginx": "1.22"},
}
SAID = """Running 8s test @ http://127.0.0.1:8000/
  1 threads and 32 connections
  Latency Distribution
     50%   27.73ms
     99%    1.36s
  7811 requests in 8.01s, 9.17MB read
  Socket errors: connect 0, read 2, write 0, timeout 1
  Non-2xx or 3xx responses: 4
Requests/sec:    975.15
Transfer/sec:      1.50MB
"""


def page(name: str, *rows: dict[str, Any]) -> str:
    return render({name: {"on": ON, "note": None, "rows": list(rows)}})


def upload_row(**changes: Any) -> dict[str, Any]:
    row = {"key": "upload", "bytes": 2 * 10**9, "ours_s": [4.0, 5.0, 8.0], "nginx_s": [2.0, 4.0, 5.0]}
    return row | {"grown_bytes": [10**6, 2 * 10**6, 81 * 10**6], "absent": None, "load": 0.5} | changes


def test_what_wrk_says_is_read_in_seconds_and_bytes() -> None:
    load = read_wrk(SAID)
    assert (load.rate, load.p50_s, load.p99_s) == pytest.approx((975.15, 0.02773, 1.36))
    assert load.bytes_s == 1.5 * 2**20
    assert load.failed == 7


def test_an_upload_is_compared_pair_by_pair_and_its_memory_by_the_worst() -> None:
    said = page("upload", upload_row())
    assert "| `PUT /uploads/NAME`, MB/s | 400 (250 to 500) |" in said
    assert "| ratio | 0.62 (0.50 to 0.80) | ≥ 0.6 | yes |" in said
    assert "| growth of the API process, MB | 2.0 (1.0 to 81.0) | < 80, each time | **no** |" in said


def test_without_a_peer_there_is_no_ratio_and_the_page_says_why() -> None:
    said = page("upload", upload_row(nginx_s=[], absent="nginx is not installed"))
    assert "ratio |" not in said
    assert "No ratio: nginx is not installed." in said


def test_a_status_that_is_too_slow_is_not_reached() -> None:
    load = {"rate": 900.0, "p50_s": 0.01, "p99_s": 0.02, "bytes_s": 1.0, "failed": 0}
    peer = load | {"rate": 300.0}
    rows = [
        {"key": "idle", "ours": [load], "pygeoapi": [peer], "absent": None, "load": 1.0},
        {"key": "training", "ours": [load], "load": 2.0},
    ]
    said = page("status", *rows)
    assert "≥ 1000/s, p99 < 25 ms | **no** |" in said
    assert "| ratio | 3.0 (3.0 to 3.0) |  |  | ≥ 3 | yes |" in said
    assert "p99 < 100 ms | yes |" in said
    assert "Load: 1, 2." in said


def test_every_measure_has_a_section_and_says_when_it_was_not_taken() -> None:
    assert list(MEASURES) == list(SECTIONS)
    row = {"key": "claiming", "jobs": 10, "claimers": 2, "seconds": [2.0], "once": False, "locked": [1], "load": 1.0}
    said = page("claiming", row)
    assert "**not each exactly once**" in said
    assert said.count("Not measured yet.") == len(SECTIONS) - 1
