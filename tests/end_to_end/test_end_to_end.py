"""The program as a user runs it: killed without warning, and called again."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import rasterio
from locations import HELPERS

from seq2seq.bands import BAND_SETS
from seq2seq.simulation.simulate import simulate, write_simulation

QUICK = str(HELPERS / "quick_engine.py")


def decloud(*arguments: str) -> list[str]:
    """The command line of this installation with a schedule of seconds."""
    return [sys.executable, QUICK, *arguments]


@pytest.fixture(scope="module")
def fields(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("end") / "fields"
    write_simulation(simulate(dates=4, size=20, bands=BAND_SETS["10m"]), folder)
    return folder


def test_killed_in_the_middle_the_same_command_ends_with_a_complete_result(fields: Path, tmp_path: Path) -> None:
    out, partial = tmp_path / "out", tmp_path / "out.partial"
    command = decloud("run", str(fields / "input"), str(out), "--perceptual", "off", "--device", "cpu")
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    until = time.monotonic() + 60
    while not list(partial.rglob("scored.*")) and running.poll() is None and time.monotonic() < until:
        time.sleep(0.005)
    os.kill(running.pid, signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL, "ended before it could be killed"
    assert not out.exists()
    assert list(partial.rglob("scored.*"))

    finished = subprocess.run(command, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert "Gain " in finished.stdout
    assert "simulated" in finished.stdout
    assert not partial.exists()
    report = json.loads((out / "report.json").read_text())
    assert report["input"]["simulated"]
    for date in report["input"]["dates"]:
        for folder in ("declouded", "uncertainty", "cloud_mask"):
            with rasterio.open(out / folder / f"{date}.tif") as file:
                assert file.read().shape[1:] == (20, 20)
