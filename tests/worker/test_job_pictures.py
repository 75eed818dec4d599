"""A job of the real engine leaves pictures beside its result, and shows small ones meanwhile."""

import base64
import io
import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from locations import HELPERS
from PIL import Image
from sequence_files import pack
from service_workers import Workshop

from seq2seq.bands import BAND_SETS
from seq2seq.simulation.simulate import simulate, write_simulation
from worker.jobs import artifacts, events
from worker.storage.packed import Pack

PARAMS = {"perceptual": "off", "device": "cpu", "seed": 3, "method": "linear"}
QUICK = (sys.executable, str(HELPERS / "quick_job.py"))


@pytest.fixture(scope="module")
def fields(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fields")
    write_simulation(simulate(dates=4, size=24, bands=BAND_SETS["10m"]), folder / "made")
    return pack(folder / "made" / "input", folder / "fields.zip")


def test_a_job_leaves_pictures_as_one_file_that_pieces_are_read_of_and_tells_of_small_ones_meanwhile(
    workshop: Workshop, fields: Path
) -> None:
    asked = workshop.submit_params(workshop.upload_of(fields, fields.name), PARAMS)
    job = workshop.work(asked, workshop.supervisor(command=QUICK))
    assert job.status == "successful", job.error
    listed = {file.path: file for file in artifacts.listing(workshop.database, job.id)}
    pictures = listed["pictures.zip"]
    assert (pictures.role, pictures.media_type, pictures.date) == ("pictures", "application/zip", None)
    assert [path for path in listed if path.startswith("pictures")] == ["pictures.zip"]
    key = f"{job.result_prefix}/pictures.zip"
    whole = b"".join(workshop.storage.open_range(key))
    packed = Pack.open(workshop.storage, key, pictures.size)
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert len(packed) == len(archive.namelist()) > 40
        for name in archive.namelist():
            found = packed.find(name)
            assert found is not None
            assert whole[found.start : found.start + found.size] == archive.read(name), name
        scene = json.loads(archive.read("scene.json"))
    assert [entry["date"] for entry in scene["dates"]] == sorted({file.date for file in listed.values() if file.date})
    assert scene["title"] == "fields"
    assert packed.find("nothing") is None

    # Of the cloudiest dates; the same job, for each one loads the engine.
    shown = events.read(workshop.database, job.id, kinds=("picture",))
    assert 1 <= len(shown) <= 9
    for event in shown:
        assert set(event.data) == {"date", "row", "column", "height", "width", "image"}
        image = Image.open(io.BytesIO(base64.b64decode(event.data["image"])))
        assert (image.format, image.size) == ("WEBP", (24, 24))
        assert np.asarray(image).std() > 5
    latest = events.latest(workshop.database, job.id, "picture")
    assert [event.id for event in latest] == sorted((event.id for event in shown), reverse=True)
