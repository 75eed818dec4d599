"""The page of a comparison: pictures of the same places for all methods, marks where time was short, sentences."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from quick_engine import observations, use_schedule

from seq2seq.comparison import in_turn
from seq2seq.comparison.benchmark import benchmark, make_plan
from seq2seq.comparison.case import Case, CaseName, Outcome
from seq2seq.comparison.output import as_csv, as_markdown
from seq2seq.comparison.pictures import MAX_PX, case_picture, chosen_pixels, picture, pictured_date
from seq2seq.comparison.running import run_method
from seq2seq.comparison.scoring import score_case
from seq2seq.comparison.table import table
from seq2seq.comparison.verdict import verdict, verdicts
from seq2seq.config import ReconstructionConfig
from seq2seq.interpolation import interpolate_from_others
from seq2seq.nn.vgg import Perceptual
from seq2seq.progress import ignore, never_stop
from seq2seq.report.benchmark_report import render
from seq2seq.report.method_pictures import CasePicture, MethodPicture, packed, unpacked
from seq2seq.report.plain import to_plain
from seq2seq.run.reconstruction import reconstruct
from seq2seq.sequence import Observations
from seq2seq.validation.settings import DEFAULTS

PLAIN = ReconstructionConfig(perceptual="off", device="cpu")
NO_LOSS = Perceptual(None, (), "off")
METHODS = ("linear", "nearest", "median")
IMAGES = re.compile(r'<img src="data:image/(?:jpeg|png);base64,[A-Za-z0-9+/=]+" alt="([^"]+)"')


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    use_schedule(monkeypatch)


@pytest.fixture(scope="module")
def given() -> Observations:
    return observations(12, 24, cloud=0.3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    from seq2seq.commands import main as cli

    out = tmp_path_factory.mktemp("report") / "fields"
    with pytest.raises(SystemExit):
        cli.main(["simulate", str(out), "--dates", "12", "--size", "24", "--bands", "10m", "--cloud", "0.3"])
    return out / "input"


def a_case(given: Observations, gap: str = "cloud", seed: int = 0, name: str = "fields") -> Case:
    return Case(CaseName(name, gap, seed), given, DEFAULTS)


def without(given: Observations, *bands: str) -> Observations:
    """The same sequence without some bands."""
    s2 = given.s2
    kept = [k for k, band in enumerate(s2.bands) if band not in bands]
    return replace(given, s2=replace(s2, pixels=s2.pixels[:, kept], bands=tuple(s2.bands[k] for k in kept)))


def run(case: Case, method: str = "linear", **settings) -> Outcome:
    config = PLAIN.replace(method=method, seed=case.name.seed, **settings)
    return run_method(case, config, perceptual=NO_LOSS, on_progress=ignore, should_stop=never_stop)


def page(outcomes: list[Outcome], **changes) -> tuple[str, dict]:
    """The page of some outcomes, and what results.json would hold."""
    gaps = list(dict.fromkeys(each.case.gap for each in outcomes))
    results = {
        "version": "1", "created": "today", "inputs": list(dict.fromkeys(each.case.input for each in outcomes)),
        "simulated": False, "methods": {each.method: each.method for each in outcomes}, "gaps": gaps, "seeds": [0],
        "max_minutes": None, "device": "cpu", "command": "decloud benchmark", "explanation": "Hidden.",
        "legend": "Cut:", "at_once": "",
        "rows": table(outcomes, gaps, ["linear", "guided"]), "failures": [], **changes,
    }  # fmt: skip
    values = to_plain({**results, "outcomes": [each.to_dict() for each in outcomes]})
    values["verdicts"] = verdicts(values["rows"])
    pictures: dict = {}
    for each in outcomes:
        if each.picture is not None:
            pictures.setdefault((each.case.input, each.case.gap), {})[each.method] = each.picture
    return render(values, pictures), values


@pytest.mark.parametrize("gap", ["cloud", "date", "run"])
def test_date_and_pixels_are_decided_by_the_case_and_scored(given, gap):
    case = a_case(given, gap)
    t = pictured_date(case)
    scored = case.scored.sum(axis=(1, 2))
    clear = given.s2.observed.mean(axis=(1, 2)) >= DEFAULTS.mostly_clear
    assert scored[t] == max(scored[clear])
    places = chosen_pixels(case, t)
    assert len({tuple(place) for place in places.tolist()}) == 3
    assert case.scored[t][tuple(places.T)].all()
    first, second = (picture(case, method, None).case for method in (given.s2.pixels, 0 * given.s2.pixels))
    for name, array in first.to_arrays().items():
        assert np.array_equal(array, second.to_arrays()[name], equal_nan=array.dtype.kind == "f"), name


def test_hidden_values_decide_nothing_that_is_shown_as_visible(given):
    case = a_case(given, "date")
    shown = case_picture(case)
    assert len(np.unique(shown.visible.reshape(-1, 3), axis=0)) == 1, "the whole date is hidden"
    assert not shown.shown[:, int(shown.t)].any()
    assert shown.scored[:, int(shown.t)].all()


def test_errors_are_those_of_the_scored_pixels_and_nothing_else(given):
    case = a_case(given)
    made = picture(case, given.s2.pixels + np.float32(0.01), None)
    scored = case.scored[int(made.case.t)]
    assert np.array_equal(np.isfinite(made.result.error), scored)
    assert made.result.error[scored] == pytest.approx(0.01, abs=1e-4)
    assert made.alone is None


def test_a_large_scene_is_reduced_and_other_seeds_are_not_pictured(given):
    large = observations(8, (64, MAX_PX + 40), cloud=0.2)
    case = a_case(large, "date")
    made = picture(case, large.s2.pixels, large.s2.pixels)
    assert made.case.truth.shape == made.result.image.shape == (32, MAX_PX // 2 + 20, 3)
    assert np.array_equal(made.result.image, made.case.truth)
    assert len(made.to_bytes()) < 300_000
    assert picture(a_case(given, seed=1), given.s2.pixels, None) is None


def test_a_picture_comes_back_from_its_file(given):
    case = a_case(given)
    made = picture(case, given.s2.pixels, 0.5 * given.s2.pixels)
    of_case = CasePicture.from_arrays(unpacked(packed(made.case.to_arrays())))
    again = MethodPicture.from_bytes(made.to_bytes(), of_case)
    assert again.case.date == made.case.date
    for one, other in ((made.result, again.result), (made.alone, again.alone)):
        for name, array in one.to_arrays().items():
            assert np.array_equal(array, other.to_arrays()[name], equal_nan=array.dtype.kind == "f"), name
    with pytest.raises((ValueError, KeyError)):
        MethodPicture.from_bytes(b"something else", of_case)


def test_every_method_has_its_pictures_the_best_of_the_date_first(given):
    text, values = page([run(a_case(given), method) for method in METHODS])
    alts = IMAGES.findall(text)
    shown = [alt.partition(":")[0] for alt in alts if ": result of" in alt]
    assert sorted(shown) == sorted(METHODS)
    errors = {
        each["method"]: each["result"]["by_date"][re.search(r"of (\S+),", alts[2])[1]]["rmse"]
        for each in values["outcomes"]
    }
    assert [errors[name] for name in shown] == sorted(errors.values())
    assert sum("absolute error of the result" in alt for alt in alts) == 3
    assert sum("own prediction of" in alt for alt in alts) == 2, "linear has none"
    assert sum(alt.startswith("Truth:") for alt in alts) == 1
    assert "NDVI over time" in text
    assert "<script" not in text
    assert not re.search(r'(?:src|href)="(?!data:)', text)
    assert text.count("<caption>") == text.count("<table")


@pytest.mark.parametrize(
    ("missing", "colour"),
    [(("B08",), "natural colour"), (("B02",), "false colour"), (("B03", "B08"), "one band as grey")],
)
def test_bands_that_are_missing_are_said_and_the_rest_is_shown(given, missing, colour):
    text, _ = page([run(a_case(without(given, *missing)))])
    assert colour in text
    assert ("They need bands" in text or "they need bands B04 and B08 or B8A" in text) == ("B08" in missing)
    assert ("NDVI over time" in text) == ("B08" not in missing)
    assert "spectrum of the hidden date" in text.lower()


def test_the_pictures_of_an_earlier_call_are_shown_again_and_what_lacks_them_is_made_again(
    folder, tmp_path, monkeypatch
):
    plan = make_plan("nearest", "cloud", 2, PLAIN)
    benchmark([folder], tmp_path, plan)
    before = IMAGES.findall((tmp_path / "report.html").read_text())
    assert len(before) == 2 + 2 * 3
    ran: list[tuple[str, int]] = []

    def counting(case, config, **rest):
        ran.append((config.method, case.name.seed))
        return run_method(case, config, **rest)

    monkeypatch.setattr(in_turn, "run_method", counting)
    benchmark([folder], tmp_path, plan)
    assert (ran, IMAGES.findall((tmp_path / "report.html").read_text())) == ([], before)
    next((tmp_path / ".parts").glob("nearest-cloud-0-*.npz")).unlink()
    benchmark([folder], tmp_path, plan)
    assert (ran, IMAGES.findall((tmp_path / "report.html").read_text())) == ([("nearest", 0)], before)
    assert "picture" not in json.loads((tmp_path / "results.json").read_text())["outcomes"][0]


def test_an_input_named_with_markup_stays_text(given):
    name = "<script>alert(1)</script>\"'"
    case = a_case(given, name=name)
    text, _ = page([run(case), run(case, "nearest")])
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_a_fit_that_time_was_too_short_for_is_marked_everywhere(given):
    scores = run(a_case(given)).result
    name = CaseName("fields", "cloud", 0)
    made = {"linear": (0, 0), "done": (5, 5), "half": (2, 5), "none": (0, 5), "nearly": (999, 1000)}
    outcomes = [
        Outcome(name, method, result=scores, seconds=1.0, steps_done=done, steps_total=total)
        for method, (done, total) in made.items()
    ]
    text, values = page(outcomes)
    assert {row["name"]: row["cut"] for row in values["rows"]} == {
        "linear": "", "done": "", "half": "40 % of steps", "none": "0 % of steps", "nearly": "99 % of steps",
    }  # fmt: skip
    markdown = as_markdown(values)
    assert "| half (40 % of steps) |" in markdown
    assert "| done |" in markdown
    assert "\nCut:\n" in markdown
    assert '<small class="mark-cut">40 % of steps</small>' in text
    assert "half,blended,1,1" in (lines := as_csv(table(outcomes, ["cloud"], ["linear"])))
    assert "0.4,40 % of steps" in lines
    assert "Cut by the time budget: " in markdown


def test_a_case_that_was_stopped_marks_its_row(given):
    scores = run(a_case(given)).result
    names = [CaseName("fields", "cloud", seed) for seed in range(2)]
    outcomes = [Outcome(name, "linear", result=scores, seconds=1.0) for name in names]
    outcomes += [
        Outcome(names[0], "slow", result=scores, seconds=1.0),
        Outcome(names[1], "slow", reason="was not done"),
    ]
    rows = table(outcomes, ["cloud"], ["linear"])
    assert [(row.name, row.cut) for row in rows] == [("linear", ""), ("slow", "1 case not finished")]


def test_the_engine_tells_how_many_steps_it_made(given):
    config = PLAIN.replace(method="guided")
    done = reconstruct(given, config, perceptual=NO_LOSS)
    assert (done.steps_done, done.steps_total) == (6, 6), "both fits"
    short = reconstruct(given, config, perceptual=NO_LOSS, budget_s=1e-3)
    assert short.steps_done < short.steps_total
    none = reconstruct(given, PLAIN.replace(method="linear"), perceptual=NO_LOSS)
    assert (none.steps_done, none.steps_total) == (0, 0)


def a_row(name: str, psnr: float, over: dict[str, tuple[float, float | None, float | None]], **changes) -> dict:
    differences = {k: {"measured_db": m, "low_db": low, "high_db": high} for k, (m, low, high) in over.items()}
    return {
        "name": name, "method": name, "alone": False, "cases": 1, "of": 1, "scores": {"psnr": psnr},
        "by_gap": {"a": 0.1}, "by_band": {"B02": 0.1}, "differences": differences, "cut": "", **changes,
    }  # fmt: skip


def test_where_a_simple_method_is_better_than_the_default_the_table_says_so():
    rows = [
        a_row("linear", 30, {"guided": (2.0, 1.0, 3.0)}),
        a_row("median", 29, {"linear": (-1.0, -2.0, 0.5), "guided": (1.0, -0.5, 2.0)}),
        a_row("guided", 28, {"linear": (-2.0, -3.0, -1.0)}, by_gap={"a": 0.2}),
    ]
    said = verdict(rows)
    assert said[0] == "Best of 3 here: linear, 30.00 dB, +2.00 (+1.00 to +3.00) dB over guided."
    assert "guided, the default, is not the best here" in said[1]
    assert "beyond what the dates leave open: linear +2.00" in said[1]
    assert "no difference that the dates show: median +1.00" in said[1]
    assert "Plain linear interpolation is among them" in said[1]
    assert said[2] == "Least RMSE, less than that of guided: by length of the gap, linear (all)."


def test_a_best_that_is_the_default_and_one_on_few_dates_are_said():
    rows = [a_row("guided", 30, {"linear": (1.0, None, None)}), a_row("linear", 29, {"guided": (-1.0, None, None)})]
    assert verdict(rows) == ["Best of 2 here: guided, 30.00 dB, +1.00 dB over linear, on too few dates for a range."]
    rows = [{**row, "of": 2} for row in rows]
    assert verdict(rows) == ["No method has finished every case, so that none is called the best."]


def test_scores_of_a_date_are_those_below_its_picture(given):
    case = a_case(given)
    visible = case.visible.s2
    prediction = interpolate_from_others(visible.pixels, visible.observed, visible.days)
    made = picture(case, prediction, None)
    by_date = score_case(prediction, case.truth, case.scored, case.gap_days).by_date
    of_date = by_date[made.case.date]
    assert of_date.pixels == np.isfinite(made.result.error).sum()
    assert float(made.result.rmse) == pytest.approx(of_date.rmse)
