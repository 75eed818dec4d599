"""Training on a data set: order, reading ahead, exact resume, several processes, the card, the use of the weights."""

import hashlib
import threading
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from quick_engine import use_schedule
from safetensors.torch import load_file, save_file
from toy_dataset import TOY, in_float32, open_toy, register, write_toy
from training_processes import learn_in_processes

from seq2seq.commands.main import main as command_line
from seq2seq.errors import ConfigError, InputError, OutputError, Stopped
from seq2seq.methods import METHODS, find_method
from seq2seq.methods.dsen2_cr.training import Dsen2CrTraining
from seq2seq.methods.image_pairs import OPTICAL_UNITS
from seq2seq.model_card import read_card
from seq2seq.nn.trained import load_state, read_trained
from seq2seq.training.job import TrainingJob, check_job, settings_for
from seq2seq.training.loop import train
from seq2seq.training.stream import Order, positions, read_ahead
from seq2seq.training.validation import spread

DSEN2_CR = find_method("dsen2-cr")
TINY = {"width": 8, "blocks": 1, "crop_px": 16, "learning_rate": 1e-3}
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_toy(tmp_path_factory.mktemp("toy") / "set")


def job(folder, out, *, settings=TINY, **changes):
    given = {"steps": 6, "batch": 4, "device": "cpu", "readers": 2, "validated": 0, **changes}
    return TrainingJob(
        method=DSEN2_CR, settings=settings_for(DSEN2_CR, settings), dataset=TOY, path=folder, out=out, **given
    )


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def cli(arguments):
    with pytest.raises(SystemExit) as ended:
        command_line(arguments)
    return int(ended.value.code or 0)


def test_each_pass_meets_every_sample_once_in_another_order():
    order = Order(7, seed=3)
    passes = [[order.sample(turn * 7 + place) for place in range(7)] for turn in range(3)]
    assert all(sorted(each) == list(range(7)) for each in passes)
    assert all(one != other for one, other in pairwise(passes))
    assert passes[2] == [Order(7, seed=3).sample(14 + place) for place in range(7)]
    assert passes[0] != [Order(7, seed=4).sample(place) for place in range(7)]


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_processes_share_each_batch_and_leave_nothing_out(processes):
    shares = [list(positions(2, 5, batch=6, rank=rank, processes=processes)) for rank in range(processes)]
    for step in range(3):
        size = 6 // processes
        of_step = [position for share in shares for position in share[step * size : (step + 1) * size]]
        assert of_step == list(range((step + 2) * 6, (step + 3) * 6))


def test_samples_are_read_ahead_by_threads_in_order_and_never_all_of_them():
    read, threads = [], set()

    def reading(position):
        read.append(position)
        threads.add(threading.current_thread().name)
        return position

    got = read_ahead(reading, range(1000), readers=2)
    assert [next(got) for _ in range(3)] == [0, 1, 2]
    assert len(read) < 30
    got.close()
    assert threading.current_thread().name not in threads
    assert list(read_ahead(reading, range(20), readers=3)) == list(range(20))


def test_a_sample_that_cannot_be_read_ends_the_training_by_its_name(tmp_path):
    folder = write_toy(tmp_path / "set", train=4, val=1)
    (folder / "train" / "002.npz").write_bytes(b"none")
    with pytest.raises(InputError, match=r"002\.npz"):
        train(job(folder, tmp_path / "w.safetensors"))


def test_samples_that_are_scored_are_spread_over_the_split():
    assert spread(100, 5) == [0, 24, 49, 74, 99]
    assert spread(3, 64) == [0, 1, 2]
    assert spread(0, 5) == []


def learner(folder, **settings):
    sample = open_toy(folder, "train")[0]
    made = Dsen2CrTraining(settings_for(DSEN2_CR, {**TINY, **settings}), sample.bands, 2, 0)
    return made, sample


@pytest.mark.parametrize("clouds", ["shown", "hidden"])
def test_the_network_sees_the_clouds_themselves_or_0_in_their_place(folder, clouds):
    made, sample = learner(folder, clouds=clouds, crop_px=24)
    image, sar, target, clear, known = made.example(sample, np.random.default_rng(0))
    assert (image.shape, sar.shape, target.shape) == ((4, 24, 24), (2, 24, 24), (4, 24, 24))
    assert clear.mean() == (~sample.cloud).mean()
    assert known.all()
    hidden = image.transpose(1, 2, 0)[~clear]
    assert hidden.any() == (clouds == "shown")
    whole = sample.truth[0] * OPTICAL_UNITS
    assert np.sort(target, axis=None) == pytest.approx(np.sort(whole, axis=None), rel=1e-5)


def test_what_is_not_valid_is_0_and_what_is_not_scored_changes_no_loss(folder):
    made, sample = learner(folder, crop_px=24)
    valid, scored = np.ones_like(sample.valid), np.ones_like(sample.scored)
    valid[0, :3], scored[0, :, :5] = False, False
    losses = []
    for value in (0.1, np.nan):
        s2 = np.where(valid[:, None], sample.s2, np.float32(value))
        truth = np.where(scored[:, None], sample.truth, np.float32(value))
        given = replace(sample, s2=s2, valid=valid, truth=truth, scored=scored)
        batch = made.batch_of([made.example(given, np.random.default_rng(1))])
        assert made.known(batch) == scored.sum()
        losses.append(made.loss(batch, CPU).item())
    assert np.isfinite(losses[0])
    assert losses[0] == losses[1]


def test_a_date_of_which_nothing_is_seen_is_made_from_the_nearest_one(folder):
    made, sample = learner(folder)
    samples = [open_toy(folder, "train")[number] for number in (0, 1)]
    dates = np.array(["2021-01-01", "2021-01-11"], "datetime64[D]")
    two = replace(
        sample, dates=dates, asked=np.array(["2021-01-09"], "datetime64[D]"),
        **{name: np.concatenate([getattr(each, name) for each in samples]) for name in ("s2", "s1", "valid", "cloud")},
    )  # fmt: skip
    assert np.array_equal(made.predict(two, CPU), made.predict(samples[1], CPU))
    drawn = {made.example(two, np.random.default_rng(number))[0].tobytes() for number in range(12)}
    assert len(drawn) > 2, "learns from both"


def test_training_halves_the_loss_and_scores_better_on_other_land(folder, tmp_path):
    seen = []
    asked = job(folder, tmp_path / "w.safetensors", steps=120, validated=3)
    trained = train(asked, on_progress=lambda progress: seen.append(progress.loss))
    losses = [loss for loss in seen if loss is not None]
    assert len(losses) == 120
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:10])
    assert trained.scores[-1].psnr_db > trained.scores[0].psnr_db + 3
    assert trained.scores[-1].step == 120


def test_a_training_that_was_stopped_goes_on_bit_for_bit(folder, tmp_path):
    whole, parts = (job(folder, tmp_path / f"{name}.safetensors", validated=2) for name in ("whole", "parts"))
    expected = train(whole)
    calls = iter(range(100))
    with pytest.raises(Stopped, match="step 3 of 6"):
        train(parts, should_stop=lambda: next(calls) == 3)
    assert parts.checkpoint.exists()
    assert not parts.out.exists()
    with pytest.raises(OutputError, match="--resume goes on"):
        check_job(parts, overwrite=False)
    torch.rand(3)  # whatever else draws
    resumed = train(replace(parts, resume=True))
    assert same(load_file(whole.out), load_file(parts.out))
    assert (resumed.card["loss"], resumed.scores) == (expected.card["loss"], expected.scores)
    assert not parts.checkpoint.exists()


def test_a_checkpoint_of_another_training_is_refused_by_what_differs(folder, tmp_path):
    asked = job(folder, tmp_path / "w.safetensors", resume=True)
    calls = iter(range(100))
    with pytest.raises(Stopped):
        train(asked, should_stop=lambda: next(calls) == 2)
    with pytest.raises(ConfigError, match="its training has seed 0, this one 1"):
        train(replace(asked, seed=1))
    with pytest.raises(ConfigError, match="has 2 steps behind it, 1 are asked for"):
        train(replace(asked, steps=1))


def test_a_loss_that_is_no_number_names_its_step_and_spoils_no_checkpoint(folder, tmp_path, monkeypatch):
    loss, calls = Dsen2CrTraining.loss, iter(range(100))
    monkeypatch.setattr(
        Dsen2CrTraining, "loss", lambda *given: loss(*given) * (float("nan") if next(calls) == 2 else 1.0)
    )
    asked = job(folder, tmp_path / "w.safetensors")
    monkeypatch.setattr("seq2seq.training.loop.CHECKPOINT_EVERY_S", 0.0)
    with pytest.raises(ConfigError, match="step 3 of 6: the loss is nan"):
        train(asked)
    state, card = read_trained(asked.checkpoint, "dsen2-cr")
    assert card["facts"]["steps"] == 2
    assert any(name.startswith("optimizer.") for name in state)


def test_parts_of_a_batch_add_up_to_the_batch(folder, tmp_path, monkeypatch):
    whole, parts = (job(folder, tmp_path / f"{name}.safetensors") for name in ("whole", "parts"))
    in_float32(monkeypatch)
    train(whole)
    monkeypatch.setattr("seq2seq.methods.dsen2_cr.training.REMEMBERED_BYTES", 1)
    train(parts)
    one, other = load_file(whole.out), load_file(parts.out)
    assert not same(one, other), "another order of sums"
    for name, values in one.items():
        assert torch.allclose(values, other[name], atol=1e-5), name


@pytest.mark.slow
def test_two_processes_learn_what_one_does_and_one_of_them_speaks(folder, tmp_path):
    two, said = learn_in_processes(2, "dsen2-cr", folder, tmp_path / "two.safetensors", TINY)
    one, _ = learn_in_processes(1, "dsen2-cr", folder, tmp_path / "one.safetensors", TINY)
    assert "SHA-256" in said[0]
    assert not said[1].strip()
    for name, values in one.items():
        assert torch.allclose(values, two[name], atol=1e-5), name
    scores = [read_card(tmp_path / f"{name}.safetensors")["validation"]["scores"][-1] for name in ("one", "two")]
    assert scores[0]["psnr_db"] == pytest.approx(scores[1]["psnr_db"], abs=1e-3)


def test_the_card_says_what_was_trained_on_what_and_how_well(folder, tmp_path):
    asked = job(folder, tmp_path / "w.safetensors", validated=3)
    trained = train(asked)
    card = read_card(asked.out)
    assert card == trained.card
    assert trained.sha256 == hashlib.sha256(asked.out.read_bytes()).hexdigest()
    assert (card["method"], card["dataset"]["name"], card["dataset"]["licence"]) == ("dsen2-cr", "toy", "CC0")
    assert (card["samples"], card["steps"], card["batch"], card["sar_channels"]) == (8, 6, 4, 2)
    assert card["bands"] == list(TOY.bands)
    assert card["settings"]["width"] == 8
    page = (tmp_path / "w.md").read_text()
    for fact in (trained.sha256, "Toy triplets", "CC0", "B02 B03 B04 B08", f"{trained.scores[-1].mae:.4f}"):
        assert fact in page


def test_without_the_split_val_there_is_no_score_and_it_is_said(tmp_path):
    folder = write_toy(tmp_path / "set", train=4, val=1)
    for file in (folder / "val").iterdir():
        file.unlink()
    (folder / "val").rmdir()
    said = []
    trained = train(job(folder, tmp_path / "w.safetensors", validated=3), on_progress=said.append)
    assert trained.card["validation"] is None
    assert any("no validation: " in (each.message or "") for each in said)


def test_passes_are_counted_in_samples_and_those_published_are_the_default(folder, tmp_path):
    asked = job(folder, tmp_path / "w.safetensors", steps=None, passes=2.5)
    assert asked.steps_for(8, 4, None) == 5
    assert replace(asked, passes=None).steps_for(8, 16, None) == 4
    assert replace(asked, passes=None).steps_for(8, 16, 9) == 9
    assert settings_for(DSEN2_CR, {}).plan.width == 256
    with pytest.raises(ConfigError, match=r"3 steps and 2\.5 epochs"):
        replace(asked, steps=3)


def test_weights_are_learnt_further(folder, tmp_path):
    first = job(folder, tmp_path / "first.safetensors")
    train(first)
    further = {"weights": str(first.out), "learning_rate": 1e-8, "crop_px": 16}
    again = train(job(folder, tmp_path / "again.safetensors", settings=further, steps=1))
    assert again.card["settings"]["weights"] == "first.safetensors"
    for name, values in load_file(first.out).items():
        assert torch.allclose(values, load_file(again.path)[name], atol=1e-6)


def test_radar_that_is_not_there_is_not_asked_for(tmp_path):
    folder = write_toy(tmp_path / "set", train=4, val=1, s1=False)
    assert train(job(folder, tmp_path / "w.safetensors")).card["sar_channels"] == 0
    with pytest.raises(ConfigError, match="there is none"):
        train(job(folder, tmp_path / "x.safetensors", settings={**TINY, "sar": "on"}))


@pytest.fixture
def known(monkeypatch):
    register(monkeypatch)
    use_schedule(monkeypatch)


def test_what_is_learnt_on_a_data_set_fills_a_sequence(known, folder, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = [f"--set={name}={value}" for name, value in TINY.items()]
    assert cli(["fit", "--method", "dsen2-cr", "toy", str(folder), "--steps", "5", "--batch", "2", *options]) == 0
    weights = "dsen2-cr-toy.safetensors"
    assert f"SHA-256  {hashlib.sha256(Path(weights).read_bytes()).hexdigest()}" in capsys.readouterr().out
    assert cli(["simulate", "fields", "--dates", "4", "--size", "24", "--bands", "10m", "--cloud", "0.4"]) == 0
    assert cli(["run", "fields/input", "out", "--weights", weights, "--quiet"]) == 0
    assert len(list(Path("out/declouded").glob("*.tif"))) == 4
    assert '"dsen2-cr"' in Path("out/report.json").read_text()
    capsys.readouterr()
    for refused, said in (
        (["--weights", weights, "--method", "trees"], "is of method dsen2-cr, and method is trees"),
        (["--weights", "none.safetensors"], "none.safetensors is not a file"),
        (["--weights", "fields/truth.npz"], "no model card that names its method; name it with --method"),
        (["--weights", "fields/truth.npz", "--method", "trees"], "method trees takes no weights"),
    ):
        assert cli(["run", "fields/input", "refused", *refused]) == 2
        assert said in capsys.readouterr().err
    assert cli(["simulate", "all", "--dates", "4", "--size", "24"]) == 0
    assert cli(["run", "all/input", "refused", "--weights", weights]) == 2
    assert "are for 4 bands, B02 B03 B04 B08; S2 has B01 B02" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--method", "guidd", "toy", "SET"], "did you mean guided?"),
        (["--method", "guided", "toy", "SET"], "guided learns from each sequence by itself; methods that can be tra"),
        (["--method", "dsen2-cr", "toi", "SET"], "data set is 'toi', must be one of toy"),
        (["--method", "dsen2-cr", "toy", "none"], "none: is not a folder; give the one that holds Toy triplets"),
        (["--method", "dsen2-cr", "toy", "."], "has no folder train"),
        (["--method", "dsen2-cr", "toy", "SET", "--split", "trian"], "split is 'trian', must be one of train, val"),
        (["--method", "dsen2-cr", "toy", "SET", "--out", "w.npz"], "the name of weights ends in .safetensors"),
        (["--method", "dsen2-cr", "toy", "SET", "--out", "no/w.safetensors"], "the folder no does not exist"),
        (["--method", "dsen2-cr", "toy", "SET", "--out", "there.safetensors"], "is there already"),
        (["--method", "dsen2-cr", "toy", "SET", "--set", "width=0"], "width is 0, must be from 1 to 4096"),
        (["--method", "dsen2-cr", "toy", "SET", "--epochs", "0"], "epochs is 0, must be more than 0"),
        (["--method", "dsen2-cr", "toy", "SET", "--set", "weights=w.pth"], "is neither .safetensors nor"),
    ],
)
def test_what_cannot_be_trained_is_said_in_one_line_before_any_step(
    known, folder, tmp_path, capsys, monkeypatch, options, said
):
    monkeypatch.chdir(tmp_path)
    Path("there.safetensors").touch()
    monkeypatch.setattr("seq2seq.training.loop._Loop.run", lambda _: pytest.fail("a step"))
    assert cli(["fit", *(str(folder) if each == "SET" else each for each in options)]) == 2
    *_, error = capsys.readouterr().err.splitlines()
    assert error.startswith("decloud: error: ")
    assert said in error


def test_weights_of_another_shape_name_the_first_that_does_not_fit(tmp_path):
    network = torch.nn.Linear(3, 2)
    with pytest.raises(Exception, match=r"w: weight is of shape \(2, 2\), must be of shape \(2, 3\)"):
        load_state(network, {"weight": torch.ones(2, 2), "bias": torch.ones(2)}, Path("w"), "dsen2-cr")


def test_a_file_that_is_no_safetensors_has_no_card(tmp_path):
    path = tmp_path / "w.safetensors"
    for content in (b"", b"no weights at all", (2**62).to_bytes(8, "little"), (2).to_bytes(8, "little") + b"[]"):
        path.write_bytes(content)
        with pytest.raises(Exception, match="cannot be used"):
            read_card(path)
    save_file({"a": torch.ones(1)}, path)
    assert read_card(path) == {}


def test_what_a_training_changes_of_the_settings_is_settings_of_the_method():
    trainable = [info for info in METHODS if info.training is not None]
    assert trainable
    for info in trainable:
        assert settings_for(info, {}) != info.settings()
        assert info.training.passes > 0
