"""A sequence that the service fetches itself, from the request to the result, as a user asks for it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from file_server import FileServer, file_server
from sequence_files import pack, s2_dn, write_sequence
from served import Served, Serving
from stac_server import StacServer, add_s1, add_s2, area_of, cog, stac_server

from api.client import Client, Refused
from api.commands import main as cli
from seq2seq.bands import L2A_10

LINEAR = {"method": "linear", "perceptual": "off"}
DAYS = ("01", "06", "11", "16", "21")


@pytest.fixture
def files() -> Iterator[FileServer]:
    with file_server() as ours:
        yield ours


@pytest.fixture
def catalog() -> Iterator[StacServer]:
    with stac_server() as ours:
        random = np.random.default_rng(0)
        for index, day in enumerate(DAYS):

            def fill(values: Any, gsd: int, index: int = index) -> Any:
                """A cloud wanders over a field that is no plane."""
                if values.dtype == np.uint8:
                    values[: len(values) // 3] = 9 if index % 2 else 4
                    return values
                return values + random.integers(0, 300, values.shape).astype(values.dtype)

            add_s2(ours, f"S2-{day}", f"2021-05-{day}T10:30:00Z", bands=L2A_10, fill=fill)
            add_s1(ours, f"S1-{day}", f"2021-05-{day}T17:30:00Z")
        yield ours


@pytest.fixture
def service(serving: Serving, files: FileServer, catalog: StacServer) -> Served:
    hosts = f"{files.authority},{catalog.url.removeprefix('http://')}"
    return serving(input_private_hosts=hosts, input_catalogs=catalog.url)


def result_of(client: Client, job_id: str, out: Path) -> list[str]:
    ended = client.wait(job_id, timeout_s=120)
    assert ended.status == "successful", ended.message
    client.download(job_id, out)
    return sorted(path.name for path in (out / "reconstruction").glob("*.tif")) or sorted(
        path.relative_to(out).as_posix() for path in out.rglob("*.tif")
    )


def test_an_area_of_a_catalogue_is_fetched_and_made_cloud_free(
    service: Served, catalog: StacServer, tmp_path: Path
) -> None:
    client = service.client()
    area = list(area_of(width=640, height=640))
    job = client.submit({"area": area, "dates": "2021-05-01/2021-05-31"}, LINEAR)
    assert job.values["inputs"]["sequence"] == {
        "area": area,
        "dates": "2021-05-01/2021-05-31",
        "catalog": catalog.url,
    }
    assert job.source.startswith(f"{catalog.url} ")
    images = result_of(client, job.id, tmp_path / "out")
    assert len([name for name in images if "2021-05-06" in name]) >= 1, images
    messages = [event.data.get("message") or "" for event in client.events(job.id)]
    assert any(message.startswith(f"Fetching from {catalog.url}: 10 of 10 dates, ") for message in messages), messages


@pytest.mark.parametrize("kind", ["zip", "stac"])
def test_what_an_address_leads_to_is_fetched_and_made_cloud_free(
    service: Served, files: FileServer, tmp_path: Path, kind: str
) -> None:
    dates = [f"2021-05-{day}" for day in DAYS]
    write_sequence(tmp_path / "in", s2=s2_dn(dates=5), dates=dates)
    if kind == "zip":
        files.files["/fields.zip"] = pack(tmp_path / "in", tmp_path / "fields.zip").read_bytes()
        href = f"{files.url}/fields.zip"
    else:
        href = f"{files.url}/items.json"
        files.files["/items.json"] = json.dumps(_items(files, tmp_path / "in")).encode()
    client = service.client()
    job = client.submit({"href": f"{href}?X-Amz-Signature=secret"}, LINEAR)
    assert job.values["inputs"]["sequence"] == {"href": href}
    images = result_of(client, job.id, tmp_path / "out")
    assert len([name for name in images if "2021-05-11" in name]) >= 1, images


def _items(files: FileServer, folder: Path) -> dict[str, Any]:
    features = []
    for path in sorted((folder / "S2").glob("*.tif")):
        with rasterio.open(path) as image:
            pixels, bands = image.read(), image.descriptions
        assets = {}
        for band, values in zip(bands, pixels, strict=True):
            files.files[f"/{path.stem}/{band}.tif"] = cog(values)
            assets[band] = {"href": f"{path.stem}/{band}.tif", "type": "image/tiff", "eo:bands": [{"name": band}]}
        properties = {
            "datetime": f"{path.stem}T10:00:00Z",
            "platform": "sentinel-2a",
            "s2:processing_baseline": "02.14",
        }
        features.append(
            {"type": "Feature", "stac_version": "1.0.0", "id": path.stem, "properties": properties, "assets": assets}
        )
    return {"type": "FeatureCollection", "features": features}


def test_what_is_fetched_is_checked_as_an_upload_is(service: Served, files: FileServer) -> None:
    files.files["/fields.zip"] = b"PK\3\4 and then nothing that is an archive"
    client = service.client()
    ended = client.wait(client.submit({"href": f"{files.url}/fields.zip"}, LINEAR).id, timeout_s=60)
    assert ended.status == "failed"
    assert ended.message.startswith("fields.zip: ")


def test_the_command_asks_for_addresses_and_areas(
    service: Served,
    files: FileServer,
    catalog: StacServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    write_sequence(tmp_path / "in", s2=s2_dn(dates=5), dates=[f"2021-05-{day}" for day in DAYS])
    files.files["/fields.zip"] = pack(tmp_path / "in", tmp_path / "fields.zip").read_bytes()
    at = ["--server", service.url, "--key", service.key]
    quick = ["--method", "linear", "--perceptual", "off", "--quiet"]
    out, href = tmp_path / "out", f"{files.url}/fields.zip"
    assert exit_code("submit", str(out), "--href", href, *quick, *at) == 0
    assert (out / "report.json").exists()
    box = ",".join(f"{side:.4f}" for side in area_of(width=640, height=640))
    assert exit_code("submit", str(out), "--sample", "fields", "--href", href, *quick, *at) == 2
    assert exit_code("submit", "--sample", "fields", "--detach", *quick, *at) == 0
    asked = ["submit", "--area", box, "--period", "2021-05-01/2021-05-31", "--detach", *quick, *at]
    assert exit_code(*asked) == 0
    capsys.readouterr()
    assert exit_code("jobs", *at) == 0
    listed = capsys.readouterr().out
    assert href in listed
    assert "sample fields" in listed
    assert f"{catalog.url} " in listed


def exit_code(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(list(arguments))
    return int(ended.value.code or 0)


def test_without_a_list_nothing_is_fetched_and_samples_are_made(
    serving: Serving, files: FileServer, tmp_path: Path
) -> None:
    client = serving().client()
    for asked, said in (
        ({"href": f"{files.url}/fields.zip"}, "inputs.sequence.href: nothing is fetched by reference, the operator"),
        ({"area": [4.0, 50.0, 4.1, 50.1], "dates": "2021-05-01/2021-05-31"}, "inputs.sequence.catalog: no areas are"),
    ):
        with pytest.raises(Refused, match=said):
            client.submit(asked, LINEAR)
    assert files.asked == []
    sample = client.submit({"sample": "fields"}, LINEAR)
    assert sample.source == "sample fields"
    assert len(result_of(client, sample.id, tmp_path / "out")) >= 16
