"""The sequence-to-point network: published sizes, what either variant can and cannot see or say, exact resume."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from quick_engine import observations, with_hidden_values, with_values
from safetensors.torch import save_file

from seq2seq.errors import ConfigError, MissingDataError, Stopped, WeightsUnavailableError
from seq2seq.methods import find_method
from seq2seq.methods.base import RunContext
from seq2seq.methods.network_fit import rate_at
from seq2seq.methods.seq2point.fit import Seq2PointMethod
from seq2seq.methods.seq2point.samples import Samples, nearest_dates
from seq2seq.methods.seq2point.settings import Seq2PointSettings
from seq2seq.methods.seq2point.weights import read_weights, write_weights
from seq2seq.nn.dsen2_cr import Dsen2Cr
from seq2seq.nn.seq2point import Seq2Point, draw_normal
from seq2seq.nn.trained import write_trained
from seq2seq.nn.vgg import Perceptual
from seq2seq.validation.holdout import blank

CONTEXT = RunContext(
    seed=2,
    device=torch.device("cpu"),
    threads=1,
    perceptual=Perceptual(None, (), "no perceptual loss"),
    perceptual_weight=0.0,
    check_stop=lambda: None,
)
TINY = Seq2PointSettings(steps=6, batch=2, crop_px=12, width=6, blocks=1, head_blocks=1)
VERBATIM = replace(TINY, variant="verbatim")
BOTH = pytest.mark.parametrize("settings", [TINY, VERBATIM], ids=lambda settings: settings.variant)


@pytest.fixture(scope="module")
def given():
    return observations(dates=6, size=(17, 20), seed=1)


@pytest.fixture(scope="module")
def visible(given):
    return blank(given, given.s2.observed)


def fit(visible, settings=TINY, context=CONTEXT):
    return Seq2PointMethod(settings).start(visible, context, None)


def losses(fitted, steps=3):
    return [fitted.step() for _ in range(steps)]


def predicted(fitted, visible):
    return fitted.predict(visible)["network"]


def count(module):
    return sum(values.numel() for values in module.parameters())


def test_the_network_has_as_many_parameters_as_the_published_one():
    network = Seq2Point(15, 13, bounded=True)
    trunk = count(network.trunk)
    assert (trunk, count(network) - trunk) == (18_917_376, 19_556_877)
    assert count(network) == 38_474_253


def test_the_presets_build_what_they_say(visible):
    paper = replace(VERBATIM, preset="paper", width=None, blocks=None, head_blocks=None, batch=None).plan
    assert (paper.width, paper.blocks, paper.head_blocks, paper.batch, paper.learning_rate) == (256, 16, 5, 1, 2e-4)
    assert (paper.initial_std, paper.rotated) == (0.02, False)
    network = fit(visible, replace(TINY, preset="paper", width=32)).network
    assert network.stem.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert not network.trunk.head.bias.any()


def test_weights_are_drawn_from_the_generator_alone():
    one, other = Seq2Point(4, 2, width=8, blocks=1), Seq2Point(4, 2, width=8, blocks=1)
    for each in (one, other):
        draw_normal(each, 0.02, torch.Generator().manual_seed(5))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize(("dates", "height", "width"), [(3, 1, 1), (3, 1, 7), (4, 5, 2), (5, 9, 11)])
def test_any_size_and_number_of_dates_is_taken(dates, height, width):
    network = Seq2Point(5, 2, dates=dates, width=4, blocks=1, head_blocks=1)
    output = network(torch.rand(2, dates, 5, height, width))
    assert output.shape == (2, 2, height, width)
    assert output.isfinite().all()


def test_the_head_is_the_published_sequence_of_convolutions():
    """Against torch's own padded convolutions, which share no code with ours."""
    network = Seq2Point(3, 2, dates=3, width=4, blocks=1, head_blocks=1)
    images = torch.rand(1, 3, 3, 6, 7)
    with torch.no_grad():
        features = torch.stack([network.trunk(images[:, t])[0] for t in range(3)], 1)[None]
        x = torch.relu(torch.conv3d(features, network.stem.weight, network.stem.bias, padding=1))
        block = network.blocks[0]
        y = x
        for layer, after in ((block.first, torch.relu), (block.second, lambda values: values)):
            padded = torch.nn.functional.pad(y, (1, 1, 1, 1, 0, 0), mode="reflect")
            padded = torch.nn.functional.pad(padded, (0, 0, 0, 0, 1, 1), mode="replicate")
            y = after(torch.conv3d(padded, layer.weight, layer.bias))
        x = torch.nn.functional.pad(torch.relu(x + 0.1 * y), (1, 1, 1, 1, 0, 0), mode="reflect")
        expected = torch.conv3d(x, network.tail.weight, network.tail.bias)[:, :, 0]
        assert torch.allclose(network(images), expected, atol=1e-5)


def test_dates_are_the_nearest_that_show_something():
    days, share = np.array([0, 5, 10, 15, 40]), np.array([1.0, 0.0, 1.0, 1.0, 1.0])
    assert nearest_dates(days, share, 2, 2, least=0.1) == [0, 3]
    assert nearest_dates(days, share, 2, 3, least=0.1) == [0, 3, 4]
    assert nearest_dates(days, share, 2, 4, least=0.1) == [0, 1, 3, 4]
    assert nearest_dates(days, np.ones(5), 2, 1, least=0.1) == [1], "the earlier of two equally near"


def test_the_date_itself_is_no_input_but_for_its_radar_in_the_corrected_variant(visible):
    target = 2
    s1 = visible.s1
    radar = replace(visible, s1=with_values(s1, np.arange(6)[:, None, None] == target, -8.0 + np.zeros(s1.shape[2:])))
    optical = replace(
        visible, s2=with_values(visible.s2, visible.s2.observed & (np.arange(6) == target)[:, None, None], 0.4)
    )
    for verbatim, told in ((True, False), (False, True)):
        own, other, bright = (
            Samples.of(each, count=3, least=0.1, with_sar=True, verbatim=verbatim).images(target)
            for each in (visible, radar, optical)
        )
        assert np.array_equal(own, bright)
        assert np.array_equal(own, other) is not told
        assert own.shape == (3, 6 if verbatim else 9, 17, 20)


def test_the_corrected_variant_is_told_the_days_between(visible):
    samples = Samples.of(visible, count=3, least=0.0, with_sar=False, verbatim=False)
    days = visible.s2.days
    for date in (0, 3):
        expected = [(days[other] - days[date]) / 30 for other in samples.others[date]]
        assert samples.images(date)[:, -1, 0, 0] == pytest.approx(expected, rel=1e-6)


def test_a_batch_shows_only_other_dates_and_the_known_target(visible):
    samples = Samples.of(visible, count=3, least=0.1, with_sar=True, verbatim=False)
    batch = samples.draw(np.random.default_rng(0), batch=5, crop_px=12, rotated=True)
    assert batch.images.shape == (5, 3, 9, 12, 12)
    assert batch.target.shape == (5, 4, 12, 12)
    assert not batch.target[np.broadcast_to(~batch.known[:, None], batch.target.shape)].any()
    assert [len(part.images) for part in batch.parts(2)] == [2, 2, 1]


def test_verbatim_cannot_exceed_a_reflectance_of_a_fifth_and_corrected_can(visible):
    """The published Tanh ends at 1, where 1 of the published units is a reflectance of 0.2."""
    bright = replace(visible, s2=with_values(visible.s2, visible.s2.observed, 0.5))
    settings = replace(TINY, steps=60, width=8, learning_rate=1e-2)
    ends = {}
    for variant in ("verbatim", "corrected"):
        fitted = fit(bright, replace(settings, variant=variant))
        losses(fitted, 60)
        ends[variant] = predicted(fitted, bright)
    assert ends["verbatim"].max() <= 0.2 + 1e-6
    assert ends["verbatim"].mean() > 0.18, "it does go as far as it can"
    assert ends["corrected"].mean() == pytest.approx(0.5, abs=0.1)


@BOTH
def test_values_that_are_not_observed_change_nothing(given, settings):
    seen = [with_hidden_values(given, value) for value in (0.0, 0.9)]
    one, other = (fit(each, settings) for each in seen)
    assert losses(one) == losses(other)
    assert np.array_equal(predicted(one, seen[0]), predicted(other, seen[1]))


@BOTH
@pytest.mark.parametrize("frozen", [0, 3])
def test_resuming_continues_bit_for_bit(visible, settings, frozen):
    settings = replace(settings, freeze_trunk_steps=frozen)
    straight, first, resumed = (fit(visible, settings) for _ in range(3))
    whole = losses(straight, 5)
    begun = losses(first, 2)
    saved = io.BytesIO()
    state = first.state_dict()
    first.step()  # a saved state does not follow the fit it came from
    torch.save(state, saved)
    saved.seek(0)
    resumed.load_state_dict(torch.load(saved, weights_only=True))
    assert begun + losses(resumed, 3) == whole
    assert np.array_equal(predicted(resumed, visible), predicted(straight, visible))


def test_the_same_seed_is_the_same_fit_and_another_is_another(visible):
    one, same, other = fit(visible), fit(visible), fit(visible, context=replace(CONTEXT, seed=3))
    torch.rand(3)
    assert losses(one) == losses(same) != losses(other)


def test_a_batch_in_parts_is_the_same_batch(visible, monkeypatch):
    settings = replace(TINY, batch=5)
    expected = losses(fit(visible, settings))
    kept = 2 * TINY.plan.remembered_bytes(3, 12 * 12)
    monkeypatch.setattr("seq2seq.methods.seq2point.settings.REMEMBERED_BYTES", kept)
    assert settings.plan.samples_at_once(3, 12 * 12) == 2
    assert losses(fit(visible, settings)) == pytest.approx(expected, rel=1e-3)


def test_the_rate_is_constant_and_then_falls_to_nothing():
    rates = [rate_at(step / 10, 2.0) for step in range(11)]
    assert rates[:6] == [2.0] * 6
    assert rates[6:] == pytest.approx([1.6, 1.2, 0.8, 0.4, 0.0])


def test_where_time_is_short_the_rate_follows_the_clock(visible):
    fitted = fit(visible)
    for elapsed, rate in ((None, 1e-3), (0.9, 2e-4), (1.2, 0.0)):
        fitted.step(elapsed)
        assert fitted.optimizer.param_groups[0]["lr"] == pytest.approx(rate)


def test_it_stops_between_two_dates_of_a_prediction_and_between_two_parts_of_a_step(visible):
    def stop():
        raise Stopped("now")

    fitted = fit(visible)
    fitted._check_stop = stop
    for work in (fitted.step, lambda: fitted.predict(visible)):
        with pytest.raises(Stopped):
            work()


def test_it_learns_the_land_from_other_dates_and_radar(visible):
    fitted = fit(visible, replace(TINY, steps=80, width=12, learning_rate=5e-3))
    first = np.mean(losses(fitted, 5))
    losses(fitted, 70)
    assert np.mean(losses(fitted, 5)) < 0.5 * first
    result = predicted(fitted, visible)
    assert result.shape == visible.s2.shape
    assert result.min() >= 0
    assert result.max() <= 1


@BOTH
def test_radar_is_used_where_it_is_there_and_wanted(visible, settings):
    alone = replace(visible, s1=None)
    least = 4 if settings.verbatim else 5
    assert fit(visible, settings).network.inputs == least + (2 if settings.verbatim else 4)
    without = fit(alone, settings)
    assert without.network.inputs == fit(visible, replace(settings, sar="off")).network.inputs == least
    assert losses(without) == losses(fit(visible, replace(settings, sar="off")))
    assert np.isfinite(predicted(without, alone)).all()
    with pytest.raises(ConfigError, match="there is none; use --set sar=auto"):
        fit(alone, replace(settings, sar="on"))


def test_too_few_dates_are_one_clear_error_before_any_step():
    four = observations(dates=4, size=12, seed=1)
    assert np.isfinite(predicted(fit(four), four)).all()
    with pytest.raises(
        MissingDataError, match="from 4 others and needs 5 dates, the sequence has 4; use --set dates=3"
    ):
        fit(four, replace(TINY, dates=4))
    three = observations(dates=3, size=12, seed=1)
    with pytest.raises(MissingDataError, match="needs 4 dates, the sequence has 3; add dates, or another method"):
        fit(three)


def test_scenes_of_one_row_or_one_visible_pixel_are_fitted_too(given):
    observed = np.zeros_like(given.s2.observed)
    observed[2, 0, 3] = True
    row = blank(given, observed).crop(slice(0, 1), slice(0, 20))
    fitted = fit(row)
    assert np.isfinite(losses(fitted, 2)).all()
    assert np.isfinite(predicted(fitted, row)).all()


@BOTH
def test_weights_are_written_and_read_back_and_need_no_steps(visible, tmp_path, settings):
    path, bands = tmp_path / "weights.safetensors", visible.s2.bands
    fitted = fit(visible, settings)
    losses(fitted)
    write_weights(fitted.network, path, bands=bands, card={"steps": 3})
    trained = read_weights(path)
    assert (trained.sar_channels, trained.bands, trained.network.dates) == (2, bands, 3)
    given = Seq2PointSettings(variant=settings.variant, weights=str(path))
    again = fit(visible, given)
    assert again.steps_total == 0
    assert np.array_equal(predicted(again, visible), predicted(fitted, visible))
    assert fit(visible, replace(given, steps=2)).steps_total == 2


def test_weights_that_do_not_fit_are_refused(visible, tmp_path):
    path, bands = tmp_path / "w.safetensors", visible.s2.bands
    write_weights(fit(visible).network, path, bands=bands, card={})
    settings = Seq2PointSettings(weights=str(path))
    refused = [
        (visible, replace(settings, variant="verbatim"), "use --set variant=corrected"),
        (visible, replace(settings, dates=4), "from 3 others, dates is 4; use --set dates=3"),
        (replace(visible, s1=None), settings, "need S1 with 2 bands, there are 0"),
        (visible, replace(settings, sar="off"), "have 2 channels for S1, and sar is off"),
        (visible, replace(settings, trunk_weights="w.safetensors"), "weights hold the trunk too"),
        (
            replace(visible, s2=replace(visible.s2, bands=("B02", "B03", "B04", "B8A"))),
            settings,
            "are for 4 bands: B02 B03 B04 B08; S2 has 4: B02 B03 B04 B8A",
        ),
    ]
    for each, wanted, message in refused:
        with pytest.raises(ConfigError, match=message):
            fit(each, wanted)


def test_files_that_hold_no_such_weights_are_refused_by_name(visible, tmp_path):
    network = fit(visible).network
    state = network.state_dict()
    cases = {
        "missing": (None, "is not a file"),
        "other": (({}, '{"method": "dsen2-cr"}'), "holds those of dsen2-cr"),
        "variant": ((state, "{}"), "variant is None in its card"),
        "empty": (({}, '{"variant": "corrected"}'), "trunk.head.weight is missing"),
        "odd": ((state, '{"variant": "corrected"}'), "are of no corrected network"),
        "short": ((state, '{"variant": "corrected"}'), "stem.bias is missing"),
    }
    for name, (content, message) in cases.items():
        path = tmp_path / f"{name}.safetensors"
        if content is not None:
            arrays, card = content
            arrays = {name: value.contiguous() for name, value in arrays.items()} or {"x": torch.zeros(1)}
            if name == "odd":
                arrays["trunk.head.weight"] = torch.zeros(6, 8, 3, 3)
            if name == "short":
                del arrays["stem.bias"]
            save_file(arrays, path, {"card": card})
        with pytest.raises(WeightsUnavailableError, match=message):
            read_weights(path)


@BOTH
def test_the_trunk_begins_with_dsen2_cr_and_may_stay_for_a_while(visible, tmp_path, settings):
    path = tmp_path / "trunk.safetensors"
    published = Dsen2Cr(4, 2, width=6, blocks=1, generator=torch.Generator().manual_seed(9))
    write_trained(path, published.state_dict(), {"method": "dsen2-cr"})
    fitted = fit(visible, replace(settings, trunk_weights=str(path), freeze_trunk_steps=2))
    image, extra = torch.rand(1, 6, 5, 5), torch.rand(1, fitted.network.inputs - 6, 5, 5)
    with torch.no_grad():
        expected = torch.relu(published.head(image))
        expected = published.blocks[0](expected)
        assert torch.allclose(fitted.network.trunk(torch.cat([image, extra], 1)), expected, atol=1e-6)
    before = fitted.state_dict()["network"]
    losses(fitted, 2)
    after = fitted.state_dict()["network"]
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert not {name for name in changed if name.startswith("trunk.")}
    fitted.step()
    assert not torch.equal(fitted.network.trunk.head.weight.cpu(), before["trunk.head.weight"])


def test_a_trunk_of_other_sizes_is_refused(visible, tmp_path):
    path = tmp_path / "trunk.safetensors"
    for network, message in (
        (Dsen2Cr(4, 2, width=8, blocks=2), "use --set width=8 --set blocks=2"),
        (Dsen2Cr(3, 2, width=6, blocks=1), "are for 3 bands and 2 of S1, there are 4 and 2"),
    ):
        write_trained(path, network.state_dict(), {"method": "dsen2-cr"})
        with pytest.raises(ConfigError, match=message):
            fit(visible, replace(TINY, trunk_weights=str(path)))


def test_its_cost_grows_with_dates_seen_and_the_published_one_is_for_a_gpu():
    info = find_method("seq2point")
    small, more, paper = (
        info.cost((20, 13, 256, 256), settings)
        for settings in (Seq2PointSettings(), Seq2PointSettings(dates=6), Seq2PointSettings(preset="paper"))
    )
    assert small.seconds < 900
    assert small.seconds < more.seconds < paper.seconds
    assert small.memory_gb < more.memory_gb < paper.memory_gb
