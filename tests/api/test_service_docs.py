"""The pages on the service against it: what they say to type works, what they name exists."""

import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from composed import ROOT, SERVICES, SETTINGS
from served import Serving
from simulated import inputs

from api.app import create_app
from api.metrics import Metrics
from worker.database.connections import Database
from worker.settings import Settings, load_settings

TEXT = "\n".join((ROOT / "docs" / f"{page}.md").read_text() for page in ("service", "operating", "architecture"))
README = (ROOT / "README.md").read_text()
ROW = re.compile(r"^\| `(DECLOUD_\w+)` \|(?: `([^`]*)`)? \|", re.MULTILINE)
ADDRESS = "localhost:8000"


def blocks(language: str, text: str = TEXT) -> list[str]:
    """What stands between ```language and ```."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def curl_lines(text: str) -> str:
    (block,) = [block for block in blocks("sh", text) if f"curl -f -o cloud-free.zip {ADDRESS}" in block]
    return block


def test_the_four_lines_of_curl_upload_submit_follow_and_download(serving: Serving, tmp_path: Path) -> None:
    """As they stand there, but for the port and a method that takes no time."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    lines = curl_lines(TEXT)
    assert len(lines.splitlines()) == 4
    server = serving(auth="none")
    method = json.dumps(inputs(dates=2, steps=3, seconds=0.1))[1:-1]
    quick = lines.replace("'$upload'\"}", f"'$upload'\"}}, {method}")
    assert quick != lines
    with zipfile.ZipFile(tmp_path / "fields.zip", "w") as archive:
        archive.writestr("S2/2021-05-01.tif", bytes(1000))
    script = quick.replace(ADDRESS, server.url)
    done = subprocess.run(
        ["bash", "-euc", f"set -o pipefail\n{script}"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout.splitlines()
    assert (said[0], said[1], said[-1]) == ("Accepted.", "Started.", "Done: 19 files.")
    assert len(said) == len(set(said)), "nothing is said twice"
    with zipfile.ZipFile(tmp_path / "cloud-free.zip") as result:
        assert result.testzip() is None
        assert len([name for name in result.namelist() if name.startswith("declouded/") and name.endswith(".tif")]) == 2


def test_the_readme_has_the_same_lines() -> None:
    if "curl" not in README:
        pytest.skip("the README has no curl yet")
    assert curl_lines(README) == curl_lines(TEXT)


def test_every_setting_is_in_the_table_once_with_its_default() -> None:
    rows = ROW.findall(TEXT)
    assert sorted(name for name, _ in rows) == sorted(SETTINGS)
    stated: dict[str, Any] = {SETTINGS[name]: default.replace("DATA", "/DATA") for name, default in rows if default}
    for name, default in {**stated, "data": "/DATA"}.items():
        if name.endswith("storage_options"):
            stated[name] = json.loads(default)
    assert stated.pop("data") == str(Settings.model_fields["data"].default)
    assert load_settings(data="/DATA", **stated) == load_settings(data="/DATA")
    unset = {name for name in Settings.model_fields if name not in stated} - {"data"}
    assert all(getattr(load_settings(data="/DATA"), name) in (None, ()) for name in unset)


def test_every_setting_that_is_named_exists() -> None:
    named = set(re.findall(r"DECLOUD_[A-Z_]+[A-Z]", TEXT))
    assert named - set(SETTINGS) == {"DECLOUD_SERVER", "DECLOUD_KEY"}  # the client's


def test_every_address_that_is_named_exists(tmp_path: Path) -> None:
    routes = create_app(Settings(data=tmp_path)).state.routes
    known = {(method, re.sub(r"\{\w+(:path)?\}", "X", route.path)) for route in routes for method in route.methods}
    known |= {("GET", "/openapi.json")}
    named = re.findall(r"`(GET|POST|PUT|PATCH|HEAD|DELETE) (/[^`?]*)", TEXT)
    assert len(named) > 15
    variables = re.compile(r"\b(ID|NAME|PATH)\b")
    for method, path in named:
        written = variables.sub("X", path)
        candidates = {written, written.replace("/processes/decloud", "/processes/X")}
        assert any((method, candidate) in known for candidate in candidates), f"{method} {path}"


def test_every_file_and_module_that_is_named_exists() -> None:
    paths = set(re.findall(r"`((?:api|worker|seq2seq|docs)/[\w./]+)`", TEXT))
    assert len(paths) > 30
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []
    for module in re.findall(r"python -m ([\w.]+)", TEXT):
        assert (ROOT / module.replace(".", "/")).with_suffix(".py").exists()
    links = re.findall(r"\]\(([^)#]+)(?:#[\w-]+)?\)", TEXT)
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []


def test_the_picture_of_the_worker_has_every_folder_and_module() -> None:
    (picture,) = re.findall(r"^```\n(app, .*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    firsts = [re.split(r"\s{2,}", line)[0] for line in picture.splitlines()]
    named = [name.removesuffix("/") for first in firsts for name in first.split(", ")]
    there = [
        path.stem
        for path in (ROOT / "worker").iterdir()
        if path.suffix == ".py" or path.joinpath("__init__.py").exists()
    ]
    assert sorted([*named, "__init__"]) == sorted(there)


def test_every_figure_that_is_named_is_measured(sqlite_database: Database, tmp_path: Path) -> None:
    named = set(re.findall(r"`(decloud_\w+)`", TEXT))
    assert len(named) > 5
    measured = Metrics(Settings(data=tmp_path)).text(sqlite_database).decode()
    missing = {name for name in named if f" {name.removesuffix('_total')}" not in measured}
    assert missing == set()


def test_every_command_that_is_named_exists() -> None:
    named = {
        line for block in blocks("sh") for line in re.findall(r"(?:^|\(|\bapi )decloud ([a-z]+)", block, re.MULTILINE)
    }
    named |= set(re.findall(r"`decloud (\w+)", TEXT))
    assert {"serve", "submit", "watch", "download", "keys", "simulate"} <= named
    command = [sys.executable, "-m", "api.commands.main", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert {name for name in named if not re.search(rf"\b{name}\b", shown)} == set()


def test_a_second_gpu_worker_extends_the_first_and_takes_another_device() -> None:
    (block,) = blocks("yaml")
    ((name, further),) = yaml.safe_load(block)["services"].items()
    assert name not in SERVICES
    assert further["extends"] == {"file": "docker-compose.yml", "service": "worker-gpu"}
    first = SERVICES["worker-gpu"]["environment"]
    assert set(further["environment"]) <= set(SETTINGS)
    assert further["environment"]["DECLOUD_DEVICE"] != first["DECLOUD_DEVICE"]


def test_the_lifecycle_rule_ends_what_is_incomplete_and_deletes_nothing_else() -> None:
    (block,) = [block for block in blocks("json") if '"Rules"' in block]
    (rule,) = json.loads(block)["Rules"]
    assert rule["Status"] == "Enabled"
    assert rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] >= 1
    assert set(rule) == {"ID", "Status", "Filter", "AbortIncompleteMultipartUpload"}
