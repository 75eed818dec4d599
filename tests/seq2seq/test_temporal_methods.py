"""Methods that fill each pixel's own series: exact on what they represent, blind to what is hidden, and quick."""

import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from affine import Affine
from odc.geo.geobox import GeoBox
from scipy.signal import savgol_filter

from seq2seq.errors import Stopped
from seq2seq.interpolation import linear_interpolation
from seq2seq.methods import find_method, series
from seq2seq.methods.base import RunContext
from seq2seq.methods.harmonic.method import curves
from seq2seq.methods.median.method import window_medians
from seq2seq.methods.savitzky_golay.method import filter_matrix
from seq2seq.methods.whittaker.method import GRID, Penalty, choose_smoothness, smooth
from seq2seq.nn.vgg import Perceptual
from seq2seq.progress import never_stop
from seq2seq.sequence import ImageSequence, Observations

NAMES = ("median", "whittaker", "harmonic", "savitzky-golay", "low-rank")
every_method = pytest.mark.parametrize("name", NAMES)

DAYS = np.array([0, 5, 15, 20, 40, 45, 50, 65, 90, 100, 105, 130])


def observations(pixels, observed, days=DAYS):
    """Optical images on `days`."""
    dates = np.datetime64("2020-01-01") + np.asarray(days)
    geobox = GeoBox(pixels.shape[2:], Affine(10, 0, 5e5, 0, -10, 6e6), "EPSG:32631")
    names = tuple(f"B{band:02d}" for band in range(1, pixels.shape[1] + 1))
    s2 = ImageSequence(pixels.astype(np.float32), dates, names, geobox, observed)
    return Observations(s2=s2, s1=None, cloud_mask=~observed, s1_dates=np.full(len(dates), np.datetime64("NaT", "D")))


def context(check_stop=never_stop):
    return RunContext(
        seed=0,
        device=torch.device("cpu"),
        threads=1,
        perceptual=Perceptual(None, (), "no perceptual loss"),
        perceptual_weight=0.0,
        check_stop=check_stop,
    )


def filled(name, given, **settings):
    info = find_method(name)
    predicted = info.load()(info.settings(**settings)).start(given, context(), None).predict(given)
    assert list(predicted) == list(info.candidates)
    (result,) = predicted.values()
    assert result.dtype == np.float32
    assert result.shape == given.s2.shape
    assert np.isfinite(result).all()
    return result


def random_case(share=0.6, bands=3, size=(7, 9), seed=0, days=DAYS):
    """Any values, of which `share` are observed; the first pixel never, the next one on the first date alone."""
    rng = np.random.default_rng(seed)
    pixels = rng.uniform(0, 0.5, (len(days), bands, *size))
    observed = rng.random((len(days), *size)) < share
    observed[:, 0, :2] = False
    observed[0, 0, 1] = True
    return observations(pixels, observed, days)


@every_method
def test_a_pixel_that_never_changes_stays_as_it_is(name):
    given = random_case()
    spectra = np.broadcast_to(given.s2.pixels[:1], given.s2.shape)
    constant = replace(given, s2=replace(given.s2, pixels=np.where(given.s2.observed[:, None], spectra, 0.9)))
    clear = given.s2.observed.any(axis=0)
    tolerance = {"low-rank": 0.02}.get(name, 1e-5)  # the ridge doubts that pixels differ
    assert np.abs(filled(name, constant) - spectra)[:, :, clear].max() < tolerance


@every_method
def test_values_under_clouds_decide_nothing(name):
    given = random_case()
    other = np.where(given.s2.observed[:, None], given.s2.pixels, np.float32(0.77))
    assert np.array_equal(filled(name, given), filled(name, replace(given, s2=replace(given.s2, pixels=other))))


@every_method
def test_the_same_is_predicted_again_and_in_smaller_blocks(name, monkeypatch):
    given = random_case()
    whole = filled(name, given)
    assert np.array_equal(filled(name, given), whole)
    monkeypatch.setattr(series, "_BLOCK_VALUES", 1)
    np.testing.assert_allclose(filled(name, given), whole, atol=1e-5)


@every_method
def test_a_pixel_that_is_never_clear_gets_what_the_scene_has(name):
    given = random_case()
    clear = np.moveaxis(given.s2.pixels, 1, -1)[given.s2.observed]
    never = filled(name, given)[:, :, 0, 0]
    if name == "low-rank":
        assert (np.abs(never - clear.mean(axis=0)) < 0.15).all()
    else:
        np.testing.assert_allclose(never, np.broadcast_to(clear.mean(axis=0), never.shape), atol=1e-5)


@every_method
@pytest.mark.parametrize("dates", [1, 2, 3])
@pytest.mark.parametrize("share", [0.2, 1.0])
def test_a_few_dates_are_enough(name, dates, share):
    filled(name, random_case(share, days=DAYS[:dates]))


@every_method
def test_a_single_clear_pixel_is_enough(name):
    given = random_case(share=0.0)
    value = given.s2.pixels[0, :, 0, 1]
    np.testing.assert_allclose(filled(name, given)[:, :, 0, 1], np.tile(value, (len(DAYS), 1)), atol=0.02)


@every_method
def test_a_prediction_stops_where_it_is_asked_to(name):
    info, given = find_method(name), random_case()
    asked = []

    def stop():
        asked.append(None)
        if len(asked) > 1:
            raise Stopped("between two blocks")

    fit = info.load()(info.settings()).start(given, context(stop), None)
    with pytest.raises(Stopped):
        fit.predict(given)


@every_method
def test_a_scene_takes_seconds(name):
    rng = np.random.default_rng(0)
    observed = rng.random((20, 101, 101)) < 0.6
    given = observations(rng.random((20, 9, 101, 101), dtype=np.float32), observed, np.arange(20) * 7)
    began = time.monotonic()
    filled(name, given)
    assert time.monotonic() - began < 15


# -- median


def test_the_median_is_that_of_the_clear_dates_in_a_window_that_grows():
    given = random_case()
    pixels, observed = given.s2.pixels, given.s2.observed
    found = filled("median", given, window_days=7)
    for i, j in np.ndindex(*observed.shape[1:]):
        if not observed[:, i, j].any():
            continue
        for t, day in enumerate(DAYS):
            radius = 7.0
            while not (inside := observed[:, i, j] & (np.abs(DAYS - day) <= radius)).any():
                radius *= 2
            np.testing.assert_allclose(found[t, :, i, j], np.median(pixels[inside, :, i, j], axis=0), atol=1e-6)


def test_one_outlier_among_three_clear_dates_leaves_the_median_alone():
    values = np.array([0.1, 0.9, 0.1], np.float32).reshape(3, 1, 1)
    found = window_medians(values, np.ones((3, 1), bool), days=np.array([0.0, 5.0, 10.0]), window_days=30)
    np.testing.assert_allclose(found, 0.1)


# -- whittaker


def dense_penalty(days):
    """The matrix of the penalty, from its equation."""
    rows = []
    for a, b, c in zip(days[:-2], days[1:-1], days[2:], strict=True):
        weight = np.sqrt((c - a) / 2)
        rows.append(
            [weight * 2 / ((b - a) * (c - a)), -weight * 2 / ((b - a) * (c - b)), weight * 2 / ((c - b) * (c - a))]
        )
    differences = np.zeros((len(days) - 2, len(days)))
    for j, row in enumerate(rows):
        differences[j, j : j + 3] = row
    return differences.T @ differences


@pytest.mark.parametrize("smoothness", [1.0, 1e4, 1e7])
def test_the_smoother_solves_its_equation(smoothness):
    rng = np.random.default_rng(1)
    values = rng.random((len(DAYS), 2, 30)).astype(np.float32)
    observed = rng.random((len(DAYS), 30)) < 0.6
    observed[[0, -1]] = True  # nothing lies outside
    values *= observed[:, None]
    penalty = Penalty.of(DAYS.astype(float))
    found = smooth(values, observed, penalty=penalty, smoothness=np.full(2, smoothness))
    for n in range(30):
        system = np.diag(observed[:, n].astype(float)) + smoothness * dense_penalty(DAYS)
        np.testing.assert_allclose(found[:, :, n], np.linalg.solve(system, values[:, :, n]), atol=1e-6)


def test_a_line_is_kept_between_clear_dates_and_ends_are_level():
    line = np.broadcast_to((0.1 + 0.002 * DAYS)[:, None, None, None], (len(DAYS), 1, 2, 2))
    observed = np.ones((len(DAYS), 2, 2), bool)
    observed[[0, 1, 4, 5, -1], 0] = False
    found = filled("whittaker", observations(line, observed))
    np.testing.assert_allclose(found[2:-1, 0, 0], line[2:-1, 0, 0], atol=1e-4)
    np.testing.assert_allclose(found[:2, 0, 0], line[[2, 2], 0, 0], atol=1e-4)
    np.testing.assert_allclose(found[-1, 0, 0], line[-2, 0, 0], atol=1e-4)
    np.testing.assert_allclose(found[:, 0, 1], line[:, 0, 1], atol=1e-4)


def test_the_penalty_is_the_integral_of_the_squared_second_derivative_however_irregular_the_dates():
    penalty = Penalty.of(DAYS.astype(float))
    parabola = 0.5 * 3.0 * DAYS.astype(float) ** 2
    value = (penalty.main * parabola**2).sum()
    value += 2 * (penalty.first[:-1] * parabola[:-1] * parabola[1:]).sum()
    value += 2 * (penalty.second[:-2] * parabola[:-2] * parabola[2:]).sum()
    days = (DAYS[2:] - DAYS[:-2]).sum() / 2
    assert value == pytest.approx(3.0**2 * days)


def test_noise_is_smoothed_more_than_what_is_real():
    days, size = np.arange(0, 300, 5), (20, 20)
    rng = np.random.default_rng(0)
    wave = 0.2 * np.sin(2 * np.pi * days / 40)[:, None, None, None]
    slow = 0.2 * np.sin(2 * np.pi * days / 365)[:, None, None, None]
    noise = rng.normal(0, 0.05, (len(days), 1, *size))
    given = observations(np.concatenate([wave + noise / 10, slow + noise], axis=1), rng.random((60, *size)) < 0.7, days)
    chosen = choose_smoothness(given.s2, Penalty.of(days.astype(float)), np.random.default_rng(0))
    assert set(chosen) <= set(GRID)
    assert chosen[0] <= 1e-2 * chosen[1]
    error = np.abs(filled("whittaker", given)[:, 1] - slow[:, 0]).mean()
    assert error < 0.5 * np.abs(noise).mean()


def test_the_smoothness_may_be_given():
    given = random_case()
    rough, flat = (filled("whittaker", given, smoothness=value) for value in (1e-3, 1e9))
    clear = np.broadcast_to(given.s2.observed[:, None], given.s2.shape)
    np.testing.assert_allclose(rough[clear], given.s2.pixels[clear], atol=1e-2)
    assert np.abs(flat - given.s2.pixels)[clear].mean() > 0.05


# -- harmonic


def test_harmonics_find_their_own_coefficients_in_half_of_the_dates():
    days = np.arange(0, 1100, 10)
    rng = np.random.default_rng(0)
    truth = (curves(days.astype(float), 2) @ rng.normal(0, 0.1, (6, 2 * 5 * 5))).reshape(-1, 2, 5, 5)
    given = observations(truth, rng.random((len(days), 5, 5)) < 0.5, days)
    np.testing.assert_allclose(filled("harmonic", given, ridge=1e-6), truth, atol=1e-4)


def test_without_enough_dates_harmonics_stay_within_reason():
    days = np.arange(0, 60, 10)
    rng = np.random.default_rng(0)
    pixels = rng.uniform(0.1, 0.3, (6, 2, 8, 8))
    observed = rng.random((6, 8, 8)) < 0.5
    observed[0] = True
    found = filled("harmonic", observations(pixels, observed, days))
    assert -0.1 < found.min() <= found.max() < 0.5


# -- savitzky-golay


@pytest.mark.parametrize(("window", "degree"), [(11, 2), (21, 3), (5, 0)])
def test_on_daily_dates_the_filter_is_scipys(window, degree):
    days, rng = np.arange(60), np.random.default_rng(0)
    given = observations(rng.random((60, 2, 3, 3)), rng.random((60, 3, 3)) < 0.6, days)
    line = linear_interpolation(given.s2.pixels, given.s2.observed, given.s2.days)
    expected = savgol_filter(line.astype(float), window, degree, axis=0, mode="interp")
    found = filled("savitzky-golay", given, window_days=window, degree=degree)
    clear = given.s2.observed.any(axis=0)
    np.testing.assert_allclose(found[:, :, clear], expected[:, :, clear], atol=1e-5)


def test_lines_pass_through_the_filter_whatever_the_dates():
    matrix = filter_matrix(DAYS, 31, 2)
    np.testing.assert_allclose(matrix @ (0.3 + 0.01 * DAYS), 0.3 + 0.01 * DAYS, atol=1e-9)
    np.testing.assert_allclose(filter_matrix(DAYS, 1, 2), np.eye(len(DAYS)), atol=1e-9)


# -- low rank


def scene_of_courses(courses=3, size=(40, 40), seed=0, noise=0.0):
    rng = np.random.default_rng(seed)
    time_courses = rng.normal(0, 0.1, (courses, len(DAYS) * 4))
    weights = rng.normal(0, 1, (size[0] * size[1], courses))
    truth = 0.3 + (weights @ time_courses).T.reshape(len(DAYS), 4, *size)
    return truth + rng.normal(0, noise, truth.shape), rng


def test_mixtures_of_courses_are_completed():
    truth, rng = scene_of_courses()
    given = observations(truth, rng.random((len(DAYS), 40, 40)) < 0.6)
    hidden = np.broadcast_to(~given.s2.observed[:, None], truth.shape)
    found = filled("low-rank", given, rank=3, noise=1e-3, date_pixels=0.1)
    line = linear_interpolation(given.s2.pixels, given.s2.observed, given.s2.days)
    errors = [np.sqrt(np.mean((each - truth)[hidden] ** 2)) for each in (found, line)]
    assert errors[0] < 0.001 < errors[1]


def test_clouds_over_one_kind_of_land_do_not_shift_a_date_for_the_other():
    """A date's mean over what it shows is no mean of the scene."""
    truth, rng = scene_of_courses(courses=1)
    observed = rng.random((len(DAYS), 40, 40)) < 0.8
    observed[6] = truth[6, 0] > 0.3  # the bright half
    found = filled("low-rank", observations(truth, observed), rank=2, noise=1e-3, date_pixels=0.1, iterations=20)
    assert np.abs(found - truth)[6].mean() < 0.01


def test_a_date_that_is_hidden_whole_lies_between_those_around():
    level = (0.1 + 0.002 * DAYS)[:, None, None, None]
    rng = np.random.default_rng(0)
    truth = level + 0.1 * rng.random((1, 3, 30, 30))
    observed = rng.random((len(DAYS), 30, 30)) < 0.7
    observed[5] = False
    assert np.abs(filled("low-rank", observations(truth, observed)) - truth)[5].mean() < 0.01
