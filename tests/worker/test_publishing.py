"""What a published result holds: every file listed with its sums, and STAC that pystac reads."""

import hashlib
import json
import shutil
import zlib
from datetime import UTC, datetime
from pathlib import Path

import pystac
import pytest
import rasterio
from pystac.extensions.eo import EOExtension
from pystac.extensions.projection import ProjectionExtension
from pystac.extensions.raster import RasterExtension
from pystac.validation.stac_validator import JsonSchemaSTACValidator
from simulated_result import SIZE_PX, write_result

from worker.results.manifest import MANIFEST, write_manifest
from worker.results.publishing import read_manifest
from worker.results.stac import write_stac


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("result")
    write_result(folder, dates=3, config={})
    write_stac(folder, "job-1")
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


def test_stac_states_statistics_units_and_the_range_of_the_gain_where_there_is_one(
    result: Path, tmp_path: Path
) -> None:
    item = json.loads((result / "stac" / "2021-05-11.json").read_text())
    for name in ("declouded", "uncertainty", "cloud_mask"):
        with rasterio.open(result / name / "2021-05-11.tif") as image:
            for index, band in enumerate(item["assets"][name]["raster:bands"], start=1):
                assert band["statistics"]["mean"] == pytest.approx(image.read(index).mean(), rel=1e-6)
    assert json.loads((result / "stac" / "collection.json").read_text())["summaries"] == {}
    again = Path(shutil.copytree(result, tmp_path / "again"))
    report = json.loads((again / "report.json").read_text())
    report["holdout"]["gain"] = {"low_db": 1.84, "high_db": 5.62, "measured_db": 3.9, "dates": 7, "pixels": 99}
    (again / "report.json").write_text(json.dumps(report))
    write_stac(again, "job-1")
    claimed = json.loads((again / "stac" / "collection.json").read_text())["summaries"]
    assert claimed == {"decloud:gain_over_linear_db": {"minimum": 1.8, "maximum": 5.6}}


def test_what_is_hidden_or_half_written_is_not_left_behind(result: Path) -> None:
    assert not list(result.rglob(".*"))


def test_pystac_reads_the_collection_and_finds_it_valid(result: Path) -> None:
    collection = pystac.Collection.from_file(str(result / "stac" / "collection.json"))
    items = list(collection.get_items())
    assert collection.id == "job-1"
    assert [item.id for item in items] == ["2021-05-01", "2021-05-11", "2021-05-21"]
    assert "simulated" in str(collection.title)
    (first, last) = collection.extent.temporal.intervals[0]
    assert first == datetime(2021, 5, 1, tzinfo=UTC)
    assert last is not None
    assert last.date().isoformat() == "2021-05-21"
    validator = JsonSchemaSTACValidator()
    for document, kind in [
        (collection, pystac.STACObjectType.COLLECTION),
        *((i, pystac.STACObjectType.ITEM) for i in items),
    ]:
        href = document.get_self_href()
        assert href is not None
        raw = json.loads(Path(href).read_text())
        assert validator.validate_core(raw, kind, raw["stac_version"]) is not None
    assert items[0].get_collection() is not None


def test_an_item_lies_where_its_image_lies_and_has_its_grid_and_bands(result: Path) -> None:
    item = pystac.Item.from_file(str(result / "stac" / "2021-05-01.json"))
    projection = ProjectionExtension.ext(item)
    with rasterio.open(result / "declouded" / "2021-05-01.tif") as image:
        assert projection.code == "EPSG:32631" == str(image.crs)
        assert projection.shape == [SIZE_PX, SIZE_PX] == list(image.shape)
        assert projection.transform == list(image.transform)[:6]
        descriptions = image.descriptions
        west, south, east, north = rasterio.warp.transform_bounds(image.crs, "EPSG:4326", *image.bounds)
    assert item.bbox == pytest.approx([west, south, east, north], abs=1e-5)
    assert EOExtension.ext(item).cloud_cover == 0
    assert item.properties["decloud:restored_percent"] == 25
    bands = EOExtension.ext(item.assets["declouded"]).bands
    assert bands is not None
    assert [band.name for band in bands] == list(descriptions)
    assert [(bands[0].common_name, bands[0].center_wavelength)] == [("blue", 0.4924)]
    (raster, *_) = RasterExtension.ext(item.assets["declouded"]).bands or ()
    assert (raster.data_type, raster.nodata, raster.scale, raster.offset) == ("uint16", 0, 1e-4, 0)


def test_every_asset_is_a_file_beside(result: Path) -> None:
    item = pystac.Item.from_file(str(result / "stac" / "2021-05-01.json"))
    assert set(item.assets) == {"declouded", "uncertainty", "cloud_mask"}
    for asset in item.assets.values():
        assert Path(str(asset.get_absolute_href())).is_file()
