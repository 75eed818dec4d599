"""The picture of the README: a result of this very code, of simulated data, in the viewer.

README_PICTURE=docs/viewer.png pytest -m slow tests/page/test_readme_picture.py
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from page_server import until
from PIL import Image

from seq2seq.bands import BAND_SETS
from seq2seq.config import ReconstructionConfig
from seq2seq.looking.result import open_result
from seq2seq.run import pipeline
from seq2seq.simulation.simulate import simulate, write_simulation
from seq2seq.viewing.bundle import write_bundle
from seq2seq.viewing.places import in_folder

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a hundred hectares or so, by the default method."""
    folder = tmp_path_factory.mktemp("readme")
    land = simulate(dates=16, size=(112, 176), bands=BAND_SETS["L2A_10"], cloud=0.5, seed=7)
    write_simulation(land, folder / "fields")
    return pipeline.run(folder / "fields" / "input", folder / "cloud-free", ReconstructionConfig(max_minutes=3))


def _cloudy_middle(result: Path) -> str:
    """A half cloudy date in the middle of the season."""
    found = json.loads((result / "report.json").read_text())["input"]
    dated = list(zip(found["dates"], found["cloud_fraction"], strict=True))[4:-4]
    return str(min(dated, key=lambda date: abs(date[1] - 0.55))[0])


def test_the_picture_of_the_readme_is_made_by_this_code(viewer: Any, result: Path, tmp_path: Path) -> None:
    with open_result(result, source=None, max_memory_gb=2) as scene, in_folder(result / "pictures") as put:
        write_bundle(scene, put)
    fragment = f"#/view?date={_cloudy_middle(result)}&swipe=0.5&px=56,118"
    page = viewer.show(result, fragment, viewport={"width": 1440, "height": 860}, reduced_motion="reduce")
    until(page, "performance.getEntriesByName('interactive').length > 0")
    page.wait_for_selector(".place .u-over")
    page.wait_for_timeout(1000)
    shot = Path(os.environ.get("README_PICTURE") or tmp_path / "viewer.png")
    page.screenshot(path=shot)
    with Image.open(shot) as picture:
        assert picture.size == (1440, 860)
        assert len(picture.convert("RGB").getcolors(1 << 24) or ()) > 2000
