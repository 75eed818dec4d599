"""Images of no fixed layout are sequences: what names, descriptions and metadata say is enough."""

import numpy as np
import pytest
from loose_images import DAYS, SIDE, classes, compact, db, dn, packed, read, said, write

from seq2seq.readers import images, open_contents
from seq2seq.readers.formats import sensor_folders
from seq2seq.writers.working_copy import write_working_copy

L2A = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B11", "B12")


def earth_engine(root, *, collection="S2_SR_HARMONIZED"):
    """A day a file, S2 in integers, S1 in dB with the angle, on days of its own."""
    for index, day in enumerate(DAYS):
        name = f"{compact(day)}T105031_{compact(day)}T105027_T31UFS.tif"
        write(root, f"{collection}/{name}", dn(index, 12), bands=L2A)
        radar = np.concatenate([db(index, 2), np.full((1, SIDE, SIDE), 38.0, np.float32)])
        radar[:, 0, :3] = -np.inf
        name = f"S1A_IW_GRDH_1SDV_{compact(day)}T173953_{compact(day)}T174018_039156_049F13_6FF8.tif"
        write(root, f"S1_GRD/{name}", radar, bands=("VV", "VH", "angle"))
    return root


def test_an_export_of_earth_engine_with_radar(tmp_path):
    info, sequence = read(earth_engine(tmp_path))
    assert [str(day) for day in info.dates] == list(DAYS)
    assert info.bands[:2] == ("B01", "B02")
    assert info.bands[8] == "B8A"
    assert np.allclose(sequence.s2.pixels[1], dn(1, 12) * 1e-4, atol=1e-6)
    assert info.s1_bands == ("VV", "VH")
    assert info.s1_units == "db (from the values)"
    assert not sequence.s1.observed[0, 0, :3].any()
    assert sequence.s1.observed[0, 1:].all()
    assert said(info, "ignored: angle")


def test_harmonised_exports_state_that_no_offset_is_left(tmp_path):
    with open_contents(earth_engine(tmp_path)) as contents:
        assert contents.s2[0].header.product.add_offset == 0
        assert contents.s1[0].header.orbit == f"A{(39156 - 73) % 175 + 1:03d}"
    with open_contents(earth_engine(tmp_path / "other", collection="S2_SR")) as contents:
        assert contents.s2[0].header.product.add_offset is None


@pytest.mark.parametrize("scale", [1, 1e-4])
def test_floating_point_of_earth_engine_is_reflectance_or_digital_numbers(tmp_path, scale):
    for index, day in enumerate(DAYS):
        pixels = dn(index, 12).astype(np.float64) * scale
        pixels[:, 0] = 0 if index else np.nan
        write(tmp_path, f"{compact(day)}T105031_{compact(day)}T105027_T31UFS.tif", pixels, bands=L2A)
    info, sequence = read(tmp_path)
    assert np.allclose(sequence.s2.pixels[1, :, 1:], dn(1, 12)[:, 1:] * 1e-4, atol=1e-6)
    assert not sequence.s2.observed[:, 0].any()
    assert said(info, "taken as reflectance x 10000") == (scale == 1)


def test_parts_of_a_large_export_are_put_together(tmp_path):
    whole = dn(0, 4, 32)
    for day in DAYS:
        for row in (0, 16):
            for column in (0, 16):
                name = f"S2_{day}-{row:010d}-{column:010d}.tif"
                part = whole[:, row : row + 16, column : column + 16]
                transform = (10, 0, 600_000 + 10 * column, 0, -10, 5_600_000 - 10 * row)
                write(tmp_path, name, part, bands=("B2", "B3", "B4", "B8"), transform=transform)
    info, sequence = read(tmp_path)
    assert info.shape == (3, 4, 32, 32)
    assert np.allclose(sequence.s2.pixels[2], whole * 1e-4, atol=1e-6)


def stack(order):
    """(pixels, descriptions) of three days in one file; order: how a day and a band are written."""
    bands = ("B2", "B8")
    pixels = np.concatenate([dn(index, 2) for index in range(len(DAYS))])
    return pixels, [order(index, day, band) for index, day in enumerate(DAYS) for band in bands]


@pytest.mark.parametrize(
    "order",
    [
        lambda index, day, band: f"{compact(day)}_{band}",
        lambda index, day, band: f"{band}_{day}",
        lambda index, day, band: f"{compact(day)}T105031_{compact(day)}T105027_T31UFS_{band}",
        lambda index, day, band: f"{index}_{band}",
        lambda index, day, band: f"{band}_{index}" if index else band,
    ],
)
@pytest.mark.parametrize("interleave", ["pixel", "band"])
def test_many_dates_as_bands_of_one_file(tmp_path, order, interleave):
    pixels, bands = stack(order)
    path = write(tmp_path, "98-togo_2020-06-04_2020-06-19.tif", pixels, bands=bands, interleave=interleave)
    info, sequence = read(path)
    assert [str(day) for day in info.dates] == list(DAYS)
    assert info.bands == ("B02", "B08")
    for index in range(len(DAYS)):
        assert np.allclose(sequence.s2.pixels[index], dn(index, 2) * 1e-4, atol=1e-6)


def test_scenes_of_a_day_in_one_file_are_pieces_and_passes_of_radar_are_told_apart(tmp_path):
    """As `toBands()` of a collection names bands, where a place lies in two tiles and two radar passes."""
    pixels, bands = [], []
    for index, day in enumerate(DAYS):
        image = dn(index, 2) * 1.0
        for tile, rows in (("T31UFS", slice(0, 12)), ("T31UFT", slice(12, SIDE))):
            piece = np.full_like(image, np.nan)
            piece[:, rows] = image[:, rows]
            pixels.append(piece)
            bands += [f"{compact(day)}T105031_{compact(day)}T105027_{tile}_{band}" for band in ("B2", "B8")]
        for time, orbit, seed in (("T174018", 39156, 1), ("T055112", 39149, 2))[: 2 if index else 1]:
            pixels.append(db(seed, 2).astype(float))
            stem = f"S1A_IW_GRDH_1SDV_{compact(day)}{time}_{compact(day)}{time}_{orbit:06d}_049F13_6FF8"
            bands += [f"{stem}_{band}" for band in ("VV", "VH")]
    info, sequence = read(write(tmp_path, "stack.tif", np.concatenate(pixels), bands=bands))
    assert [str(day) for day in info.dates] == list(DAYS)
    assert np.allclose(sequence.s2.pixels[1], dn(1, 2) * 1e-4, atol=1e-6)
    assert sequence.s2.observed.all()
    assert np.allclose(sequence.s1.pixels, db(1, 2)[None], atol=1e-4)
    assert said(info, f"S1 passed twice on {DAYS[1]}, {DAYS[2]}")


def test_dates_alone_as_descriptions_are_of_the_band_in_the_name(tmp_path):
    for seed, band in enumerate(("B02", "B08")):
        pixels = np.concatenate([dn(10 * index + seed) for index in range(len(DAYS))])
        write(tmp_path, f"fields/{band}.tif", pixels, bands=DAYS)
    info, sequence = read(tmp_path)
    assert [str(day) for day in info.dates] == list(DAYS)
    assert np.allclose(sequence.s2.pixels[1, 1], dn(11)[0] * 1e-4, atol=1e-6)


def test_the_months_of_cropharvest(shared_data):
    path = shared_data / "formats/gee/98-togo_2019-02-06_2020-02-01.tif"
    if not path.exists():
        pytest.skip(f"{path} is absent")
    info, sequence = read(path)
    assert [str(day) for day in info.dates[[0, 1, 11]]] == ["2019-02-06", "2019-03-08", "2020-01-02"]
    assert len(info.bands) == 13
    assert np.median(sequence.s2.pixels[0, 1]) == pytest.approx(0.1797, abs=1e-3)
    assert (info.s1_dates == info.dates).all()
    assert said(info, "ignored: temperature_2m, total_precipitation, elevation, slope")


def sits(root):
    for index, day in enumerate(DAYS):
        for seed, band in enumerate(("B02", "B8A", "B11")):
            write(root, f"SENTINEL-2_MSI_20LKP_{band}_{day}.tif", dn(10 * index + seed))
        write(root, f"SENTINEL-2_MSI_20LKP_CLOUD_{day}.tif", classes())
        for seed, band in enumerate(("VV", "VH")):
            power = (10 ** (db(seed) / 10)).astype(np.float32)
            write(root, f"SENTINEL-1_GRD_20LKP_{band}_{day}.tif", power)
    return root


def test_a_cube_of_sits(tmp_path):
    info, sequence = read(sits(tmp_path))
    assert info.bands == ("B02", "B8A", "B11")
    assert info.mask_source == "scl"
    assert not sequence.s2.observed[:, :6].any()
    assert sequence.s2.observed[:, 6:].all()
    assert np.allclose(sequence.s2.pixels[2, 1], dn(21)[0] * 1e-4, atol=1e-6)
    assert np.allclose(sequence.s1.pixels[0, 1], db(1)[0], atol=1e-4)
    assert info.s1_units == "linear (from the values)"


def test_a_zip_is_the_same_input_as_its_folder_also_with_a_folder_around_it(tmp_path):
    root = sits(tmp_path / "around" / "cube")
    archives = [packed(root, tmp_path / "a.zip"), packed(root.parent, tmp_path / "b.zip")]
    inputs = [read(path) for path in (root, root.parent, *archives)]
    assert len({info.fingerprint for info, _ in inputs}) == 1
    assert all(np.array_equal(sequence.s2.pixels, inputs[0][1].s2.pixels) for _, sequence in inputs)


@pytest.mark.parametrize("tree", [earth_engine, sits])
def test_a_working_copy_holds_the_same_sequence(tmp_path, tree):
    """As the service makes one of an upload: nothing of it may need the original's names."""
    original = tree(tmp_path / "in")
    archive, copy = packed(original, tmp_path / "upload"), tmp_path / "copy"
    copy.mkdir()
    with open_contents(archive, name="mine.zip") as contents:
        write_working_copy(contents, copy, origin="mine.zip", on_raster=lambda *_: None)
    (info, sequence), (again, copied) = read(original), read(copy)
    assert again.warnings == info.warnings
    assert again.fingerprint == info.fingerprint
    assert np.array_equal(copied.s2.pixels, sequence.s2.pixels)
    assert np.array_equal(copied.cloud_mask, sequence.cloud_mask)
    assert np.array_equal(copied.s1.pixels, sequence.s1.pixels)


@pytest.mark.parametrize("masks", ["S2/{day}_SCL.tif", "SCL/{day}.tif"])
def test_a_folder_s2_with_a_file_a_band_is_no_folder_with_a_file_a_date(tmp_path, masks):
    for index, day in enumerate(DAYS):
        for seed, band in enumerate(("B02", "B08")):
            write(tmp_path, f"S2/{day}_{band}.tif", dn(10 * index + seed))
        write(tmp_path, masks.format(day=day), classes())
        write(tmp_path, f"S1/{day}.tif", db(index, 2))
    info, sequence = read(tmp_path)
    assert info.bands == ("B02", "B08")
    assert np.allclose(sequence.s2.pixels[1, 1], dn(11)[0] * 1e-4, atol=1e-6)
    assert info.mask_source == "scl"
    assert info.s1_bands == ("VV", "VH")


def test_a_result_of_ours_is_read_as_images_and_masks_without_their_uncertainty(tmp_path):
    for index, day in enumerate(DAYS):
        write(tmp_path, f"declouded/{day}.tif", dn(index, 4), bands=("B02", "B03", "B04", "B08"))
        write(tmp_path, f"uncertainty/{day}.tif", dn(9, 4) * 1e-4, bands=("B02", "B03", "B04", "B08"))
        write(tmp_path, f"cloud_mask/{day}.tif", np.zeros((1, SIDE, SIDE), np.uint8))
    info, sequence = read(tmp_path)
    assert np.allclose(sequence.s2.pixels[1], dn(1, 4) * 1e-4, atol=1e-6)
    assert info.mask_source == "user"


def test_names_of_images_are_those_that_something_opens():
    assert sensor_folders.SUFFIXES == images.SUFFIXES
