"""The published method: its schedule, its windows, exact resume, and that hidden pixels are never learnt."""

import copy
import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from affine import Affine
from odc.geo.geobox import GeoBox

from seq2seq.errors import ConfigError
from seq2seq.methods.base import RunContext
from seq2seq.methods.ebel2021 import fit as published
from seq2seq.methods.ebel2021.fit import (
    Ebel2021,
    Ebel2021Fit,
    Schedule,
    network_input,
    rescale_backscatter,
    window_order,
)
from seq2seq.methods.ebel2021.settings import Ebel2021Settings
from seq2seq.nn.devices import autocast
from seq2seq.nn.vgg import Perceptual, Vgg16Features
from seq2seq.sequence import ImageSequence, Observations

CPU = torch.device("cpu")
BANDS = ("B02", "B03", "B04", "B08")
UNUSED = Perceptual(None, (), "no perceptual loss")
SETTINGS = Ebel2021Settings(schedule_factor=0.01)
NOISE = replace(SETTINGS, network_input="noise")
SEED = 3


def observations(dates: int = 6, size: int = 16, *, seed: int = 0) -> Observations:
    """Smooth land that brightens with backscatter, a third of it hidden."""
    rng = np.random.default_rng(seed)
    geobox = GeoBox((size, size), Affine(10, 0, 600000, 0, -10, 5700000), "EPSG:32631")
    days = np.datetime64("2021-01-01") + np.arange(dates) * np.timedelta64(10, "D")
    wave = np.sin(np.arange(size) / 3)[:, None] + np.cos(np.arange(size) / 4) + np.arange(dates)[:, None, None] / dates
    s1 = np.stack([wave * 4 - 14, wave * 3 - 20], axis=1).astype(np.float32)
    s2 = np.stack([0.2 + 0.05 * band + 0.05 * wave for band in range(len(BANDS))], axis=1).astype(np.float32)
    observed = rng.random((dates, size, size)) > 0.3
    return Observations(
        s2=ImageSequence(s2, days, BANDS, geobox, observed),
        s1=ImageSequence(s1, days, ("VV", "VH"), geobox, np.ones_like(observed)),
        cloud_mask=~observed,
        s1_dates=days,
    )


def fit_to(
    given: Observations,
    settings: Ebel2021Settings = SETTINGS,
    *,
    seed: int = SEED,
    perceptual: Perceptual = UNUSED,
    weight: float = 0.01,
) -> Ebel2021Fit:
    context = RunContext(
        seed=seed,
        device=CPU,
        threads=1,
        perceptual=perceptual,
        perceptual_weight=weight,
        check_stop=lambda: None,
    )
    return Ebel2021(settings).start(given, context, None)


def fit(settings: Ebel2021Settings = SETTINGS, *, seed: int = SEED, **changes: int) -> Ebel2021Fit:
    return fit_to(observations(**changes), settings, seed=seed)


def predicted(fitted: Ebel2021Fit) -> np.ndarray:
    """The network's images; it looks at nothing but radar, which it has."""
    return fitted.predict(observations())["network"]


@pytest.fixture(autouse=True)
def small_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two narrow scales in place of six, so that a step takes milliseconds."""
    whole = published.EncoderDecoder3d

    def narrow(*channels: int, generator: torch.Generator) -> torch.nn.Module:
        return whole(*channels, widths=(4, 8), generator=generator)

    monkeypatch.setattr(published, "EncoderDecoder3d", narrow)


@pytest.mark.parametrize(
    ("factor", "passes", "iterations"),
    [
        (1.0, 20, 100),
        (2.0, 20, 200),
        (0.5, 20, 50),
        (0.07, 20, 7),
        (0.015, 15, 2),
        (0.01, 20, 1),
        (0.002, 4, 1),
        (1e-6, 1, 1),
    ],
)
def test_the_schedule_shrinks_iterations_first_and_never_to_nothing(
    factor: float, passes: int, iterations: int
) -> None:
    assert Schedule.of(Ebel2021Settings(schedule_factor=factor)) == Schedule(passes, iterations)


def test_thirty_dates_make_the_published_fifty_two_thousand_steps() -> None:
    assert fit(Ebel2021Settings(), dates=30, size=2).steps_total == 26 * 20 * 100 == 52_000


@pytest.mark.parametrize(("dates", "windows", "length"), [(2, 1, 2), (5, 1, 5), (6, 2, 5), (9, 5, 5)])
def test_windows_are_five_adjacent_dates_or_all_there_are(dates: int, windows: int, length: int) -> None:
    fitted = fit(dates=dates)
    assert (fitted.windows, fitted.window_dates) == (windows, length)
    assert predicted(fitted).shape == (dates, 4, 16, 16)


@pytest.mark.parametrize("dates", [2, 5, 6, 11])
def test_every_date_comes_from_one_window_the_one_nearest_to_its_middle(dates: int) -> None:
    fitted = fit(dates=dates)
    given = {date: start for start in range(fitted.windows) for date in fitted._dates_given_by(start)}
    assert sorted(given) == list(range(dates))
    for date, start in given.items():
        offcentre = [abs(date - (other + fitted.window_dates // 2)) for other in range(fitted.windows)]
        assert offcentre[start] == min(offcentre)


def test_a_date_is_predicted_from_its_own_window() -> None:
    fitted = fit(dates=8)
    with torch.no_grad(), autocast(torch.device("cpu")):
        window = fitted.network(fitted._inputs[None, :, 2:7])[0].transpose(0, 1).numpy()
    assert np.array_equal(predicted(fitted)[4], window[2])


def test_each_pass_visits_every_window_once_in_a_new_order_and_the_middle_one_last() -> None:
    orders = [window_order(9, seed=0, passed=passed) for passed in range(4)]
    assert all(sorted(order) == list(range(9)) and order[-1] == 4 for order in orders)
    assert len({tuple(order) for order in orders}) > 1
    assert orders == [window_order(9, seed=0, passed=passed) for passed in range(4)]


def test_backscatter_is_clipped_to_25_decibels_and_rescaled() -> None:
    decibel = np.array([-40, -25, -12.5, 0, 3], dtype=np.float32)
    assert rescale_backscatter(decibel, (-25, 0)).tolist() == [0, 0, 0.5, 1, 1]
    published = Ebel2021Settings()
    assert (published.lowest_backscatter_db, published.highest_backscatter_db) == (-25, 0)


def test_resuming_continues_bit_for_bit() -> None:
    straight, first, resumed = fit(), fit(), fit()
    losses = [straight.step() for _ in range(10)]
    again = [first.step() for _ in range(5)]
    saved = io.BytesIO()
    state = first.state_dict()
    first.step()  # a saved state does not follow the fit it came from
    torch.save(state, saved)
    saved.seek(0)
    resumed.load_state_dict(torch.load(saved, weights_only=True))
    again += [resumed.step() for _ in range(5)]
    assert again == losses
    assert resumed.steps_done == 10
    assert np.array_equal(predicted(resumed), predicted(straight))


def test_the_same_seed_gives_the_same_result_and_another_seed_another() -> None:
    def result(seed: int) -> np.ndarray:
        fitted = fit(seed=seed)
        for _ in range(3):
            fitted.step()
        return predicted(fitted)

    assert np.array_equal(result(0), result(0))
    assert not np.array_equal(result(0), result(1))


def test_pixels_that_are_not_observed_are_never_learnt() -> None:
    plain = observations()
    clouded = copy.deepcopy(plain)
    clouded.s2.pixels[np.broadcast_to(~plain.s2.observed[:, None], plain.s2.pixels.shape)] = 0.9
    fits = [fit_to(each, perceptual=perceptual()) for each in (plain, clouded)]
    losses = [[each.step() for _ in range(3)] for each in fits]
    assert losses[0] == losses[1]
    assert np.array_equal(predicted(fits[0]), predicted(fits[1]))


def perceptual() -> Perceptual:
    generator = torch.Generator().manual_seed(0)
    shapes = {name: value.shape for name, value in Vgg16Features().state_dict().items()}
    state = {name: torch.randn(shape, generator=generator) * 0.05 for name, shape in shapes.items()}
    return Perceptual(Vgg16Features.from_state_dict(state), ((2, 1, 0),), "for tests")


def test_the_loss_is_l2_plus_the_weighted_perceptual_distance() -> None:
    def first_loss(term: Perceptual, weight: float) -> float:
        return fit_to(observations(), perceptual=term, weight=weight).step()

    l2, one, two = first_loss(UNUSED, 1.0), first_loss(perceptual(), 1.0), first_loss(perceptual(), 2.0)
    assert one > l2
    assert two - l2 == pytest.approx(2 * (one - l2), rel=1e-4)


def test_it_learns_the_land_from_radar() -> None:
    given = observations(dates=5)
    fitted = fit_to(given, Ebel2021Settings(schedule_factor=0.1))
    while fitted.steps_done < fitted.steps_total:
        fitted.step()
    hidden = ~given.s2.observed
    error = (predicted(fitted) - given.s2.pixels).transpose(0, 2, 3, 1)[hidden]
    spread = given.s2.pixels.transpose(0, 2, 3, 1)[hidden]
    assert np.sqrt(np.mean(error**2)) < 0.5 * spread.std(axis=0).mean()


def test_the_noise_input_has_as_many_channels_as_s1_and_stays_the_same() -> None:
    given = observations()
    noise = network_input(given, NOISE, SEED)
    assert noise.shape == network_input(given, SETTINGS, SEED).shape == (2, 6, 16, 16)
    assert torch.equal(noise, network_input(given, NOISE, SEED))
    assert network_input(replace(given, s1=None), NOISE, SEED).shape == noise.shape


def test_without_s1_the_method_is_refused_and_noise_suggested() -> None:
    with pytest.raises(ConfigError, match="--set network_input=noise"):
        fit_to(replace(observations(), s1=None))


def test_dates_without_s1_get_the_mean_backscatter_not_what_happens_to_stand_there() -> None:
    given = observations()
    assert given.s1 is not None
    given.s1.observed[2] = False
    given.s1.pixels[2] = 999.0
    inputs = network_input(given, SETTINGS, SEED)
    for channel in inputs:
        others = channel[[0, 1, 3, 4, 5]]
        torch.testing.assert_close(channel[2], others.mean().expand(16, 16), rtol=1e-5, atol=1e-6)
