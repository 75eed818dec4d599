"""An inspection as a job: what it says is what `decloud inspect` says, and a bad upload is refused as by any job."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from sequence_files import pack

from seq2seq.bands import BAND_SETS
from seq2seq.config import ReconstructionConfig
from seq2seq.processes import INSPECT
from seq2seq.readers import open_sequence
from seq2seq.report.inspection import describe, outline
from seq2seq.simulation.simulate import simulate, write_simulation
from worker.running.job_folder import BAD_INPUT, DONE, Request, read_error
from worker.running.supervisor import COMMAND


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated sequence."""
    folder = tmp_path_factory.mktemp("fields") / "made"
    write_simulation(simulate(dates=4, size=32, bands=BAND_SETS["10m"]), folder)
    return folder / "input"


def inspected(folder: Path, upload: Path, **params: float) -> int:
    folder.mkdir()
    shutil.copy(upload, folder / "upload")
    Request("j", 1, "fields.zip", params, {}, {"pixel_dates": 10**7}, INSPECT).write(folder)
    return subprocess.run([*COMMAND, str(folder)], check=False).returncode


def test_it_says_what_the_command_says(made: Path, tmp_path: Path) -> None:
    assert inspected(tmp_path / "job", pack(made, tmp_path / "fields.zip"), max_minutes=0.5) == DONE
    out = tmp_path / "job" / "out"
    assert {file.name for file in out.iterdir()} == {"inspection.json", "manifest.json", "previews"}
    files = json.loads((out / "manifest.json").read_text())["files"]
    kinds = {(entry["role"], entry["media_type"]) for entry in files}
    assert kinds == {("inspection", "application/json"), ("previews", "image/webp")}
    found = json.loads((out / "inspection.json").read_text())
    pictures = [entry for entry in files if entry["role"] == "previews"]
    assert [(entry["date"], entry["path"]) for entry in pictures] == [
        (each["date"], each["path"]) for each in found["previews"]
    ]
    assert [each["date"] for each in found["previews"]] == found["dates"]
    assert max(entry["size"] for entry in pictures) < 8000
    config = ReconstructionConfig(max_minutes=0.5)
    with open_sequence(made, config) as source:
        expected = json.loads(json.dumps(describe(source, config)))
    assert (found["path"], found["name"]) == ("fields.zip", "fields")
    own = {
        "path",
        "name",
        "estimate",
        "format",
        "previews",
    }  # the estimate is by the memory that a worker may plan with
    assert {k: v for k, v in found.items() if k not in own} == {k: v for k, v in expected.items() if k not in own}
    assert found["estimate"]["seconds"] == pytest.approx(expected["estimate"]["seconds"], rel=0.5)
    assert not (tmp_path / "job" / "out.partial").exists()


def test_the_outline_is_in_degrees_whatever_the_grid() -> None:
    utm = outline(GeoBox((64, 128), Affine(10, 0, 600000, 0, -10, 5600000), "EPSG:32631"))
    assert utm[0] == utm[-1] == pytest.approx([4.411339, 50.54338], abs=2e-6)  # by PROJ's cs2cs
    assert utm[8] == pytest.approx([4.429224, 50.537405], abs=2e-6)
    assert len(utm) == 17
    plain = outline(GeoBox((64, 128), Affine(0.0001, 0, 3, 0, -0.0001, 50), "EPSG:4326"))
    assert [plain[number] for number in (0, 4, 8, 12)] == [[3, 50], [3, 49.9936], [3.0128, 49.9936], [3.0128, 50]]


def test_an_upload_that_cannot_be_read_is_refused_as_by_any_job(tmp_path: Path) -> None:
    (tmp_path / "fields.zip").write_bytes(b"bytes of a sequence")
    assert inspected(tmp_path / "job", tmp_path / "fields.zip") == BAD_INPUT
    detail = read_error(tmp_path / "job")["detail"]
    assert "fields.zip" in detail
    assert "\n" not in detail
    assert not (tmp_path / "job" / "out").exists()
