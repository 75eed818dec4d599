"""What only the settings that users get can show; see docs/RELIABILITY.md for where the rest is tested."""

import time
import zipfile
from pathlib import Path

import pytest
from served import Served, Serving
from service_workers import until

from api.client import Client, RemoteJob
from worker.settings import Settings

ANSWERS_WITHIN_S = 1.0
FREE_WITHIN_S = 25.0
DEFAULTS = Settings()
LEASES = {name: getattr(DEFAULTS, name) for name in ("lease_s", "heartbeat_s", "poll_s", "reap_s", "cancel_grace_s")}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "fields.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("S2/2021-05-01.tif", bytes(1000))
    return path


def cancel(client: Client, job: RemoteJob) -> float:
    """Seconds to the answer."""
    began = time.monotonic()
    client.cancel(job.id)
    return time.monotonic() - began


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["works", "hangs"])
def test_with_default_settings_a_cancel_answers_at_once_in_every_state_and_frees_the_device(
    serving: Serving, file: Path, ending: str
) -> None:
    server: Served = serving(**LEASES)
    client = server.client()
    ended = server.submit(client, file, steps=1)
    assert client.wait(ended.id).status == "successful"
    fault = {"kind": "hang", "at_step": 2} if ending == "hangs" else None
    job = server.submit(client, file, seconds=600, steps=6000, fault=fault)
    waiting = server.submit(client, file)
    until(lambda: (client.job(job.id).values.get("step") or 0) >= 1, "it does not run")
    answers = {"waiting": cancel(client, waiting), "running": cancel(client, job)}
    began = time.monotonic()
    answers |= {"cancelled": cancel(client, job), "ended": cancel(client, ended)}
    next_one = server.submit(client, file)
    until(lambda: client.job(next_one.id).status != "accepted", "the device is not free", within_s=60)
    free_s = time.monotonic() - began
    print(f"{ending}: answers after {max(answers.values()):.3f} s at most, device free after {free_s:.1f} s")
    assert max(answers.values()) < ANSWERS_WITHIN_S, answers
    assert free_s < FREE_WITHIN_S
    assert client.wait(job.id).status == "dismissed"
    assert client.job(waiting.id).status == "dismissed"
    assert client.job(ended.id).status == "successful"
