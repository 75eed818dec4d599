import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from seq2seq.bands import BAND_SETS, L1C
from seq2seq.readers.clouds.detecting import cloud_or_shadow, grow
from seq2seq.readers.clouds.rules import rule_detector
from seq2seq.readers.clouds.s2cloudless import S2CLOUDLESS_BANDS, S2CloudlessDetector, s2cloudless_installed
from seq2seq.readers.clouds.score import score_detector

SIZE = 48
CLOUD = (slice(8, 20), slice(8, 22))
SHADOW = (slice(24, 34), slice(14, 26))
# Bare soil and vegetation in L1C order, reflectance
SOIL = np.array([0.14, 0.10, 0.10, 0.12, 0.16, 0.20, 0.23, 0.25, 0.27, 0.09, 0.002, 0.30, 0.22])
CLOUD_SPECTRUM = np.array([0.55, 0.52, 0.50, 0.52, 0.53, 0.54, 0.55, 0.56, 0.57, 0.20, 0.010, 0.40, 0.32])


def scene(bands, dates=6, cloudy=2):
    """(T, C, H, W) reflectance with one cloud and its shadow on date `cloudy`, and a season in all dates."""
    rng = np.random.default_rng(0)
    texture = 1 + 0.2 * gaussian_filter(rng.standard_normal((SIZE, SIZE)), 2)
    season = 1 + 0.1 * np.sin(np.arange(dates))
    pixels = SOIL[None, :, None, None] * texture * season[:, None, None, None]
    pixels[cloudy][:, *SHADOW] *= 0.4
    pixels[cloudy][:, *CLOUD] = CLOUD_SPECTRUM[:, None, None]
    pixels += rng.normal(0, 0.002, pixels.shape)
    return pixels[:, [L1C.index(band) for band in bands]].astype(np.float32)


def detect(bands, pixels, usable=None):
    detector = rule_detector(bands)
    usable = np.ones((len(pixels), *pixels.shape[2:]), dtype=bool) if usable is None else usable
    return cloud_or_shadow(detector, pixels[:, [bands.index(band) for band in detector.bands]], usable, 10.0)


@pytest.mark.parametrize("bands", [*BAND_SETS.values(), ("B04", "B08"), ("B02", "B03", "B04"), ("B08", "B11")])
def test_rules_find_the_cloud_with_any_bands_and_leave_clear_dates_alone(bands):
    found = detect(bands, scene(bands))
    assert found[2][CLOUD].mean() > 0.95
    assert np.delete(found, 2, axis=0).mean() < 0.01


@pytest.mark.parametrize("bands", list(BAND_SETS.values()))
def test_rules_find_the_shadow_beside_the_cloud(bands):
    assert detect(bands, scene(bands))[2][SHADOW].mean() > 0.9


def test_a_dark_field_without_a_cloud_is_no_shadow():
    pixels = scene(L1C, cloudy=2)
    pixels[2][:, *CLOUD] = pixels[1][:, *CLOUD]
    assert detect(L1C, pixels).mean() < 0.01


def test_a_ploughed_field_is_no_cloud():
    pixels = scene(L1C, cloudy=2)
    redder = np.linspace(0.02, 0.25, 13, dtype=np.float32)
    redder[L1C.index("B10")] = 0  # cirrus cannot see the ground
    pixels[4][:, 30:40, 30:40] += redder[:, None, None]
    assert detect(L1C, pixels)[4].mean() < 0.01


def test_a_pixel_that_is_always_under_cloud_is_found_by_its_brightness():
    pixels = scene(L1C)
    pixels[:, :, *CLOUD] = CLOUD_SPECTRUM[None, :, None, None]
    assert detect(L1C, pixels)[:, *CLOUD].mean() > 0.95


def test_snow_is_not_called_cloud_where_short_wave_infrared_tells_them_apart():
    pixels = scene(L1C, cloudy=2)
    snow = np.array([0.8, 0.8, 0.8, 0.78, 0.75, 0.72, 0.7, 0.68, 0.65, 0.3, 0.002, 0.05, 0.04], dtype=np.float32)
    pixels[4][:, 30:44, 30:44] = snow[:, None, None]
    assert detect(L1C, pixels)[4].mean() < 0.01


def test_pixels_that_are_not_usable_are_neither_cloud_nor_do_they_change_the_others():
    pixels, usable = scene(L1C), np.ones((6, SIZE, SIZE), dtype=bool)
    usable[3] = False
    before = detect(L1C, pixels, usable)
    pixels[3] = 7.0
    after = detect(L1C, pixels, usable)
    assert np.array_equal(before, after)
    assert not after[3].any()


@pytest.mark.parametrize("make", [rule_detector, score_detector])
@pytest.mark.parametrize("row", [0, 60, 126])
def test_what_is_found_in_a_block_with_its_halo_is_found_there_in_the_whole_scene(row, make):
    rng = np.random.default_rng(1)
    veil = gaussian_filter(rng.standard_normal((6, 1, 300, 40)), (0, 0, 6, 6))
    shade = gaussian_filter(rng.standard_normal((6, 1, 300, 40)), (0, 0, 4, 4)) > 0.07
    pixels = (0.1 * (1 - 0.6 * shade) + np.clip(veil * 6 - 0.3, 0, 0.5)).astype(np.float32).repeat(4, axis=1)
    pixels[:, 3] *= 2 + rng.random((6, 300, 40)).astype(np.float32)
    bands = BAND_SETS["10m"]
    detector, usable = make(bands), np.ones((6, 300, 40), dtype=bool)
    whole = detector.find(pixels, usable)
    assert 0.05 < whole.cloud.mean() < 0.95
    assert 0.01 < whole.dark.mean() < 0.95
    start, end = max(0, row - detector.reach_px), row + 50 + detector.reach_px
    block = detector.find(pixels[:, :, start:end], usable[:, start:end])
    for ours, theirs in ((block.cloud, whole.cloud), (block.dark, whole.dark), (block.dim, whole.dim)):
        assert np.array_equal(ours[:, row - start : row - start + 50], theirs[:, row : row + 50])


@given(st.integers(0, 6), st.integers(0, 1000))
def test_growing_reaches_exactly_as_far_as_the_radius(radius, seed):
    mask = np.random.default_rng(seed).random((2, 15, 17)) > 0.97
    grown = grow(mask, radius)
    rows, columns = np.indices(mask.shape[1:])
    for date, result in zip(mask, grown, strict=True):
        expected = np.zeros_like(date)
        for row, column in np.argwhere(date):
            expected |= (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
        assert np.array_equal(result, expected)


needs_s2cloudless = pytest.mark.skipif(not s2cloudless_installed(), reason="s2cloudless is not installed")


@needs_s2cloudless
def test_s2cloudless_finds_the_cloud_and_our_rules_its_shadow():
    pixels = scene(S2CLOUDLESS_BANDS)
    found = cloud_or_shadow(S2CloudlessDetector(10.0), pixels, np.ones((6, SIZE, SIZE), dtype=bool), 10.0)
    assert found[2][12:18, 12:18].all()
    assert found[2][SHADOW].mean() > 0.8
    assert np.delete(found, 2, axis=0).mean() < 0.01


def real_pair(shared_data):
    """(2, 13, 256, 256): one place under broken cloud, and clear at another time."""
    paths = [shared_data / "patch13" / name for name in ("s2_cloudy.tif", "s2_cloudfree.tif")]
    return np.stack([imread(path) * np.float32(1e-4) for path in paths])


def imread(path):
    with rasterio.open(path) as file:
        return file.read()


def test_rules_find_real_thick_cloud_and_call_the_clear_scene_clear(shared_data):
    sequence = real_pair(shared_data)
    found = detect(L1C, sequence)
    thick = sequence[0, 1:4].mean(axis=0) > 0.4
    assert thick.mean() > 0.05
    assert found[0][thick].mean() > 0.95
    assert found[1].mean() < 0.01


@needs_s2cloudless
def test_s2cloudless_finds_real_cloud_and_calls_the_clear_scene_clear(shared_data):
    sequence = real_pair(shared_data)[:, [L1C.index(band) for band in S2CLOUDLESS_BANDS]]
    found = cloud_or_shadow(S2CloudlessDetector(10.0), sequence, np.ones((2, 256, 256), dtype=bool), 10.0)
    assert found[0].mean() > 0.8
    assert found[1].mean() < 0.01


def test_rules_agree_with_the_masks_of_real_fields_on_most_pixels(shared_data):
    with rasterio.open(next((shared_data / "fields-cloud-0/input/S2").iterdir())) as file:
        bands = file.descriptions
    dates = sorted(path.name for path in (shared_data / "fields-cloud-0/input/S2").iterdir())
    dn = np.stack([imread(shared_data / "fields-cloud-0/input/S2" / date) for date in dates])
    has_data = (dn != 0).all(axis=1)
    masks = np.stack([imread(shared_data / "fields-cloud-0/input/MASK" / date)[0] != 0 for date in dates])
    found = grow(detect(bands, dn * np.float32(1e-4), has_data), 3)[has_data]
    assert (found == masks[has_data]).mean() > 0.8
