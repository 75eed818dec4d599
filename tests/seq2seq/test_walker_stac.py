"""Static STAC catalogues: what items say of their images counts, and only images that are here are read."""

import json
import shutil

import numpy as np
import pytest
from loose_images import DAYS, SIDE, classes, db, dn, packed, read, said, write

from seq2seq.errors import DecloudError
from seq2seq.radiometry import to_linear
from seq2seq.readers import open_contents, open_sequence

TIFF = "image/tiff; application=geotiff; profile=cloud-optimized"


def item(root, day, assets, *, folder="", name=None, **properties):
    """One item, `folder/name.json`. assets: key to href, or to all that it states."""
    content = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name or f"scene-{day}",
        "geometry": None,
        "properties": {"datetime": f"{day}T10:50:31Z", **properties},
        "links": [],
        "assets": {
            key: {"type": TIFF, **(asset if isinstance(asset, dict) else {"href": asset})}
            for key, asset in assets.items()
        },
    }
    path = root / folder / f"{name or day}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return content


def refused(path, *words):
    with pytest.raises(DecloudError) as caught:
        open_sequence(path)
    assert "\n" not in str(caught.value)
    assert [word for word in words if word not in str(caught.value)] == []


def planetary_computer(root):
    """A file a band under no name that says anything, and radar in items of its own."""
    for index, day in enumerate(DAYS):
        for key, pixels in (("B02", dn(index)), ("B8A", dn(index + 10)), ("SCL", classes())):
            write(root, f"data/{index}/{key.lower()}x.tif", pixels)
        write(root, f"data/{index}/p.tif", to_linear(db(index)), nodata=-32768)
        assets = {key: f"../data/{index}/{key.lower()}x.tif" for key in ("B02", "B8A", "SCL")}
        assets["preview"] = {"href": "preview.png", "type": "image/png", "roles": ["overview"]}
        more = {"s2:processing_baseline": "02.12", "sat:orbit_state": "descending", "sat:relative_orbit": 51}
        item(root, day, assets, folder="items", platform="Sentinel-2B", **more)
        radar = {"vv": f"../data/{index}/p.tif"}
        more = {"sat:orbit_state": "ascending", "sat:relative_orbit": 88}
        item(root, day, radar, folder="items", name=f"S1-{day}", platform="SENTINEL-1A", **more)
    return root


def test_items_say_which_day_band_baseline_and_orbit_an_image_is_of(tmp_path):
    info, sequence = read(planetary_computer(tmp_path))
    assert [str(day) for day in info.dates] == list(DAYS)
    assert info.bands == ("B02", "B8A")
    assert np.allclose(sequence.s2.pixels[1, 1], dn(11)[0] * 1e-4, atol=1e-6)
    assert info.mask_source == "scl"
    assert not sequence.s2.observed[:, :6].any()
    assert info.s1_bands == ("VV",)
    assert np.allclose(sequence.s1.pixels[2, 0], db(2)[0], atol=1e-4)
    with open_contents(tmp_path) as contents:
        assert contents.s2[0].header.product.baseline == "02.12"
        assert contents.s2[0].header.orbit == "D051"
        assert contents.s1[0].header.orbit == "A088"


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("applied", [False, True])
def test_scale_and_offset_of_items_are_applied_once(tmp_path, version, applied):
    stored = 0 if applied else 1000
    for index, day in enumerate(DAYS):
        write(tmp_path, f"{day}.tif", dn(index, 2) + np.uint16(stored), nodata=0)
        scale = {"scale": 1e-4, "offset": -0.1}
        if version == "1.1":
            bands = {"bands": [{"name": "red", **{f"raster:{k}": v for k, v in scale.items()}}, {"name": "nir08"}]}
            bands["bands"][1] |= bands["bands"][0] | {"name": "nir08"}
        else:
            bands = {"eo:bands": [{"name": "red"}, {"name": "nir08"}], "raster:bands": [scale, scale]}
        more = {"earthsearch:boa_offset_applied": True} if applied else {}
        item(tmp_path, day, {"image": {"href": f"./{day}.tif", **bands}}, constellation="sentinel-2", **more)
    info, sequence = read(tmp_path)
    assert info.bands == ("B04", "B8A")
    assert np.allclose(sequence.s2.pixels[1], dn(1, 2) * 1e-4, atol=1e-5)


def test_a_collection_of_items_in_one_file_and_in_a_zip(tmp_path):
    features = []
    for index, day in enumerate(DAYS):
        write(tmp_path, f"cubes/{day}.tif", dn(index, 4))
        features.append(item(tmp_path, day, {"image": f"cubes/{day}.tif"}, constellation="sentinel-2"))
        (tmp_path / f"{day}.json").unlink()
    (tmp_path / "items.geojson").write_text(
        json.dumps({"type": "FeatureCollection", "stac_version": "1.0.0", "features": features})
    )
    archive = packed(tmp_path, tmp_path.parent / f"{tmp_path.name}.zip")
    (info, _), (again, _) = read(tmp_path), read(archive)
    archive.unlink()
    assert info.bands == ("B02", "B03", "B04", "B08")
    assert again.fingerprint == info.fingerprint
    assert said(info, "have no names; taken in the order of 4-band products")


def test_the_real_catalogue(shared_data, tmp_path):
    root = shared_data / "formats/stac/openeo_catalog"
    if not root.is_dir():
        pytest.skip(f"{root} is absent")
    info, sequence = read(root)
    assert [str(day) for day in info.dates] == ["2023-06-01", "2023-06-04", "2023-06-06"]
    assert info.bands == ("B02", "B03", "B04")
    assert sequence.s2.pixels.max() < 0.2
    for file in root.iterdir():  # what an item says of bands counts, whatever the file says
        text = file.read_text().replace("B04", "B08") if file.suffix == ".json" else None
        shutil.copyfile(file, tmp_path / file.name)
        if text:
            (tmp_path / file.name).write_text(text)
    assert read(tmp_path)[0].bands == ("B02", "B03", "B08")


def test_images_on_a_server_are_those_of_fetch(tmp_path):
    for day in DAYS:
        item(tmp_path, day, {"B02": f"https://example.org/{day}/B02.tif"})
    refused(tmp_path, "3 items are on a server (example.org)", "`decloud fetch` gets them")


@pytest.mark.parametrize(
    ("href", "words"),
    [
        ("B02.tif", "which is not in the input"),
        ("../../etc/passwd.tif", "which leads out of the input"),
        ("/etc/passwd.tif", "which leads out of the input"),
        ("file:///etc/passwd.tif", "which leads out of the input"),
    ],
)
def test_hrefs_lead_to_files_of_the_input_or_nowhere(tmp_path, href, words):
    item(tmp_path, DAYS[0], {"B02": href})
    refused(tmp_path, f"{DAYS[0]}.json: item scene-{DAYS[0]} has its image B02 at {href}", words)


def test_a_collection_alone_is_sent_to_its_items(tmp_path):
    (tmp_path / "collection.json").write_text('{"type": "Collection", "stac_version": "1.0.0", "links": []}')
    refused(tmp_path, "a STAC catalogue without items that have images", "decloud fetch")


def test_an_item_that_does_not_fit_its_file(tmp_path):
    write(tmp_path, "a.tif", dn(0, 4))
    item(tmp_path, DAYS[0], {"image": {"href": "a.tif", "eo:bands": [{"name": "B02"}, {"name": "B03"}]}})
    refused(tmp_path, f"a.tif: has 4 bands, its item scene-{DAYS[0]} in {DAYS[0]}.json states 2")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"stac_version": "1.0.0", ', "is no readable JSON"),
        ('{"stac_version": "1.0.0", "x": ' + "[" * 100_000, "is no readable JSON"),
        (
            '{"stac_version": "1.0.0", "type": "Feature", "assets": [1], "properties": 3}',
            "without items that have images",
        ),
        ('{"a": {"stac_version": 1}}', "without items"),
    ],
)
def test_broken_json_is_one_line(tmp_path, content, words):
    (tmp_path / "item.json").write_text(content)
    refused(tmp_path, words)


def test_json_of_a_size_that_no_item_has_is_not_parsed(tmp_path, monkeypatch):
    monkeypatch.setattr("seq2seq.readers.stac.items.MAX_BYTES", 100)
    item(tmp_path, DAYS[0], {"B02": "a.tif"})
    refused(tmp_path, "bytes of JSON, at most 100 are read")


def test_an_archive_is_judged_by_its_own_files_and_not_by_those_of_the_same_name_here(tmp_path, monkeypatch):
    planetary_computer(tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path / "elsewhere")
    for index, day in enumerate(DAYS):
        write(tmp_path, f"in/{day}_B02.tif", dn(index))
        (tmp_path / "in/items").mkdir(exist_ok=True)
        (tmp_path / f"in/items/{day}.json").write_text("{}")
    assert read(packed(tmp_path / "in", tmp_path / "in.zip"))[0].bands == ("B02",)


def test_json_that_is_no_stac_changes_nothing(tmp_path):
    for index, day in enumerate(DAYS):
        write(tmp_path, f"{day}_B02.tif", dn(index))
        (tmp_path / f"{day}_B02.json").write_text('{"cloud": 3}')
    assert read(tmp_path)[0].shape == (3, 1, SIDE, SIDE)
