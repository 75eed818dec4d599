"""The paper's own evaluation: which pixels are hidden, what is seen of them, what is measured, and the table."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from seq2seq import methods
from seq2seq.commands import main as cli
from seq2seq.comparison.benchmark import make_plan
from seq2seq.comparison.case import CaseName
from seq2seq.comparison.gaps import GAPS, cloudiest_onto_clear, hide_gap
from seq2seq.comparison.igarss2021 import GAP, BlendedCase, benchmark_igarss2021, measure
from seq2seq.config import ReconstructionConfig
from seq2seq.errors import MissingDataError, Stopped
from seq2seq.methods.base import CandidateInfo, MethodInfo, NoSettings
from seq2seq.methods.closed_form import ClosedForm, closed_form_cost
from seq2seq.readers import read_sequence
from seq2seq.validation.settings import DEFAULTS

PLAIN = ReconstructionConfig(perceptual="off", device="cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("igarss") / "fields"
    with pytest.raises(SystemExit):
        cli.main(["simulate", str(out), "--dates", "8", "--size", "24", "--bands", "10m", "--cloud", "0.4"])
    return out / "input"


@pytest.fixture(scope="module")
def case(folder):
    return BlendedCase(CaseName("fields", GAP, 0), read_sequence(folder, PLAIN), DEFAULTS)


def observed_of(*shares: float):
    """(T, 1, 20) with so much of each date observed."""
    return np.stack([np.arange(20)[None] < round(20 * share) for share in shares])


def test_the_clouds_of_the_cloudiest_date_are_hidden_on_a_clear_one():
    observed = observed_of(0.5, 1.0, 0.25, 0.6)
    hidden = cloudiest_onto_clear(observed, np.random.default_rng(0), DEFAULTS)
    np.testing.assert_array_equal(hidden[1], ~observed[2])
    assert not np.delete(hidden, 1, axis=0).any()


def test_seeds_draw_among_dates_that_are_as_clear():
    observed = observed_of(1.0, 0.95, 0.2, 0.8, 1.0)
    drawn = {int(np.argmax(hide_gap(GAP, observed, seed).any(axis=(1, 2)))) for seed in range(30)}
    assert drawn == {0, 1, 4}


def test_dates_that_are_all_alike_have_nothing_to_hide():
    assert not cloudiest_onto_clear(observed_of(1, 1, 1), np.random.default_rng(0), DEFAULTS).any()


def test_a_protocol_is_no_gap_of_an_ordinary_comparison():
    assert GAP not in GAPS


def test_under_the_clouds_a_method_is_shown_the_cloud_and_nothing_of_the_original(case):
    seen, hidden = case.visible, case.hidden[case.date]
    assert hidden.any()
    assert not seen.s2.observed[case.date][hidden].any()
    assert seen.cloud_mask[case.date][hidden].all()
    cloud = case.truth.pixels[case.cloudiest]
    np.testing.assert_array_equal(seen.s2.pixels[case.date][:, hidden], cloud[:, hidden])
    clear = case.truth.observed[case.date] & ~hidden
    np.testing.assert_array_equal(seen.s2.pixels[case.date][:, clear], case.truth.pixels[case.date][:, clear])


def test_an_error_under_the_clouds_is_diluted_over_the_whole_date(case):
    prediction = np.where(case.hidden[:, None], case.truth.pixels + np.float32(0.1), case.truth.pixels)
    prediction[case.date - 1] = 0.9  # another date, which is not scored
    found = measure(prediction, case)
    share = case.hidden.sum() / case.truth.observed[case.date].sum()
    assert found["hidden"]["RMSE"] == pytest.approx(0.1, abs=1e-6)
    assert found["hidden"]["PSNR"] == pytest.approx(20, abs=1e-4)
    assert found["whole date"]["RMSE"] == pytest.approx(0.1 * np.sqrt(share), abs=1e-6)


def test_no_method_sees_the_original(folder, tmp_path, monkeypatch):
    """The engine blanks what is masked, also where the cloud's values stand."""
    seen = []

    def predict(self, visible):
        seen.append(visible.s2)
        return {"own": visible.s2.pixels}

    kind = type("Toy", (ClosedForm,), {"predict": predict})
    info = MethodInfo("toy", "Toy", "", NoSettings, closed_form_cost, lambda: kind, {"own": CandidateInfo("Own", 1.0)})
    monkeypatch.setattr(methods, "METHODS", (*methods.METHODS, info))
    observations = read_sequence(folder, PLAIN)
    case = BlendedCase(CaseName(str(folder), GAP, 0), observations, DEFAULTS)
    benchmark_igarss2021([folder], tmp_path / "out", replace(make_plan("linear", "cloud", 1, PLAIN), methods=("toy",)))
    assert seen
    for s2 in seen:
        assert not s2.pixels[case.date][:, case.hidden[case.date]].any()


def test_the_command_prints_our_table_beside_theirs(folder, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["benchmark", str(folder), "--protocol", "igarss2021", "--methods", "median", "--seeds", "1"]
    with pytest.raises(SystemExit) as ended:
        cli.main([*command, "--device", "cpu", "--out", str(out)])
    text = capsys.readouterr().out
    assert not ended.value.code
    assert "full model" in text
    assert "11.59" in text
    lines = list(csv.DictReader((out / "table.csv").read_text().splitlines()))
    assert [(line["method"], line["area"]) for line in lines[-2:]] == [
        ("full model", "theirs"),
        ("noise input", "theirs"),
    ]
    assert {"median alone", "median blended", "linear blended"} <= {line["method"] for line in lines}
    assert all(float(line["RMSE"]) >= 0 for line in lines[:-2])
    assert len(json.loads((out / "results.json").read_text())["notes"]) == 5


def test_what_fails_is_named_and_a_stop_is_one(folder, tmp_path, monkeypatch):
    def predict(self, visible):
        raise ValueError("a bug")

    kind = type("Toy", (ClosedForm,), {"predict": predict})
    info = MethodInfo("toy", "Toy", "", NoSettings, closed_form_cost, lambda: kind, {"own": CandidateInfo("Own", 1.0)})
    monkeypatch.setattr(methods, "METHODS", (*methods.METHODS, info))
    plan = replace(make_plan("linear", "cloud", 1, PLAIN), methods=("toy",))
    lines = benchmark_igarss2021([folder], tmp_path / "out", plan)
    assert not any(line.method.startswith("toy") for line in lines)
    assert f"- toy, {folder}, igarss2021, seed 0: ValueError: a bug" in (tmp_path / "out" / "table.md").read_text()
    with pytest.raises(Stopped):
        benchmark_igarss2021([folder], tmp_path / "other", replace(plan, methods=("linear",)), should_stop=lambda: True)


def test_a_sequence_without_a_cloud_is_refused(folder, tmp_path, monkeypatch):
    observations = read_sequence(folder, PLAIN)
    clear = replace(observations.s2, observed=np.ones_like(observations.s2.observed))
    monkeypatch.setattr(
        "seq2seq.comparison.igarss2021.read_sequence", lambda path, config: replace(observations, s2=clear)
    )
    with pytest.raises(MissingDataError, match="all dates are as clear as each other"):
        benchmark_igarss2021([folder], tmp_path / "out", make_plan("linear", "cloud", 1, PLAIN))
