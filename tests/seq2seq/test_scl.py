"""Scene classifications of Level-2A are cloud masks, in `SCL/` or among the values of `MASK/`."""

import numpy as np
import pytest
from rasterio.transform import from_origin
from sequence_files import DATES, HEIGHT, WIDTH, s2_dn, write_sequence, write_tif

from seq2seq.config import ReconstructionConfig
from seq2seq.errors import InvalidPixelsError, MisalignedGridsError, MissingDataError, UnknownBandsError
from seq2seq.readers import open_sequence, read_sequence
from seq2seq.readers.scl import MASKED_CLASSES, looks_like_scl

COARSE = from_origin(600_000, 5_600_000, 20, 20)


def classes(seed=0, height=HEIGHT, width=WIDTH):
    """(T, H, W) uint8 of all twelve classes, mostly ground."""
    rng = np.random.default_rng(seed)
    ground = rng.choice([4, 5, 6, 7, 11, 2], (len(DATES), height, width))
    return np.where(rng.random(ground.shape) < 0.3, rng.integers(0, 12, ground.shape), ground).astype(np.uint8)


def write_scl(root, scl, folder="SCL", **how):
    for date, values in zip(DATES, scl, strict=True):
        write_tif(root / folder / f"{date}.tif", values[None], **how)
    return root


@pytest.mark.parametrize("folder", ["SCL", "MASK", "scl"])
def test_scl_masks_no_data_saturated_shadow_cloud_and_cirrus_and_leaves_snow(tmp_path, folder):
    scl = classes()
    root = write_scl(write_sequence(tmp_path), scl, folder)
    with open_sequence(root) as source:
        assert np.array_equal(source.read().cloud_mask, np.isin(scl, (0, 1, 3, 8, 9, 10)))
        assert source.info.mask_source == "scl"
        (said,) = [warning for warning in source.info.warnings if "SCL" in warning]
    assert "0 no data, 1 saturated, 3 shadow, 8 and 9 cloud, 10 cirrus" in said


@pytest.mark.parametrize("folder", ["SCL", "MASK"])
def test_scl_at_20_m_is_brought_to_10_m_by_the_nearest_pixel_in_any_window(tmp_path, folder):
    scl = classes(height=HEIGHT // 2, width=WIDTH // 2)
    root = write_scl(write_sequence(tmp_path), scl, folder, transform=COARSE)
    expected = np.isin(scl, MASKED_CLASSES).repeat(2, axis=1).repeat(2, axis=2)
    with open_sequence(root) as source:
        assert np.array_equal(source.read().cloud_mask, expected)
        assert np.array_equal(source.read(slice(5, 18), slice(7, 20)).cloud_mask, expected[:, 5:18, 7:20])


def test_where_scl_does_not_reach_there_is_no_data(tmp_path):
    scl = np.full((len(DATES), 6, WIDTH // 2), 4, np.uint8)
    root = write_scl(write_sequence(tmp_path), scl, transform=COARSE)
    cloud_mask = read_sequence(root).cloud_mask
    assert not cloud_mask[:, :12].any()
    assert cloud_mask[:, 12:].all()


def test_the_users_mask_comes_first_and_scl_fills_the_other_dates(tmp_path):
    scl, masks = classes(), np.zeros((len(DATES), HEIGHT, WIDTH), bool)
    masks[:, 3, 3] = True
    root = write_scl(write_sequence(tmp_path, masks=masks), scl)
    (root / "MASK" / f"{DATES[1]}.tif").unlink()
    with open_sequence(root) as source:
        found = source.read().cloud_mask
        assert any(f"clouds on {DATES[1]} are those of SCL" in warning for warning in source.info.warnings)
        assert source.info.mask_source == "user"
    masks[1] = np.isin(scl[1], MASKED_CLASSES)
    assert np.array_equal(found, masks)


def test_masks_that_are_demanded_may_be_scl_and_must_be_complete(tmp_path):
    root = write_scl(write_sequence(tmp_path), classes())
    config = ReconstructionConfig(cloud_detector="user")
    assert read_sequence(root, config).cloud_mask.any()
    (root / "SCL" / f"{DATES[2]}.tif").unlink()
    with pytest.raises(MissingDataError, match=f"SCL lacks {DATES[2]}"):
        open_sequence(root, config)


def test_scl_that_is_not_used_is_named(tmp_path):
    root = write_scl(write_sequence(tmp_path), classes())
    with open_sequence(root, ReconstructionConfig(cloud_detector="rules")) as source:
        assert "SCL is not used: cloud_detector is rules" in source.info.warnings


def test_masks_with_other_values_than_0_and_1_are_obeyed_as_before_and_said(tmp_path):
    masks = np.zeros((len(DATES), HEIGHT, WIDTH), np.uint8)
    masks[:, 2, 2], masks[:, 4, 4] = 1, 2
    with open_sequence(write_sequence(tmp_path, masks=masks)) as source:
        assert np.array_equal(source.read().cloud_mask, masks != 0)
        assert "MASK holds the values 0, 1, 2: all but 0 are taken as cloud" in source.info.warnings


@pytest.mark.parametrize(
    ("values", "scl"),
    [
        ({0, 1}, False),
        ({0, 255}, False),
        ({0, 1, 2}, False),
        ({0, 1, 2, 3, 4, 255}, False),  # Fmask's, where 4 is cloud
        ({0, 100}, False),
        ({0, 5}, False),
        ({4, 5, 8, 9}, True),
        ({6}, True),
        ({0, 4, 8, 255}, True),
        ({0, 3, 8, 9}, False),
        ({4, 5, 12}, False),
        (set(), False),
    ],
)
def test_classes_are_told_from_masks(values, scl):
    assert looks_like_scl(values) is scl


@pytest.mark.parametrize("dtype", ["int16", "uint16", "float32"])
def test_scl_may_be_stored_in_wider_numbers_and_filled_by_255(tmp_path, dtype):
    scl = classes()
    scl[0, :3] = 255
    observed = read_sequence(write_scl(write_sequence(tmp_path), scl.astype(dtype))).cloud_mask
    assert np.array_equal(observed, np.isin(scl, (*MASKED_CLASSES, 255)))


def test_a_value_that_is_no_class_is_named_with_its_place(tmp_path):
    scl = classes()
    scl[1, 5, 6] = 37
    with pytest.raises(InvalidPixelsError, match=rf"SCL/{DATES[1]}\.tif, row 5, column 6: value 37 is no class of SCL"):
        open_sequence(write_scl(write_sequence(tmp_path), scl))


def test_scl_elsewhere_or_with_more_bands_is_refused(tmp_path):
    root = write_scl(write_sequence(tmp_path), classes())
    name = f"SCL/{DATES[1]}.tif"
    write_tif(root / name, classes()[:1], transform=from_origin(100_000, 100_000, 10, 10))
    with pytest.raises(MisalignedGridsError, match=rf"{name} does not overlap S2"):
        open_sequence(root)
    write_tif(root / name, s2_dn()[0])
    with pytest.raises(UnknownBandsError, match=rf"{name}: SCL has 1 band, this has 4"):
        open_sequence(root)
