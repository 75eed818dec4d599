"""For minutes: status is asked for beside a job that trains, and the server gets neither slow nor large."""

import os
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from served import Served, resident
from service_workers import until

from api.client import Client
from seq2seq.bands import BAND_SETS
from seq2seq.simulation.simulate import simulate, write_simulation

pytestmark = pytest.mark.slow

# DECLOUD_... would be a setting of the server.
MB = 1 << 20
SOAK_S = float(os.environ.get("SOAK_S", "120"))
IDLE_S = max(10.0, SOAK_S / 4)
EVERY_S = 0.01
TIMES_IDLE = 3.0


@pytest.fixture
def plain_server(tmp_path: Path) -> Iterator[Served]:
    """Of as many threads as it is on a user's machine."""
    served = Served(tmp_path / "data", lease_s=60, heartbeat_s=15, poll_s=1, reap_s=30)
    del served.environment["OMP_NUM_THREADS"]
    yield served.start()
    served.end()


def polled(served: Served, job_id: str, seconds: float) -> list[float]:
    """How long each of many answers took, one question after the other."""
    waited: list[float] = []
    headers = {"Authorization": f"Bearer {served.key}"}
    with httpx.Client(base_url=served.url, headers=headers, trust_env=False, timeout=30) as http:
        until_s = time.perf_counter() + seconds
        while (began := time.perf_counter()) < until_s:
            assert http.get(f"/jobs/{job_id}").status_code == 200
            waited.append(time.perf_counter() - began)
            time.sleep(EVERY_S)
    return waited


def p99(waited: list[float]) -> float:
    return statistics.quantiles(waited, n=100)[-1]


def trains(client: Client, job_id: str) -> bool:
    values = client.job(job_id).values
    assert values["status"] in ("accepted", "running"), values
    return str(values.get("phase")).startswith("fitting")


class Sizes(threading.Thread):
    """Resident bytes of the server, once a second, inside `with`."""

    def __init__(self, served: Served) -> None:
        super().__init__()
        self._served, self._over = served, threading.Event()
        self.seen: list[int] = []

    def run(self) -> None:
        while not self._over.wait(1.0):
            self.seen.append(resident(self._served))

    def __enter__(self) -> "Sizes":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()


def test_status_beside_a_training_job_is_as_quick_as_ever_and_the_server_does_not_grow(
    plain_server: Served, tmp_path: Path
) -> None:
    client = plain_server.client()
    write_simulation(simulate(dates=20, size=128, bands=BAND_SETS["L2A_10"]), tmp_path / "fields")
    ended = plain_server.submit(client, tmp_path / "fields" / "input", steps=1)
    client.wait(ended.id)
    polled(plain_server, ended.id, 3)  # warm
    idle = polled(plain_server, ended.id, IDLE_S)
    job = client.submit(client.upload(tmp_path / "fields" / "input"), {"max_minutes": 60, "perceptual": "off"})
    until(lambda: trains(client, job.id), "it does not train", 120)
    polled(plain_server, job.id, 5)
    with Sizes(plain_server) as sizes:
        busy = polled(plain_server, job.id, SOAK_S)
    assert client.job(job.id).status == "running", "it ended before the last question"
    first, last = (statistics.median(part) for part in (sizes.seen[:10], sizes.seen[-10:]))
    print(
        f"\np99 {1000 * p99(idle):.1f} ms idle, {1000 * p99(busy):.1f} ms of {len(busy)} beside training "
        f"(medians {1000 * statistics.median(idle):.1f}, {1000 * statistics.median(busy):.1f}); "
        f"resident {first / MB:.1f} MB, then {last / MB:.1f} MB, at most {max(sizes.seen) / MB:.1f} MB"
    )
    client.cancel(job.id)
    assert p99(busy) <= TIMES_IDLE * p99(idle)
    assert last - first < 8 * MB
