"""STAC items in memory are read as the catalogues that hold them: pystac's objects, answers of APIs, dicts."""

import json
from pathlib import Path

import numpy as np
import pystac
import pytest
from loose_images import DAYS, classes, db, dn, write

import decloud
from seq2seq.errors import DecloudError, InputError, MissingDataError, UnknownBandsError
from seq2seq.radiometry import to_linear
from seq2seq.readers import read_sequence

TIFF = "image/tiff; application=geotiff"


def catalogue(root: Path) -> list[dict]:
    """Items of S2 with classes and of S1, on disk and as dicts without a link to themselves."""
    found = []
    for index, day in enumerate(DAYS):
        write(root, f"data/{index}/b2.tif", dn(index))
        write(root, f"data/{index}/b8a.tif", dn(index + 10))
        write(root, f"data/{index}/scl.tif", classes())
        write(root, f"data/{index}/p.tif", to_linear(db(index)), nodata=-32768)
        s2 = {"B02": "b2", "B8A": "b8a", "SCL": "scl"}
        found.append(item(f"S2B-{day}", day, index, s2, platform="Sentinel-2B"))
        found.append(item(f"S1-{day}", day, index, {"vv": "p"}, platform="SENTINEL-1A"))
    for each in found:
        path = root / "items" / f"{each['id']}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(each))
    return found


def item(name: str, day: str, index: int, files: dict[str, str], **properties: str) -> dict:
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "geometry": None,
        "properties": {"datetime": f"{day}T10:50:31Z", **properties},
        "links": [],
        "assets": {key: {"href": f"../data/{index}/{file}.tif", "type": TIFF} for key, file in files.items()},
    }


def absolute(root: Path, items: list[dict]) -> list[dict]:
    copies = json.loads(json.dumps(items))
    for each in copies:
        for asset in each["assets"].values():
            asset["href"] = str((root / "items" / asset["href"]).resolve())
    return copies


def objects(root: Path) -> list[pystac.Item]:
    return [pystac.Item.from_file(path) for path in sorted((root / "items").glob("*.json"))]


def a_catalogue(root: Path) -> pystac.Catalog:
    made = pystac.Catalog("fields", "fields")
    made.add_items(objects(root))
    return made


WAYS = {
    "items of pystac": lambda root, _: (objects(root),),
    "one by one": lambda root, _: tuple(objects(root)),
    "a generator, as of a search": lambda root, _: ((each for each in objects(root)),),
    "a collection of items": lambda root, _: (pystac.ItemCollection(objects(root)),),
    "two collections": lambda root, _: tuple(
        pystac.ItemCollection([each for each in objects(root) if each.id.startswith(sensor)]) for sensor in ("S2", "S1")
    ),
    "a catalogue": lambda root, _: (a_catalogue(root),),
    "dicts": lambda root, items: (absolute(root, items),),
    "an answer": lambda root, items: ({"type": "FeatureCollection", "features": absolute(root, items)},),
}


@pytest.mark.parametrize("way", WAYS)
def test_items_are_read_as_the_folder_that_holds_them(tmp_path, way):
    root = tmp_path / "a place"
    items = catalogue(root)
    expected, found = read_sequence(root), decloud.read(*WAYS[way](root, items))
    np.testing.assert_array_equal(found.s2.pixels, expected.s2.pixels)
    np.testing.assert_array_equal(found.s1.pixels, expected.s1.pixels)
    np.testing.assert_array_equal(found.cloud_mask, expected.cloud_mask)
    assert found.s2.bands == ("B02", "B8A")
    assert found.cloud_mask[:, :6].all()
    assert list(found.s2.dates) == list(expected.s2.dates)
    assert found.s2.geobox == expected.s2.geobox


@pytest.mark.parametrize("form", ["file://{}", "{}", "file://{quoted}"])
def test_addresses_of_files_are_paths(tmp_path, form):
    root = tmp_path / "a place"
    items = absolute(root, catalogue(root))
    for each in items:
        for asset in each["assets"].values():
            href = asset["href"]
            asset["href"] = form.format(href, quoted=href.replace(" ", "%20"))
    assert decloud.read(items).s2.bands == ("B02", "B8A")


def refused(*sources, words, kind=MissingDataError):
    with pytest.raises(kind) as caught:
        decloud.read(*sources)
    assert "\n" not in str(caught.value)
    assert [word for word in words if word not in str(caught.value)] == []


def test_images_on_a_server_are_not_fetched_and_it_is_said_what_gets_them(tmp_path):
    items = catalogue(tmp_path)
    for each in items:
        each["links"] = [{"rel": "self", "href": f"https://example.org/items/{each['id']}"}]
    refused(items, words=("of 6 items are on a server (example.org)", "`decloud fetch`", "odc.stac"))


def test_of_items_with_some_images_on_a_server_the_others_are_read(tmp_path):
    items = absolute(tmp_path, catalogue(tmp_path))
    for each in items:
        each["assets"]["B03"] = {"href": "https://example.org/B03.tif", "type": TIFF}
    messages = []
    found = decloud.read(items, on_progress=lambda progress: messages.append(progress.message))
    assert found.s2.bands == ("B02", "B8A")
    assert "6 images of items are on a server and not used" in messages


def test_a_path_from_nowhere_an_absent_file_and_no_image(tmp_path):
    items = catalogue(tmp_path)
    refused(items, words=("item S2B-2020-06-04 has its image B02 at ../data/0/b2.tif", "from where", "absolute"))
    there = absolute(tmp_path, items)
    (tmp_path / "data/1/b8a.tif").unlink()
    refused(there, words=("item S2B-2020-06-09 has its image B8A at", "where no file is"))
    refused({**items[0], "assets": {}}, words=("none of them has an image",))
    refused({"type": "FeatureCollection", "features": []}, words=("none of them has an image",))


def test_an_item_that_does_not_fit_its_file(tmp_path):
    items = absolute(tmp_path, catalogue(tmp_path))
    items[0]["assets"]["B02"]["eo:bands"] = [{"name": "B02"}, {"name": "B03"}]
    refused(items, words=("has 1 bands, its item S2B-2020-06-04",), kind=UnknownBandsError)


@pytest.mark.parametrize(
    "broken", [{"type": "Feature"}, {"type": "Feature", "assets": 3, "links": 7, "properties": []}]
)
def test_broken_dicts_are_one_line(broken):
    with pytest.raises(DecloudError, match="none of them has an image"):
        decloud.read(broken)


@pytest.mark.parametrize("given", [[], [3], {"a": 1}, 7])
def test_what_is_no_item_is_said_so(given):
    with pytest.raises(InputError, match=r"is a (list|dict|int); give an xarray.Dataset or DataArray, STAC items"):
        decloud.read(given)


def test_items_beside_a_dataset_are_refused(tmp_path):
    with pytest.raises(InputError, match="nothing else beside"):
        decloud.read(objects(tmp_path), 3)
    catalogue(tmp_path)
    with pytest.raises(InputError, match="nothing else beside"):
        decloud.read(*objects(tmp_path), str(tmp_path))
