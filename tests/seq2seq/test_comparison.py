"""Methods side by side: the same hidden pixels for all, seen by none; finished work is kept; failures are listed."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given as property_of
from hypothesis import strategies as st
from quick_engine import use_schedule

from seq2seq import methods
from seq2seq.commands import main as cli
from seq2seq.comparison import benchmark as comparison
from seq2seq.comparison import in_turn
from seq2seq.comparison.benchmark import benchmark, make_plan
from seq2seq.comparison.case import Case, CaseName, Outcome
from seq2seq.comparison.gaps import GAPS, hide_gap
from seq2seq.comparison.memory import peak_memory
from seq2seq.comparison.running import run_method
from seq2seq.comparison.scoring import GAP_CLASSES, CaseScores, Error, score_case
from seq2seq.comparison.table import difference, table
from seq2seq.config import ReconstructionConfig
from seq2seq.errors import ConfigError, MissingDataError, OutputError, Stopped
from seq2seq.interpolation import interpolate_from_others
from seq2seq.methods.base import CandidateInfo, MethodInfo, NoSettings
from seq2seq.methods.closed_form import ClosedForm, closed_form_cost
from seq2seq.nn.vgg import Perceptual
from seq2seq.progress import ignore, never_stop
from seq2seq.readers import read_sequence
from seq2seq.report.charts import category_chart, scatter
from seq2seq.validation.holdout import gap_class
from seq2seq.validation.metrics import Scores, psnr, rmse, score
from seq2seq.validation.settings import DEFAULTS

PLAIN = ReconstructionConfig(perceptual="off", device="cpu")
NO_LOSS = Perceptual(None, (), "off")


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    use_schedule(monkeypatch)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A tiny sequence with enough clear dates for gaps of every kind."""
    out = tmp_path_factory.mktemp("comparison") / "fields"
    with pytest.raises(SystemExit):
        cli.main(["simulate", str(out), "--dates", "12", "--size", "24", "--bands", "10m", "--cloud", "0.3"])
    return out / "input"


@pytest.fixture(scope="module")
def sequence(folder):
    return read_sequence(folder, PLAIN)


def a_case(given, gap="cloud", seed=0) -> Case:
    return Case(CaseName("fields", gap, seed), given, DEFAULTS)


def run(case: Case, method: str, should_stop=never_stop, **settings) -> Outcome:
    config = PLAIN.replace(method=method, seed=case.name.seed, **settings)
    return run_method(case, config, perceptual=NO_LOSS, on_progress=ignore, should_stop=should_stop)


def method(name: str, predict, **candidates) -> MethodInfo:
    """A method that is the function `predict`."""
    kind = type(name.title(), (ClosedForm,), {"predict": lambda self, visible: predict(visible)})
    return MethodInfo(
        name=name,
        title=name.title(),
        about="Of tests.",
        settings=NoSettings,
        cost=closed_form_cost,
        load=lambda: kind,
        candidates=candidates or {name: CandidateInfo(name, share=1.0)},
    )


def add(monkeypatch, *infos: MethodInfo) -> None:
    added = (*methods.METHODS, *infos)
    monkeypatch.setattr(methods, "METHODS", added)
    monkeypatch.setattr(comparison, "METHODS", added)


@pytest.mark.parametrize("gap", GAPS)
@pytest.mark.parametrize("seed", range(4))
def test_only_clear_pixels_are_hidden_the_same_ones_for_a_seed_and_not_all(sequence, gap, seed):
    observed = sequence.s2.observed
    hidden = hide_gap(gap, observed, seed)
    assert hidden.any()
    assert not (hidden & ~observed).any()
    assert (observed & ~hidden).any()
    assert np.array_equal(hidden, hide_gap(gap, observed, seed))
    assert not np.array_equal(hidden, hide_gap(gap, observed, seed + 100))


def test_the_three_kinds_of_gap_are_what_they_are_called(sequence):
    observed = sequence.s2.observed
    for seed in range(8):
        clouds, dates, run_of = (hide_gap(gap, observed, seed) for gap in GAPS)
        touched = clouds.any(axis=(1, 2))
        assert (clouds.sum(axis=(1, 2)) <= DEFAULTS.max_date_share * observed.sum(axis=(1, 2)))[touched].all()
        lost = dates.any(axis=(1, 2))
        assert np.array_equal(dates[lost], observed[lost])
        assert (observed[lost].mean(axis=(1, 2)) >= DEFAULTS.mostly_clear).all()
        first, last = np.flatnonzero(run_of.any(axis=(1, 2)))[[0, -1]]
        assert np.array_equal(run_of[first : last + 1], observed[first : last + 1])
        assert last > first
        clear = np.flatnonzero(observed.mean(axis=(1, 2)) >= DEFAULTS.mostly_clear)
        assert clear[0] < first
        assert last < clear[-1]


def test_where_too_few_dates_are_clear_no_date_is_hidden():
    observed = np.zeros((6, 8, 8), bool)
    observed[:3] = True
    assert not hide_gap("date", observed, 0).any()
    assert not hide_gap("run", observed, 0).any()
    assert not hide_gap("cloud", np.zeros_like(observed), 0).any()


def test_hidden_pixels_are_blank_under_a_cloud_and_the_given_values_stay(sequence):
    case = a_case(sequence)
    seen = case.visible
    assert not seen.s2.observed[case.hidden].any()
    assert not np.moveaxis(seen.s2.pixels, 1, -1)[case.hidden].any()
    assert seen.cloud_mask[case.hidden].all()
    assert np.moveaxis(sequence.s2.pixels, 1, -1)[case.hidden].any()


def test_scores_are_those_of_the_metrics_on_the_hidden_pixels(sequence):
    case = a_case(sequence, "date", 1)
    truth, visible = sequence.s2, case.visible.s2
    outcome = run(case, "linear")
    usable_linear = outcome.result
    prediction = interpolate_from_others(visible.pixels, visible.observed, visible.days)
    direct = score_case(prediction, truth, case.scored, case.gap_days)
    assert direct.scores == score(prediction, truth.pixels, case.scored)
    # the engine interpolates without what it suspects to be a missed cloud
    assert usable_linear.scores.rmse == pytest.approx(direct.scores.rmse, rel=0.2)
    for k, name in enumerate(GAP_CLASSES):
        where = case.scored & (gap_class(case.gap_days) == k)
        assert (name in direct.by_gap) == where.any()
        if where.any():
            assert direct.by_gap[name] == Error(int(where.sum()), rmse(prediction, truth.pixels, where=where))
    red = truth.bands.index("B04")
    direct_red = rmse(prediction[:, red : red + 1], truth.pixels[:, red : red + 1], where=case.scored)
    assert direct.by_band["B04"].rmse == direct_red
    assert sum(each.pixels for each in direct.by_date.values()) == case.scored.sum()
    squares = sum(each.pixels * each.rmse**2 for each in direct.by_date.values()) / case.scored.sum()
    assert np.sqrt(squares) == pytest.approx(direct.scores.rmse)
    assert outcome.alone is None
    assert outcome.candidate is None


def test_a_method_that_looks_under_the_mask_finds_nothing_there(sequence, monkeypatch):
    add(monkeypatch, method("cheat", lambda visible: {"cheat": visible.s2.pixels.copy()}))
    for gap in GAPS:
        case = a_case(sequence, gap)
        outcome = run(case, "cheat")
        assert outcome.reason is None
        zeros = psnr(np.zeros_like(sequence.s2.pixels), sequence.s2.pixels, where=case.scored)
        assert outcome.alone.scores.psnr == pytest.approx(zeros)


def test_the_engine_and_a_network_run_on_it_too(sequence):
    outcome = run(a_case(sequence), "guided")
    assert outcome.reason is None
    assert outcome.candidate == "network"
    assert outcome.seconds > 0
    assert Outcome.from_dict(json.loads(json.dumps(outcome.to_dict()))) == outcome


def failing(visible):
    raise RuntimeError("a bug\nof the method")


def not_finite(visible):
    return {"nan": np.full_like(visible.s2.pixels, np.nan)}


def test_what_goes_wrong_is_one_line_of_the_outcome(sequence, monkeypatch):
    add(monkeypatch, method("failing", failing), method("nan", not_finite))
    case = a_case(sequence)
    assert run(case, "failing").reason == "RuntimeError: a bug of the method"
    assert "nan" in run(case, "nan").reason.lower()
    assert "max_memory_gb 0.5" in run(case, "linear", max_memory_gb=0.5).reason
    no_radar = a_case(replace(sequence, s1=None))
    assert run(no_radar, "ebel2021").reason.startswith("method ebel2021 needs S1")


def test_a_method_that_is_far_over_its_time_is_stopped_and_one_that_is_asked_to_stop_too(sequence, monkeypatch):
    monkeypatch.setattr("seq2seq.comparison.running.OVERTIME", 0.0)
    monkeypatch.setattr("seq2seq.comparison.running.GRACE_S", 0.0)
    assert "was not done" in run(a_case(sequence), "guided", max_minutes=0.1).reason
    with pytest.raises(Stopped):
        run(a_case(sequence), "guided", should_stop=lambda: True)


def case_scores(by_date: dict[str, float], pixels: int = 10) -> CaseScores:
    count = pixels * len(by_date)
    whole = float(np.sqrt(np.mean(np.square(list(by_date.values())))))
    return CaseScores(
        scores=Scores(psnr=20.0, rmse=whole, mae=whole, nrmse=whole, sam=1.0, ssim=0.9, pixels=count),
        by_gap={GAP_CLASSES[0]: Error(count, whole)},
        by_band={"B02": Error(count, whole)},
        by_date={date: Error(pixels, error) for date, error in by_date.items()},
    )


@property_of(st.lists(st.floats(1e-3, 0.5), min_size=1, max_size=8), st.floats(0.2, 5))
def test_a_difference_is_the_ratio_of_squared_errors_and_its_interval_holds_it(errors, factor):
    name = CaseName("one", "cloud", 0)
    theirs = {f"2020-01-0{k + 1}": error for k, error in enumerate(errors)}
    ours = {date: factor * error for date, error in theirs.items()}
    found = difference({name: case_scores(ours)}, {name: case_scores(theirs)})
    assert found.measured_db == pytest.approx(-20 * np.log10(factor), abs=1e-6)
    if len(errors) < 3:
        assert found.low_db is None
    else:
        assert found.low_db - 1e-6 <= found.measured_db <= found.high_db + 1e-6


def test_a_date_counts_once_however_many_seeds_hide_it_and_only_common_cases_are_compared():
    one, two, three = (CaseName("one", "cloud", seed) for seed in range(3))
    dates = {"2020-01-01": 0.1, "2020-01-02": 0.2}
    ours = {one: case_scores(dates), two: case_scores(dates)}
    found = difference(ours, {**ours, three: case_scores({"2020-01-03": 0.9})})
    assert (found.dates, found.cases, found.measured_db) == (2, 2, pytest.approx(0))
    assert difference(ours, {three: case_scores(dates)}) is None


def test_rows_pool_what_was_finished_and_complete_ones_come_first():
    names = [CaseName("one", "cloud", seed) for seed in range(2)]

    def outcome(method: str, case: CaseName, error: float | None) -> Outcome:
        if error is None:
            return Outcome(case, method, reason="failed")
        scores = case_scores({"2020-01-01": error, "2020-01-02": error})
        return Outcome(case, method, result=scores, seconds=error)

    made = [("linear", 0.1, 0.3), ("half", 0.01, None), ("none", None, None)]
    rows = table(
        [outcome(m, case, e) for m, *es in made for case, e in zip(names, es, strict=True)], ["cloud"], ["linear"]
    )
    assert [(row.name, row.cases, row.of) for row in rows] == [("linear", 2, 2), ("half", 1, 2)]
    assert rows[0].scores.rmse == pytest.approx(np.sqrt((0.01 + 0.09) / 2))
    assert rows[0].by_gap == {GAP_CLASSES[0]: pytest.approx(rows[0].scores.rmse)}
    assert rows[0].seconds == pytest.approx(0.2)
    assert rows[0].differences == {}
    assert rows[1].differences["linear"].measured_db == pytest.approx(20)


def quick_plan(**changes):
    return replace(make_plan("linear,nearest", "cloud,date", 2, PLAIN), **changes)


def without_costs(out: Path) -> list[dict[str, str]]:
    lines = list(csv.DictReader((out / "table.csv").read_text().splitlines()))
    return [{name: value for name, value in line.items() if name not in ("seconds", "memory_gb")} for line in lines]


def test_a_comparison_leaves_tables_whose_figures_are_those_computed_directly(folder, sequence, tmp_path):
    out = tmp_path / "out"
    benchmark([folder], out, quick_plan())
    assert {path.name for path in out.iterdir()} == {"table.csv", "table.md", "report.html", "results.json", ".parts"}
    lines = without_costs(out)
    names = {("linear", "blended"), ("nearest", "blended"), ("nearest", "alone")}
    for gap in ("cloud", "date", "all"):
        assert {(line["method"], line["prediction"]) for line in lines if line["gap"] == gap} == names
    cases = [a_case(sequence, "date", seed) for seed in range(2)]
    outcomes = [run(case, "nearest") for case in cases]
    line = next(each for each in lines if (each["gap"], each["prediction"]) == ("date", "alone"))
    squares = sum(o.alone.scores.pixels * o.alone.scores.rmse**2 for o in outcomes)
    pixels = sum(int(case.scored.sum()) for case in cases)
    assert int(line["pixels"]) == pixels
    assert float(line["rmse"]) == pytest.approx(np.sqrt(squares / pixels))
    values = json.loads((out / "results.json").read_text())
    kept = next(o for o in values["outcomes"] if o["method"] == "nearest" and o["case"]["gap"] == "date")
    assert kept["alone"]["scores"]["rmse"] == pytest.approx(outcomes[0].alone.scores.rmse)
    command = f"decloud benchmark {folder} --methods linear,nearest --gaps cloud,date --seeds 2"
    assert f"    {command}\n" in (out / "table.md").read_text()
    assert "nearest alone" in (out / "table.md").read_text()
    assert "nearest alone" in (out / "report.html").read_text()


def test_what_was_finished_is_not_repeated_and_what_goes_on_equals_what_is_fresh(folder, tmp_path, monkeypatch):
    fresh, resumed = tmp_path / "fresh", tmp_path / "resumed"
    benchmark([folder], fresh, quick_plan())
    ran: list[str] = []

    def counting(case, config, **rest):
        ran.append(config.method)
        return run_method(case, config, **rest)

    monkeypatch.setattr(in_turn, "run_method", counting)
    with pytest.raises(Stopped):
        benchmark([folder], resumed, quick_plan(), should_stop=lambda: len(ran) > 3)
    assert len(ran) == 4
    benchmark([folder], resumed, quick_plan())
    assert len(ran) == 4 + 5, "the one that was stopped, and what had not been begun"
    assert without_costs(resumed) == without_costs(fresh)
    before = (resumed / "table.csv").read_text()
    benchmark([folder], resumed, quick_plan())
    assert len(ran) == 9
    assert (resumed / "table.csv").read_text() == before
    benchmark([folder], resumed, quick_plan(config=PLAIN.replace(max_minutes=1)))
    assert len(ran) == 17, "other settings, other results"


@pytest.mark.parametrize("kind", ["json", "npz"])
def test_a_part_that_was_cut_off_is_made_again(folder, tmp_path, kind):
    plan = quick_plan(gaps=("cloud",), seeds=(0,))
    benchmark([folder], tmp_path, plan)
    before = without_costs(tmp_path)
    for part in (tmp_path / ".parts").glob(f"*.{kind}"):
        part.write_bytes(part.read_bytes()[:50])
    benchmark([folder], tmp_path, plan)
    assert without_costs(tmp_path) == before


def test_a_method_that_fails_is_listed_and_the_others_go_on(folder, tmp_path, monkeypatch):
    add(monkeypatch, method("failing", failing))
    plan = make_plan("failing,nearest", "cloud", 1, PLAIN)
    said: list[str] = []
    results = benchmark([folder], tmp_path / "out", plan, on_progress=lambda p: said.append(p.message or ""))
    assert [each["method"] for each in results["failures"]] == ["failing"]
    for name in ("table.md", "report.html", "results.json"):
        assert "RuntimeError: a bug of the method" in (tmp_path / "out" / name).read_text()
    assert {row.method for row in results["rows"]} == {"linear", "nearest"}
    assert any("failing not finished" in line for line in said)


def test_a_title_with_markup_stays_text(folder, tmp_path, monkeypatch):
    add(monkeypatch, method("failing", lambda visible: (_ for _ in ()).throw(ValueError("<script>alert(1)</script>"))))
    benchmark([folder], tmp_path, make_plan("failing", "cloud", 1, PLAIN))
    assert "<script>" not in (tmp_path / "report.html").read_text()


def test_linear_is_always_among_them_and_names_are_taken_once():
    plan = make_plan("nearest,nearest", "run,cloud,run", 2, PLAIN)
    assert plan.methods == ("linear", "nearest")
    assert (plan.gaps, plan.seeds) == (("run", "cloud"), (0, 1))
    assert make_plan("all", "cloud", 1, PLAIN).methods == tuple(info.name for info in methods.METHODS)


def test_settings_of_a_method_are_of_the_one_that_is_named():
    plan = make_plan("all", "cloud", 1, PLAIN.replace(method="guided", method_settings={"steps": 3}))
    assert plan.config_of("guided", 4).method_settings == {"steps": 3}
    assert plan.config_of("nearest", 4).method_settings == {}
    assert plan.config_of("nearest", 4).seed == 4


@pytest.mark.parametrize(
    ("methods_text", "gaps", "message"),
    [
        ("neerest", "cloud", "did you mean nearest?"),
        ("all", "clouds", "did you mean cloud?"),
        (",", "cloud", "methods: names none"),
        ("all", "", "gaps: names none"),
    ],
)
def test_names_that_are_none_are_said_with_the_nearest(methods_text, gaps, message):
    with pytest.raises(ConfigError, match=message.replace("?", r"\?")):
        make_plan(methods_text, gaps, 1, PLAIN)


def test_bad_input_is_said_before_anything_runs(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(in_turn, "run_method", lambda *_, **__: pytest.fail("a method ran"))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    with pytest.raises(OutputError, match=r"holds mine\.txt"):
        benchmark([folder], tmp_path / "full", quick_plan())
    with pytest.raises(OutputError, match="is not a folder"):
        benchmark([folder], tmp_path / "full" / "mine.txt", quick_plan())
    with pytest.raises(OutputError, match="lies inside the input"):
        benchmark([folder], folder / "out", quick_plan())
    with pytest.raises(MissingDataError, match="does not exist"):
        benchmark([folder, tmp_path / "nothing"], tmp_path / "out", quick_plan())
    with pytest.raises(ConfigError, match=r"input: takes about .* GB for the whole scene.*give a part of it"):
        benchmark([folder], tmp_path / "out", quick_plan(config=PLAIN.replace(max_memory_gb=0.5)))
    monkeypatch.setitem(GAPS, "date", lambda observed, rng, settings: np.zeros_like(observed))
    with pytest.raises(MissingDataError, match=r"no clear pixel to hide for gap date.*--gaps cloud"):
        benchmark([folder], tmp_path / "out", quick_plan())
    assert not (tmp_path / "out").exists()


def test_the_command_writes_prints_and_says_mistakes_in_one_line(folder, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["benchmark", str(folder), "--methods", "nearest", "--gaps", "cloud", "--seeds", "1", "--out", str(out)]
    assert exit_code([*command, "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    assert "nearest alone" in said
    assert str(out / "report.html") in said
    for wrong in (["--methods", "neerest"], ["--gaps", "moon"], ["--seeds", "0"], ["--max-minutes", "0"]):
        assert exit_code([*command, *wrong]) == 2
        assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_what_a_method_lacks_is_said_with_the_way_to_get_it(sequence, monkeypatch):
    def load():
        raise ModuleNotFoundError("No module named 'lightgbm'", name="lightgbm")

    add(monkeypatch, replace(method("lacking", failing), load=load))
    assert "pip install 'decloud[core]'" in run(a_case(sequence), "lacking").reason


def test_memory_is_that_of_the_block():
    with peak_memory(torch.device("cpu")) as small:
        pass
    with peak_memory(torch.device("cpu")) as large:
        np.ones(40_000_000)
    if small.gb is None:
        pytest.skip("the system does not tell")
    assert large.gb > small.gb + 0.2


def test_names_in_a_chart_do_not_lie_on_each_other():
    points = [((0.1 * k, 20 + 0.001 * (k % 3)), f"m{k}", "other") for k in range(1, 9)]
    drawn = scatter(points, first=0.1, last=1, label="l", least_span=0.5)
    heights = sorted(dot.name_y for dot in drawn.dots)
    assert np.diff(heights).min() > 12
    assert drawn.frame.high - drawn.frame.low >= 0.5
    assert {dot.name for dot in drawn.dots} == {name for _, name, _ in points}
    assert all(0 < each < drawn.frame.height for each in heights)


def test_a_chart_by_category_has_a_dot_for_each_value_there_is():
    drawn = category_chart(["a", "b", "c"], [("one", "other", [0.1, None, 0.3])], label="l")
    assert [name for _, name in drawn.ticks] == ["a", "b", "c"]
    (line,) = drawn.lines
    assert [x for x, _ in line.dots] == [pytest.approx(drawn.ticks[0][0]), pytest.approx(drawn.ticks[2][0])]
    assert line.dots[0][1] > line.dots[1][1], "more stands higher"


def exit_code(arguments: list[str]) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    return int(ended.value.code or 0)
