"""Sentinel-2 products as they are downloaded become sequences, and what is wrong with them is said in one line."""

import os
import shutil

import numpy as np
import pytest
from rasterio.transform import from_origin
from safe_products import dn_of, product_name, write_product, zipped
from sequence_files import s1_db, write_tif

from api.client.packing import packed
from seq2seq.bands import L2A
from seq2seq.config import ReconstructionConfig
from seq2seq.errors import InputError, MissingDataError
from seq2seq.readers import open_contents, open_sequence, read_sequence
from seq2seq.readers.contents import Window
from seq2seq.readers.safe.metadata import read_metadata

FIRST, SECOND, THIRD = "2022-06-05", "2022-06-10", "2022-06-15"
FEW = {"B02": 10, "B03": 10, "B04": 10, "B05": 20}


def whole(raster):
    height, width = raster.header.geobox.shape
    return raster.read(Window(0, height, 0, width))


def reflectance(sequence, band):
    return sequence.s2.pixels[:, list(sequence.s2.bands).index(band)]


def test_products_of_level_2a_side_by_side_are_a_sequence_of_all_their_bands(tmp_path):
    for day in (FIRST, SECOND):
        write_product(tmp_path, day)
    with open_sequence(tmp_path) as source:
        sequence = source.read()
        warnings = source.info.warnings
    assert [str(day) for day in sequence.s2.dates] == [FIRST, SECOND]
    assert tuple(sequence.s2.bands) == L2A
    assert sequence.s2.pixels.shape == (2, 12, 48, 48)
    assert np.allclose(reflectance(sequence, "B04")[1], dn_of("B04", 10, SECOND)[0] * 1e-4)
    assert any("bands of 20 m resampled" in said and "B05" in said for said in warnings)
    assert any("bands of 60 m resampled" in said and "B01" in said for said in warnings)


@pytest.mark.parametrize(
    "container", ["folder", "folder of zips", "folder of bare zips", "zip of folders", "zip of zips", "mixed"]
)
def test_it_is_the_same_sequence_whatever_contains_it(tmp_path, container):
    made = [write_product(tmp_path / "plain", day, bands=FEW) for day in (FIRST, SECOND)]
    expected = read_sequence(tmp_path / "plain")
    with open_contents(tmp_path / "plain") as contents:
        fingerprint = contents.fingerprint
    given = tmp_path / "given"
    if container == "folder":
        given = tmp_path / "plain"
    elif container.startswith("folder of"):
        for product in made:
            zipped(product, given / f"{product.name}.zip", prefix="" if "bare" in container else None)
    elif container == "mixed":
        zipped(made[0], given / f"{made[0].name}.zip")
        made[1].rename(given / made[1].name)
    elif container == "zip of folders":
        given = zipped(tmp_path / "plain", tmp_path / "upload.zip", prefix="")
    else:
        for product in made:
            zipped(product, tmp_path / "zips" / f"{product.stem}.zip")  # without .SAFE, as some portals call it
        given = zipped(tmp_path / "zips", tmp_path / "upload.zip", prefix="")
    sequence = read_sequence(given)
    assert np.array_equal(sequence.s2.pixels, expected.s2.pixels)
    with open_contents(given) as contents:
        assert contents.fingerprint == fingerprint


def test_reflectance_is_that_after_the_offset_before_and_since_baseline_4(tmp_path):
    write_product(tmp_path, FIRST, bands=FEW)
    write_product(tmp_path, SECOND, bands=FEW, baseline="04.00", offset=-1000)
    with open_sequence(tmp_path) as source:
        sequence, warnings = source.read(), source.info.warnings
    for index, day in enumerate((FIRST, SECOND)):
        assert np.allclose(reflectance(sequence, "B02")[index], dn_of("B02", 10, day)[0] * 1e-4, atol=1e-6)
    assert any(f"S2 offset -1000 DN applied on {SECOND}" in said for said in warnings)


def test_no_data_is_0_before_the_offset_in_any_band(tmp_path):
    empty = dn_of("B03", 10, SECOND, offset=-1000)
    empty[0, :5] = 0
    write_product(tmp_path, FIRST, bands=FEW)
    write_product(tmp_path, SECOND, bands=FEW, baseline="05.09", offset=-1000, pixels={"B03": empty})
    sequence = read_sequence(tmp_path)
    assert not sequence.s2.observed[1, :5].any()
    assert (sequence.s2.pixels[1][:, :5] == 0).all()


def test_another_quantification_is_a_scale(tmp_path):
    write_product(tmp_path, FIRST, bands={"B02": 10, "B03": 10}, quantification=5000)
    write_product(tmp_path, SECOND, bands={"B02": 10, "B03": 10}, quantification=5000)
    assert np.allclose(reflectance(read_sequence(tmp_path), "B02")[0], dn_of("B02", 10, FIRST)[0] / 5000)


def test_the_scene_classification_is_the_cloud_mask(tmp_path):
    classes = np.full((24, 24), 4)
    classes[3:9, 5:12], classes[12:, 12:] = 9, 3
    for day in (FIRST, SECOND):
        write_product(tmp_path, day, bands=FEW, scl=classes)
    with open_sequence(tmp_path) as source:
        sequence, masks = source.read(), source.info.mask_source
    assert masks == "scl"
    expected = np.repeat(np.repeat(np.isin(classes, (9, 3)), 2, axis=0), 2, axis=1)
    assert np.array_equal(sequence.s2.observed[0], ~expected)


def test_tiles_of_a_day_are_put_together(tmp_path):
    for day in (FIRST, SECOND):
        write_product(tmp_path, day, bands=FEW)
        write_product(tmp_path, day, bands=FEW, tile="T31UGS", left=600_480.0)
    with open_contents(tmp_path) as contents:
        images = [whole(raster) for raster in contents.s2]
        assert any("put together" in said for said in contents.warnings)
    for day, image in zip((FIRST, SECOND), images, strict=True):
        assert np.array_equal(image[0], np.concatenate([dn_of("B02", 10, day)[0]] * 2, axis=1))
        assert (image > 0).all()


def test_tiles_of_a_day_with_different_offsets_are_brought_to_one(tmp_path):
    for day in (FIRST, SECOND):
        write_product(tmp_path, day, bands=FEW)
        late = {"baseline": "05.00", "offset": -1000} if day == SECOND else {}
        write_product(tmp_path, day, bands=FEW, tile="T31UGS", left=600_480.0, **late)
    with open_sequence(tmp_path) as source:
        sequence, warnings = source.read(), source.info.warnings
    expected = np.concatenate([dn_of("B02", 10, SECOND)[0]] * 2, axis=1) * 1e-4
    assert np.allclose(reflectance(sequence, "B02")[1], expected, atol=1e-6)
    assert any(f"tiles of {SECOND} have different offsets" in said for said in warnings)


def test_of_two_processings_of_an_acquisition_the_newest_counts_and_it_is_said(tmp_path):
    for day in (FIRST, SECOND):
        write_product(tmp_path, day, bands=FEW, baseline="02.14")
    newer = {band: dn_of(band, gsd_m, THIRD, offset=-1000) for band, gsd_m in FEW.items()}
    write_product(tmp_path, FIRST, bands=FEW, baseline="05.00", offset=-1000, pixels=newer, made="20250101T000000")
    with open_sequence(tmp_path) as source:
        sequence, warnings = source.read(), source.info.warnings
    assert np.allclose(reflectance(sequence, "B02")[0], dn_of("B02", 10, THIRD)[0] * 1e-4, atol=1e-6)
    assert any(f"{FIRST} in baseline 02.14, for there is 05.00" in said for said in warnings)


def test_a_product_that_is_there_twice_counts_once(tmp_path):
    made = [write_product(tmp_path / "in", day, bands=FEW) for day in (FIRST, SECOND)]
    zipped(made[0], tmp_path / "in" / f"{made[0].name}.zip")
    with open_contents(tmp_path / "in") as contents:
        assert len(contents.s2) == 2
        assert any(f"left out: {FIRST} in {made[0].name}" in said for said in contents.warnings)
        assert not any("put together" in said for said in contents.warnings)


@pytest.mark.parametrize("around", ["S2", "2022"])
def test_a_folder_of_the_user_s_may_lie_around_the_products(tmp_path, around):
    for day in (FIRST, SECOND):
        write_product(tmp_path / around, day, bands=FEW)
        write_tif(
            tmp_path / "S1" / f"{day}.tif", s1_db(1, 48, 48)[0], transform=from_origin(600_000, 5_600_000, 10, 10)
        )
    with open_contents(tmp_path) as contents:
        assert (len(contents.s2), len(contents.s1)) == (2, 2)


def test_the_client_sends_what_the_reader_reads(tmp_path):
    made = [write_product(tmp_path / "in", day, bands=FEW) for day in (FIRST, SECOND)]
    zipped(made[1], tmp_path / "in" / f"{made[1].name}.zip")
    shutil.rmtree(made[1])
    with open_contents(tmp_path / "in") as contents, packed(tmp_path / "in", on_bytes=lambda *_: None) as payload:
        fingerprint = contents.fingerprint
        with open_contents(payload.file, name=payload.name) as sent:
            assert sent.fingerprint == fingerprint


def test_headers_carry_what_the_metadata_state(tmp_path):
    for day in (FIRST, SECOND):
        write_product(tmp_path, day, bands=FEW, baseline="05.09", offset=-1000, orbit=8)
    with open_contents(tmp_path) as contents:
        header = contents.s2[0].header
    assert (header.product.baseline, header.product.add_offset) == ("05.09", -1000)
    assert (header.orbit, header.nodata) == ("D008", 0)
    assert header.name.startswith(product_name(FIRST, baseline="05.09", orbit=8))


def test_a_product_whose_folder_was_renamed_is_known_by_its_metadata(tmp_path):
    write_product(tmp_path, FIRST, bands=FEW, folder="first")
    write_product(tmp_path, SECOND, bands=FEW, folder="second", baseline="04.00", offset=-1000)
    with open_contents(tmp_path) as contents:
        assert [str(raster.header.date) for raster in contents.s2] == [FIRST, SECOND]
        assert contents.s2[1].header.product.add_offset == -1000


def test_products_without_metadata_are_read_by_their_names_and_it_is_said(tmp_path):
    for day in (FIRST, SECOND):
        (write_product(tmp_path, day, bands=FEW) / "MTD_MSIL2A.xml").unlink()
    with open_sequence(tmp_path) as source:
        assert [str(day) for day in source.info.dates] == [FIRST, SECOND]
        assert any("no metadata" in said for said in source.info.warnings)


def test_level_1c_is_read_with_all_13_bands(tmp_path):
    write_product(tmp_path, FIRST, level="L1C")
    write_product(tmp_path, SECOND, level="L1C", baseline="04.00", offset=-1000)
    with open_sequence(tmp_path, ReconstructionConfig(cloud_detector="rules")) as source:
        sequence = source.read()
    assert sequence.s2.pixels.shape == (2, 13, 48, 48)
    assert np.allclose(reflectance(sequence, "B08")[1], dn_of("B08", 10, SECOND)[0] * 1e-4, atol=1e-6)


def test_levels_are_not_mixed(tmp_path):
    write_product(tmp_path, FIRST, bands=FEW)
    write_product(tmp_path, SECOND, level="L1C", bands=FEW)
    with pytest.raises(InputError, match=rf"of {FIRST} is Level-2A, .* of {SECOND} is Level-1C: .*leave one of them"):
        open_sequence(tmp_path)


def test_bands_that_a_product_lacks_are_left_out_and_it_is_said(tmp_path):
    for day in (FIRST, SECOND, THIRD):
        write_product(tmp_path, day, bands=FEW, absent=("B04",) if day == SECOND else ())
    with open_sequence(tmp_path) as source:
        assert tuple(source.info.bands) == ("B02", "B03", "B05")
        said = " ".join(source.info.warnings)
    assert f"incomplete, for its metadata list more: without B04 ({product_name(SECOND)})" in said
    assert f"bands left out on all dates: B04, for {SECOND} lack some of them" in said


def test_a_single_product_is_no_sequence_and_what_it_lacks_is_said_too(tmp_path):
    write_product(tmp_path, FIRST, bands=FEW, absent=("B04", "B05"))
    words = rf"is the only S2 date, {FIRST}; a sequence needs at least 2; and it is incomplete.*: without B04, B05$"
    with pytest.raises(MissingDataError, match=words):
        open_sequence(tmp_path)


def test_metadata_without_images_are_no_product(tmp_path):
    write_product(tmp_path, FIRST, bands=FEW)
    write_product(tmp_path, SECOND, bands=FEW, absent=tuple(FEW))
    words = rf"^{product_name(SECOND)}: holds metadata alone, the image files are missing .*of B02, B03, B04, B05"
    with pytest.raises(MissingDataError, match=words):
        open_sequence(tmp_path)


@pytest.mark.parametrize("in_zip", [False, True])
def test_products_of_sentinel_1_beside_are_left_out_and_the_remedy_is_said(tmp_path, in_zip):
    for day in (FIRST, SECOND):
        write_product(tmp_path / "in", day, bands=FEW)
    radar = tmp_path / "in" / "S1A_IW_GRDH_1SDV_20220605T173953_20220605T174018_039156_049F13_6FF8.SAFE"
    (radar / "measurement").mkdir(parents=True)
    (radar / "measurement" / "x.tiff").write_bytes(b"")
    given = zipped(tmp_path / "in", tmp_path / "in.zip", prefix="") if in_zip else tmp_path / "in"
    with open_sequence(given) as source:
        (said,) = [said for said in source.info.warnings if "S1 is left out" in said]
    assert radar.name in said
    assert "HyP3" in said


def test_images_beside_that_are_not_read_are_named(tmp_path):
    for day in (FIRST, SECOND):
        write_product(tmp_path, day, bands=FEW)
    write_tif(tmp_path / "S1A_IW_20220605T173953_DVP_RTC30_G_gpuned_6FF8" / "VV.tif", s1_db(1)[0])
    with open_contents(tmp_path) as contents:
        assert any("images beside the products are not read: S1A_IW_2022" in said for said in contents.warnings)


def test_s1_and_masks_in_folders_of_their_own_are_taken_along(tmp_path):
    place = {"transform": from_origin(600_000, 5_600_000, 10, 10)}
    cloud = np.zeros((1, 48, 48), np.uint8)
    cloud[0, :7] = 1
    for day in (FIRST, SECOND):
        write_product(tmp_path, day, bands=FEW)
        write_tif(tmp_path / "S1" / f"{day}.tif", s1_db(1, 48, 48)[0], bands=("VV", "VH"), **place)
        write_tif(tmp_path / "MASK" / f"{day}.tif", cloud, **place)
    sequence = read_sequence(tmp_path)
    assert sequence.s1.pixels.shape == (2, 2, 48, 48)
    assert not sequence.s2.observed[:, :7].any()
    assert sequence.s2.observed[:, 7:].all()


# Real products.


def test_the_real_level_2a_product_is_said_to_be_alone_and_incomplete(shared_data):
    (product,) = (shared_data / "formats" / "safe").glob("S2A_MSIL2A*.SAFE")
    words = r"is the only S2 date, 2022-10-05.*without B01, B02.*; in 60 m alone: B04, B8A, SCL$"
    with pytest.raises(MissingDataError, match=words):
        open_sequence(product)


def test_the_real_level_1c_product_without_images_is_refused_in_words(shared_data):
    (product,) = (shared_data / "formats" / "safe").glob("S2A_MSIL1C*.zip")
    with pytest.raises(MissingDataError, match=r"holds metadata alone, the image files are missing .*of B01, B02"):
        open_sequence(product)


def test_real_metadata_are_understood(shared_data):
    (product,) = (shared_data / "formats" / "safe").glob("S2A_MSIL2A*.SAFE")
    metadata = read_metadata(product / "MTD_MSIL2A.xml", name="x")
    assert metadata.uri == product.name
    assert (metadata.baseline, metadata.orbit, metadata.datatake) == ("04.00", "D023", "20221005T115411")
    assert set(metadata.add_offsets.values()) == {-1000}
    assert len(metadata.add_offsets) == 13
    assert (metadata.quantification, metadata.nodata) == (10_000, 0)
    assert {("B02", 10), ("B01", 20), ("SCL", 20)} <= metadata.images


def test_two_dates_of_the_real_product_are_a_sequence(tmp_path, shared_data):
    """The second is the first again under another date: pixels, offset and classes are the real ones."""
    (product,) = (shared_data / "formats" / "safe").glob("S2A_MSIL2A*.SAFE")
    for day in ("20221005", "20221010"):
        target = tmp_path / product.name.replace("20221005", day)
        for path in (*product.rglob("*_60m.jp2"), product / "MTD_MSIL2A.xml"):
            copy = target / path.relative_to(product).as_posix().replace("20221005", day)
            copy.parent.mkdir(parents=True, exist_ok=True)
            os.symlink(path, copy) if path.suffix == ".jp2" else copy.write_text(
                path.read_text().replace("2022-10-05", f"{day[:4]}-{day[4:6]}-{day[6:]}")
            )
    with open_contents(tmp_path) as contents:
        first, second = contents.s2
        assert first.header.descriptions == ("B04", "B8A")
        assert (first.header.product.add_offset, first.header.orbit) == (-1000, "D023")
        window = Window(900, 1000, 900, 1000)
        assert np.array_equal(first.read(window), second.read(window))
        assert [str(raster.header.date) for raster in contents.scl] == ["2022-10-05", "2022-10-10"]
        assert whole(contents.scl[0]).max() <= 11
