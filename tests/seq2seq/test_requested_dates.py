"""Dates nobody saw: results on days without an acquisition, which change nothing of what is proven of the others."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from quick_engine import QUICK as SCHEDULE
from quick_engine import observations, use_schedule
from sequence_files import DATES, s1_db, s2_dn, write_sequence

from api.process.parameters import Parameters, settings_named
from seq2seq.commands.days import days_in, days_listed
from seq2seq.commands.main import main
from seq2seq.config import SETTINGS, ReconstructionConfig
from seq2seq.errors import ConfigError, MissingDataError
from seq2seq.estimate import estimate
from seq2seq.methods import METHODS
from seq2seq.readers import open_sequence, read_sequence
from seq2seq.run.pipeline import run
from seq2seq.run.reconstruction import Reconstruction, reconstruct
from seq2seq.sequence import ImageSequence, Observations
from seq2seq.simulation.simulate import simulate, write_simulation
from seq2seq.validation.distance import Growth, bridge_days_of, measure_growth
from seq2seq.validation.hiding import CloudShapes, hide
from seq2seq.writers import partial_of

QUICK = ReconstructionConfig(method="linear", perceptual="off", device="cpu")
# Methods whose candidates on an acquisition do not depend on dates that show nothing.
UNMOVED = ("linear", "nearest", "spread", "median", "gp")
SHORT = {
    "best": SCHEDULE,
    "ebel2021": {"schedule_factor": 1e-6},
    "dip": {"schedule_factor": 1e-6},
    "dsen2-cr": {"steps": 2, "batch": 2, "crop_px": 12, "width": 6, "blocks": 2},
    "seq2point": {"steps": 2, "batch": 2, "crop_px": 12, "width": 6, "blocks": 1},
    "trees": {"mask_samples": 3, "fewest_mask_samples": 2, "max_samples": 2000, "tree_rounds": 4, "guide_radius_px": 3},
    "pix2pix": {"steps": 2},
    "inpaint-fusion": {"steps": 2, "draws": 1},
    "gp": {"iterations": 4},
    "mogpr": {"iterations": 4},
}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    use_schedule(monkeypatch)


def asking(**changes: Any) -> ReconstructionConfig:
    return QUICK.replace(**changes)


def with_requested(given: Observations, every: int) -> Observations:
    """The same with a date every so many days, on which nothing is observed."""
    s2 = given.s2
    dates = np.union1d(s2.dates, np.arange(s2.dates[0], s2.dates[-1], every)).astype("datetime64[D]")
    there = np.isin(dates, s2.dates)

    def widened(values: np.ndarray, fill: Any) -> np.ndarray:
        wide = np.full((len(dates), *values.shape[1:]), fill, values.dtype)
        wide[there] = values
        return wide

    s1 = given.s1
    assert s1 is not None
    nearest = [int(np.abs(s2.dates - date).argmin()) for date in dates]
    return Observations(
        s2=replace(s2, pixels=widened(s2.pixels, 0), dates=dates, observed=widened(s2.observed, False)),
        s1=replace(s1, pixels=s1.pixels[nearest], dates=dates, observed=s1.observed[nearest]),
        cloud_mask=widened(given.cloud_mask, True),
        s1_dates=given.s1_dates[nearest],
        requested=dates[~there],
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five dates, ten days apart, S1 on each."""
    return write_sequence(tmp_path_factory.mktemp("five") / "input", s1=s1_db(), masks=np.zeros((5, 24, 32)))


def test_a_requested_day_stands_among_the_acquisitions_with_nothing_observed(folder: Path) -> None:
    plain, asked = read_sequence(folder, QUICK), read_sequence(folder, asking(every_days=5))
    assert [str(date) for date in asked.requested] == ["2020-08-06", "2020-08-16", "2020-08-26", "2020-09-05"]
    assert not asked.s2.observed[~asked.acquired].any()
    assert asked.cloud_mask[~asked.acquired].all()
    assert np.array_equal(asked.s2.dates[asked.acquired], plain.s2.dates)
    for ours, theirs in ((asked.s2.pixels, plain.s2.pixels), (asked.s2.observed, plain.s2.observed)):
        assert np.array_equal(ours[asked.acquired], theirs)


def test_a_requested_day_gets_the_nearest_s1_within_the_limit(folder: Path) -> None:
    asked = read_sequence(folder, asking(dates=("2020-08-14", "2020-08-16"), s1_max_days=4))
    assert [str(day) for day in asked.s1_dates[~asked.acquired]] == ["2020-08-11", "NaT"]
    assert asked.s1 is not None
    assert asked.s1.observed[~asked.acquired].all(axis=(1, 2)).tolist() == [True, False]


def test_days_that_were_acquired_are_no_new_dates(folder: Path) -> None:
    with open_sequence(folder, asking(dates=DATES + DATES[:1])) as source:
        assert [str(date) for date in source.info.dates] == list(DATES)
        assert not len(source.info.requested)
        assert not any("asked for" in line for line in source.info.warnings)


def test_a_request_changes_dates_and_costs_but_not_the_fingerprint(folder: Path) -> None:
    with open_sequence(folder, QUICK) as plain, open_sequence(folder, asking(every_days=1)) as asked:
        assert asked.info.fingerprint == plain.info.fingerprint
        assert len(asked.info.dates) == 41
        plain_cost, cost = (estimate(source.info.shape, QUICK) for source in (plain, asked))
        assert cost.seconds > plain_cost.seconds
        assert np.array_equal(asked.cloud_fractions[asked.info.acquired], plain.cloud_fractions)
        assert (asked.cloud_fractions[~asked.info.acquired] == 1).all()
        assert any("36 dates were asked for, never acquired" in line for line in asked.info.warnings)


def test_a_window_is_the_crop_of_the_whole(folder: Path) -> None:
    with open_sequence(folder, asking(every_days=5)) as source:
        part, whole = source.read(slice(3, 17), slice(5, 30)), source.read().crop(slice(3, 17), slice(5, 30))
    assert np.array_equal(part.s2.pixels, whole.s2.pixels)
    assert np.array_equal(part.cloud_mask, whole.cloud_mask)
    assert np.array_equal(part.requested, whole.requested)


@pytest.mark.parametrize("day", ["2020-07-31", "2020-09-11", "1999-01-01"])
def test_a_day_outside_the_series_is_one_line_with_the_day_and_the_range(folder: Path, day: str) -> None:
    with pytest.raises(MissingDataError) as caught:
        read_sequence(folder, asking(dates=("2020-08-14", day)))
    assert f"{day} is outside the series: S2 was acquired from 2020-08-01 to 2020-09-10" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.date == day


def test_too_many_days_are_one_line_with_the_numbers(tmp_path: Path) -> None:
    root = write_sequence(tmp_path / "input", s2=s2_dn(2), dates=("2017-01-01", "2020-01-01"))
    with pytest.raises(
        ConfigError, match="1,094 dates are asked for beside 2 acquisitions of S2, and together at most"
    ):
        read_sequence(root, asking(every_days=1))


def test_days_of_s1_are_those_within_the_series(tmp_path: Path) -> None:
    root = write_sequence(tmp_path / "input", s2=s2_dn(2), dates=("2020-08-05", "2020-08-20"))
    write_sequence(tmp_path / "other", s1=s1_db())
    (tmp_path / "other" / "S1").rename(root / "S1")
    asked = read_sequence(root, asking(at_s1=True))
    assert [str(day) for day in asked.requested] == ["2020-08-11"]
    assert asked.s1_dates[1] == asked.requested[0]


def test_days_of_s1_without_s1_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="at_s1 asks for the days of S1, and the input has no S1"):
        read_sequence(write_sequence(tmp_path / "input"), asking(at_s1=True))


def test_requested_dates_are_dates_of_s2_that_are_not_observed() -> None:
    given = observations(dates=4, size=16)
    for wrong in (np.array(["1999-01-01"], "datetime64[D]"), given.s2.dates[:1]):
        with pytest.raises(ValueError, match="requested holds dates that s2 lacks, or that are observed"):
            replace(given, requested=wrong, s2=replace(given.s2, observed=np.ones_like(given.s2.observed)))


# -- the proof of the others


@pytest.fixture(scope="module")
def given() -> Observations:
    return observations(dates=7, size=(16, 18), seed=1)


@pytest.mark.parametrize("info", METHODS, ids=lambda info: info.name)
def test_every_method_gives_requested_dates_and_the_proof_of_the_others_stays(given: Observations, info: Any) -> None:
    config = QUICK.replace(method=info.name, method_settings=SHORT.get(info.name, {}))
    wide = with_requested(given, 9)
    # what is held out depends on no method
    plain, asked = reconstruct(given, config if info.name in UNMOVED else QUICK), reconstruct(wide, config)
    new = ~wide.acquired
    assert np.isfinite(asked.s2.pixels).all()
    assert (asked.sigma[new] > 0).all()
    assert asked.reconstructed[new].all()
    ours, theirs = asked.assessment, plain.assessment
    assert ours is not None
    assert theirs is not None
    assert ours.pixels == theirs.pixels
    assert [each.pixels for each in ours.filled] == [each.pixels for each in theirs.filled]
    places = np.flatnonzero(wide.acquired)
    assert [(places.tolist().index(e.date), e.kind, e.gap, e.pixels) for e in ours.by_date] == [
        (e.date, e.kind, e.gap, e.pixels) for e in theirs.by_date
    ]
    assert ours.methods["linear"] == theirs.methods["linear"]
    if info.name in UNMOVED:
        assert ours.methods["result"].rmse == pytest.approx(theirs.methods["result"].rmse, rel=1e-5)
        assert np.allclose(asked.s2.pixels[~new], plain.s2.pixels, atol=1e-5)
        assert np.allclose(asked.sigma[~new], plain.sigma, atol=1e-5)


def test_a_date_that_shows_something_keeps_its_pixels_however_many_show_nothing() -> None:
    observed = np.zeros((60, 8, 8), bool)
    observed[30] = True
    for seed in range(50):
        hidden = hide(observed, CloudShapes.of(observed), np.random.default_rng(seed), whole=0.9, shaped=0.1)
        assert not hidden.any()


# -- uncertainty


def left_out(seed: int) -> tuple[ImageSequence, Observations]:
    """The truth of a simulated sequence, and what is left where runs of dates were never acquired."""
    simulation = simulate(dates=40, size=24, bands=("B04", "B08"), cloud=0.5, seed=seed, interval_days=(3, 9), s1=False)
    never = np.zeros(40, bool)
    for first, count in ((3, 1), (7, 3), (14, 6), (24, 2), (30, 5)):
        never[first : first + count] = True
    observed = simulation.s2.observed & ~never[:, None, None]
    nowhere = np.full(40, np.datetime64("NaT"), "datetime64[D]")
    s2 = replace(simulation.s2, observed=observed)
    return simulation.truth, Observations(s2, None, ~observed, nowhere, requested=s2.dates[never])


def test_the_interval_of_requested_dates_covers_what_it_says_near_and_far() -> None:
    covered: dict[bool, list[np.ndarray]] = {False: [], True: []}
    for seed in range(3):
        truth, given = left_out(seed)
        result = reconstruct(given, QUICK)
        inside = np.abs(result.s2.pixels - truth.pixels) <= 1.6449 * result.sigma
        bridge = bridge_days_of(given.s2.observed, given.s2.days)
        for far in (False, True):
            where = ~given.acquired[:, None, None] & ((bridge > 8) == far)
            covered[far].append(np.moveaxis(inside, 1, -1)[where].mean())
    assert 0.84 <= np.mean(covered[False]) <= 0.98
    assert 0.84 <= np.mean(covered[True]) <= 0.98


def test_uncertainty_grows_with_the_days_to_what_is_clear() -> None:
    _, given = left_out(0)
    result = reconstruct(given, QUICK)
    bridge, new = bridge_days_of(given.s2.observed & ~result.suspected, given.s2.days), ~given.acquired
    days, sigma = bridge[new].ravel(), np.moveaxis(result.sigma[new], 1, -1).reshape(-1, 2)
    order = np.argsort(days, kind="stable")
    assert (np.diff(sigma[order], axis=0) >= -1e-6).all()
    assert (
        sigma[days > np.quantile(days, 0.9)].mean(axis=0) > 1.5 * sigma[days < np.quantile(days, 0.1)].mean(axis=0)
    ).all()


def test_bridge_days_are_those_of_the_nearer_side_where_the_other_is_far_or_missing() -> None:
    visible = np.array([True, False, False, True, False])[:, None, None]
    days = np.array([0, 2, 8, 10, 13])
    assert bridge_days_of(visible, days).ravel().tolist() == pytest.approx([10, 1.6, 1.6, 10, 3])
    assert bridge_days_of(np.zeros_like(visible), days).ravel().tolist() == [13] * 5


def test_growth_never_falls_and_goes_on_beyond_what_was_measured() -> None:
    growth = Growth(np.array([2.0, 8.0]), np.array([[0.01], [0.02]]))
    found = growth.at(np.array([0.0, 1.0, 2.0, 4.0, 8.0, 32.0], np.float32)).ravel()
    assert found.tolist() == pytest.approx([0.01, 0.01, 0.01, 0.015, 0.02, 0.04], rel=1e-5)


def test_growth_measures_a_random_walk_as_what_it_is() -> None:
    rng = np.random.default_rng(0)
    days = np.arange(0, 400, 4)
    walk = np.cumsum(rng.normal(0, 0.01, (100, 1, 30, 30)), axis=0).astype(np.float32)  # variance 1e-4 every 4 days
    growth = measure_growth(walk, np.ones((100, 30, 30), bool), days)
    assert growth is not None
    expected = np.sqrt(1e-4 / 4 * growth.days)
    assert np.allclose(growth.sigma[:, 0], expected, rtol=0.15)


def test_nothing_that_is_hidden_tells_how_errors_grow() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.random((9, 2, 12, 12), np.float32)
    visible = rng.random((9, 12, 12)) < 0.6
    days = np.arange(9) * 5
    other = np.where(visible[:, None], pixels, np.float32(7))
    ours, theirs = measure_growth(pixels, visible, days), measure_growth(other, visible, days)
    assert ours is not None
    assert theirs is not None
    assert np.array_equal(ours.sigma, theirs.sigma)


def test_a_single_clear_date_tells_nothing_of_growth_and_still_gives_requested_dates() -> None:
    given = observations(dates=4, size=16)
    once = given.s2.observed & (np.arange(4) == 1)[:, None, None]
    alone = replace(given, s2=replace(given.s2, observed=once))
    assert measure_growth(alone.s2.pixels, once, alone.s2.days) is None
    result: Reconstruction = reconstruct(with_requested(alone, 3), QUICK)
    assert np.isfinite(result.sigma).all()


# -- files


@pytest.fixture(scope="module")
def sequence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("simulated")
    write_simulation(simulate(dates=6, size=24, bands=("B02", "B03", "B04", "B08"), cloud=0.4, seed=2), root / "field")
    return root / "field" / "input"


def test_a_result_holds_requested_dates_and_names_them_as_such(sequence: Path, tmp_path: Path) -> None:
    out = run(sequence, tmp_path / "out", asking(every_days=6))
    report = json.loads((out / "report.json").read_text())
    requested, page = report["input"]["requested"], (out / "report.html").read_text()
    assert requested
    assert {path.stem for path in (out / "declouded").iterdir()} == set(report["input"]["dates"])
    assert page.count("<span>asked for, never acquired</span>") == len(requested)
    assert "Dates that were asked for" in page
    assert f"{len(requested)} dates were asked for and never acquired" in report["holdout"]["explanation"]
    for date in report["input"]["dates"]:
        with rasterio.open(out / "uncertainty" / f"{date}.tif") as file:
            tags, sigma = file.tags(), file.read()
        assert ("REQUESTED_DATE" in tags) == (date in requested)
        assert ("ACQUISITION_DATE" in tags) == (date not in requested)
        if date in requested:
            assert (tags["RECONSTRUCTED_PERCENT"], tags["OBSERVED_PERCENT"]) == ("100.00", "0.00")
            assert (sigma > 0).all()


def test_the_requested_dates_alone_are_a_regular_series(sequence: Path, tmp_path: Path) -> None:
    out = run(sequence, tmp_path / "out", asking(every_days=6, only_requested=True))
    days = sorted(np.datetime64(path.stem) for path in (out / "declouded").glob("*.tif"))
    assert set(np.diff(days).astype(int)) == {6}
    main_of("look", str(out), "--out", str(tmp_path / "sheet.png"))
    assert (tmp_path / "sheet.png").exists()


def test_another_request_is_another_run(sequence: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = []
    for config in (asking(), asking(every_days=6), asking(every_days=7), asking(every_days=7)):
        monkeypatch.setattr("seq2seq.run.pipeline._Job.write", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(sequence, tmp_path / "out", config)
        keys.append((partial_of(tmp_path / "out") / ".checkpoint" / "key").read_text())
    assert len(set(keys)) == 3
    assert keys[2] == keys[3]


# -- settings


def main_of(*arguments: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert not ended.value.code


@pytest.mark.parametrize(("text", "days"), [("5d", 5), ("10", 10), ("1w", 7), (" 2W ", 14)])
def test_an_interval_is_typed_in_days_or_weeks(text: str, days: int) -> None:
    assert days_in(text) == days


@pytest.mark.parametrize("text", ["", "d", "-5d", "5 days", "1m", "2.5d", "٥d"])
def test_other_intervals_are_one_line(text: str) -> None:
    with pytest.raises(ConfigError, match="must be a number of days or weeks, such as 5d or 2w"):
        days_in(text)


@pytest.mark.parametrize(
    "text", ["2021-05-01\n\n# harvest\n2021-05-03 # rain\n", '["2021-05-01", "2021-05-03"]', "2021-05-01\r\n2021-05-03"]
)
def test_days_are_listed_in_lines_or_json(tmp_path: Path, text: str) -> None:
    (tmp_path / "days").write_text(text)
    assert days_listed(tmp_path / "days") == ["2021-05-01", "2021-05-03"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("2021-05-01\n2021-02-30\n", "line 2: '2021-02-30' is no day; write it as YYYY-MM-DD"),
        ("20210501", "line 1: '20210501' is no day"),
        ("[1, 2]", "holds 1, which is no day"),
        ("[", "is not valid JSON"),
        ("# none\n", "names no day"),
    ],
)
def test_a_file_that_lists_no_days_is_one_line(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "days").write_text(text)
    with pytest.raises(ConfigError) as caught:
        days_listed(tmp_path / "days")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_command_line_asks_for_days(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "days.txt").write_text("2020-08-15\n")
    main_of("inspect", str(folder), "--json", "--every", "2w", "--dates", str(tmp_path / "days.txt"))
    found = json.loads(capsys.readouterr().out)
    assert found["requested"] == ["2020-08-15", "2020-08-29"]
    main_of("inspect", str(folder), "--dates", str(tmp_path / "days.txt"))
    assert "asked for, never acquired" in capsys.readouterr().out


def test_settings_of_days_survive_json_and_toml() -> None:
    import tomllib

    config = asking(dates=("2021-05-01",), every_days=5, at_s1=True)
    assert ReconstructionConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    typed = tomllib.loads('dates = [2021-05-01, "2021-05-03"]\nevery_days = 5.0')
    assert ReconstructionConfig.from_dict(typed).dates == ("2021-05-01", "2021-05-03")


@pytest.mark.parametrize(
    "wrong",
    [{"dates": ("2021-13-01",)}, {"dates": "2021-05-01"}, {"dates": (1,)}, {"every_days": 0}, {"only_requested": True}],
)
def test_settings_that_name_no_days_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        ReconstructionConfig(**wrong)


def test_a_request_over_http_asks_for_days() -> None:
    given = {"every_days": 5, "dates": ["2021-05-01"], "at_s1": True}
    values = settings_named(Parameters.model_validate(given))
    assert ReconstructionConfig.from_dict(values) == ReconstructionConfig(
        every_days=5, dates=("2021-05-01",), at_s1=True
    )
    schema = Parameters.model_json_schema()["properties"]["dates"]
    assert (schema["type"], schema["items"]["format"], schema["maxItems"]) == ("array", "date", 1000)


@pytest.mark.parametrize(
    "wrong",
    [{"dates": ["2021-02-30"]}, {"dates": "2021-05-01"}, {"dates": ["2021-05-01"] * 1001}, {"every_days": "5d"}],
)
def test_a_request_over_http_that_names_no_days_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Parameters.model_validate(wrong)


def test_every_day_setting_stands_under_one_heading() -> None:
    assert [each.name for each in SETTINGS if each.panel == "Dates"] == [
        "every_days",
        "dates",
        "at_s1",
        "only_requested",
    ]
