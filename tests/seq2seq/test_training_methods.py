"""pix2pix and seq2point by the loop that trains: what they see, exact resume, processes, refusals, the weights."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from quick_engine import use_schedule
from safetensors.torch import load_file
from sen12_trees import cloudy_dn, write_series, write_triplet
from toy_dataset import TOY, in_float32, open_toy, register, write_toy, write_toy_series
from training_processes import learn_in_processes

from seq2seq.commands.main import main as command_line
from seq2seq.errors import ConfigError, InvalidPixelsError, MissingDataError, Stopped
from seq2seq.methods import find_method
from seq2seq.methods.dsen2_cr.training import Dsen2CrTraining
from seq2seq.methods.pix2pix.training import Pix2PixTraining
from seq2seq.methods.seq2point.training import Seq2PointTraining, ask_for
from seq2seq.model_card import read_card
from seq2seq.nn.trained import read_trained
from seq2seq.training.job import TrainingJob, settings_for
from seq2seq.training.loop import train

CPU = torch.device("cpu")
TINY = {
    "dsen2-cr": {"width": 4, "blocks": 1, "crop_px": 16},
    "pix2pix": {"width": 2, "downs": 5, "crop_px": 32, "learning_rate": 2e-3},
    "seq2point": {"width": 6, "blocks": 1, "head_blocks": 1, "crop_px": 16, "learning_rate": 2e-3},
}
# So deep that there is dropout; frozen for a while.
EVENTFUL = {"pix2pix": {"downs": 6, "crop_px": 64}, "seq2point": {"freeze_trunk_steps": 2}}
CLASSES = {"dsen2-cr": Dsen2CrTraining, "pix2pix": Pix2PixTraining, "seq2point": Seq2PointTraining}
BOTH = pytest.mark.parametrize("method", ["pix2pix", "seq2point"])


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch):
    """Threads that wait for each other cost more than they do here."""
    monkeypatch.setattr("seq2seq.nn.devices.available_cores", lambda: 1)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """By kind: a cloudy image and a clear one, several dates and one that is asked for, whole series."""
    root = tmp_path_factory.mktemp("toys")
    return {
        "pairs": write_toy(root / "pairs"),
        "dates": write_toy_series(root / "dates"),
        "series": write_toy_series(root / "series", whole=True),
    }


def kind_of(method):
    return "pairs" if method == "pix2pix" else "dates"


def job(method, folder, out, *, settings=None, **changes):
    info = find_method(method)
    given = {"steps": 6, "batch": 2, "device": "cpu", "readers": 2, "validated": 0, **changes}
    settings = settings_for(info, {**TINY[method], **(settings or {})})
    return TrainingJob(method=info, settings=settings, dataset=TOY, path=folder, out=out, **given)


def learner(method, sample, channels=2, **settings):
    info = find_method(method)
    return CLASSES[method](settings_for(info, {**TINY[method], **settings}), sample.bands, channels, 0)


def random(seed=0):
    return np.random.default_rng(seed)


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def cli(arguments):
    with pytest.raises(SystemExit) as ended:
        command_line([str(each) for each in arguments])
    return int(ended.value.code or 0)


def options(method):
    return [f"--set={name}={value}" for name, value in TINY[method].items()]


@pytest.mark.parametrize(
    ("method", "kind"),
    [("pix2pix", "pairs"), ("seq2point", "dates"), ("seq2point", "series")],
    ids=["pix2pix", "seq2point", "seq2point-of-series"],
)
def test_a_training_that_was_stopped_goes_on_bit_for_bit(folders, tmp_path, method, kind):
    whole, parts = (
        job(method, folders[kind], tmp_path / f"{name}.safetensors", settings=EVENTFUL[method], validated=2)
        for name in ("whole", "parts")
    )
    expected = train(whole)
    calls = iter(range(100))
    with pytest.raises(Stopped, match="step 3 of 6"):
        train(parts, should_stop=lambda: next(calls) == 3)
    torch.rand(3)  # whatever else draws
    resumed = train(replace(parts, resume=True))
    assert same(load_file(whole.out), load_file(parts.out))
    assert (resumed.card["loss"], resumed.scores) == (expected.card["loss"], expected.scores)
    assert np.isfinite(expected.scores[-1].mae)
    assert expected.scores[-1].mae > 0


def test_a_checkpoint_holds_the_judge_and_the_weights_do_not(folders, tmp_path):
    asked, calls = job("pix2pix", folders["pairs"], tmp_path / "w.safetensors"), iter(range(100))
    with pytest.raises(Stopped):
        train(asked, should_stop=lambda: next(calls) == 2)
    state, _ = read_trained(asked.checkpoint, "pix2pix")
    for prefix in ("network.", "optimizer.", "judge.network.", "judge.optimizer."):
        assert any(name.startswith(prefix) for name in state), prefix
    train(replace(asked, resume=True))
    trainable = learner("pix2pix", open_toy(folders["pairs"], "train")[0])
    assert load_file(asked.out).keys() == trainable.network.state_dict().keys()


@pytest.mark.parametrize(("method", "steps"), [("pix2pix", 60), ("seq2point", 80)])
def test_training_lowers_the_loss_and_scores_better_on_other_land(folders, tmp_path, method, steps):
    seen = []
    asked = job(method, folders[kind_of(method)], tmp_path / "w.safetensors", steps=steps, validated=2)
    trained = train(asked, on_progress=lambda progress: seen.append(progress.loss))
    losses = [loss for loss in seen if loss is not None]
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:5])
    assert trained.scores[-1].psnr_db > trained.scores[0].psnr_db + 1


@pytest.mark.slow
@BOTH
def test_two_processes_learn_what_one_does(folders, tmp_path, method):
    """But for rounding, which Adam enlarges where a gradient is next to nothing; other dropout shows everywhere."""
    settings = TINY[method] | EVENTFUL[method]
    folder = folders[kind_of(method)]
    two, one = (
        learn_in_processes(count, method, folder, tmp_path / f"{count}.safetensors", settings)[0] for count in (2, 1)
    )
    for name, values in one.items():
        apart = (values - two[name]).abs().flatten()
        assert apart.quantile(0.98) < 2e-4, name
        assert apart.max() < TINY[method]["learning_rate"], name


def test_each_crop_is_normalised_by_itself_so_that_a_batch_is_the_mean_of_its_crops(folders):
    samples = open_toy(folders["pairs"], "train")
    made = learner("pix2pix", samples[0], crop_px=24)
    made.network.eval()  # no dropout
    examples = [made.example(samples[number], random(number)) for number in range(3)]
    batch = made.batch_of(examples)
    parts = list(made.parts(batch, CPU))
    assert [len(part.image) for part in parts] == [1, 1, 1]
    alone = [next(made.losses(made.batch_of([each]), CPU)).item() for each in examples]
    assert [next(made.losses(part, CPU)).item() for part in parts] == alone


def test_what_drops_out_comes_from_the_generator_that_the_loop_seeds(folders):
    sample = open_toy(folders["pairs"], "train")[0]
    made = learner("pix2pix", sample, **EVENTFUL["pix2pix"])
    batch = made.batch_of([made.example(sample, random())])
    losses = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        losses.append(next(made.losses(batch, CPU)).item())
    assert losses[0] == losses[1] != losses[2]


def test_the_judge_learns_first_and_the_generator_from_what_it_then_says(folders):
    sample = open_toy(folders["pairs"], "train")[0]
    made = learner("pix2pix", sample, l1_weight=0.0)
    judge, generator = made.learners(CPU)
    assert (judge.name, generator.name) == ("judge", "")
    batch = made.batch_of([made.example(sample, random())])

    def generator_loss(*, updated):
        torch.manual_seed(0)
        losses = made.losses(batch, CPU)
        next(losses).backward()
        assert all(values.grad is None for values in generator.network.parameters()), "nothing of the judge's loss"
        if updated:
            judge.optimizer.step()
        before = [values.grad.clone() for values in judge.network.parameters()]
        loss = next(losses)
        loss.backward()
        assert all(map(torch.equal, before, (values.grad for values in judge.network.parameters())))
        assert all(values.grad is not None for values in generator.network.parameters())
        for each in (judge, generator):
            each.optimizer.zero_grad()
        return loss.item()

    before = generator_loss(updated=False)
    assert generator_loss(updated=False) == before
    assert generator_loss(updated=True) != before


@BOTH
def test_the_rate_is_constant_and_then_falls_to_nothing(folders, method):
    sample = open_toy(folders[kind_of(method)], "train")[0]
    made = learner(method, sample)
    learners, rates = made.learners(CPU), []
    for step in (0, 4, 5, 8, 10):
        made.prepare(learners, step, 10)
        rates.append({group["lr"] for each in learners for group in each.optimizer.param_groups})
    assert [rate for (rate,) in rates] == pytest.approx([2e-3, 2e-3, 2e-3, 8e-4, 0.0])


def test_the_trunk_stays_for_as_many_steps_as_were_named(folders):
    made = learner("seq2point", open_toy(folders["dates"], "train")[0], freeze_trunk_steps=2)
    learners, learns = made.learners(CPU), []
    for step in range(4):
        made.prepare(learners, step, 4)
        learns.append({values.requires_grad for values in made.network.trunk.parameters()})
    assert learns == [{False}, {False}, {True}, {True}]


@pytest.mark.parametrize(("method", "kind"), [("pix2pix", "pairs"), ("seq2point", "dates"), ("dsen2-cr", "pairs")])
@pytest.mark.parametrize("clouds", ["shown", "hidden"])
def test_the_network_sees_the_clouds_themselves_or_0_in_their_place(folders, method, kind, clouds):
    sample = next(each for each in open_toy(folders[kind], "train") if each.cloud.any() and not each.cloud.all())
    made = learner(method, sample, clouds=clouds)
    other = replace(sample, s2=np.where(sample.cloud[:, None], np.float32(0.9), sample.s2))
    images = [made.example(each, random())[0] for each in (sample, other)]
    predicted = [made.predict(each, CPU) for each in (sample, other)]
    assert np.array_equal(*images) == np.array_equal(*predicted) == (clouds == "hidden")


@BOTH
def test_what_is_not_scored_changes_no_loss_and_what_is_not_valid_no_input(folders, method):
    sample = open_toy(folders[kind_of(method)], "train")[0]
    made = learner(method, sample)
    made.network.eval()
    valid, scored = np.ones_like(sample.valid), np.ones_like(sample.scored)
    valid[0, :3], scored[0, :, :5] = False, False
    losses = []
    for value in (0.1, np.nan):
        s2 = np.where(valid[:, None], sample.s2, np.float32(value))
        truth = np.where(scored[:, None], sample.truth, np.float32(value))
        given = replace(sample, s2=s2, valid=valid, truth=truth, scored=scored)
        batch = made.batch_of([made.example(given, random(1))])
        losses.append([loss.item() for loss in made.losses(batch, CPU)])
        assert made.known(batch) == scored.sum()
    assert np.isfinite(losses).all()
    assert losses[0] == losses[1]


@BOTH
def test_a_sample_without_radar_among_others_with_it_is_learnt_from(folders, method):
    sample = open_toy(folders[kind_of(method)], "train")[0]
    made = learner(method, sample)
    given = replace(sample, s1=None, asked_s1=None)
    batch = made.batch_of([made.example(given, random()), made.example(sample, random())])
    for part in made.parts(batch, CPU):
        assert all(torch.isfinite(loss) for loss in made.losses(part, CPU))
    assert np.isfinite(made.predict(given, CPU)).all()


@pytest.mark.parametrize("variant", ["corrected", "verbatim"])
def test_of_the_date_that_is_asked_for_its_radar_alone_is_seen_and_by_the_corrected_variant(folders, variant):
    sample = open_toy(folders["dates"], "train")[0]
    made = learner("seq2point", sample, variant=variant)
    bright, radar = replace(sample, truth=sample.truth + 0.1), replace(sample, asked_s1=sample.asked_s1 + 3)
    own, of_bright, of_radar = (made.example(each, random())[0] for each in (sample, bright, radar))
    assert np.array_equal(own, of_bright)
    assert np.array_equal(own, of_radar) == (variant == "verbatim")


def test_a_date_is_made_from_the_nearest_of_those_that_are_shown(folders):
    sample = open_toy(folders["dates"], "train")[0]
    made = learner("seq2point", sample, clouds="hidden", least_visible=0.0)
    furthest = int(np.abs(sample.dates - sample.asked[0]).argmax())
    expected = made.predict(sample, CPU)
    s2 = sample.s2.copy()
    s2[furthest] = 0.9
    assert len(sample.dates) == 4
    assert np.array_equal(made.predict(replace(sample, s2=s2), CPU), expected)
    s2[(furthest + 1) % 4] = 0.9
    assert not np.array_equal(made.predict(replace(sample, s2=s2), CPU), expected)


def test_a_run_and_a_training_show_the_network_the_same(folders):
    """What `evaluate` makes of a sample, and the method's own fit of it: the prediction of the training."""
    from seq2seq.evaluation.showing import show
    from seq2seq.methods.base import RunContext
    from seq2seq.methods.seq2point.fit import Seq2PointMethod
    from seq2seq.nn.vgg import Perceptual

    sample = open_toy(folders["dates"], "train")[0]
    context = RunContext(0, CPU, 1, Perceptual(None, (), "none"), 0.0, lambda: None)
    for clouds, shown in (("hidden", "hidden"), ("shown", "seen")):
        made = learner("seq2point", sample, clouds=clouds)
        given = show(sample, shown)
        fitted = Seq2PointMethod(made._settings).start(given.observations, context, None)
        fitted.network.load_state_dict(made.network.state_dict())
        expected = fitted.predict(given.observations)["network"][given.asked]
        assert made.predict(sample, CPU) == pytest.approx(expected, abs=1e-6)


def test_of_a_whole_series_one_date_is_hidden_and_asked_for(folders):
    series = open_toy(folders["series"], "train")[0]
    made = learner("seq2point", series)
    drawn = {made.case_of(series, random(number)).asked[0] for number in range(20)}
    assert len(drawn) > 2
    case = made.case_of(series)
    clear = (~series.cloud).sum(axis=(1, 2))
    date = int(clear.argmax())
    assert case.asked == series.dates[date]
    assert case.asked[0] not in case.dates
    assert case.scored.sum() == clear[date]
    assert np.array_equal(case.truth[0], series.s2[date])
    assert len(case.dates) == len(case.s2) == len(case.s1) == len(series.dates) - 1
    assert np.array_equal(case.asked_s1[0], series.s1[date])
    assert ask_for(replace(series, s1=None), 0).asked_s1 is None


@pytest.mark.parametrize(
    ("method", "kind", "said"),
    [
        ("seq2point", "pairs", r"shows 0 dates beside the one that is asked for, method seq2point makes it from 3"),
        ("pix2pix", "series", r"is a whole series of 5 dates; method pix2pix learns from pairs"),
        ("dsen2-cr", "series", r"is a whole series of 5 dates; method dsen2-cr learns from pairs"),
    ],
)
def test_a_data_set_of_another_kind_is_refused_before_any_step(folders, tmp_path, monkeypatch, method, kind, said):
    monkeypatch.setattr("seq2seq.training.loop._Loop.run", lambda _: pytest.fail("a step"))
    with pytest.raises(MissingDataError, match=rf"^000: {said}"):
        train(job(method, folders[kind], tmp_path / "w.safetensors"))


def test_more_dates_than_a_sample_shows_are_refused_with_both_numbers(folders, tmp_path):
    with pytest.raises(MissingDataError, match=r"000: shows 4 dates beside .* makes it from 5"):
        train(job("seq2point", folders["dates"], tmp_path / "w.safetensors", settings={"dates": 5}))


def test_samples_that_are_too_small_or_of_another_size_are_named(tmp_path):
    small = write_toy(tmp_path / "small", size=12)
    with pytest.raises(MissingDataError, match="000: is 12 x 12 px, method pix2pix needs 16 x 16 px at least"):
        train(job("pix2pix", small, tmp_path / "w.safetensors"))
    mixed, other = write_toy_series(tmp_path / "mixed"), write_toy_series(tmp_path / "other", size=20)
    (other / "train" / "003.npz").replace(mixed / "train" / "003.npz")
    with pytest.raises(InvalidPixelsError, match=r"^003: has 4 bands \(B02 B03 B04 B08\) of 20 x 20 px, the first"):
        train(job("seq2point", mixed, tmp_path / "w.safetensors"))


def test_a_loss_of_the_judge_that_is_no_number_spoils_no_checkpoint(folders, tmp_path, monkeypatch):
    judged, calls = Pix2PixTraining.losses, iter(range(100))

    def losses(*given):
        step = next(calls)
        for loss in judged(*given):
            yield loss * (float("nan") if step == 2 else 1.0)

    monkeypatch.setattr(Pix2PixTraining, "losses", losses)
    monkeypatch.setattr("seq2seq.training.loop.CHECKPOINT_EVERY_S", 0.0)
    asked = job("pix2pix", folders["pairs"], tmp_path / "w.safetensors", batch=1)
    with pytest.raises(ConfigError, match="step 3 of 6: the loss is nan"):
        train(asked)
    assert read_trained(asked.checkpoint, "pix2pix")[1]["facts"]["steps"] == 2


@BOTH
def test_weights_are_learnt_further_and_only_their_name_is_recorded(folders, tmp_path, method):
    folder = folders[kind_of(method)]
    first = job(method, folder, tmp_path / "first.safetensors", steps=2)
    train(first)
    further = {"weights": str(first.out), "learning_rate": 1e-8}
    again = train(job(method, folder, tmp_path / "again.safetensors", settings=further, steps=1))
    assert again.card["settings"]["weights"] == "first.safetensors"
    for name, values in load_file(first.out).items():
        assert torch.allclose(values, load_file(again.path)[name], atol=1e-6)


def test_the_trunk_may_begin_with_dsen2_cr_that_was_trained_here(folders, tmp_path):
    trunk = job("dsen2-cr", folders["pairs"], tmp_path / "trunk.safetensors", settings={"width": 6}, steps=1)
    train(trunk)
    settings = {"trunk_weights": str(trunk.out), "freeze_trunk_steps": 100}
    learnt = train(job("seq2point", folders["dates"], tmp_path / "w.safetensors", settings=settings, steps=2))
    assert learnt.card["settings"]["trunk_weights"] == "trunk.safetensors"
    one, other = load_file(trunk.out), load_file(learnt.path)
    assert torch.equal(one["blocks.0.first.weight"], other["trunk.blocks.0.first.weight"])


def test_as_published_they_learn_for_200_passes_with_batches_of_one():
    for method in ("pix2pix", "seq2point"):
        info = find_method(method)
        plan = settings_for(info, {}).plan
        assert (info.training.passes, plan.batch, plan.crop_px, plan.learning_rate) == (200, 1, 256, 2e-4)


@pytest.fixture
def known(monkeypatch):
    register(monkeypatch)
    use_schedule(monkeypatch)
    in_float32(monkeypatch)


@BOTH
def test_what_is_learnt_on_a_data_set_fills_a_sequence(known, folders, tmp_path, capsys, monkeypatch, method):
    monkeypatch.chdir(tmp_path)
    folder, weights = folders[kind_of(method)], f"{method}-toy.safetensors"
    assert cli(["fit", "--method", method, "toy", folder, "--steps", 3, "--batch", 2, *options(method)]) == 0
    card = read_card(Path(weights))
    assert (card["method"], card["steps"], card["sar_channels"]) == (method, 3, 2)
    assert f"decloud run INPUT OUT --weights {weights}" in Path(weights).with_suffix(".md").read_text()
    assert cli(["simulate", "fields", "--dates", 5, "--size", 24, "--bands", "10m", "--cloud", 0.4]) == 0
    for out, named in (("one", []), ("two", ["--method", method])):
        assert cli(["run", "fields/input", out, "--weights", weights, *named, "--quiet"]) == 0
        assert len(list(Path(out, "declouded").glob("*.tif"))) == 5
        assert f'"{method}"' in Path(out, "report.json").read_text()
    assert cli(["simulate", "all", "--dates", 5, "--size", 24]) == 0
    capsys.readouterr()
    assert cli(["run", "all/input", "refused", "--weights", weights]) == 2
    assert "are for 4 bands: B02 B03 B04 B08" in capsys.readouterr().err


def test_pairs_of_the_published_tree_are_learnt_by_pix2pix_and_refused_by_seq2point(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "SEN12MS-CR"
    for area in ("ROIs1158_spring/9", "ROIs1158_spring/17"):
        write_triplet(root, area)
    fit = ["fit", "sen12mscr", root, "--steps", 1]
    assert cli([*fit, "--method", "pix2pix", *options("pix2pix")]) == 0
    assert read_card(Path("pix2pix-sen12mscr.safetensors"))["validation"]["scores"]
    capsys.readouterr()
    assert cli([*fit, "--method", "seq2point", *options("seq2point")]) == 2
    *_, error = capsys.readouterr().err.splitlines()
    assert error.startswith("decloud: error: ROIs1158_spring/9/p30: shows 0 dates beside the one that is asked for")
    assert "such as sen12mscrts" in error


def test_dates_of_the_published_tree_are_learnt_by_seq2point_and_then_evaluated(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "SEN12MS-CR-TS"
    for area in ("ROIs1868/36", "ROIs1158/106"):
        write_series(root, area, images=[cloudy_dn(n, slice(0, 0 if n == 3 else 10)) for n in range(6)])
    for dataset in ("sen12mscrts", "sen12mscrts-series"):
        fit = ["fit", dataset, root, "--steps", 1, "--method", "seq2point", *options("seq2point")]
        assert cli(fit) == 0
    assert "no validation: " in capsys.readouterr().out
    weights = "seq2point-sen12mscrts.safetensors"
    assert cli(["evaluate", "sen12mscrts", root, "--method", "seq2point", "--weights", weights, "--out", "table"]) == 0
    assert "seq2point, alone, clouds seen" in Path("table/table.csv").read_text()
