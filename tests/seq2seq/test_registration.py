"""A date that lies beside its prediction is found there; little evidence moves little, and nothing hidden is read."""

import numpy as np
import pytest
from scipy import ndimage

from seq2seq.methods.registration import SHIFT_PX, registered


def scene(bands: int = 3, side: int = 60, seed: int = 0):
    """(C, H, W) smooth fields with edges."""
    rng = np.random.default_rng(seed)
    fields = ndimage.gaussian_filter(rng.random((bands, side, side)), (0, 4, 4))
    fields = 0.2 + 0.2 * (fields > np.median(fields)) + 0.1 * fields
    return ndimage.gaussian_filter(fields, (0, 1, 1)).astype(np.float32)


def moved(image, by):
    """The image as seen by an acquisition that lies `by` (row, column) pixels off."""
    return ndimage.shift(image, (0, *by), order=3, mode="nearest").astype(np.float32)


def half(side: int = 60):
    """(H, W) visible on the left."""
    return np.broadcast_to(np.arange(side) < side // 2, (side, side)).copy()


def error(image, truth, where):
    return float(np.sqrt(((image - truth)[:, where] ** 2).mean()))


@pytest.mark.parametrize("by", [(0.3, -0.2), (-0.4, 0.0), (0.1, 0.4)])
def test_a_shift_seen_on_one_half_is_undone_on_the_other(by):
    image, seen = scene(), half()
    truth = moved(image, by)
    found = registered(image, truth, seen)
    assert error(found, truth, ~seen) < 0.25 * error(image, truth, ~seen)


def test_a_blurred_date_is_met_by_a_blurred_prediction():
    image, seen = scene(), half()
    truth = ndimage.gaussian_filter(image, (0, 0.4, 0.4))
    assert error(registered(image, truth, seen), truth, ~seen) < 0.6 * error(image, truth, ~seen)


def test_offsets_of_bands_and_missed_clouds_move_nothing():
    image, seen = scene(), half()
    assert registered(image, image + np.array([0.1, -0.05, 0.02], np.float32)[:, None, None], seen) == pytest.approx(
        image, abs=1e-4
    )
    truth = moved(image, (0.3, 0.3))
    clouded = truth.copy()
    clouded[:, 20:26, 5:15] = 0.8
    plain, robust = (error(registered(image, shown, seen), truth, ~seen) for shown in (truth, clouded))
    assert robust < 1.5 * plain


def test_noise_without_a_shift_costs_next_to_nothing():
    image, seen = scene(), half()
    noise = np.random.default_rng(1).normal(0, 0.02, image.shape).astype(np.float32)
    assert error(registered(image, image + noise, seen), image, ~seen) < 1e-3


def test_few_pixels_prove_little():
    image = scene()
    truth = moved(image, (SHIFT_PX, 0))
    few = np.zeros((60, 60), bool)
    few[10:17, 10:17] = True
    assert np.array_equal(registered(image, truth, few), image)  # 49
    few[10:30, 10:14] = True
    gained = [error(registered(image, truth, seen), truth, ~few) for seen in (few, half())]
    assert gained[1] < gained[0] < error(image, truth, ~few)


def test_nothing_hidden_is_read_and_a_flat_scene_stays():
    image, seen = scene(), half()
    truth = moved(image, (0.2, 0.2))
    other = np.where(seen, truth, np.float32(7))
    assert np.array_equal(registered(image, truth, seen), registered(image, other, seen))
    flat = np.full((2, 30, 30), 0.3, np.float32)
    assert np.array_equal(registered(flat, flat + 0.1, half(30)), flat)
    line = np.full((2, 1, 90), 0.3, np.float32)
    assert np.array_equal(registered(line, line, np.ones((1, 90), bool)), line)
