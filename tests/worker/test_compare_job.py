"""A comparison of methods as a job: its process is killed between two cases, stopped, and goes on from what is done."""

import json
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from sequence_files import pack
from service_workers import until

from seq2seq.bands import BAND_SETS
from seq2seq.processes import BENCHMARK
from seq2seq.simulation.simulate import simulate, write_simulation
from worker.running.attempt_folders import continue_from
from worker.running.job_folder import DONE, STOPPED, Request
from worker.running.supervisor import COMMAND

METHODS = ["linear", "nearest", "median", "trees"]  # the last one takes long enough to be cut off
PARTS = "out.partial/.checkpoint/.parts"


@pytest.fixture(scope="module")
def fields(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated sequence as a user sends it."""
    folder = tmp_path_factory.mktemp("fields")
    write_simulation(simulate(dates=6, size=32, bands=BAND_SETS["10m"]), folder / "made")
    return pack(folder / "made" / "input", folder / "fields.zip")


def start(folder: Path, attempt: int = 1) -> subprocess.Popen[bytes]:
    params = {"methods": METHODS, "gaps": ["cloud"], "seeds": 1, "max_minutes": 1}
    request = Request("j", attempt, "fields.zip", params, {}, {"pixel_dates": 10**7}, BENCHMARK)
    request.write(folder)
    return subprocess.Popen([*COMMAND, str(folder)])


def parts(folder: Path) -> dict[str, int]:
    """By name, when each was written."""
    return {file.name: file.stat().st_mtime_ns for file in (folder / PARTS).glob("[!.]*.json")}


def test_killed_or_stopped_between_two_cases_it_goes_on_and_names_the_users_file(fields: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    first.mkdir()
    second.mkdir()
    shutil.copy(fields, first / "upload")
    child = start(first)
    until(lambda: parts(first), "nothing was finished", 60)
    child.kill()
    assert child.wait() == -signal.SIGKILL
    done = parts(first)
    assert 0 < len(done) < len(METHODS)

    assert continue_from(first, second)
    assert parts(second) == done
    again = start(second, 2)
    until(
        lambda: (second / "error.json").exists() or again.poll() is not None or len(parts(second)) > len(done), "", 60
    )
    assert all(parts(second).get(name, written) == written for name, written in done.items())
    assert again.wait(60) == DONE
    assert not (second / "out.partial").exists()
    out = second / "out"
    assert {file.name for file in out.iterdir()} == {
        "table.csv",
        "table.md",
        "report.html",
        "results.json",
        "manifest.json",
    }
    results = json.loads((out / "results.json").read_text())
    assert (results["inputs"], set(results["methods"]), results["failures"]) == (["fields.zip"], set(METHODS), [])
    listed = {entry["path"]: entry for entry in json.loads((out / "manifest.json").read_text())["files"]}
    assert {path: entry["role"] for path, entry in listed.items()} == {
        "table.csv": "table",
        "table.md": "table_md",
        "report.html": "report",
        "results.json": "results",
    }
    assert listed["table.csv"]["media_type"].startswith("text/csv")


def test_it_stops_when_it_is_asked_to(fields: Path, tmp_path: Path) -> None:
    shutil.copy(fields, tmp_path / "upload")
    child = start(tmp_path)
    until(lambda: parts(tmp_path), "nothing was finished", 60)
    child.terminate()
    assert child.wait(10) == STOPPED
    assert parts(tmp_path)
    assert not (tmp_path / "out").exists()
