"""Cloud masks of every kind that lie beside images, as files or as bands, and which of them counts."""

import numpy as np
import pytest
from loose_images import DAYS, SIDE, classes, compact, dn, read, said, write

from seq2seq.readers.loose.masks import MASK_NAMES
from seq2seq.readers.mask_kinds import KINDS, RADAR_KINDS, SCL_NAMES, full_scale

NAMES = ("B2", "B3", "B4", "B8")
CLOUDY = slice(0, 6)


def optical(root, days=DAYS):
    for index, day in enumerate(days):
        write(root, f"S2_{compact(day)}.tif", dn(index, 4), bands=NAMES)


def mask(clear, cloudy, dtype):
    """(1, H, W): cloud in the first rows."""
    values = np.full((1, SIDE, SIDE), clear, dtype)
    values[:, CLOUDY] = cloudy
    return values


def is_masked(sequence, rows=CLOUDY):
    """Whether those rows are masked on all dates, and no other."""
    expected = np.zeros((SIDE, SIDE), bool)
    expected[rows] = True
    return bool((~sequence.s2.observed == expected).all())


FILES = [
    ("{day}_clouds", mask(0, 1, np.uint8), None),
    ("MASK_{day}", mask(0, 255, np.uint8), None),
    ("clouds/{day}", mask(0, 1, np.uint8), None),
    ("{day}_SCL", classes(), None),
    ("{day}_CLOUD", classes(), None),
    ("{day}_cs_cdf", mask(0.60, 0.59, np.float32), "cs_cdf; masked are Cloud Score+ below 0.60"),
    ("{day}_cs", mask(0.9, np.nan, np.float32), "cs; masked are Cloud Score+ below 0.60"),
    ("{day}_cs_cdf", mask(60, 59, np.uint8), "cs_cdf"),
    ("{day}_dlmask", mask(0, 4, np.uint8), "dlmask; masked are 1 to 4"),
    ("{day}_QAI", mask(0b10000, 0b1000, np.int16), "QAI"),
    ("{day}_cloud_probability", mask(39, 40, np.uint8), "cloud probability; masked are 40 % and more"),
    ("{day}_s2cloudless", mask(0.39, 0.40, np.float32), "cloud probability"),
    ("{day}_CLP", mask(100, 103, np.uint8), "cloud probability"),
    ("{day}_CLM", mask(0, 1, np.uint8), "CLM"),
    ("{day}_MSK_CLASSI_OPAQUE", mask(0, 1, np.uint8), "MSK_CLASSI; masked are opaque clouds and cirrus"),
    ("{day}_MSK_CLASSI_B00", np.concatenate([mask(0, 0, np.uint8), mask(0, 1, np.uint8), mask(1, 1, np.uint8)]), None),
    ("{day}_QA60", mask(1 << 9, 1 << 10, np.uint16), "QA60; masked are bits 10 opaque cloud, 11 cirrus"),
    ("{day}_MSK_CLDPRB_20m", mask(0, 90, np.uint8), "MSK_CLDPRB; masked are 40 % and more"),
]


@pytest.mark.parametrize(
    ("name", "values", "words"), FILES, ids=[f"{name}-{values.dtype}" for name, values, _ in FILES]
)
def test_a_mask_in_a_file_beside_is_found_and_it_is_said_what_is_masked(tmp_path, name, values, words):
    optical(tmp_path)
    for day in DAYS:
        write(tmp_path, f"{name.format(day=compact(day))}.tif", values)
    info, sequence = read(tmp_path)
    assert is_masked(sequence)
    assert info.mask_source == ("scl" if values.max() == 9 else "user")
    if words:
        assert said(info, f"are those of {words}")


BANDS = [
    (("SCL",), [np.where(mask(False, True, bool), 8, 4 + (np.arange(SIDE) > 9))]),
    (("cs", "cs_cdf"), [mask(0.1, 0.1, np.float64), mask(0.8, 0.2, np.float64)]),  # cs_cdf goes before cs
    (("MSK_CLASSI_OPAQUE", "MSK_CLASSI_CIRRUS"), [mask(0, 0, np.float64), mask(0, 1, np.float64)]),
    (("MSK_CLDPRB", "QA60"), [mask(99, 99, np.float64), mask(0, 3072, np.float64)]),
]


@pytest.mark.parametrize(("names", "values"), BANDS, ids=[names[0] for names, _ in BANDS])
def test_a_mask_as_a_band_of_the_image_itself(tmp_path, names, values):
    for index, day in enumerate(DAYS):
        pixels = np.concatenate([dn(index, 4) * 1.0, *values])
        write(tmp_path, f"{compact(day)}.tif", pixels, bands=(*NAMES, *names))
    info, sequence = read(tmp_path)
    assert info.bands == ("B02", "B03", "B04", "B08")
    assert is_masked(sequence)
    assert not said(info, "ignored:")


def test_the_users_own_mask_goes_before_scl_and_that_before_all_others_date_by_date(tmp_path):
    optical(tmp_path)
    for index, day in enumerate(DAYS):
        write(tmp_path, f"{day}_QA60.tif", mask(3072, 3072, np.uint16))
        if index < 2:
            write(tmp_path, f"{day}_SCL.tif", classes(3))
        if index < 1:
            write(tmp_path, f"{day}_clouds.tif", mask(0, 1, np.uint8))
    info, sequence = read(tmp_path)
    assert (~sequence.s2.observed).all(axis=2).sum(axis=1).tolist() == [6, 3, SIDE]
    assert said(info, f"clouds on {DAYS[2]} are those of QA60")
    assert said(info, "QA60 is not used on dates that have MASK or SCL")
    assert said(info, "SCL is not used on dates that have MASK")


def test_qa60_that_nobody_filled_is_unknown_and_not_clear(tmp_path):
    days = ("2022-01-20", "2022-01-30", "2022-02-04")
    optical(tmp_path, days)
    for day in days:
        write(tmp_path, f"{day}_QA60.tif", mask(0, 1024 if day == days[0] else 0, np.uint16))
    info, sequence = read(tmp_path)
    assert said(info, "QA60 is 0 everywhere on 2022-01-30, 2022-02-04: Earth Engine left it empty")
    assert said(info, "MASK lacks 2022-01-30, 2022-02-04: clouds on these dates are detected")
    assert not sequence.s2.observed[0, CLOUDY].any()


def test_qa60_of_new_images_that_somebody_filled_is_used(tmp_path):
    days = ("2024-06-04", "2024-06-09", "2024-06-14")
    optical(tmp_path, days)
    for day in days:
        write(tmp_path, f"{day}_QA60.tif", mask(0, 2048 if day == days[1] else 0, np.uint16))
    info, sequence = read(tmp_path)
    assert not said(info, "left it empty")
    assert sequence.s2.observed.all(axis=2).sum(axis=1).tolist() == [SIDE, SIDE - 6, SIDE]


def test_a_mask_of_several_values_that_are_no_classes_is_told(tmp_path):
    optical(tmp_path)
    for day in DAYS:
        write(
            tmp_path,
            f"{day}_clouds.tif",
            np.concatenate([mask(0, 1, np.uint8)[:, :4], mask(0, 127, np.uint8)[:, 4:]], 1),
        )
    info, sequence = read(tmp_path)
    assert is_masked(sequence)
    assert said(info, "MASK holds the values 0, 1, 127: all but 0 are taken as cloud")


def test_an_image_called_cloud_free_is_no_mask(tmp_path):
    for index, day in enumerate(DAYS):
        write(tmp_path, f"s2_cloud_free_{day}.tif", dn(index, 4), bands=NAMES)
    info, _ = read(tmp_path)
    assert info.bands == ("B02", "B03", "B04", "B08")


def test_every_name_is_of_one_kind_and_found_before_those_it_holds():
    names = [name for kind in (*KINDS, *RADAR_KINDS) for name in kind.names] + list(SCL_NAMES)
    assert len(names) == len(set(names))
    assert set(names) <= set(MASK_NAMES)
    for position, name in enumerate(MASK_NAMES):
        assert not any(f"_{name}_" in f"_{later}_" for later in MASK_NAMES[position + 1 :] if len(later) > len(name))


def test_no_data_is_never_clear():
    for kind in KINDS:
        assert kind.masked(np.array([np.nan]))[0], kind.name


@pytest.mark.parametrize(
    ("highest", "dtype", "full"),
    [(0.98, "float32", 1), (1, "uint8", 100), (98, "float64", 100), (250, "uint8", 255), (9900, "uint16", 10_000)],
)
def test_shares_are_told_by_their_highest_value(highest, dtype, full):
    assert full_scale(highest, dtype) == full
