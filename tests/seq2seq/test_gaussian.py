"""Gaussian processes in time against dense algebra, simulated draws of the process and their rules."""

import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from quick_engine import observations, with_hidden_values

from seq2seq.bands import L1C
from seq2seq.errors import Stopped
from seq2seq.interpolation import linear_interpolation
from seq2seq.methods import find_method
from seq2seq.methods.base import RunContext
from seq2seq.methods.gaussian.acquisitions import optical, radar
from seq2seq.methods.gaussian.beginning import first_model
from seq2seq.methods.gaussian.evidence import maximise_evidence, negative_log_evidence
from seq2seq.methods.gaussian.mean import fit_mean
from seq2seq.methods.gaussian.model import Coregionalisation, Sensor, matern32
from seq2seq.methods.gaussian.posterior import posterior
from seq2seq.nn.vgg import Perceptual
from seq2seq.progress import never_stop
from seq2seq.sequence import ImageSequence, Observations
from seq2seq.simulation.simulate import simulate
from seq2seq.validation.holdout import blank
from seq2seq.validation.metrics import psnr

BOTH = ("gp", "mogpr")
S2, S1 = slice(0, 3), slice(3, 5)


def context(check_stop=never_stop):
    return RunContext(
        seed=0,
        device=torch.device("cpu"),
        threads=1,
        perceptual=Perceptual(None, (), "no perceptual loss"),
        perceptual_weight=0.0,
        check_stop=check_stop,
    )


def predicted(name, given, check_stop=never_stop, **settings):
    info = find_method(name)
    visible = blank(given, given.s2.observed)
    fit = info.load()(info.settings(**{"iterations": 15, "sample_px": 60, **settings}))
    return fit.start(visible, context(check_stop), None).predict(visible)[name]


def random_model(latents, seed=0, outputs=5):
    generator = torch.Generator().manual_seed(seed)
    noise = torch.zeros(outputs, outputs, dtype=torch.float64)
    for sensor in (slice(0, outputs - 2), slice(outputs - 2, outputs)):
        size = sensor.stop - sensor.start
        below = 0.2 * torch.randn(size, size, generator=generator, dtype=torch.float64)
        noise[sensor, sensor] = below.tril(-1) + 0.3 * torch.eye(size, dtype=torch.float64)
    mixing = torch.randn(outputs, latents, generator=generator, dtype=torch.float64) / latents**0.5
    return Coregionalisation(mixing, torch.linspace(15, 90, latents, dtype=torch.float64), noise)


def joint_covariance(model, days, outputs, *, noise):
    """(T B, T B) of outputs at days, output fastest: what the model says, entry by entry."""
    mixing, own = model.mixing[outputs], model.noise[outputs, outputs]
    size = len(days) * len(mixing)
    total = torch.zeros(size, size, dtype=torch.float64)
    for q, length in enumerate(model.length_days):
        total += torch.kron(matern32(days, days, length), torch.outer(mixing[:, q], mixing[:, q]))
    return total + noise * torch.kron(torch.eye(len(days), dtype=torch.float64), own @ own.T)


def draws(model, pixels, dates=12, share=0.6, seed=0):
    """Two sensors on their own irregular days that see draws of the model, some dates hidden."""
    rng = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    outputs = len(model.mixing)
    slices = (slice(0, outputs - 2), slice(outputs - 2, outputs)) if outputs > 2 else (slice(0, outputs),)
    all_days = [torch.from_numpy(np.cumsum(rng.integers(2, 15, dates)).astype(float)) for _ in slices]
    days = torch.cat(all_days)
    total = joint_covariance(model, days, slice(0, outputs), noise=0.0)
    factor = torch.linalg.cholesky(total + 1e-9 * torch.eye(len(total), dtype=torch.float64))
    latent = torch.randn(pixels, len(total), generator=generator, dtype=torch.float64) @ factor.T
    signal = latent.reshape(pixels, len(days), outputs)
    own = torch.randn(signal.shape, generator=generator, dtype=torch.float64) @ model.noise.T
    sensors = []
    for k, (each, its) in enumerate(zip(slices, all_days, strict=True)):
        observed = torch.from_numpy(rng.random((pixels, dates)) < share)
        values = (signal + own)[:, k * dates : (k + 1) * dates, each] * observed[..., None]
        sensors.append(Sensor(values, observed, its, each))
    return sensors


def dense(model, sensors, pixel):
    """Observed values (m,) of a pixel, their covariance (m, m), and their days and outputs."""
    values, days, outputs, sensor_of = [], [], [], []
    for k, each in enumerate(sensors):
        for t in torch.nonzero(each.observed[pixel]).flatten():
            bands = range(each.outputs.start, each.outputs.stop)
            values += each.values[pixel, t].tolist()
            days += [float(each.days[t])] * len(bands)
            outputs += bands
            sensor_of += [(k, int(t))] * len(bands)
    days, outputs = torch.tensor(days, dtype=torch.float64), torch.tensor(outputs, dtype=torch.long)
    same = torch.tensor([[one == other for other in sensor_of] for one in sensor_of])
    noise = (model.noise @ model.noise.T)[outputs][:, outputs] * same
    return (
        torch.tensor(values, dtype=torch.float64),
        between(model, days, outputs, days, outputs) + noise,
        days,
        outputs,
    )


def between(model, days, outputs, other_days, other_outputs):
    kernels = torch.stack([matern32(days, other_days, length) for length in model.length_days])
    return torch.einsum("iq,jq,qij->ij", model.mixing[outputs], model.mixing[other_outputs], kernels)


@pytest.mark.parametrize("latents", [1, 2, 4])
def test_posterior_equals_the_dense_solution_on_any_date(latents):
    model = random_model(latents)
    sensors = draws(model, pixels=9)
    sensors[0].observed[0] = False  # radar alone
    sensors[1].observed[1] = False
    sensors[0].values[0], sensors[1].values[1] = 0, 0
    asked = torch.tensor([0.5, 31.0, 400.0], dtype=torch.float64)
    found = posterior(model, sensors, asked, S2, check_stop=never_stop, with_variance=True)
    target_days, target_outputs = asked.repeat_interleave(3), torch.arange(3).repeat(3)
    prior = between(model, target_days, target_outputs, target_days, target_outputs)
    for pixel in range(9):
        values, total, days, outputs = dense(model, sensors, pixel)
        cross = between(model, days, outputs, target_days, target_outputs)
        solved = torch.linalg.solve(total, cross)
        torch.testing.assert_close(found.mean[pixel].flatten(), values @ solved)
        torch.testing.assert_close(found.variance[pixel].flatten(), (prior - cross.T @ solved).diagonal())


@pytest.mark.parametrize("latents", [1, 2, 4])
def test_evidence_is_the_density_of_the_observed_values_and_its_gradient_is_exact(latents):
    model = random_model(latents)
    sensors = draws(model, pixels=6)
    expected = 0.0
    for pixel in range(6):
        values, total, *_ = dense(model, sensors, pixel)
        normal = torch.distributions.MultivariateNormal(torch.zeros_like(values), total)
        expected -= float(normal.log_prob(values))
    assert float(negative_log_evidence(model, sensors)) == pytest.approx(expected)

    def value(mixing, length, noise):
        return negative_log_evidence(Coregionalisation(mixing, length, noise.tril()), sensors)

    inputs = [each.clone().requires_grad_() for each in (model.mixing, model.length_days, model.noise)]
    slopes = torch.autograd.grad(value(*inputs), inputs)
    for k, slope in enumerate(slopes):
        for place in ((0,), (-1,)) if slope.ndim == 1 else ((0, 0), (1, 0), (-1, -1)):
            shifted = [[each.detach().clone() for each in inputs] for _ in range(2)]
            shifted[0][k][place] += 1e-5
            shifted[1][k][place] -= 1e-5
            numeric = float(value(*shifted[0]) - value(*shifted[1])) / 2e-5
            assert float(slope[place]) == pytest.approx(numeric, rel=1e-5, abs=1e-6)


def test_hyperparameters_of_simulated_draws_are_found():
    truth = Coregionalisation(*(torch.tensor(each).double() for each in ([[0.9]], [35.0], [[0.3]])))
    sensors = draws(truth, pixels=300, dates=25)
    found = maximise_evidence(first_model(sensors, 1), sensors, iterations=60, check_stop=never_stop)
    assert float(found.length_days) == pytest.approx(35, rel=0.15)
    assert float(found.mixing.abs()) == pytest.approx(0.9, rel=0.1)
    assert float(found.noise) == pytest.approx(0.3, rel=0.1)


def test_the_joint_model_of_simulated_draws_is_found():
    truth = random_model(2)
    sensors = draws(truth, pixels=250, dates=15)
    found = maximise_evidence(first_model(sensors, 2), sensors, iterations=150, check_stop=never_stop)
    assert float(negative_log_evidence(found, sensors)) < float(negative_log_evidence(truth, sensors))
    torch.testing.assert_close(found.mixing @ found.mixing.T, truth.mixing @ truth.mixing.T, atol=0.2, rtol=0.1)
    torch.testing.assert_close(found.noise @ found.noise.T, truth.noise @ truth.noise.T, atol=0.03, rtol=0.1)


def test_variance_grows_with_the_gap_to_the_prior():
    model = Coregionalisation(*(torch.tensor(each).double() for each in ([[0.8]], [30.0], [[0.1]])))
    observed = torch.tensor([[True, True], [True, False], [False, False]])
    days = torch.tensor([0.0, 40.0]).double()
    sensor = Sensor(torch.zeros(3, 2, 1).double(), observed, days, slice(0, 1))
    asked = torch.tensor([0.0, 5.0, 10.0, 20.0, 40.0, 1000.0]).double()
    found = posterior(model, [sensor], asked, slice(0, 1), check_stop=never_stop, with_variance=True)
    both, one, none = found.variance[..., 0]
    assert (one.diff() > 0).all()
    assert (both[:4].diff() > 0).all()
    assert (both[:5] <= one[:5]).all()
    assert float(one[0]) < 0.1**2
    torch.testing.assert_close(none, torch.full_like(none, 0.64))
    assert float(one[-1]) == pytest.approx(0.64)


def smooth_sequence(dates=24, side=12, noise=0.02, seed=0, bands=3):
    """Noisy seasons of pixels that differ in phase and height, on irregular dates, and the truth."""
    rng = np.random.default_rng(seed)
    days = np.cumsum(rng.integers(3, 20, dates))
    phase = rng.uniform(0, 60, (side, side))
    height = rng.uniform(0.05, 0.15, (bands, side, side))
    season = np.sin(2 * np.pi * (days[:, None, None] - phase) / 200)
    truth = (0.25 + height * season[:, None]).astype(np.float32)
    given = observations(dates=2, size=side)
    stamps = np.datetime64("2023-01-01") + days.astype("timedelta64[D]")
    observed = rng.random((dates, side, side)) < 0.6
    pixels = truth + rng.normal(0, noise, truth.shape).astype(np.float32)
    s2 = ImageSequence(pixels, stamps, given.s2.bands[:bands], given.s2.geobox, observed)
    nothing = np.full(dates, np.datetime64("NaT"), dtype="datetime64[D]")
    return Observations(s2=s2, s1=None, cloud_mask=~observed, s1_dates=nothing), truth


@pytest.mark.parametrize("name", BOTH)
def test_a_smooth_signal_is_found_better_than_by_linear_interpolation(name):
    given, truth = smooth_sequence()
    s2 = given.s2
    linear = linear_interpolation(blank(given, s2.observed).s2.pixels, s2.observed, s2.days)
    hidden = ~s2.observed
    assert psnr(predicted(name, given), truth, where=hidden) > psnr(linear, truth, where=hidden) + 2


@pytest.mark.slow
def test_radar_tells_of_a_gap_in_the_joint_process_alone():
    given, _ = smooth_sequence(noise=0.003)
    rng = np.random.default_rng(3)
    signal = rng.normal(0, 1, given.s2.observed.shape)
    signal = (signal + np.roll(signal, 1, axis=0)).astype(np.float32)
    truth = 0.25 + 0.03 * signal[:, None] * np.array([1.0, -1.0, 0.5], np.float32)[:, None, None]
    s2 = replace(given.s2, pixels=truth.astype(np.float32))
    decibels = np.stack([-12 + 2 * signal, -18 - signal], axis=1)
    seen = np.ones_like(s2.observed)
    joined = replace(
        given, s2=s2, s1=ImageSequence(decibels, s2.dates, ("VV", "VH"), s2.geobox, seen), s1_dates=s2.dates
    )
    with_radar = psnr(predicted("mogpr", joined, iterations=60), truth, where=~s2.observed)
    for other in (
        predicted("mogpr", joined, radar=False),
        predicted("mogpr", replace(joined, s1=None)),
        predicted("gp", joined),
    ):
        assert with_radar > psnr(other, truth, where=~s2.observed) + 5


def test_an_acquisition_of_radar_counts_once_and_on_its_own_day():
    given = observations(dates=5, size=8)
    dates = given.s2.dates
    got = np.array([dates[0] - 1, dates[0] - 1, np.datetime64("NaT"), dates[3] + 2, dates[4]])
    seen = radar(replace(given, s1_dates=got))
    assert seen.days.tolist() == [-1, given.s2.days[3] + 2, given.s2.days[4]]
    assert np.array_equal(seen.pixels, given.s1.pixels[[0, 3, 4]])
    assert radar(replace(given, s1_dates=np.full(5, np.datetime64("NaT"), dtype="datetime64[D]"))) is None
    assert np.array_equal(optical(given).days, given.s2.days)
    assert not find_method("mogpr").needs_s1


@pytest.mark.parametrize("name", BOTH)
def test_values_that_are_hidden_change_nothing(name):
    given = observations(dates=6, size=10)
    s1 = replace(given.s1, observed=np.random.default_rng(0).random(given.s1.observed.shape) < 0.7)
    given = replace(given, s1=s1)
    info = find_method(name)
    found = []
    for value in (0.0, 0.87):
        hidden = with_hidden_values(given, value)
        pixels = np.where(s1.observed[:, None], s1.pixels, np.float32(-99 * value))
        hidden = replace(hidden, s1=replace(s1, pixels=pixels))
        fit = info.load()(info.settings(iterations=5, sample_px=40)).start(hidden, context(), None)
        found.append(fit.predict(hidden)[name])
    assert np.array_equal(*found)


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("bands", [1, 3, 13])
def test_any_bands_do(name, bands):
    given = observations(dates=5, size=8, bands="L1C")
    s2 = replace(given.s2, pixels=given.s2.pixels[:, :bands].copy(), bands=L1C[:bands])
    found = predicted(name, replace(given, s2=s2), iterations=3)
    assert found.shape == s2.shape
    assert found.dtype == np.float32
    assert np.isfinite(found).all()


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("latents", [2, 10])
def test_bands_that_are_constant_or_copies_do(name, latents):
    given = observations(dates=6, size=8)
    pixels = given.s2.pixels.copy()
    pixels[:, 1], pixels[:, 3] = pixels[:, 0], 0.3
    settings = {"latents": latents} if name == "mogpr" else {}
    found = predicted(name, replace(given, s2=replace(given.s2, pixels=pixels)), **settings)
    np.testing.assert_allclose(found[:, 3], 0.3, atol=1e-3)
    np.testing.assert_allclose(found[:, 0], found[:, 1], atol=0.02)


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("radar_too", [True, False])
def test_one_visible_date_is_enough_and_pixels_never_visible_get_the_scene(name, radar_too):
    given = observations(dates=5, size=8)
    observed = np.zeros_like(given.s2.observed)
    observed[2, :, :5] = True
    given = replace(given, s2=replace(given.s2, observed=observed), s1=given.s1 if radar_too else None)
    found = predicted(name, given, mean="scene")
    scene = given.s2.pixels[2, :, :, :5].mean((1, 2))
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[2, :, :, 7].mean(1), scene, atol=0.05)
    if not (radar_too and name == "mogpr"):
        np.testing.assert_allclose(found[:, :, :, 7], np.broadcast_to(scene[:, None], (5, 4, 8)), atol=1e-6)


def test_the_mean_of_a_scene_is_its_year_where_there_is_one():
    days = np.arange(0, 730, 20)
    year = 0.3 + 0.1 * np.sin(2 * np.pi * days / 365.25)
    pixels = np.broadcast_to(year[:, None, None, None], (len(days), 2, 4, 4)).astype(np.float32)
    observed = np.random.default_rng(0).random((len(days), 4, 4)) < 0.5
    harmonic, scene = (fit_mean(pixels, observed, days, kind) for kind in ("harmonic", "scene"))
    np.testing.assert_allclose(harmonic.at(days), np.stack([year, year], 1), atol=0.01)
    assert np.ptp(scene.at(days)) < 1e-12
    assert (harmonic.scale < scene.scale).all()


@pytest.mark.parametrize("name", BOTH)
def test_a_stop_is_heard_while_hyperparameters_are_sought_and_while_pixels_are_solved(name):
    given = observations(dates=6, size=10)
    calls = {"left": 0}

    def check_stop():
        calls["left"] -= 1
        if calls["left"] == 0:
            raise Stopped("asked to")

    predicted(name, given, check_stop)
    all_calls = -calls["left"]
    for after in (2, all_calls):  # in the search; in the last chunk
        calls["left"] = after
        with pytest.raises(Stopped):
            predicted(name, given, check_stop)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "limit_s"), [("gp", 5), ("mogpr", 30)])
def test_a_scene_of_twenty_dates_takes_seconds(name, limit_s):
    simulation = simulate(dates=20, size=101, bands=L1C[1:10], cloud=0.5, seed=0)
    s2, s1 = simulation.s2, simulation.s1
    nearest = [int(np.abs(s1.dates - date).argmin()) for date in s2.dates]
    paired = ImageSequence(s1.pixels[nearest], s2.dates, s1.bands, s2.geobox, np.ones_like(s2.observed))
    given = Observations(s2=s2, s1=paired, cloud_mask=~s2.observed, s1_dates=s1.dates[nearest])
    info = find_method(name)
    began = time.monotonic()
    fit = info.load()(info.settings()).start(given, context(), None)
    fit.predict(given)
    assert time.monotonic() - began < limit_s
