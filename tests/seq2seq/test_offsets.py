"""The offset of -1000 DN is found by name, metadata and values, in both directions, said, and settable."""

from datetime import date, timedelta

import numpy as np
import pytest
import rasterio
from sequence_files import BANDS, s2_dn, write_sequence, write_tif

from seq2seq.config import ReconstructionConfig
from seq2seq.errors import ConfigError, InvalidPixelsError
from seq2seq.readers import open_sequence, read_sequence
from seq2seq.readers.contents import StatedProduct
from seq2seq.readers.stated import baseline_in_name, stated_product

SHIFT = np.uint16(1000)
STATED = {"scales": (1e-4,) * 4, "offsets": (-0.1,) * 4}


def days(start, count, step=5):
    return tuple(str(date.fromisoformat(start) + timedelta(index * step)) for index in range(count))


def write(root, dn, dates, *, shifted=(), name="{}", nodata=0, tags=None, **how):
    """(T, C, H, W) in which the dates at `shifted` are stored 1000 DN higher."""
    for index, day in enumerate(dates):
        stored = dn[index] + SHIFT if index in shifted else dn[index]
        path = write_tif(
            root / "S2" / f"{name.format(day.replace('-', ''))}.tif", stored, bands=BANDS, nodata=nodata, **how
        )
        if tags:
            with rasterio.open(path, "r+") as file:
                file.update_tags(**tags)
    return root


def read(root, **config):
    with open_sequence(root, ReconstructionConfig(cloud_detector="rules", **config)) as source:
        said = [warning for warning in source.info.warnings if "offset" in warning]
        return source.read().s2.pixels, said


def bright(dn):
    """A place that is nowhere dark: sand."""
    return (dn + np.uint16([1500, 2200, 3000, 3600])[:, None, None]).astype(np.uint16)


@pytest.mark.parametrize("start", ["2020-05-01", "2023-05-01"])
def test_what_is_right_stays_as_it_is_and_nothing_is_said(tmp_path, start):
    dn = s2_dn(6)
    pixels, said = read(write(tmp_path, dn, days(start, 6)))
    assert np.array_equal(pixels, (dn * np.float64(1e-4)).astype(np.float32))
    assert said == []


@pytest.mark.parametrize("start", ["2018-05-01", "2023-05-01"])
def test_a_sequence_that_is_shifted_on_all_dates_is_read_right_also_before_2022(tmp_path, start):
    dn = s2_dn(6)
    pixels, said = read(write(tmp_path, dn, days(start, 6), shifted=range(6)))
    assert np.allclose(pixels, dn * 1e-4, atol=1e-6)
    (line,) = said
    assert line.startswith("S2 offset -1000 DN applied on ")
    assert "and 2 more" in line
    assert "s2_offset" in line


@pytest.mark.parametrize("start", ["2021-12-31", "2018-05-01"])
def test_dates_that_are_shifted_among_others_are_found_by_their_values(tmp_path, start):
    """Old ones too: Collection 1 reprocessed them."""
    dn, shifted = s2_dn(10), (5, 6, 7, 8, 9) if start > "2021" else (1, 4, 5, 8)
    pixels, said = read(write(tmp_path, dn, days(start, 10), shifted=shifted))
    assert np.allclose(pixels, dn * 1e-4, atol=1e-6)
    assert any(line.startswith("S2 offset -1000 DN applied") and "on other dates" in line for line in said)


@pytest.mark.parametrize(
    "how",
    [
        {"name": "S2A_MSIL2A_{}T105031_N0509_R051_T31UFS_20240101T000000"},
        {"tags": {"PROCESSING_BASELINE": "05.09"}},
        {"tags": {"BOA_ADD_OFFSET_B02": "-1000"}},
        {"tags": {"PRODUCT_URI": "S2A_MSIL2A_20180501T105031_N0500_R051_T31UFS_20230101T000000.SAFE"}},
        {"tags": {"s2:processing_baseline": "05.00"}},
    ],
)
@pytest.mark.parametrize("place", [lambda dn: dn, bright], ids=["dark", "bright"])
def test_a_name_or_metadata_are_believed_where_values_do_not_contradict(tmp_path, how, place):
    dn = place(s2_dn(3))
    pixels, said = read(write(tmp_path, dn, days("2018-05-01", 3), shifted=range(3), **how))
    assert np.allclose(pixels, dn * 1e-4, atol=1e-6)
    assert "S2 offset -1000 DN applied on 2018-05-01" in said[0]


@pytest.mark.parametrize(
    "how",
    [
        {"name": "S2A_MSIL2A_{}T105031_N0509_R051_T31UFS_20240101T000000"},
        {"tags": {"PROCESSING_BASELINE": "05.09"}},
        {"tags": {"BOA_ADD_OFFSET": "-1000"}},
    ],
)
def test_a_copy_that_was_harmonised_keeps_its_name_and_is_not_shifted_again(tmp_path, how):
    dn = s2_dn(4)
    pixels, said = read(write(tmp_path, dn, days("2023-05-01", 4), **how))
    assert np.allclose(pixels, dn * 1e-4, atol=1e-6)
    assert said[0].startswith("no S2 offset applied on 2023-05-01")


@pytest.mark.parametrize("how", [{"tags": {"PROCESSING_BASELINE": "03.01"}}, {"tags": {"BOA_OFFSET_APPLIED": "true"}}])
def test_a_bright_place_whose_metadata_say_that_there_is_no_offset_is_left_alone(tmp_path, how):
    dn = bright(s2_dn(3))
    pixels, said = read(write(tmp_path, dn, days("2023-05-01", 3), **how))
    assert np.allclose(pixels, dn * 1e-4, atol=1e-6)
    assert said == []


def test_a_bright_place_without_a_word_is_ambiguous_and_names_the_setting(tmp_path):
    root = write(tmp_path, bright(s2_dn(4)), days("2023-05-01", 4))
    pixels, (line,) = read(root)
    assert line.startswith("no S2 offset applied on 2023-05-01")
    assert "s2_offset = -1000 or 0 says which" in line
    assert np.allclose(read(root, s2_offset="-1000")[0], pixels - 0.1, atol=1e-6)
    assert np.array_equal(read(root, s2_offset="0")[0], pixels)


def test_one_hazy_old_date_is_no_shift(tmp_path):
    dn = s2_dn(8)
    hazy = dn.copy()
    hazy[3] = dn[3] * 0.6 + np.array([1500, 1300, 1200, 500])[:, None, None]
    pixels, said = read(write(tmp_path, hazy, days("2018-05-01", 8)))
    assert np.allclose(pixels, hazy * 1e-4, atol=1e-6)
    assert said == []


def test_few_hazy_old_dates_of_a_long_series_are_no_shift_and_it_is_said(tmp_path):
    dn = s2_dn(60)
    _, said = read(write(tmp_path, dn, days("2018-05-01", 60), shifted=(7, 31)))
    assert len(said) == 1
    assert said[0].startswith("no S2 offset applied on 2018-06-05, 2018-10-03")


def test_a_stated_offset_is_obeyed_and_one_that_was_applied_before_stops_the_run(tmp_path):
    dn, when = s2_dn(3), days("2023-05-01", 3)
    right = write(tmp_path / "right", dn, when, shifted=range(3), **STATED)
    assert np.allclose(read(right)[0], dn * 1e-4, atol=1e-6)
    twice = write(tmp_path / "twice", dn, when, **STATED)
    with pytest.raises(InvalidPixelsError, match=r"S2/20230501\.tif: states an offset of -1000 DN, .* on 3 of 3 dates"):
        read(twice)
    assert np.allclose(read(twice, s2_offset="0")[0], dn * 1e-4, atol=1e-6)
    assert np.allclose(read(twice, s2_offset="tags")[0], dn * 1e-4 - 0.1, atol=1e-6)


def test_the_setting_holds_against_every_evidence_and_is_said(tmp_path):
    dn = s2_dn(4)
    root = write(tmp_path, dn, days("2023-05-01", 4), shifted=range(4))
    assert np.allclose(read(root, s2_offset="0")[0], dn * 1e-4 + 0.1, atol=1e-6)
    assert read(root, s2_offset="0")[1] == ["S2 offset 0 DN on all dates, as set (s2_offset)"]
    assert np.allclose(read(root, s2_offset="tags")[0], dn * 1e-4 + 0.1, atol=1e-6)
    with pytest.raises(ConfigError, match="s2_offset is '-500'"):
        ReconstructionConfig(s2_offset="-500")


def test_reflectance_as_floats_that_lost_its_offset_is_found_too(tmp_path):
    dn = s2_dn(4)
    stored = ((dn + SHIFT) * 1e-4).astype(np.float32)
    pixels, said = read(write(tmp_path, stored, days("2023-05-01", 4), nodata=float("nan")))
    assert np.allclose(pixels, dn * 1e-4, atol=1e-6)
    assert said


def test_clouds_in_the_users_mask_do_not_hide_the_offset(tmp_path):
    """Nothing but the clear half of each date is looked at."""
    dn, when = s2_dn(6), days("2018-05-01", 6)
    dn[:, :, :12] = 7000
    masks = np.zeros((6, 24, 32), bool)
    masks[:, :12] = True
    root = write_sequence(tmp_path, s2=dn + SHIFT, masks=masks, dates=when)
    observations = read_sequence(root)
    assert np.allclose(observations.s2.pixels, dn * 1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("tags", "stated"),
    [
        ({}, StatedProduct()),
        ({"PROCESSING_BASELINE": "04.00"}, StatedProduct("04.00", None)),
        ({"BOA_ADD_OFFSET_B1": "-1000", "RADIO_ADD_OFFSET": "x"}, StatedProduct(None, -1000.0)),
        ({"earthsearch:boa_offset_applied": "True", "BOA_ADD_OFFSET": "-1000"}, StatedProduct(None, 0.0)),
        ({"PROCESSING_BASELINE": "a" * 10_000, "BOA_ADD_OFFSET": "1e999999"}, StatedProduct()),
    ],
)
def test_metadata_are_read_under_their_usual_names(tags, stated):
    assert stated_product(tags) == stated


def test_the_baseline_is_in_the_names_of_products_alone():
    assert baseline_in_name("S2/S2B_MSIL1C_20221005T115411_N0400_R023_T29UNU_20221005T164454.tif") == "04.00"
    assert baseline_in_name("S2/2022-10-05_N0400.tif") is None


@pytest.mark.parametrize(
    "case", ["fields-cloud-0", "ypres-cloud-5", "tanzania-cloud-5", "ribatejo-cloud-5", "carpathians-run-5"]
)
def test_real_sequences_without_an_offset_are_read_without_one(shared_data, case):
    source_root = shared_data / case / "input"
    with open_sequence(source_root) as auto, open_sequence(source_root, ReconstructionConfig(s2_offset="tags")) as tags:
        assert np.array_equal(auto.read().s2.pixels, tags.read().s2.pixels)
        assert not any("-1000 DN applied" in warning for warning in auto.info.warnings)
