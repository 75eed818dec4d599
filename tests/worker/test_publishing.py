"""What a published result holds: every file, listed with its sums."""

import hashlib
import json
import zlib
from pathlib import Path

import pystac
import pytest
from simulated_result import write_result

from worker.results.gain import gain_of
from worker.results.manifest import MANIFEST, write_manifest
from worker.results.publishing import read_manifest

GAIN = {"low_db": 1.84, "high_db": 5.62, "measured_db": 3.97, "dates": 7, "pixels": 1234}


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("result")
    write_result(folder, dates=3, config={})
    write_manifest(folder)
    return folder


def test_the_manifest_lists_every_file_with_its_size_and_sums(result: Path) -> None:
    artifacts = {artifact.path: artifact for artifact in read_manifest(result)}
    there = {path.relative_to(result).as_posix() for path in result.rglob("*") if path.is_file()}
    assert set(artifacts) == there
    assert MANIFEST in there
    for path, artifact in artifacts.items():
        content = (result / path).read_bytes()
        assert artifact.size == len(content)
        assert artifact.sha256 == hashlib.sha256(content).hexdigest()
        assert artifact.crc32 == zlib.crc32(content)


def test_the_manifest_says_what_each_file_is_and_of_which_date(result: Path) -> None:
    artifacts = {artifact.path: artifact for artifact in read_manifest(result)}
    image = artifacts["declouded/2021-05-11.tif"]
    assert (image.role, image.date) == ("declouded", "2021-05-11")
    assert image.media_type == pystac.MediaType.COG
    assert {path: a.role for path, a in artifacts.items() if "/" not in path} == {
        "manifest.json": "manifest",
        "preview.png": "preview",
        "report.html": "report",
        "report.json": "report",
    }
    assert artifacts["stac/2021-05-11.json"].media_type == pystac.MediaType.GEOJSON
    assert artifacts["stac/collection.json"].role == "stac"


def test_what_is_hidden_or_half_written_is_not_left_behind(result: Path) -> None:
    assert not list(result.rglob(".*"))


@pytest.mark.parametrize(
    ("holdout", "gain"),
    [
        ({"gain": GAIN}, GAIN),
        ({"gain": {**GAIN, "low_db": None, "explanation": "<b>"}}, {**GAIN, "low_db": None}),
        ({"gain": {**GAIN, "high_db": float("inf"), "dates": "7"}}, {**GAIN, "high_db": None, "dates": None}),
        ({"gain": {**GAIN, "measured_db": float("nan")}}, None),
        ({"gain": {"measured_db": 3.0}}, None),
        ({"gain": None}, None),
        ([], None),
    ],
)
def test_of_a_reports_gain_only_numbers_are_taken(tmp_path: Path, holdout: object, gain: object) -> None:
    (tmp_path / "report.json").write_text(json.dumps({"holdout": holdout}))
    assert gain_of(tmp_path) == gain


def test_a_result_without_a_report_has_no_gain(tmp_path: Path) -> None:
    assert gain_of(tmp_path) is None
    (tmp_path / "report.json").write_text("[" * 100_000)
    assert gain_of(tmp_path) is None
