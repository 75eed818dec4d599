"""A product is one file and a line in the table: it is then offered, written, described, listed and downloaded.

Run as a program, this adds one before anything else is imported, and prints what came of it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from locations import HELPERS


def test_a_product_of_one_file_is_offered_written_described_listed_and_downloaded(tmp_path: Path) -> None:
    """One test, because its program is run once; each of the claims is a function below."""
    seen = _run_with_one_more(tmp_path)
    dates = json.loads((tmp_path / "out" / "report.json").read_text())["input"]["dates"]
    assert len(dates) == 3
    assert "brightness/DATE.tif Mean of the visible bands of each cloud-free image." in " ".join(seen["help"].split())
    for date in dates:
        _check_raster(tmp_path / "out", date)
        _check_asset(json.loads((tmp_path / "out" / "stac" / f"{date}.json").read_text()))
    _check_service(seen, {f"brightness/{date}.tif" for date in dates})
    _check_manifest(tmp_path / "out")
    _check_report(tmp_path / "out")
    _check_download(tmp_path)


def _run_with_one_more(folder: Path) -> dict[str, Any]:
    """What users see of a program with one more product; its result lies in folder/out."""
    path = os.pathsep.join([str(HELPERS), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path, "COLUMNS": "200", "NO_COLOR": "1"}
    command = [sys.executable, __file__, str(folder)]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads((folder / "seen.json").read_text())
    return found


def _check_raster(out: Path, date: str) -> None:
    """It is made from the images that are delivered, and says what it is."""
    with rasterio.open(out / "declouded" / f"{date}.tif") as image:
        names = list(image.descriptions)
        visible = [image.read(names.index(band) + 1).astype(float) for band in ("B02", "B03", "B04")]
    with rasterio.open(out / "brightness" / f"{date}.tif") as raster:
        values, tags = raster.read(1), raster.tags()
        assert raster.descriptions == ("brightness",)
        assert np.isnan(raster.nodata)
    assert tags["PRODUCT"] == "brightness"
    assert tags["ACQUISITION_DATE"] == date
    assert tags["BANDS"] == "B02 B03 B04"
    assert values == pytest.approx(np.mean(visible, axis=0) / 10_000, abs=1e-4)


def _check_asset(item: dict[str, Any]) -> None:
    """STAC has it with its role, and without a wavelength."""
    asset = item["assets"]["brightness"]
    assert asset["roles"] == ["data"]
    assert asset["href"] == f"../brightness/{item['id']}.tif"
    assert asset["raster:bands"][0]["nodata"] == "nan"
    assert "eo:bands" not in asset
    assert "eo:bands" in item["assets"]["declouded"]


def _check_service(seen: dict[str, Any], paths: set[str]) -> None:
    """The process describes it; a job that asked for it alone links its files and no other."""
    described = seen["process"]["outputs"]["brightness"]
    assert described["title"] == "Brightness"
    assert described["schema"]["items"]["contentMediaType"].startswith("image/tiff")
    assert set(seen["results"]) == {"brightness"}
    assert {link["path"] for link in seen["results"]["brightness"]} == paths
    assert all(link["title"].startswith("Brightness: ") for link in seen["results"]["brightness"])


def _check_manifest(out: Path) -> None:
    listed = json.loads((out / "manifest.json").read_text())["files"]
    (first, *others) = [entry for entry in listed if entry["role"] == "brightness"]
    assert len(others) == 2
    assert first["path"] == f"brightness/{first['date']}.tif"
    assert first["media_type"].endswith("profile=cloud-optimized")


def _check_report(out: Path) -> None:
    """Both its forms list it among the files."""
    listed = {entry["path"]: entry for entry in json.loads((out / "report.json").read_text())["files"]}
    about = "Mean of the visible bands of each cloud-free image."
    assert listed["brightness/DATE.tif"] == {"path": "brightness/DATE.tif", "title": "Brightness", "about": about}
    assert f'<th scope="row">brightness/DATE.tif</th><td>{about}</td>' in (out / "report.html").read_text()


def _check_download(folder: Path) -> None:
    """By its name, and nothing else but a manifest of it."""
    got = {path.name: path.read_bytes() for path in (folder / "got" / "brightness").iterdir()}
    assert got == {path.name: path.read_bytes() for path in (folder / "out" / "brightness").iterdir()}
    assert {path.name for path in (folder / "got").iterdir()} == {"brightness", "manifest.json"}


def main(folder: Path) -> None:
    from brightness_product import BRIGHTNESS

    from seq2seq import products

    products.PRODUCTS = (*products.PRODUCTS, BRIGHTNESS)  # before anything that reads the table is imported
    seen = {"help": _help(), **_served(folder, _result(folder))}
    (folder / "seen.json").write_text(json.dumps(seen))


def _help() -> str:
    from typer.testing import CliRunner

    from seq2seq.commands.main import app

    return CliRunner().invoke(app, ["run", "--help"]).output


def _result(folder: Path) -> Path:
    """What a job makes of a few pixels."""
    import quick_engine

    from seq2seq.bands import BAND_SETS
    from seq2seq.config import ReconstructionConfig
    from seq2seq.run.pipeline import run
    from seq2seq.simulation.simulate import simulate, write_simulation
    from worker.results.manifest import write_manifest

    quick_engine.use_schedule(pytest.MonkeyPatch())
    write_simulation(simulate(dates=3, size=20, bands=BAND_SETS["10m"]), folder / "fields")
    config = ReconstructionConfig(perceptual="off", device="cpu")
    out = run(folder / "fields" / "input", folder / "out", config)
    write_manifest(out)
    return out


def _served(folder: Path, out: Path) -> dict[str, Any]:
    """What a service tells of such a result, and its client gets."""
    from service_api import ServedApi

    from api.client import Client
    from worker.database.connections import Database
    from worker.database.migrate import migrate

    database = Database(f"sqlite:///{folder / 'empty.db'}")
    migrate(database)
    database.close()
    api = ServedApi(folder / "api", folder / "empty.db")
    api.start()
    try:
        user = api.user()
        body = {"inputs": {"sequence": user.sequence}, "outputs": {"brightness": {}}}
        job = user.post("/processes/decloud/execution", json=body).json()["jobID"]
        files = {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
        api.finish(job, {path: content for path, content in files.items() if path != "manifest.json"})
        with Client(api.url, user.key) as client:
            client.download(job, folder / "got", outputs=["brightness"])
        return {
            "process": user.get("/processes/decloud").json(),
            "results": user.get(f"/jobs/{job}/results").json(),
        }
    finally:
        api.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
