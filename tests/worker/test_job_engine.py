"""The real engine through the service: the files are those of `decloud run`, also after a kill."""

import json
import os
import shutil
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from locations import HELPERS
from quick_engine import use_schedule
from sequence_files import pack
from service_workers import Workshop, job_processes, until

import decloud
from seq2seq.bands import BAND_SETS
from seq2seq.commands import main as cli
from seq2seq.simulation.simulate import simulate, write_simulation
from worker.jobs import Job, artifacts

PARAMS = {"perceptual": "off", "device": "cpu", "seed": 3}
QUICK = (sys.executable, str(HELPERS / "quick_job.py"))
# Differ from run to run: when it was, how long it took, what it needed.
TIMES = ("created", "resources")


@pytest.fixture(scope="module")
def fields(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated sequence as a user sends it."""
    folder = tmp_path_factory.mktemp("fields")
    write_simulation(simulate(dates=4, size=24, bands=BAND_SETS["10m"]), folder / "made")
    return pack(folder / "made" / "input", folder / "fields.zip")


@pytest.fixture(scope="module")
def expected(fields: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `decloud run` makes of it, in this process: a process of its own has to load torch first."""
    out = tmp_path_factory.mktemp("expected") / "out"
    options = ("--perceptual", "off", "--device", "cpu", "--seed", "3", "--quiet")
    with pytest.MonkeyPatch.context() as patch:
        use_schedule(patch)
        patch.chdir(fields.parent)
        with pytest.raises(SystemExit) as ended:
            cli.main(["run", fields.name, str(out), *options])
    assert ended.value.code == 0
    return out


def submit(workshop: Workshop, archive: Path, **params: Any) -> Job:
    return workshop.submit_params(workshop.upload_of(archive, archive.name), {**PARAMS, **params})


def published(workshop: Workshop, job: Job, folder: Path) -> Path:
    """The result as it is in storage."""
    assert workshop.get(job).status == "successful", workshop.get(job).error
    shutil.copytree(workshop.settings.data / "files" / str(workshop.get(job).result_prefix), folder)
    return folder


def same_files(one: Path, other: Path) -> None:
    """Byte for byte, but for times and the name of the collection, and without what the service adds."""
    names = sorted(path.relative_to(other).as_posix() for path in other.rglob("*") if path.is_file())
    added = {path.relative_to(one).as_posix() for path in one.rglob("*") if path.is_file()} - set(names)
    assert added == {"manifest.json", "pictures.zip"}
    for name in names:
        if name.startswith("stac/"):
            assert without_origin(one / name) == without_origin(other / name), name
        elif name not in ("report.json", "report.html"):
            assert (one / name).read_bytes() == (other / name).read_bytes(), name
    assert without_times(one) == without_times(other)


def without_origin(document: Path) -> dict[str, Any]:
    """A STAC document without its times, its collection's name, and the reports, which hold times."""
    found: dict[str, Any] = json.loads(document.read_text())
    for name in ("created", "updated", "published"):
        found.get("properties", {}).pop(name, None)
    found.pop("id" if found["type"] == "Collection" else "collection")
    assets = found["assets"].items()
    return {**found, "assets": {name: asset for name, asset in assets if not name.startswith("report")}}


def without_times(result: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((result / "report.json").read_text())
    for point in report["training"]["curve"]:
        point.pop("seconds")
    return {name: value for name, value in report.items() if name not in TIMES}


def test_a_job_sends_a_cube_in_one_file_and_the_indices_that_were_asked_for_and_without_images_no_pictures(
    workshop: Workshop, fields: Path, tmp_path: Path
) -> None:
    asked = submit(workshop, fields, method="linear", format="Zarr,netcdf", products="NDVI")
    job = workshop.work(asked, workshop.supervisor(command=QUICK))
    result = published(workshop, job, tmp_path / "result")
    assert {entry.name for entry in result.iterdir()} == {
        *("cube.nc", "cube.zarr.zip", "manifest.json", "preview.png", "report.html", "report.json", "stac")
    }
    listed = {file["path"]: file for file in json.loads((result / "manifest.json").read_text())["files"]}
    assert "pictures.zip" not in listed
    assert "pictures.zip" not in {file.path for file in artifacts.listing(workshop.database, job.id)}
    assert (listed["cube.nc"]["role"], listed["cube.nc"]["media_type"]) == ("netcdf", "application/netcdf")
    assert (listed["cube.zarr.zip"]["role"], listed["cube.zarr.zip"]["media_type"]) == ("zarr_zip", "application/zip")
    assert listed["cube.zarr.zip"]["size"] == (result / "cube.zarr.zip").stat().st_size
    collection = json.loads((result / "stac" / "collection.json").read_text())
    assert collection["id"] == job.id
    assert {"netcdf", "zarr_zip"} < set(collection["assets"])
    assert {"reflectance", "uncertainty", "cloud_mask", "NDVI", "NDVI_sigma"} == set(decloud.open(result).data_vars)


def test_a_band_that_an_index_needs_and_is_missing_is_the_users_to_mend(workshop: Workshop, fields: Path) -> None:
    job = workshop.work(submit(workshop, fields, products="nbr"), workshop.supervisor(command=QUICK))
    failed = workshop.get(job)
    assert failed.status == "failed"
    assert failed.error is not None
    assert "products: nbr needs B12; the sequence has B02 B03 B04 B08" in failed.error["detail"]


@pytest.mark.slow
def test_a_job_makes_the_files_that_the_command_line_makes(
    workshop: Workshop, fields: Path, expected: Path, tmp_path: Path
) -> None:
    job = workshop.work(submit(workshop, fields), workshop.supervisor(command=QUICK))
    result = published(workshop, job, tmp_path / "result")
    same_files(result, expected)
    assert not list(workshop.settings.work_dir.glob("*"))


def test_killed_in_the_middle_it_goes_on_and_makes_the_same_files(
    workshop: Workshop, fields: Path, expected: Path, tmp_path: Path
) -> None:
    job = submit(workshop, fields)
    supervisor = workshop.supervisor(command=QUICK)
    thread = threading.Thread(target=supervisor.work_once, daemon=True)
    thread.start()
    until(lambda: list(workshop.settings.work_dir.rglob("scored.pt")), "no checkpoint was made")
    (child,) = job_processes(os.getpid())
    os.kill(child, signal.SIGKILL)
    thread.join(timeout=10)
    assert workshop.get(job).status == "accepted"
    workshop.work(job, supervisor)
    assert workshop.get(job).attempt == 2
    same_files(published(workshop, job, tmp_path / "result"), expected)


@pytest.mark.slow
def test_what_is_wrong_with_an_upload_is_told_by_file(workshop: Workshop, tmp_path: Path) -> None:
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"PK\x03\x04 nothing")
    job = workshop.work(submit(workshop, broken), workshop.supervisor(command=QUICK))
    assert job.status == "failed"
    assert job.error is not None
    assert job.error["detail"].startswith("broken.zip")
    assert str(tmp_path) not in json.dumps(job.error)


def test_a_path_among_the_settings_is_refused(workshop: Workshop, fields: Path) -> None:
    job = workshop.work(submit(workshop, fields, vgg16_weights="/etc/passwd"))
    assert job.status == "failed"
    assert job.error is not None
    assert job.error["code"] == "invalid-config"
    assert "vgg16_weights" in job.error["detail"]


@pytest.mark.slow
def test_two_workers_that_share_a_job_make_the_files_that_the_command_line_makes(
    workshop: Workshop, tmp_path: Path
) -> None:
    write_simulation(simulate(dates=4, size=80, bands=BAND_SETS["10m"]), tmp_path / "made")
    archive = pack(tmp_path / "made" / "input", tmp_path / "scene.zip")
    options = {"method": "low-rank", "tile_px": 32, "overlap_px": 8}
    out = decloud.run(archive, tmp_path / "out", decloud.ReconstructionConfig(**PARAMS, **options))
    job = submit(workshop, archive, **options)
    lead, helper = (workshop.supervisor(command=None, tile_command=None) for _ in range(2))
    over = threading.Event()

    def help_() -> None:
        while not over.is_set():
            if workshop.get(job).status != "running" or not helper.work_once():
                over.wait(0.05)

    thread = threading.Thread(target=help_)
    thread.start()
    try:
        lead.work_once()
    finally:
        over.set()
        thread.join()
    assert any(message.startswith("Tile ") for message in workshop.messages(job)), "the other one has helped"
    result = published(workshop, job, tmp_path / "result")
    names = [path.relative_to(out) for path in out.rglob("*.tif")]
    assert len(names) == 12
    for name in names:
        assert (result / name).read_bytes() == (out / name).read_bytes(), name
    assert without_times(result)["holdout"] == without_times(out)["holdout"]
