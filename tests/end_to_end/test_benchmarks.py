"""The results page says what was measured, beside what is to be reached, and what was not. No figure here is real."""

import copy
import subprocess
import sys
import time
import xml.etree.ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from locations import ROOT

sys.path.append(str(ROOT / "benchmarks"))

from busy import COUNTING, neighbours
from curve import draw
from measuring import CommandFailedError, circumstances, measure
from page import comparison, duration, render
from parts import coverage
from run import Book
from tiled import borders, seam_ratio
from whole_tile import make_scene

from seq2seq.config import ReconstructionConfig
from seq2seq.readers import open_sequence
from seq2seq.tiling import plan_tiles

ON = {
    "date": "2026-01-02 03:04 UTC",
    "commit": "abc",
    "cpu": "A CPU",
    "cores": 2,
    "ram_gb": 24.0,
    "versions": {"python": "3.11", "torch": "2.13.0"},
}


def quality_row(seed: int = 0, **changes: Any) -> dict[str, Any]:
    row = {
        "key": f"fields-run-0/{seed}",
        "case": "fields-run-0",
        "seed": seed,
        "psnr": 25.5,
        "sam": 7.0,
        "ssim": 0.83,
        "linear_psnr": 22.0,
        "gain_db": 5.2,
        "coverage_90": 0.9,
        "values": 1000,
        "claimed_psnr": 26.0,
        "claimed_gain_db": 3.6,
        "claimed_coverage_90": 0.9,
        "wall_s": 40.0,
        "peak_gb": 1.5,
        "reused": False,
    }
    return row | changes


def paper_row() -> dict[str, Any]:
    published = {"curve": [{"step": 100, "seconds": 50.0, "rmse": 0.09}], "complete": False}
    scaled = {
        "curve": [{"step": 50, "seconds": 20.0, "rmse": 0.07}, {"step": 100, "seconds": 40.0, "rmse": 0.08}],
        "complete": True,
        "passes": 20,
        "iterations": 1,
    }
    guided = [
        {"what": "prior", "seconds": 10.0, "rmse": 0.075},
        {"what": "network, step 40", "seconds": 25.0, "rmse": 0.06},
        {"what": "result", "seconds": 80.0, "rmse": 0.05},
    ]
    return {
        "key": "fields-cloud-0",
        "case": "fields-cloud-0",
        "seed": 0,
        "ebel2021": {
            "step_s": 0.5,
            "windows": 16,
            "steps_total": 32_000,
            "perceptual": False,
            "device": "cpu",
            "published": published,
            "scaled": scaled,
        },
        "guided": {"curve": guided, "whole_s": 160.0, "phases": {}},
        "linear_rmse": 0.08,
    }


def part(*rows: dict[str, Any], note: str | None = None) -> dict[str, Any]:
    return {"on": ON, "note": note, "rows": list(rows)}


def section(page: str, title: str) -> str:
    return page.split(f"## {title}")[1].split("\n## ")[0]


def test_the_page_names_machine_versions_commit_and_seeds() -> None:
    page = render({"quality": part(quality_row(0), quality_row(2))})
    for fact in ("A CPU, 2 cores, 24.0 GiB", "torch 2.13.0", "commit abc", "Seeds: 0, 2"):
        assert fact in page


@pytest.mark.parametrize(
    "changes", [{"gain_db": 5.0}, {"gain_db": -0.1}, {"coverage_90": 0.82}, {"coverage_90": 0.98}, {"wall_s": 46.0}]
)
def test_a_missed_floor_is_said_and_a_kept_one_too(changes: dict[str, float]) -> None:
    title = "Quality on real sequences, default settings"
    assert "**no**" not in section(render({"quality": part(quality_row())}), title)
    assert "**no**" in section(render({"quality": part(quality_row(**changes))}), title)


def test_mean_and_worst_seed_are_those_of_the_rows() -> None:
    page = render({"quality": part(quality_row(0, gain_db=4.5), quality_row(1, gain_db=5.5))})
    assert "| fields-run-0, 2 seeds | +5.00 (≥ 5.1) | +4.50 (≥ 0) |" in page
    assert "All cases together: 90.0 % of values" in page


def test_a_value_counts_alike_in_whatever_case_it_is() -> None:
    rows = quality_row(0, coverage_90=0.8, values=100), quality_row(0, case="other", coverage_90=0.92, values=300)
    assert "All cases together: 89.0 % of values" in render({"quality": part(*rows)})
    assert "each case alike: 86.0 %" in render({"quality": part(*rows)})


def busy_row(**changes: float) -> dict[str, Any]:
    row = {
        "key": "12 x 10 x 32 x 32",
        "neighbours": 2,
        "alone_s": 40.0,
        "beside_s": 100.0,
        "limit_s": 60.0,
        "limited_s": 69.0,
        "start_s": 3.0,
        "strangers": 0.02,
    }
    return row | changes


def test_every_column_of_a_busy_machine_has_its_heading() -> None:
    rows = [
        line for line in section(render({"busy": part(busy_row())}), "On a busy machine").splitlines() if "|" in line
    ]
    assert len({line.count("|") for line in rows}) == 1


@pytest.mark.parametrize("changes", [{"beside_s": 101.0}, {"limited_s": 70.0}])
def test_a_busy_machine_that_costs_too_much_or_breaks_a_limit_is_said(changes: dict[str, float]) -> None:
    assert "**no**" not in section(render({"busy": part(busy_row())}), "On a busy machine")
    assert "**no**" in section(render({"busy": part(busy_row(**changes))}), "On a busy machine")


def test_counting_neighbours_end_with_the_measurement_and_with_whoever_started_them() -> None:
    with neighbours(1) as (neighbour,):
        assert neighbour.poll() is None
    assert neighbour.poll() is not None
    starting = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {COUNTING!r}]).pid)"
    pid = int(subprocess.run([sys.executable, "-c", starting], stdout=subprocess.PIPE, check=True).stdout)
    until = time.monotonic() + 10
    while running(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not running(pid)


def running(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def test_parts_that_were_not_measured_say_so() -> None:
    page = render({"gpu": part(note="not measured: no CUDA device")})
    assert "not measured: no CUDA device" in section(page, "On a GPU")
    assert "Not measured yet." in section(page, "Larger scenes")


def scale_row(**changes: Any) -> dict[str, Any]:
    row = {
        "key": "30 x 13 x 1098 x 1098",
        "shape": "30 x 13 x 1098 x 1098",
        "pixels": 1098**2,
        "wall_s": 360.0,
        "peak_gb": 3.0,
        "tiles": 9,
        "gain_db": 4.0,
        "estimate_s": 400.0,
        "estimate_gb": 4.0,
    }
    return row | changes


def test_a_whole_tile_is_extrapolated_from_the_largest_scene_and_from_a_gpu() -> None:
    on_gpu = scale_row(device="A GPU", phases={"fitting": 1.0})
    page = render({"scale": part(scale_row()), "gpu": part(on_gpu)})
    assert "at the pace of the largest, extrapolated: 10 h 00 min." in section(page, "Larger scenes")
    assert "extrapolated: 10 h 00 min on one A GPU, 1 h 15 min on eight." in section(page, "On a GPU")


@pytest.mark.parametrize(("peak_gb", "said"), [(3.9, "yes"), (4.1, "**no**")])
def test_a_whole_tile_says_whether_its_memory_was_bounded(peak_gb: float, said: str) -> None:
    page = render({"whole-tile": part(scale_row(peak_gb=peak_gb))})
    assert f"| {said} |" in section(page, "A whole tile of Sentinel-2")


def test_the_scene_of_a_whole_tile_is_read_as_it_is(tmp_path: Path) -> None:
    make_scene(tmp_path / "input", 180)
    with open_sequence(tmp_path / "input", ReconstructionConfig()) as source:
        assert source.info.shape == (4, 4, 180, 180)
        assert 0 < source.read().s2.observed.mean() <= 1


@pytest.mark.parametrize(
    ("psnr", "wall_s", "said"), [(31.0, 9.0, "**no**; gp on a"), (31.0, 11.0, "yes."), (29.0, 9.0, "yes.")]
)
def test_a_method_that_is_both_faster_and_better_is_named(psnr: float, wall_s: float, said: str) -> None:
    default = {"key": "a/guided", "case": "a", "method": "guided", "psnr": 30.0, "gain_db": 4.0, "wall_s": 10.0}
    other = default | {"key": "a/gp", "method": "gp", "psnr": psnr, "gain_db": psnr - 26, "wall_s": wall_s}
    page = section(render({"others": part(other, default)}), "Beside what else could be picked")
    assert f"than `guided`: {said}" in page
    assert f"worst case: {psnr - 30:+.2f} dB" in page


def test_a_part_measured_on_another_machine_names_it() -> None:
    other = part(quality_row()) | {"on": ON | {"cpu": "Another CPU", "date": "2026-01-01 00:00 UTC"}}
    page = render({"startup": part(), "quality": other})
    assert "on Another CPU" in section(page, "Quality on real sequences, default settings")


def test_time_to_equal_error_compares_with_the_best_that_the_published_method_reached() -> None:
    found = comparison(paper_row())
    assert found["published_rmse"] == 0.07
    assert found["published_s"] == 20.0
    assert found["guided_s"] == 25.0, "the prior is not there yet, the first look at the network is"
    assert found["measured"] == pytest.approx(0.8)
    assert found["whole"] == pytest.approx(16_000 / 25)
    assert found["to_end"] == pytest.approx(100)


def test_where_the_default_method_takes_longer_the_page_says_longer() -> None:
    assert "**1.25 x longer**" in render({"paper": part(paper_row())})


def test_no_ratio_is_claimed_where_the_default_method_is_worse() -> None:
    row = paper_row()
    row["ebel2021"]["scaled"]["curve"][0]["rmse"] = 0.01
    assert comparison(row)["whole"] is None
    assert "did not get there" in render({"paper": part(row)})


def test_what_is_extrapolated_is_called_so_and_what_was_run_is_not() -> None:
    row = paper_row()
    assert "extrapolated" in render({"paper": part(row)})
    assert "extrapolated" in draw(row)
    whole = copy.deepcopy(row)
    whole["ebel2021"]["published"]["complete"] = True
    assert "extrapolated" not in render({"paper": part(whole)})
    assert "extrapolated" not in draw(whole)


def test_the_curve_is_well_formed_and_lies_within_its_frame() -> None:
    image = xml.etree.ElementTree.fromstring(draw(paper_row()))
    dots = [element for element in image.iter() if element.tag.endswith("circle")]
    assert len(dots) == 6
    for dot in dots:
        assert 0 < float(dot.attrib["cx"]) < float(image.attrib["width"])
        assert 0 < float(dot.attrib["cy"]) < float(image.attrib["height"])


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.513, "0.51 s"), (59.94, "59.9 s"), (245, "4 min 05 s"), (9600, "2 h 40 min"), (None, "–")]
)
def test_durations_are_in_words(seconds: float | None, shown: str) -> None:
    assert duration(seconds) == shown


def test_a_row_measured_again_replaces_its_own_and_no_other(tmp_path: Path) -> None:
    Book(tmp_path, quick=False).enter("quality", quality_row(0, gain_db=1.0))
    Book(tmp_path, quick=False).enter("quality", quality_row(1))
    book = Book(tmp_path, quick=False)
    book.enter("quality", quality_row(0, gain_db=4.0))
    assert [(row["seed"], row["gain_db"]) for row in book.results["quality"]["rows"]] == [(0, 4.0), (1, 5.2)]
    assert "+4.00" in (tmp_path / "RESULTS.md").read_text()


def test_coverage_counts_scored_values_within_the_interval(tmp_path: Path) -> None:
    """One scored pixel, two bands: sigma 0.01, errors 0.016 (inside 1.6449 sigma) and 0.017 (outside)."""
    scored = np.array([[[True, False]]])
    truth = np.array([[[[1000, 9000]], [[2000, 9000]]]], dtype=np.uint16)
    np.savez(tmp_path / "truth.npz", s2=truth, evaluate=scored, dates=["2021-01-01"], bands=["B03", "B04"])
    write_band_file(tmp_path / "declouded", np.array([[[1160, 0]], [[2170, 0]]], dtype=np.uint16))
    write_band_file(tmp_path / "uncertainty", np.full((2, 1, 2), 0.01, dtype=np.float32))
    assert coverage(tmp_path, tmp_path) == {"coverage_90": 0.5, "values": 2}


def write_band_file(folder: Path, values: np.ndarray) -> None:
    folder.mkdir(exist_ok=True)
    profile = {"driver": "GTiff", "dtype": values.dtype, "crs": "EPSG:32631", "transform": Affine(10, 0, 0, 0, -10, 0)}
    bands, height, width = values.shape
    with rasterio.open(folder / "2021-01-01.tif", "w", count=bands, height=height, width=width, **profile) as file:
        file.write(values)
        file.descriptions = ("B03", "B04")[:bands]


def test_a_command_that_fails_is_an_error_with_its_last_words() -> None:
    with pytest.raises(CommandFailedError, match=r"exit code 3: it broke"):
        measure([sys.executable, "-c", "import sys; print('it broke'); sys.exit(3)"])


def test_a_measured_child_reports_the_memory_that_it_took() -> None:
    taken = measure([sys.executable, "-c", "b = bytearray(300 << 20); b[::4096] = b'x' * len(b[::4096])"])
    assert 0.29 < taken.peak_gb < 2
    assert taken.wall_s > 0


def test_circumstances_are_those_of_this_machine() -> None:
    assert circumstances()["versions"]["python"] == sys.version.split()[0]


def test_a_step_at_the_border_of_tiles_is_found() -> None:
    """Noise steps by as much everywhere; a tile that is brighter steps at its borders."""
    tiles = plan_tiles(60, 60, tile_px=40, overlap_px=10)
    assert borders(tiles, 0) == [24, 34]
    image = np.random.default_rng(0).normal(3000, 100, (2, 60, 60)).astype(np.float32)
    for brighter, least, most in ((0, 0.9, 1.1), (300, 1.5, 4.0)):
        changed = image.copy()
        changed[:, 25:35] += brighter
        assert (
            least
            < seam_ratio({"2021-01-01": changed}.__getitem__, {"2021-01-01": np.ones((60, 60), bool)}, tiles)
            < most
        )
