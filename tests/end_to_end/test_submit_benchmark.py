"""A comparison of methods through the real service, by the commands and the lines of curl that a user types."""

import csv
import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from locations import ROOT
from sequence_files import pack

from api.commands.background import background_server, plain_environment
from seq2seq.bands import BAND_SETS
from seq2seq.methods import find_method
from seq2seq.simulation.simulate import simulate, write_simulation

PAGE = (ROOT / "docs" / "ogc.md").read_text()
ADDRESS = "localhost:8000"
QUICK = ["--methods", "linear,nearest", "--gaps", "cloud", "--seeds", "1", "--max-minutes", "1"]
FILES = {"table.csv", "table.md", "report.html", "results.json", "manifest.json"}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder with a sequence in it, as a folder and as a ZIP."""
    folder = tmp_path_factory.mktemp("here")
    write_simulation(simulate(dates=6, size=32, bands=BAND_SETS["10m"]), folder / "made")
    (folder / "made" / "input").rename(folder / "fields")
    pack(folder / "fields", folder / "fields.zip")
    return folder


@pytest.fixture(scope="module")
def access(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a user of a real server: API, reaper, supervisor and its jobs."""
    data = tmp_path_factory.mktemp("service")
    environment = {**plain_environment(), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    with background_server(data, environment) as server:
        yield {
            **environment,
            "DECLOUD_SERVER": server.url,
            "DECLOUD_KEY": server.key,
            "XDG_CACHE_HOME": str(data / "cache"),
        }


def decloud(here: Path, access: Mapping[str, str], *arguments: str) -> str:
    """What the command says; it must end well."""
    command = [sys.executable, "-m", "api.commands.main", *arguments]
    done = subprocess.run(command, cwd=here, env=access, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def compared(table: Path) -> set[str]:
    with table.open(newline="") as file:
        return {row["method"] for row in csv.DictReader(file)}


def test_a_comparison_is_submitted_watched_and_downloaded(here: Path, access: dict[str, str]) -> None:
    job = decloud(here, access, "submit-benchmark", "fields", "--detach", "--quiet", *QUICK).strip()
    said = decloud(here, access, "watch", job[:8])
    assert f"Job {job} (fields)" in said
    assert said.endswith(f"Done. decloud download {job[:8]} OUT\n")
    (listed,) = json.loads(decloud(here, access, "jobs", "--json", "--limit", "1"))
    assert (listed["jobID"], listed["processID"], listed["status"]) == (job, "benchmark", "successful")

    told = decloud(here, access, "download", job[:8], "comparison").splitlines()
    assert told[-2:] == ["Table    comparison/table.md", "Report   comparison/report.html"]
    out = here / "comparison"
    assert {file.name for file in out.iterdir()} == FILES
    assert compared(out / "table.csv") == {"linear", "nearest"}
    results = json.loads((out / "results.json").read_text())
    assert (results["methods"], results["failures"]) == (
        {name: find_method(name).title for name in ("linear", "nearest")},
        [],
    )
    assert {outcome["case"]["gap"] for outcome in results["outcomes"]} == {"cloud"}


def test_the_lines_of_curl_of_the_docs_compare_two_methods(here: Path, access: dict[str, str]) -> None:
    """As they stand there, but for the port and the key."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    (lines,) = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    key = f"curl -H 'Authorization: Bearer {access['DECLOUD_KEY']}' "
    script = lines.replace("curl ", key).replace(ADDRESS, access["DECLOUD_SERVER"])
    done = subprocess.run(
        ["bash", "-euc", f"set -o pipefail\n{script}"], cwd=here, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout.splitlines()
    assert (said[0], said[-1]) == ("Accepted.", "Done: 5 files.")
    assert compared(here / "table.csv") == {"linear", "nearest"}
    with zipfile.ZipFile(here / "comparison.zip") as archive:
        assert archive.testzip() is None
        assert set(archive.namelist()) == FILES


def test_what_the_server_finds_wrong_with_the_sequence_is_one_line(here: Path, access: dict[str, str]) -> None:
    (here / "single" / "S2").mkdir(parents=True)
    shutil.copy(next((here / "fields" / "S2").iterdir()), here / "single" / "S2")
    command = [sys.executable, "-m", "api.commands.main", "submit-benchmark", "single", "none", "--quiet", *QUICK]
    done = subprocess.run(command, cwd=here, env=access, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert re.match(r"decloud: error: job [0-9a-f-]{36} failed: S2/\S+\.tif is the only S2 date", done.stderr)
    assert not (here / "none").exists()
