"""Published protocols: metrics by hand, nothing that is scored is seen, finished samples are kept, failures listed."""

import csv
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sen12_trees import write_series, write_triplet

from seq2seq import datasets, evaluation, methods
from seq2seq.commands import main as cli
from seq2seq.config import ReconstructionConfig
from seq2seq.datasets.base import DatasetInfo, Sample
from seq2seq.errors import ConfigError, InputError, OutputError, Stopped, WeightsUnavailableError
from seq2seq.evaluation import PROTOCOLS, find_protocol
from seq2seq.evaluation.base import PIXEL_MEAN, PIXEL_ROOT, SAMPLE_MEAN, Metric, Protocol, PublishedRow
from seq2seq.evaluation.hiding import hide
from seq2seq.evaluation.metrics import image_mean, mae, pooled, psnr, rmse
from seq2seq.evaluation.runner import evaluate, make_plan, with_gap, with_weights
from seq2seq.evaluation.scored import SampleScores, combine
from seq2seq.evaluation.showing import show
from seq2seq.methods.base import CandidateInfo, MethodInfo, NoSettings
from seq2seq.methods.closed_form import ClosedForm, closed_form_cost

PLAIN = ReconstructionConfig(perceptual="off", device="cpu", method="linear")
BANDS = ("B02", "B03", "B04", "B08")
DAYS = np.array(["2020-01-01", "2020-01-11", "2020-01-21"], dtype="datetime64[D]")


def a_sample(name="one", *, asked="2020-01-16", value=0.2, cloud=False, side=8, **changes) -> Sample:
    """Three dates of a constant, with a clouded corner; the date asked for is `value` brighter than they are."""
    clouded = np.zeros((3, side, side), dtype=bool)
    clouded[:, :2, :2] = True
    s2 = np.full((3, 4, side, side), 0.1, np.float32)
    s2[:, :, :2, :2] = 0.9
    one = np.ones((1, side, side), dtype=bool)
    sample = Sample(
        name=name,
        s2=s2,
        s1=np.full((3, 2, side, side), -12, np.float32),
        valid=np.ones_like(clouded),
        cloud=clouded,
        dates=DAYS,
        bands=BANDS,
        truth=np.full((1, 4, side, side), 0.1 + value, np.float32),
        scored=one,
        asked=np.array([asked], dtype="datetime64[D]"),
        asked_s1=np.full((1, 2, side, side), -9, np.float32),
    )
    return replace(sample, **changes)


class Some(list):
    """Samples in memory; a number stands for one whose files are broken."""

    def name(self, index):
        return self[index].name if isinstance(list.__getitem__(self, index), Sample) else f"broken-{index}"

    def __getitem__(self, index):
        found = list.__getitem__(self, index)
        if not isinstance(found, Sample):
            raise InputError("x.tif: is truncated")
        return found


METRICS = (
    Metric("MAE", "", "Mean error.", False, image_mean(mae)),
    Metric("PSNR", "dB", "Of each.", True, image_mean(psnr), SAMPLE_MEAN, 2),
    Metric("RMSE", "", "Pooled.", False, pooled(rmse), PIXEL_ROOT),
)
PUBLISHED = PublishedRow("theirs | 1", {"PSNR": 12.5}, "Somebody 2020", "abstract")


@pytest.fixture
def use(monkeypatch):
    """Registers samples, and a protocol of theirs."""

    def register(*samples, **changes) -> None:
        some = Some(samples)
        info = DatasetInfo("toy", "Toy", "", BANDS, {"test": (), "val": ()}, lambda root, split: some, "S.", "CC0")
        protocol = Protocol("toy", "toy", "Toys", "All of them.", METRICS, (PUBLISHED,), ("A trap.",))
        monkeypatch.setattr(datasets, "DATASETS", (info,))
        monkeypatch.setattr(evaluation, "PROTOCOLS", (replace(protocol, **changes),))

    return register


def register_method(monkeypatch, predict) -> None:
    kind = type("Toy", (ClosedForm,), {"predict": lambda self, visible: predict(visible)})
    info = MethodInfo(
        "toy", "Toy", "Of tests.", NoSettings, closed_form_cost, lambda: kind, {"own": CandidateInfo("Own", share=1.0)}
    )
    monkeypatch.setattr(methods, "METHODS", (*methods.METHODS, info))


def run(tmp_path: Path, config=PLAIN, **changes):
    (tmp_path / "data").mkdir(exist_ok=True)
    return evaluate(tmp_path / "data", tmp_path / "out", make_plan("toy", config, **changes))


def test_a_known_prediction_has_the_metrics_of_the_hand(tmp_path, use):
    """Interpolation predicts 0.1 everywhere; truth is 0.3 in one sample and 0.2 in the other."""
    use(a_sample("one", value=0.2), a_sample("two", value=0.1))
    ours = run(tmp_path)["rows"][0].values
    assert ours["MAE"] == pytest.approx(0.15, abs=1e-6)
    assert ours["PSNR"] == pytest.approx((-20 * math.log10(0.2) - 20 * math.log10(0.1)) / 2, abs=1e-4)
    assert ours["RMSE"] == pytest.approx(math.sqrt((0.2**2 + 0.1**2) / 2), abs=1e-6)


def test_our_row_stands_beside_the_published_ones_with_source_and_certainty(tmp_path, use):
    use(a_sample())
    run(tmp_path)
    out = tmp_path / "out"
    lines = list(csv.DictReader((out / "table.csv").read_text().splitlines()))
    assert [(line["method"], line["certainty"]) for line in lines] == [
        ("linear, alone, clouds hidden", "measured here"),
        ("theirs | 1", "abstract"),
    ]
    assert lines[1]["source"] == "Somebody 2020"
    assert (lines[1]["PSNR, dB"], lines[1]["MAE"]) == ("12.5", "")
    page = (out / "table.md").read_text()
    assert "| theirs / 1 | – | 12.50 | – | Somebody 2020 | abstract |" in page
    assert "- A trap." in page
    assert json.loads((out / "results.json").read_text())["scores"][0]["sample"] == "one"


@pytest.mark.parametrize("clouds", ["hidden", "seen"])
def test_what_is_seen_of_clouds_is_as_asked_and_a_date_without_image_has_its_radar(clouds):
    shown = show(a_sample(), clouds)
    s2, s1 = shown.observations.s2, shown.observations.s1
    assert s2.dates.astype(str).tolist() == ["2020-01-01", "2020-01-11", "2020-01-16", "2020-01-21"]
    assert shown.asked.tolist() == [2]
    assert not s2.observed[2].any()
    assert not s2.pixels[2].any()
    assert s1.pixels[2].max() == -9
    corner = s2.pixels[0, :, :2, :2]
    assert (corner.max() == np.float32(0.9), s2.observed[0, 0, 0]) == ((clouds == "seen"),) * 2
    assert shown.observations.cloud_mask[0, 0, 0]


def test_radar_that_is_no_number_is_not_observed():
    radar = np.full((3, 2, 8, 8), -12, np.float32)
    radar[1, 0, 3, 3] = np.nan
    shown = show(a_sample(s1=radar, asked_s1=None), "hidden").observations
    assert not shown.s1.observed[1, 3, 3]
    assert not shown.s1.observed[2].any()
    assert np.isfinite(shown.s1.pixels).all()
    assert np.isnat(shown.s1_dates).tolist() == [False, False, True, False]


@pytest.mark.parametrize("clouds", ["hidden", "seen"])
def test_truth_never_reaches_a_method(tmp_path, use, monkeypatch, clouds):
    """Two runs on samples that differ in nothing but what is scored predict the same."""
    seen = []

    def predict(visible):
        seen.append(visible)
        return {"own": visible.s2.pixels + np.float32(0.05)}

    register_method(monkeypatch, predict)

    def hide_a_date(sample, rng):
        hidden = np.zeros_like(sample.valid)
        hidden[1, 3:] = True
        return hide(replace(sample, truth=sample.s2[1:2], scored=hidden[1:2], asked=DAYS[1:2]), hidden)

    other = a_sample()
    other.s2[1, :, 3:] = 0.7
    for number, sample in enumerate((a_sample(asked_s1=None), replace(other, asked_s1=None))):
        use(sample, gap=hide_a_date)
        (tmp_path / str(number)).mkdir()
        run(tmp_path / str(number), PLAIN.replace(method="toy"), clouds=clouds)
    one, two = seen
    np.testing.assert_array_equal(one.s2.pixels, two.s2.pixels)
    np.testing.assert_array_equal(one.s2.observed, two.s2.observed)
    assert not one.s2.observed[1, 3:].any()


def test_a_sample_that_shows_its_truth_is_refused():
    sample = a_sample()
    leaking = replace(sample, truth=sample.s2[1:2], asked=DAYS[1:2], asked_s1=None)
    with pytest.raises(InputError, match="shows 60 of the 64 pixels that it is scored on"):
        show(leaking, "hidden")


def test_a_gap_goes_by_seed_and_name_alone(tmp_path):
    write_series(tmp_path)
    sample = datasets.find_dataset("sen12mscrts-series").open(tmp_path, "test")[0]
    protocol = find_protocol("sen12mscrts-series")
    one, again, other = (with_gap(sample, protocol, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.scored, again.scored)
    assert one.scored.shape != other.scored.shape or (one.scored != other.scored).any()
    at = np.searchsorted(one.dates, one.asked)
    assert not (one.valid[at] & one.scored).any()
    assert not one.s2[at].transpose(0, 2, 3, 1)[one.scored].any()


def test_what_is_finished_is_kept_and_what_failed_is_named_and_tried_again(tmp_path, use, monkeypatch):
    calls = []

    def predict(visible):
        calls.append(1)
        return {"own": np.full_like(visible.s2.pixels, 0.2)}

    register_method(monkeypatch, predict)
    config = PLAIN.replace(method="toy")
    use(a_sample("one"), 0, a_sample("three"))
    found = run(tmp_path, config)
    assert (found["samples"], found["of"], len(calls)) == (2, 3, 2)
    assert [(each.sample, each.reason) for each in found["failures"]] == [("broken-1", "x.tif: is truncated")]
    assert found["notes"][0].startswith("Only 2 of 3 samples are in our row, 1 of them failed")
    assert "broken-1 | x.tif: is truncated" in (tmp_path / "out" / "table.md").read_text()
    use(a_sample("one"), a_sample("two"), a_sample("three"))
    assert (run(tmp_path, config)["samples"], len(calls)) == (3, 3)
    run(tmp_path, config.replace(seed=1))
    assert len(calls) == 6, "other settings are other scores"


def test_a_fault_of_the_settings_ends_it_and_one_of_all_samples_is_told(tmp_path, use, monkeypatch):
    def needs(visible):
        raise ConfigError("method toy needs S1")

    register_method(monkeypatch, needs)
    use(a_sample("one"), a_sample("two"))
    with pytest.raises(ConfigError, match="needs S1"):
        run(tmp_path, PLAIN.replace(method="toy"))
    use(0, 0)
    with pytest.raises(InputError, match=r"none of 2 samples was finished; broken-0: x\.tif"):
        run(tmp_path)


def test_values_that_are_no_numbers_are_a_failure(tmp_path, use, monkeypatch):
    register_method(monkeypatch, lambda visible: {"own": np.full_like(visible.s2.pixels, np.nan)})
    use(a_sample("one"))
    with pytest.raises(InputError, match="256 values of candidate own are no numbers"):
        run(tmp_path, PLAIN.replace(method="toy"))


def test_it_stops_between_samples_and_goes_on(tmp_path, use):
    use(a_sample("one"), a_sample("two"))
    (tmp_path / "data").mkdir()
    stop = iter([False, True])
    with pytest.raises(Stopped):
        evaluate(tmp_path / "data", tmp_path / "out", make_plan("toy", PLAIN), should_stop=lambda: next(stop))
    assert len(list((tmp_path / "out" / ".parts").iterdir())) == 1
    assert run(tmp_path)["samples"] == 2


def test_blended_is_what_a_run_delivers_and_keeps_what_was_observed(tmp_path, use):
    sample = a_sample(side=24)
    truth = sample.s2[1:2] + np.float32(0.01)
    use(replace(sample, truth=truth, scored=~sample.cloud[1:2], asked=DAYS[1:2], asked_s1=None))
    assert run(tmp_path, blended=True)["rows"][0].values["MAE"] == pytest.approx(0.01, abs=1e-5)


def test_a_folder_of_others_and_the_data_itself_are_left_alone(tmp_path, use):
    use(a_sample())
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").touch()
    with pytest.raises(OutputError, match=r"holds thesis\.txt"):
        run(tmp_path)
    with pytest.raises(OutputError, match="inside the input"):
        evaluate(tmp_path / "data", tmp_path / "data" / "out", make_plan("toy", PLAIN))


def test_weights_are_for_methods_that_take_them_and_decide_what_is_seen(tmp_path):
    with pytest.raises(ConfigError, match="method linear takes no weights"):
        with_weights(PLAIN, tmp_path / "w")
    network = PLAIN.replace(method="dsen2-cr")
    with pytest.raises(WeightsUnavailableError, match="is not a file"):
        with_weights(network, tmp_path / "w")
    (tmp_path / "w").touch()
    assert make_plan("sen12mscr", with_weights(network, tmp_path / "w")).clouds == "seen"
    assert make_plan("sen12mscr", network).clouds == "hidden"
    assert make_plan("sen12mscr", network, clouds="seen").clouds == "seen"
    assert make_plan("sen12mscr", with_weights(network, tmp_path / "w"), blended=True).clouds == "hidden"
    with pytest.raises(ConfigError, match="keeps the pixels that it sees"):
        make_plan("sen12mscr", network, clouds="seen", blended=True)


def test_values_without_meaning_do_not_count_and_weights_do():
    metric = Metric("M", "", "", False, lambda prediction, sample: 0.0, PIXEL_MEAN)
    scores = [SampleScores("a", {"M": 1.0}, {"M": 3.0}, 0), SampleScores("b", {"M": 5.0}, {"M": 1.0}, 0)]
    assert combine([*scores, SampleScores("c", {"M": None}, {"M": 9.0}, 0)], metric) == 2.0
    assert combine([SampleScores("c", {"M": None}, {"M": 9.0}, 0)], metric) is None


def test_reproduction_is_against_the_clear_input_and_reconstruction_against_the_target_under_clouds(tmp_path):
    from seq2seq.datasets.cloud_score import published_mask

    write_triplet(tmp_path)
    sample = datasets.find_dataset("sen12mscr").open(tmp_path, "test")[0]
    clouded = published_mask(sample.s2[0])
    assert 0 < clouded.mean() < 1
    prediction = np.where(clouded, sample.truth + np.float32(0.02), sample.s2 + np.float32(0.01))
    values = {each.name: each.of(prediction, sample) for each in find_protocol("sen12mscr-dsen2cr").metrics}
    assert values["MAE reprod"] == pytest.approx(0.01, abs=1e-4)
    assert values["MAE recon"] == pytest.approx(0.02, abs=1e-4)


def test_every_protocol_is_of_a_data_set_and_every_row_has_a_source():
    for protocol in PROTOCOLS:
        assert protocol.split in datasets.find_dataset(protocol.dataset).splits
        assert find_protocol(protocol.name) is protocol
        for row in protocol.published:
            assert row.source
            assert row.values


def decloud(capsys, *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main(["evaluate", *arguments])
    captured = capsys.readouterr()
    return int(ended.value.code or 0), captured.out + captured.err


def test_the_command_evaluates_and_says_in_one_line_what_is_wrong(tmp_path, capsys):
    write_triplet(tmp_path / "cr")
    out = ["--method", "linear", "--device", "cpu", "--out", str(tmp_path / "out")]
    code, text = decloud(capsys, "sen12mscr", str(tmp_path / "cr"), *out)
    assert code == 0, text
    assert "measured here" in text
    assert "quoted by others" in text
    assert "9 are not there" in text
    for arguments, message in (
        (["sen12mscr", str(tmp_path / "cr"), "--split", "val"], "no cloudy patch of the val split"),
        (["sen12mscr", str(tmp_path / "cr"), "--split", "tests"], "did you mean test?"),
        (["sen12mscr", str(tmp_path / "no")], "is not a folder"),
        (["sen12", str(tmp_path / "cr")], "data set is 'sen12'"),
        (["sen12mscr", str(tmp_path / "cr"), "--protocol", "sen12mscrts"], "protocol of sen12mscr is 'sen12mscrts'"),
        (["sen12mscr", str(tmp_path / "cr"), "--weights", "w"], "takes no weights"),
    ):
        code, text = decloud(capsys, *arguments, *out)
        assert code == 2, message
        error = [line for line in text.splitlines() if line.startswith("decloud: error")]
        assert len(error) == 1, text
        assert message in error[0]


def test_the_command_refuses_a_pickle_and_a_set_without_radar(tmp_path, capsys):
    write_series(tmp_path / "ts", radar=False)
    out = ["--method", "linear", "--device", "cpu", "--out", str(tmp_path / "out")]
    code, text = decloud(capsys, "sen12mscrts", str(tmp_path / "ts"), *out)
    assert (code, "has no S1 folder" in text) == (2, True)
    write_series(tmp_path / "ts")
    (tmp_path / "ts" / "3_test_s2cloudless_mask.npy").write_bytes(b"\x93NUMPY")
    code, text = decloud(capsys, "sen12mscrts", str(tmp_path / "ts"), *out)
    assert (code, "is a pickle" in text) == (2, True)
    assert not (tmp_path / "out").exists()
