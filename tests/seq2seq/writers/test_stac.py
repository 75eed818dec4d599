"""STAC of a result: valid, read by others' programs, and true of the files that lie beside."""

import hashlib
import itertools
import json
import shutil
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pystac
import pytest
import rasterio
import rasterio.warp
from affine import Affine
from odc.geo.geobox import GeoBox
from pystac.extensions.eo import EOExtension
from pystac.extensions.file import FileExtension
from pystac.extensions.projection import ProjectionExtension
from pystac.extensions.raster import RasterExtension
from pystac.extensions.timestamps import TimestampsExtension
from pystac.validation.local_validator import get_local_schema_cache
from simulated_result import GEOBOX, SIZE_PX, write_result

from seq2seq.writers.stac import write_stac
from seq2seq.writers.stac.placing import Placed

with warnings.catch_warnings():
    # It announces the end of its own maintenance whenever it is imported.
    warnings.simplefilter("ignore", DeprecationWarning)
    from stac_validator.validate import StacValidate


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("result")
    write_result(folder, dates=3, config={})
    return folder


def document(result: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((result / "stac" / f"{name}.json").read_text())
    return found


def local_schemas() -> dict[str, str]:
    """Addresses of the core schemas, and where pystac has brought them to: nothing is asked of the network."""
    folder = Path(pystac.__file__).parent / "validation" / "jsonschemas"
    named = {path.name: str(path) for path in folder.rglob("*.json")}
    return {address: named[address.rpartition("/")[2]] for address in get_local_schema_cache()}


def test_stac_validator_finds_every_document_valid_by_the_core_schemas(result: Path) -> None:
    documents = sorted((result / "stac").iterdir())
    assert len(documents) == 4
    for path in documents:
        validation = StacValidate(str(path), core=True, schema_map=local_schemas())
        validation.run()
        assert validation.valid, validation.message


def test_stac_validator_would_find_a_document_without_its_extent_invalid(result: Path, tmp_path: Path) -> None:
    broken = {name: value for name, value in document(result, "collection").items() if name != "extent"}
    (tmp_path / "collection.json").write_text(json.dumps(broken))
    validation = StacValidate(str(tmp_path / "collection.json"), core=True, schema_map=local_schemas())
    validation.run()
    assert not validation.valid


def test_every_field_with_a_prefix_is_of_an_extension_that_its_document_declares(result: Path) -> None:
    names = {"proj": "projection", "eo": "eo", "raster": "raster", "file": "file", "processing": "processing"}
    for path in (result / "stac").iterdir():
        found = json.loads(path.read_text())
        declared = {address.split("/")[3] for address in found["stac_extensions"]}
        # Fields of our own need no declaration.
        used = {name.partition(":")[0] for name in _keys(found) if ":" in name} - {"decloud"}
        assert declared - {"timestamps"} == {names[prefix] for prefix in used}


def _keys(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(_keys, value.values()))
    return set().union(*map(_keys, value)) if isinstance(value, list) else set()


def test_stac_states_statistics_units_and_the_range_of_the_gain_where_there_is_one(
    result: Path, tmp_path: Path
) -> None:
    item = json.loads((result / "stac" / "2021-05-11.json").read_text())
    for name in ("declouded", "uncertainty", "cloud_mask"):
        with rasterio.open(result / name / "2021-05-11.tif") as image:
            for index, band in enumerate(item["assets"][name]["raster:bands"], start=1):
                assert band["statistics"]["mean"] == pytest.approx(image.read(index).mean(), rel=1e-6)
    assert "decloud:gain_over_linear_db" not in document(result, "collection")["summaries"]
    again = Path(shutil.copytree(result, tmp_path / "again"))
    report = json.loads((again / "report.json").read_text())
    report["holdout"]["gain"] = {"low_db": 1.84, "high_db": 5.62, "measured_db": 3.9, "dates": 7, "pixels": 99}
    (again / "report.json").write_text(json.dumps(report))
    write_stac(again, GEOBOX, "job-1")
    claimed = document(again, "collection")["summaries"]["decloud:gain_over_linear_db"]
    assert claimed == {"minimum": 1.8, "maximum": 5.6}


def test_pystac_reads_the_collection_and_its_items(result: Path) -> None:
    collection = pystac.Collection.from_file(str(result / "stac" / "collection.json"))
    items = list(collection.get_items())
    assert collection.id == "job-1"
    assert [item.id for item in items] == ["2021-05-01", "2021-05-11", "2021-05-21"]
    assert "simulated" in str(collection.title)
    (first, last) = collection.extent.temporal.intervals[0]
    assert first == datetime(2021, 5, 1, tzinfo=UTC)
    assert last is not None
    assert last.date().isoformat() == "2021-05-21"
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
    collection = pystac.Collection.from_file(str(result / "stac" / "collection.json"))
    assert set(collection.assets) == {"report", "report.html", "preview"}
    for asset in (*item.assets.values(), *collection.assets.values()):
        file = Path(str(asset.get_absolute_href()))
        facts = FileExtension.ext(asset)
        assert facts.size == file.stat().st_size
        # A multihash: 0x12 is SHA-256, 0x20 its length.
        assert facts.checksum == "1220" + hashlib.sha256(file.read_bytes()).hexdigest()


def test_an_item_says_when_by_what_and_from_what_it_was_made(result: Path) -> None:
    report = json.loads((result / "report.json").read_text())
    item = pystac.Item.from_file(str(result / "stac" / "2021-05-01.json"))
    published = TimestampsExtension.ext(item).published
    assert published == datetime.fromisoformat(report["created"]) == item.common_metadata.created
    assert item.properties["processing:software"] == {"decloud": report["version"]}
    assert "method simulated); observed pixels are unchanged" in item.properties["processing:lineage"]
    # No satellite has seen it.
    assert "constellation" not in item.properties


def test_the_middle_of_an_item_lies_in_its_box_and_its_extent_is_that_of_the_image(result: Path) -> None:
    item = pystac.Item.from_file(str(result / "stac" / "2021-05-01.json"))
    projection = ProjectionExtension.ext(item)
    with rasterio.open(result / "declouded" / "2021-05-01.tif") as image:
        assert projection.bbox == list(image.bounds)
    centroid, box = projection.centroid, item.bbox
    assert centroid is not None
    assert box is not None
    assert box[0] < centroid["lon"] < box[2]
    assert box[1] < centroid["lat"] < box[3]


@pytest.mark.parametrize(
    ("crs", "code"),
    [
        ("EPSG:32733", "EPSG:32733"),
        ("EPSG:4326", "EPSG:4326"),
        ("+proj=aea +lat_1=20 +lat_2=-23 +lon_0=25 +datum=WGS84", None),
    ],
)
def test_a_grid_without_a_code_is_told_in_words(crs: str, code: str | None) -> None:
    pixel = 1e-4 if crs == "EPSG:4326" else 10.0
    placed = Placed.of(GeoBox((20, 30), Affine(pixel, 0, 20, 0, -pixel, -10), crs))
    assert placed.projection["proj:code"] == code
    assert ("proj:wkt2" in placed.projection) is (code is None)
    west, south, east, north = placed.bbox
    assert west < placed.projection["proj:centroid"]["lon"] < east
    assert south < placed.projection["proj:centroid"]["lat"] < north
    ring = placed.footprint
    assert ring[0] == ring[-1]
    area = sum(x * v - u * y for (x, y), (u, v) in itertools.pairwise(ring))
    assert area > 0  # counter-clockwise, as GeoJSON wants it
