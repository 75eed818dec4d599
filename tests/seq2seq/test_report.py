"""The report says everything, escapes everything, and needs nothing from anywhere."""

import copy
import json
import re
from dataclasses import is_dataclass
from html.parser import HTMLParser
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from report_example import BANDS, DATES, example_report, example_thumbnails

from seq2seq.readers.clouds.labels import CLOUD_CODES, TOO_SMALL
from seq2seq.readers.clouds.recording import MaskedBy
from seq2seq.report import schema
from seq2seq.report.charts import HEIGHT, WIDTH, line_chart
from seq2seq.report.html_report import render, write_report
from seq2seq.report.masked import describe_masked, masked_pictures
from seq2seq.report.plain import to_plain

VOID = {"meta", "img", "br", "hr"}


class Page(HTMLParser):
    """Checks that every tag is closed in order; collects tags, attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.words += data


def page(report: Any) -> Page:
    return Page(render(to_plain(report), example_thumbnails()))


def test_the_json_file_is_the_report(tmp_path: Path) -> None:
    report = example_report()
    write_report(tmp_path, report, thumbnails=example_thumbnails())
    assert json.loads((tmp_path / "report.json").read_text()) == to_plain(report)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["report.html", "report.json"]


def built(kind: Any, value: Any) -> Any:
    """JSON's value as the type that a field of the schema has."""
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{name: built(hints[name], item) for name, item in value.items()})  # type: ignore[operator]
    inner = get_args(kind)
    if isinstance(kind, UnionType):
        return None if value is None else built(next(each for each in inner if each is not NoneType), value)
    if get_origin(kind) is tuple:
        return tuple(built(inner[0], item) for item in value)
    if isinstance(value, dict) and inner:
        return {name: built(inner[1], item) for name, item in value.items()}
    return value


def test_a_report_of_values_and_one_of_the_schemas_types_are_the_same_file(tmp_path: Path) -> None:
    values = to_plain(example_report())
    report = built(schema.Report, values)
    assert isinstance(report.holdout.by_gap[0], schema.GapReport)
    assert to_plain(report) == values
    write_report(tmp_path, report, thumbnails=example_thumbnails())
    assert (tmp_path / "report.html").read_text() == render(values, example_thumbnails())


def test_a_field_that_a_report_may_lack_is_left_out_and_any_other_none_is_null() -> None:
    grid = schema.Grid(crs="EPSG:32631", width=3, height=2, gsd_m=10.0)
    assert to_plain(grid) == {"crs": "EPSG:32631", "width": 3, "height": 2, "gsd_m": 10.0}
    gain = schema.GainReport(low_db=None, high_db=None, measured_db=1.0, dates=2, pixels=9)
    assert to_plain(gain)["low_db"] is None


def test_what_a_method_says_of_itself_is_shown_and_need_not_be_there() -> None:
    report: Any = to_plain(example_report())
    assert "hidden pixels were inpainted by an example" in page(report).words
    report["training"] = {name: value for name, value in report["training"].items() if name != "notes"}
    assert "inpainted" not in page(report).words


def test_candidates_that_nobody_has_named_are_shown_by_their_names_and_told_apart() -> None:
    report: Any = example_report()
    for name in ("median", "whittaker"):
        report["holdout"]["methods"][name] = report["holdout"]["methods"]["prior"]
    found = page(report)
    assert "median" in found.words
    assert {"swatch candidate-2", "swatch candidate-3"} <= {
        value for name, value in found.attributes if name == "class"
    }
    titled = render(to_plain(report), example_thumbnails(), {"median": ("Median of clear dates", "Median")})
    assert "Median of clear dates" in Page(titled).words


def test_files_are_listed_and_a_report_of_an_earlier_version_has_no_list() -> None:
    report: Any = example_report()
    assert "declouded/DATE.tifAn image a date." in page(report).words.replace("\n", "")
    del report["files"]
    assert "What the result's folder holds" not in page(report).words


def test_nothing_is_loaded_from_anywhere(tmp_path: Path) -> None:
    write_report(tmp_path, example_report(), thumbnails=example_thumbnails())
    text = (tmp_path / "report.html").read_text()
    assert not re.search(r"https?://|url\(|@import|<script|<link|<iframe", text)
    sources = [value for name, value in Page(text).attributes if name in ("src", "href")]
    assert len(sources) == 4 * len(DATES)
    assert all(source.startswith("data:image/") for source in sources)


def test_what_matters_is_on_the_page() -> None:
    words = page(example_report()).words
    for date in DATES:
        assert date in words
    for band in BANDS:
        assert band in words
    for fact in (
        "+1.8 to +5.6 dB",
        "+4.0 dB",
        "measured on 1,234 pixels hidden on 7 dates",
        "26.00",
        "22.00",
        "91 %",
        "1 min 14 s",
        "1.25 GB",
        "2 of 3 dates",
        "no weights",
    ):
        assert fact in words, fact
    assert "interpolation only" in words
    assert "30 days or more" in words
    assert "EPSG:32631" in words


def test_only_simulated_data_is_called_simulated() -> None:
    assert "Simulated data" in page(example_report(simulated=True)).words
    real = page(example_report(simulated=False)).words
    assert "imulated" not in real
    assert "Contains modified Copernicus Sentinel data 2021" in real


def strings(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The place of every text in the report."""
    if isinstance(value, dict):
        return [found for key, item in value.items() for found in strings(item, (*path, key))]
    if isinstance(value, list | tuple):
        return [found for index, item in enumerate(value) for found in strings(item, (*path, index))]
    return [path] if isinstance(value, str) else []


def test_no_text_of_the_report_can_become_markup() -> None:
    report = example_report()
    report["input"]["warnings"] = ["a warning"]
    attack = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&"
    for place in strings(report):
        changed: Any = copy.deepcopy(report)
        holder = changed
        for key in place[:-1]:
            holder = holder[key]
        holder[place[-1]] = attack
        found = page(changed)
        assert "script" not in found.tags, place
        assert not any(name.startswith("on") for name, _ in found.attributes), place


def test_names_of_bands_methods_phases_and_settings_are_escaped_too() -> None:
    attack = "<script>alert(1)</script>"
    report: Any = example_report()
    report["holdout"]["by_band"][attack] = report["holdout"]["by_band"]["B02"]
    report["holdout"]["methods"][attack] = report["holdout"]["methods"]["linear"]
    report["holdout"]["by_gap"][0]["weights"][attack] = 0.5
    report["resources"]["seconds"][attack] = 3.0
    report["config"][attack] = attack
    found = page(report)
    assert "script" not in found.tags
    assert found.words.count(attack) >= 5


def test_figures_that_were_not_measured_are_null_and_shown_as_a_dash(tmp_path: Path) -> None:
    report: Any = example_report()
    report["holdout"]["methods"]["result"]["ssim"] = float("nan")
    report["holdout"]["methods"]["network"] = dict.fromkeys(report["holdout"]["methods"]["network"], np.float32("nan"))
    report["holdout"]["methods"]["network"]["pixels"] = 0
    report["holdout"]["by_gap"][0]["rmse"]["network"] = np.inf
    report["holdout"]["by_band"]["B02"]["result"] = {"rmse": np.nan, "psnr": np.nan, "mae": np.nan}
    report["holdout"]["coverage_90"] = np.float64("nan")
    write_report(tmp_path, report, thumbnails=example_thumbnails())
    stored = json.loads((tmp_path / "report.json").read_text(), parse_constant=pytest.fail)
    assert stored["holdout"]["methods"]["result"]["ssim"] is None
    assert "nan" not in Page((tmp_path / "report.html").read_text()).words.lower()


def test_a_run_without_s1_without_a_fit_and_without_classes_of_gaps_has_a_page() -> None:
    report: Any = example_report()
    report["input"]["s1"] = {"available": False, "units": "", "dates": [None, None, None]}
    report["training"] = {"steps": 0, "tiles": 1, "curve": []}
    report["holdout"]["by_gap"], report["holdout"]["by_band"] = [], {}
    report["holdout"]["methods"] = {m: report["holdout"]["methods"][m] for m in ("result", "linear")}
    words = page(report).words
    assert "optical data alone" in words
    assert "The fit" not in words


@pytest.mark.parametrize(
    ("gain", "shown"),
    [
        (
            {"low_db": -0.4, "high_db": 1.5, "measured_db": 0.3, "dates": 5, "pixels": 900},
            "90 % interval −0.4 to +1.5 dB; measured on",
        ),
        (
            {"low_db": 1.0, "high_db": 3.0, "measured_db": 2.0, "dates": 5, "pixels": 900, "filled": 90}
            | {"rmse": 0.0213, "rmse_low": 0.0171, "rmse_high": 0.0262, "linear_rmse": 0.0341},
            "error there about 0.021 (0.017 to 0.026), interpolation 0.034; measured on",
        ),
        ({"low_db": None, "high_db": None, "measured_db": 9.1, "dates": 2, "pixels": 900}, "unknown"),
        (None, "no pixel could be hidden"),
    ],
)
def test_a_gain_that_may_be_none_or_is_not_known_is_not_dressed_up(gain: Any, shown: str) -> None:
    report: Any = example_report()
    report["holdout"]["gain"] = gain
    found = page(report)
    assert shown in found.words
    assert (("class", "figure lead even") in found.attributes) == (gain is None or not (gain["low_db"] or 0) > 0)


def test_the_title_is_the_inputs_name() -> None:
    report: Any = example_report()
    report["input"] |= {"path": "/somewhere/valley/input", "name": "valley"}
    assert "<title>valley, cloud-free</title>" in render(to_plain(report), example_thumbnails())


def test_a_curve_of_three_points_is_figures_and_no_chart() -> None:
    report: Any = example_report()
    text = render(to_plain(report), example_thumbnails())
    assert text.count("<polyline") == 2, "one chart of five losses would be one more"
    report["training"]["curve"] = [{"step": s, "loss": 1 / s, "holdout_psnr": 20.0, "seconds": s} for s in range(1, 9)]
    assert render(to_plain(report), example_thumbnails()).count("<polyline") == 4


def test_the_series_shows_interval_interpolation_and_what_was_observed() -> None:
    text = render(to_plain(example_report()), example_thumbnails())
    assert text.count('class="interval result"') == 1
    assert text.count('class="line dashed linear"') == 1
    assert text.count('class="dot observed"') == 1, "one date was observed"
    assert "stands for 62 % of the pixels" in Page(text).words
    without: Any = example_report() | {"series": None}
    assert "typical pixels" not in page(without).words


def test_methods_and_phases_have_colours_that_a_colour_blind_reader_tells_apart() -> None:
    """Viénot et al. 1999: what dichromats see, as matrices on linear RGB; distance in CIE L*a*b*."""
    style = files("seq2seq.report").joinpath("report.css").read_text()
    light, dark = re.findall(r"--result: .*?(?=--other)", style, re.DOTALL)
    palettes = [re.findall(r"#[0-9a-f]{6}", palette) for palette in (light, dark)]
    palettes.append(re.findall(r"\.phase-\d \{ background: (#[0-9a-f]{6})", style))
    assert [len(palette) for palette in palettes] == [7, 7, 8]
    for palette in palettes:
        for visible in (np.eye(3), PROTANOPE, DEUTERANOPE):
            shown = np.array([lab(visible @ linear_rgb(colour)) for colour in palette])
            apart = np.linalg.norm(shown[:, None] - shown[None], axis=-1) + 100 * np.eye(len(palette))
            assert apart.min() > 12, (palette, apart.round(1))


PROTANOPE = np.array([[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]])
DEUTERANOPE = np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]])


def linear_rgb(colour: str) -> np.ndarray:
    values = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(values > 0.04045, ((values + 0.055) / 1.055) ** 2.4, values / 12.92)


def lab(rgb: np.ndarray) -> np.ndarray:
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(np.maximum(to_xyz @ rgb / to_xyz.sum(axis=1), 1e-6))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_the_report_does_not_fit_thumbnails_of_other_dates() -> None:
    with pytest.raises(ValueError, match="is longer than"):
        render(to_plain(example_report()), example_thumbnails()[:2])


@given(
    st.lists(st.tuples(st.integers(0, 10_000), st.floats(-1e6, 1e6)), min_size=1, max_size=20),
    st.none() | st.floats(-1e6, 1e6),
)
def test_every_point_of_a_chart_lies_inside_it(points: list[tuple[int, float]], level: float | None) -> None:
    chart = line_chart(points, label="Loss", reference=None if level is None else ("linear", level))
    heights = [mark.y for mark in (*chart.frame.levels(), chart.reference) if mark]
    assert all(0 <= y <= HEIGHT for y in heights)
    for pair in chart.line.split():
        x, y = map(float, pair.split(","))
        assert 0 <= x <= WIDTH
        assert 0 <= y <= HEIGHT


def test_plain_values_are_what_json_knows() -> None:
    values = {"a": np.float32(0.5), 1: (np.int64(2), Path("x")), "b": np.array([1.0, np.nan]), "c": True, "d": None}
    assert to_plain(values) == {"a": 0.5, "1": [2, "x"], "b": [1.0, None], "c": True, "d": None}


def masked_by() -> MaskedBy:
    """Of all dates of the example: its first half masked by rules, one pixel by nobody because it was small."""
    picture = np.zeros((len(DATES), 4, 6), dtype=np.uint8)
    picture[:, :2], picture[0, 3, 3] = CLOUD_CODES["rules"], TOO_SMALL
    pixels = {"rules_cloud": np.full(len(DATES), 12), "too_small": np.array([1] + [0] * (len(DATES) - 1))}
    return MaskedBy(pixels, picture, 1, "Shadow is <dark>.")


def test_the_page_shows_who_masked_what_on_each_date_and_older_reports_do_not() -> None:
    report = to_plain(example_report())
    report["input"] |= {"masked": to_plain(describe_masked(masked_by()))}
    report["input"]["grid"] |= {"width": 6, "height": 4}
    text = render(report, example_thumbnails(), masked=masked_pictures(masked_by()))
    shown = Page(text)
    assert "Who masked what" in shown.words
    assert "Shadow is <dark>." in shown.words
    assert shown.words.count("cloud, rules 50") == len(DATES) + 1  # the legend, and each date
    assert "cloud too small, left clear" in shown.words
    assert "Who masked what" not in page(example_report()).words


def test_pictures_of_who_masked_what_have_a_colour_a_source_and_nothing_where_it_is_clear() -> None:
    (first, *_) = masked_pictures(masked_by())
    pixels = np.asarray(Image.open(BytesIO(first)).convert("RGBA"))
    assert pixels.shape == (4, 6, 4)
    assert pixels[0, 0].tolist() == [0x4E, 0x9A, 0xF2, 255]
    assert pixels[2, 0, 3] == 0
    assert pixels[3, 3, 3] == 255
