import shutil

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin
from sequence_files import BANDS, DATES, HEIGHT, TRANSFORM, WIDTH, pack, s1_db, s2_dn, write_sequence, write_tif

from seq2seq.config import ReconstructionConfig
from seq2seq.radiometry import Radiometry, to_linear
from seq2seq.readers import open_sequence, read_sequence
from seq2seq.readers.clouds.finishing import Finishing
from seq2seq.readers.clouds.rules import rule_detector
from seq2seq.readers.clouds.s2cloudless import s2cloudless_installed
from seq2seq.readers.contents import Window
from seq2seq.readers.masking import Detecting, Masking
from seq2seq.readers.packed import PackedMask
from seq2seq.readers.scan import plan_blocks, scan

RULES = ReconstructionConfig(cloud_detector="rules")


def assert_same_observations(a, b):
    assert np.array_equal(a.s2.pixels, b.s2.pixels)
    assert np.array_equal(a.cloud_mask, b.cloud_mask)
    assert np.array_equal(a.s2.observed, b.s2.observed)
    assert (a.s1 is None) == (b.s1 is None)
    if a.s1 is not None and b.s1 is not None:
        assert np.array_equal(a.s1.pixels, b.s1.pixels)
        assert np.array_equal(a.s1.observed, b.s1.observed)


def cloudy_s2():
    s2 = s2_dn()
    s2[1, :, 4:12, 5:15] = 6000 + np.arange(10, dtype=np.uint16)
    return s2


def random_masks(seed=3):
    return np.random.default_rng(seed).random((len(DATES), HEIGHT, WIDTH)) > 0.7


@pytest.fixture
def whole_input(tmp_path):
    return write_sequence(tmp_path / "input", s2=cloudy_s2(), s1=s1_db(), masks=random_masks())


def test_pixels_dates_bands_and_grid_are_those_of_the_files(tmp_path):
    s2, s1, masks = s2_dn(), s1_db(), random_masks()
    s2[2, :, :3] = 0
    observations = read_sequence(write_sequence(tmp_path, s2=s2, s1=s1, masks=masks))
    assert observations.s2.bands == BANDS
    assert observations.s2.dates.astype(str).tolist() == list(DATES)
    assert observations.s2.geobox.crs.epsg == 32631
    assert observations.s2.geobox.affine == TRANSFORM
    assert np.allclose(observations.s2.pixels, s2 * 1e-4)
    assert np.array_equal(observations.s1.pixels, s1)
    assert np.array_equal(observations.cloud_mask, masks | (s2 == 0).any(axis=1))
    assert np.array_equal(observations.s2.observed, ~observations.cloud_mask)


@pytest.mark.parametrize("config", [ReconstructionConfig(), RULES, ReconstructionConfig(cloud_buffer_px=2)])
def test_a_window_equals_the_crop_of_the_whole(whole_input, config):
    with open_sequence(whole_input, config) as source:
        whole = source.read()
        for rows, columns in [((0, 24), (0, 32)), ((3, 10), (5, 31)), ((23, 24), (0, 1)), ((8, 24), (7, 9))]:
            window = slice(*rows), slice(*columns)
            assert_same_observations(source.read(*window), whole.crop(*window))
            assert source.read(*window).s2.geobox == whole.s2.geobox[window]


def test_an_empty_window_is_refused(whole_input):
    with open_sequence(whole_input) as source, pytest.raises(ValueError, match="empty"):
        source.read(slice(5, 5))


@pytest.mark.parametrize("prefix", ["", "my sequence/"])
def test_an_archive_reads_like_its_folder(whole_input, tmp_path, prefix):
    archive = pack(whole_input, tmp_path / "input.zip", prefix)
    assert_same_observations(read_sequence(archive), read_sequence(whole_input))
    with open_sequence(archive) as packed, open_sequence(whole_input) as plain:
        assert packed.info.fingerprint == plain.info.fingerprint
        assert packed.info.path == archive


def test_the_fingerprint_follows_content_not_place_or_time(whole_input, tmp_path):
    def fingerprint(root):
        with open_sequence(root) as source:
            return source.info.fingerprint

    copy = shutil.copytree(whole_input, tmp_path / "copy", copy_function=shutil.copyfile)
    assert fingerprint(copy) == fingerprint(whole_input)
    changed = cloudy_s2()
    changed[3, 1, 2, 3] += 1
    write_tif(copy / "S2" / f"{DATES[3]}.tif", changed[3], bands=BANDS, nodata=0)
    assert fingerprint(copy) != fingerprint(whole_input)


def test_the_result_does_not_depend_on_the_blocks_of_the_opening_pass(whole_input):
    with open_sequence(whole_input, RULES) as source:
        # a short reach, so that blocks are real ones
        finishing = Finishing.of(gsd_m=500.0, given_px=0, detected_px=1, least_px=3, holes_px=3)
        everywhere = Detecting("rules", rule_detector(BANDS), (True,) * 5)
        masking = Masking((), (everywhere,), "rules", finishing, (None,) * 5)
        shape, everything = (HEIGHT, WIDTH), Window(0, HEIGHT, 0, WIDTH)
        whole, blocks = (scan(source._s2, source._pairing, masking, shape=shape, side=side) for side in (max(shape), 8))
    assert np.array_equal(whole.cloud_mask.read(everything), blocks.cloud_mask.read(everything))
    assert np.array_equal(whole.cloud_fractions, blocks.cloud_fractions)
    assert np.array_equal(whole.s1_fractions, blocks.s1_fractions)
    assert 0 < whole.cloud_fractions[1] < 1


@pytest.mark.parametrize("chunk", [(4, 100), (64, 64)])
@pytest.mark.parametrize("side", [1, 8, 30, 500])
def test_blocks_cover_every_pixel_once_and_start_at_whole_bytes(side, chunk):
    counts = np.zeros((70, 100), dtype=int)
    for block in plan_blocks((70, 100), side=side, chunk=chunk):
        assert block.column % 8 == 0
        counts[block.slices] += 1
    assert (counts == 1).all()


def test_a_packed_mask_gives_back_what_was_written():
    values = np.random.default_rng(0).random((3, 11, 29)) > 0.5
    packed = PackedMask(values.shape)
    for block in plan_blocks((11, 29), side=8, chunk=(8, 8)):
        packed.write(block, values[:, *block.slices])
    for window in (Window(0, 11, 0, 29), Window(2, 3, 7, 9), Window(1, 10, 9, 28)):
        assert np.array_equal(packed.read(window), values[:, *window.slices])


def test_cloud_fractions_are_those_of_the_masks(whole_input):
    with open_sequence(whole_input) as source:
        assert np.allclose(source.cloud_fractions, source.read().cloud_mask.mean(axis=(1, 2)))
        assert np.allclose(source.s1_fractions, 1)
        assert not source.no_data_fractions.any()


def test_bands_are_read_from_descriptions_of_several_spellings(tmp_path):
    root = write_sequence(tmp_path, bands=("b2", "B03", " 4 ", "B8A"))
    assert read_sequence(root).s2.bands == ("B02", "B03", "B04", "B8A")


@pytest.mark.parametrize(("count", "last"), [(4, "B08"), (10, "B12"), (12, "B12"), (13, "B12")])
def test_without_descriptions_the_documented_order_is_taken_and_said(tmp_path, count, last):
    with open_sequence(write_sequence(tmp_path, s2=s2_dn(bands=count), bands=None), RULES) as source:
        assert len(source.info.bands) == count
        assert source.info.bands[-1] == last
        assert any("no names" in warning for warning in source.info.warnings)


def test_dates_are_found_in_the_names_of_products(tmp_path):
    names = (
        "20200801.tif",
        "2020-08-11_clip.TIF",
        "S2A_MSIL2A_20200821T105031_N0214_R051_T31UFS_20200822T134542.tif",
        "T31UFS_20200831T105031.tiff",
    )
    for index, name in enumerate(names):
        write_tif(tmp_path / "S2" / name, s2_dn()[index], bands=BANDS)
    assert read_sequence(tmp_path).s2.dates.astype(str).tolist() == list(DATES[:4])


def test_linear_power_becomes_db_and_this_is_reported(tmp_path):
    db = s1_db()
    linear = to_linear(db)
    linear[0, :, :2] = 0  # no return: outside the swath
    linear[1, 0, 5, 5] = -0.001  # noise subtracted too much
    root = write_sequence(tmp_path, s1=linear)
    with open_sequence(root) as source:
        assert source.info.s1_units == "linear (from the values)"
        s1 = source.read().s1
    assert not s1.observed[0, :2].any()
    assert not s1.observed[1, 5, 5]
    assert s1.observed.sum() == s1.observed.size - 2 * WIDTH - 1
    assert np.allclose(
        s1.pixels.swapaxes(1, 2).swapaxes(2, 3)[s1.observed], np.moveaxis(db, 1, -1)[s1.observed], atol=1e-4
    )
    with open_sequence(root, ReconstructionConfig(s1_units="linear")) as source:
        assert source.info.s1_units == "linear (as set)"


def test_nan_in_s1_is_the_border_of_the_swath(tmp_path):
    s1 = s1_db()
    s1[2, 1, :, :7] = np.nan
    observations = read_sequence(write_sequence(tmp_path, s1=s1))
    assert not observations.s1.observed[2, :, :7].any()
    assert observations.s1.observed[2, :, 7:].all()
    assert np.isfinite(observations.s1.pixels).all()


def test_each_date_gets_the_nearest_s1_within_the_limit_and_says_which(tmp_path):
    root, s1 = write_sequence(tmp_path), s1_db()
    for index, date in enumerate(("2020-08-06", "2020-08-12", "2020-11-01")):
        write_tif(root / "S1" / f"{date}.tif", s1[index], bands=("VV", "VH"))
    with open_sequence(root, ReconstructionConfig(s1_max_days=9)) as source:
        info, observations = source.info, source.read()
    expected = ["2020-08-06", "2020-08-12", "2020-08-12", "NaT", "NaT"]
    assert info.s1_dates.astype(str).tolist() == expected
    assert info.s1_acquisitions.astype(str).tolist() == ["2020-08-06", "2020-08-12", "2020-11-01"]
    assert any("2020-08-31, 2020-09-10" in warning for warning in info.warnings)
    assert np.array_equal(observations.s1.pixels[:3], s1[[0, 1, 1]])
    assert observations.s1.observed.mean(axis=(1, 2)).tolist() == [1, 1, 1, 0, 0]
    assert np.array_equal(observations.s1_dates, info.s1_dates, equal_nan=True)


def test_without_s1_or_with_none_near_enough_it_warns_and_goes_on(tmp_path):
    root = write_sequence(tmp_path)
    with open_sequence(root) as source:
        assert source.info.warnings == ("no S1: the result rests on optical data alone",)
        assert source.info.s1_bands == ()
        assert np.isnat(source.info.s1_dates).all()
        assert source.read().s1 is None
    write_tif(root / "S1" / "2021-09-10.tif", s1_db()[0], bands=("VV", "VH"))
    with open_sequence(root) as source:
        assert "the nearest is 365 days away" in source.info.warnings[0]
        assert source.read().s1 is None


@pytest.mark.parametrize("bands", [("HH", "HV"), ("Sigma0_VH_db",), None])
def test_other_polarisations_and_single_ones_are_read(tmp_path, bands):
    root, s1 = write_sequence(tmp_path), s1_db()[:, : len(bands or "12")]
    for index, date in enumerate(DATES):
        write_tif(root / "S1" / f"{date}.tif", s1[index], bands=bands)
    with open_sequence(root) as source:
        assert (
            source.info.s1_bands
            == {None: ("VV", "VH"), "HH": ("HH", "HV"), "Sigma0_VH_db": ("VH",)}[(bands or [None])[0]]
        )
        assert np.array_equal(source.read().s1.pixels, s1)


def test_s1_on_another_grid_is_brought_to_that_of_s2(tmp_path):
    """A plane stays a plane under bilinear interpolation, so its values on S2's grid are known."""
    root = write_sequence(tmp_path)
    rows, columns = np.mgrid[:40, :40]
    east, north = 599_900 + 20 * (columns + 0.5), 5_600_100 - 20 * (rows + 0.5)
    plane = -12 + (east - 600_000) / 200 + (north - 5_600_000) / 400
    pixels = np.stack([plane, plane - 6]).astype(np.float32)
    for date in DATES:
        write_tif(
            root / "S1" / f"{date}.tif", pixels, bands=("VV", "VH"), transform=from_origin(599_900, 5_600_100, 20, 20)
        )
    with open_sequence(root) as source:
        observations = source.read()
        part = source.read(slice(5, 12), slice(9, 30))
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    expected = -12 + 10 * (columns + 0.5) / 200 - 10 * (rows + 0.5) / 400
    assert np.allclose(observations.s1.pixels[0, 0], expected, atol=1e-3)
    assert np.allclose(observations.s1.pixels[3, 1], expected - 6, atol=1e-3)
    assert observations.s1.observed.all()
    assert_same_observations(part, observations.crop(slice(5, 12), slice(9, 30)))


def test_s1_in_another_crs_that_covers_half_of_s2_is_observed_there_only(tmp_path):
    root = write_sequence(tmp_path)
    # EPSG:3857 is about 1.57 times as large as the ground here; its left edge cuts S2 somewhere in the middle
    for index, date in enumerate(DATES):
        pixels = np.repeat(np.repeat(s1_db(height=20, width=20)[index], 3, axis=1), 3, axis=2)
        left, top = 491_316, 6_541_100
        write_tif(
            root / "S1" / f"{date}.tif",
            pixels,
            bands=("VV", "VH"),
            crs="EPSG:3857",
            transform=from_origin(left, top, 16, 16),
        )
    with open_sequence(root) as source:
        whole = source.read()
        part = source.read(slice(3, 20), slice(10, 25))
    assert 0.2 < whole.s1.observed.mean() < 0.8
    assert whole.s1.observed[0].mean(axis=0)[-1] == 1
    assert whole.s1.observed[0].mean(axis=0)[0] == 0
    assert_same_observations(part, whole.crop(slice(3, 20), slice(10, 25)))


def test_scale_and_offset_tags_are_obeyed_also_where_files_differ(tmp_path):
    root, dn = write_sequence(tmp_path), s2_dn()
    tags = {"scales": (1e-4,) * 4, "offsets": (-0.1,) * 4}
    for index in (3, 4):
        write_tif(root / "S2" / f"{DATES[index]}.tif", dn[index] + np.uint16(1000), bands=BANDS, nodata=0, **tags)
    with open_sequence(root) as source:
        assert source.info.radiometry == Radiometry("uint16", 1e-4, 0.0, 0)
        assert any("2020-08-31" in warning and "differ" in warning for warning in source.info.warnings)
        assert np.allclose(source.read().s2.pixels, dn * 1e-4)


def test_float_reflectance_with_declared_nan_is_read_as_it_is(tmp_path):
    reflectance = (s2_dn() * 1e-4).astype(np.float32)
    reflectance[1, 2, 3, 4] = np.nan
    observations = read_sequence(write_sequence(tmp_path, s2=reflectance, nodata=float("nan")))
    assert not observations.s2.observed[1, 3, 4]
    assert observations.s2.observed.sum() == observations.s2.observed.size - 1
    assert np.isfinite(observations.s2.pixels).all()
    assert np.array_equal(observations.s2.pixels[0], reflectance[0])


def test_a_date_without_any_data_is_kept_and_unobserved(tmp_path):
    s2 = s2_dn()
    s2[2] = 0
    with open_sequence(write_sequence(tmp_path, s2=s2, nodata=None)) as source:
        assert source.no_data_fractions.tolist() == [0, 0, 1, 0, 0]
        assert not source.read().s2.observed[2].any()


def test_the_users_mask_is_used_as_it_is_and_grown_only_on_request(tmp_path):
    masks = np.zeros((len(DATES), HEIGHT, WIDTH), dtype=bool)
    masks[1, 10, 10] = True
    root = write_sequence(tmp_path, masks=masks)
    with open_sequence(root) as source:
        assert source.info.mask_source == "user"
        assert np.array_equal(source.read().cloud_mask, masks)
    assert read_sequence(root, ReconstructionConfig(cloud_buffer_px=1)).cloud_mask.sum() == 5


def test_dates_without_a_mask_are_detected_and_named(tmp_path):
    root = write_sequence(tmp_path, s2=cloudy_s2(), masks=np.zeros((len(DATES), HEIGHT, WIDTH)))
    (root / "MASK" / f"{DATES[1]}.tif").rename(root / "MASK" / "2020-12-24.tif")
    with open_sequence(root) as source:
        assert source.info.mask_source == "user"
        assert any(f"MASK lacks {DATES[1]}" in warning for warning in source.info.warnings)
        assert any("ignored: 2020-12-24" in warning for warning in source.info.warnings)
        found = source.read().cloud_mask
    assert found[1, 5:11, 6:14].all()
    assert not found[[0, 2, 3, 4]].any()


def test_detected_clouds_are_grown_by_three_pixels_unless_told_otherwise(tmp_path):
    root = write_sequence(tmp_path, s2=cloudy_s2())
    areas = [
        read_sequence(root, ReconstructionConfig(cloud_buffer_px=buffer)).cloud_mask[1].sum() for buffer in (0, 3, None)
    ]
    assert 0 < areas[0] < areas[1] == areas[2]


def test_the_rules_take_over_where_s2cloudless_is_not_installed(tmp_path, monkeypatch):
    monkeypatch.setattr("seq2seq.readers.clouds.choosing.s2cloudless_installed", lambda: False)
    with open_sequence(write_sequence(tmp_path, s2=s2_dn(bands=13), bands=None)) as source:
        assert source.info.mask_source == "rules"
        assert any("pip install" in warning for warning in source.info.warnings)


@pytest.mark.skipif(not s2cloudless_installed(), reason="s2cloudless is not installed")
def test_s2cloudless_is_chosen_where_its_bands_are_there(tmp_path):
    s2 = s2_dn(bands=13)
    s2[1, :, :12] = 6000 + np.arange(WIDTH, dtype=np.uint16)
    with open_sequence(write_sequence(tmp_path, s2=s2, bands=None)) as source:
        assert source.info.mask_source == "s2cloudless"
        fractions = source.cloud_fractions
    assert fractions[1] > 0.4
    assert np.delete(fractions, 1).max() < fractions[1]


def test_other_files_beside_the_images_are_named_and_ignored(whole_input):
    (whole_input / "S2" / "notes.docx").write_bytes(b"hello")
    (whole_input / "S2" / ".DS_Store").write_bytes(b"hello")
    with open_sequence(whole_input) as source:
        assert [warning for warning in source.info.warnings if "ignored" in warning] == [
            "1 files are not GeoTIFFs and were ignored: S2/notes.docx"
        ]


@pytest.mark.parametrize("case", ["fields-cloud-0", "fields-cloud-1", "fields-run-0"])
def test_real_sequences_are_read_whole(shared_data, case):
    with open_sequence(shared_data / case / "input") as source:
        assert source.info.shape == (20, 9, 101, 101)
        assert source.info.mask_source == "user"
        assert source.info.s1_units == "db (from the values)"
        observations = source.read()
    for index, date in enumerate(observations.s2.dates):
        with rasterio.open(shared_data / case / "input" / "S2" / f"{date}.tif") as file:
            dn = file.read()
        with rasterio.open(shared_data / case / "input" / "MASK" / f"{date}.tif") as file:
            clear = (file.read(1) == 0) & (dn != 0).all(axis=0)
        assert np.array_equal(observations.s2.observed[index], clear)
        assert np.array_equal(source.info.radiometry.to_dn(observations.s2.pixels[index])[:, clear], dn[:, clear])
