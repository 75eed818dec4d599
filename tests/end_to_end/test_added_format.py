"""A format is one file: registered, it is read, run, named in help and process description, and sent by the client."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from locations import HELPERS
from npz_format import NpzArrays
from sequence_files import BANDS, DATES, TRANSFORM, s2_dn, write_sequence

from seq2seq.readers import formats, read_sequence

SIZE = {"height": 24, "width": 24}
IN_WORDS = "NumPy arrays of a sequence"

_REGISTERED = f"""
import sys
sys.path.insert(0, {str(HELPERS)!r})
from npz_format import NpzArrays
from seq2seq.readers import formats
formats.FORMATS += (NpzArrays(),)
"""
_COMMAND = (
    _REGISTERED
    + """
if sys.argv[1] == "run" and "--help" not in sys.argv:
    from quick_engine import main
else:
    from api.commands.main import main
main()
"""
)
_SENT_AND_DESCRIBED = (
    _REGISTERED
    + """
import json
from pathlib import Path
from starlette.testclient import TestClient
from api.app import create_app
from api.client.packing import packed
from seq2seq.readers import open_contents
from worker.settings import Settings
file, data = map(Path, sys.argv[1:])
sent = {}
for path in (file, file.parent):
    with packed(path, on_bytes=lambda *_: None) as payload, open_contents(payload.file, name=payload.name) as contents:
        sent[payload.name] = contents.fingerprint
with TestClient(create_app(Settings(data=data))) as client:
    print(json.dumps([sent, client.get("/processes/decloud").json()["inputs"]["sequence"]]))
"""
)


@pytest.fixture(scope="module")
def npz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five dates, two of them partly under cloud."""
    folder = tmp_path_factory.mktemp("added") / "fields"
    folder.mkdir()
    observed = np.ones((len(DATES), 24, 24), dtype=bool)
    observed[1, 4:14, 6:16] = observed[3, 10:20, 2:12] = False
    arrays = {
        "pixels": s2_dn(**SIZE),
        "dates": np.array(DATES, dtype="datetime64[D]"),
        "bands": np.array(BANDS),
        "transform": np.array(TRANSFORM[:6]),
        "crs": np.array("EPSG:32631"),
        "observed": observed,
    }
    np.savez(folder / "fields.npz", **arrays)
    return folder / "fields.npz"


def program(*arguments: object) -> str:
    """What `decloud` prints, with the format added."""
    command = [sys.executable, "-c", _COMMAND, *arguments]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_is_inspected(npz: Path) -> None:
    said = json.loads(program("inspect", npz, "--json"))
    assert said["dates"] == list(DATES)
    assert said["bands"] == list(BANDS)
    assert said["mask_source"] == "user"
    assert said["cloud_fraction"] == pytest.approx([0, 100 / 576, 0, 100 / 576, 0])


def test_it_is_read_as_the_same_pixels_in_geotiffs(npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "FORMATS", (*formats.FORMATS, NpzArrays()))
    with np.load(npz, allow_pickle=False) as arrays:
        root = write_sequence(tmp_path / "same", s2=arrays["pixels"], masks=~arrays["observed"], nodata=None)
    added, usual = read_sequence(npz), read_sequence(root)
    assert np.array_equal(added.s2.pixels, usual.s2.pixels)
    assert np.array_equal(added.cloud_mask, usual.cloud_mask)
    assert added.s2.geobox == usual.s2.geobox


def test_a_run_gives_a_result_in_which_clear_pixels_are_those_of_the_file(npz: Path, tmp_path: Path) -> None:
    program("run", npz, tmp_path / "out", "--quiet")
    with np.load(npz, allow_pickle=False) as arrays:
        pixels, observed = arrays["pixels"], arrays["observed"]
    for index, date in enumerate(DATES):
        with rasterio.open(tmp_path / "out" / "declouded" / f"{date}.tif") as image:
            assert image.transform == TRANSFORM
            assert image.descriptions == BANDS
            assert np.array_equal(image.read()[:, observed[index]], pixels[index][:, observed[index]])


@pytest.mark.parametrize("command", ["run", "inspect"])
def test_the_help_names_it(command: str) -> None:
    said = " ".join(program(command, "--help").replace("│", " ").split())
    assert f"file with {IN_WORDS}, as in fields.npz" in said


def test_the_client_sends_it_alone_or_in_its_folder_and_the_service_describes_it(npz: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _SENT_AND_DESCRIBED, npz, tmp_path / "data"]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    sent, described = json.loads(done.stdout.splitlines()[-1])
    assert set(sent) == {"fields.npz", "fields.zip"}
    assert len(set(sent.values())) == 1
    assert f"file with {IN_WORDS}, as in fields.npz" in described["description"]
    assert "as in S2/2020-08-01.tif" in described["description"]
