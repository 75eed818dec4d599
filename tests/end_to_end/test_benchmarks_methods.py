"""METHODS.md says what was measured and nothing else. No figure here is real, but those of the quick run."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from locations import ROOT
from methods_page import render
from temporal import CASES, gaussian_process, harmonic, whittaker

ON = {
    "date": "2026-01-02 03:04 UTC", "commit": "abc", "cpu": "A CPU", "cores": 2, "ram_gb": 24.0,
    "versions": {"python": "3.11"},
}  # fmt: skip


def table_row(
    method: str, *, alone: bool = False, db: float = 1.0, cases: int = 2, gap: str = "cloud"
) -> dict[str, Any]:
    over = {"measured_db": db, "low_db": db - 0.5, "high_db": db + 0.5, "dates": 4, "cases": cases}
    return {
        "gap": gap, "name": f"{method} alone" if alone else method, "method": method, "alone": alone, "cases": cases,
        "of": 2, "scores": {"rmse": 0.03, "psnr": 30.0, "sam": 3.0, "ssim": 0.9}, "differences": {"linear": over},
        "seconds": 1.0, "memory_gb": None,
    }  # fmt: skip


def case(name: str, *rows: dict[str, Any]) -> dict[str, Any]:
    results = {"rows": list(rows), "failures": [{"method": "gp", "case": "a, cloud, seed 0", "reason": "broke"}]}
    return {"key": name, "command": f"decloud benchmark {name}", "simulated": None, "results": results}


def page(*cases: dict[str, Any]) -> str:
    return render({"comparison": {"rows": list(cases), "note": None, "on": ON}})


def test_methods_stand_in_the_order_of_their_mean_gain_and_one_that_lacks_a_case_behind_them() -> None:
    first = case("a", table_row("low"), table_row("high", db=3.0), table_row("part", db=9.0, cases=1))
    text = page(first, case("b", table_row("low"), table_row("high", db=2.0), table_row("part", db=9.0)))
    gains = [line for line in text.splitlines() if line.startswith(("| low", "| high", "| part"))][:3]
    assert [line.split(" | ")[0] for line in gains] == ["| high", "| low", "| part"]
    assert gains[2] == "| part | – (–) | +9.00 (–) |"


def test_what_failed_and_how_to_repeat_it_are_said() -> None:
    text = page(case("a", table_row("low")))
    assert "| gp | a, cloud, seed 0 | broke |" in text
    assert "    decloud benchmark a" in text
    assert text.count("Not measured yet.") == 2


def test_all_gaps_together_decide_the_gain_where_there_are_several() -> None:
    rows = [table_row("low", db=5.0), table_row("low", db=7.0, gap="run"), table_row("low", db=6.0, gap="all")]
    assert "| low | +6.00 (–) |" in page(case("a", *rows))


def test_what_else_was_going_on_stands_beside_the_command() -> None:
    text = page(case("a, 3 min", table_row("low")) | {"note": "The machine was busy."})
    assert "### a, 3 min" in text
    assert "The machine was busy." in text


def test_loops_compute_what_they_are_compared_for() -> None:
    """A smooth course is filled within its noise; a loop that did less would flatter ours."""
    days = np.arange(0.0, 300.0, 12.0)
    truth = 0.3 + 0.1 * np.sin(2 * np.pi * days / 365.25)[:, None] * np.array([1.0, 0.5])
    seen = np.ones(len(days), bool)
    seen[[5, 6, 14]] = False
    shown = np.where(seen[:, None], truth, 0.0)
    for loop in (harmonic, whittaker, gaussian_process):
        assert np.abs(loop(days, shown, seen) - truth).max() < 0.01, loop.__name__
    assert {case.key for case in CASES} >= {"whittaker", "mogpr", "gp"}


@pytest.mark.slow
def test_the_program_measures_a_simulated_case(tmp_path: Path) -> None:
    command = [sys.executable, ROOT / "benchmarks" / "methods.py", "comparison", "--cases", "simulated-10"]
    command += ["--methods", "linear,median", "--gaps", "cloud", "--seeds", "1"]
    subprocess.run([*command, "--work", tmp_path / "work", "--results", tmp_path], check=True, capture_output=True)
    kept = json.loads((tmp_path / "methods.json").read_text())
    assert {row["method"] for row in kept["comparison"]["rows"][0]["results"]["rows"]} == {"linear", "median"}
    assert "simulated-10" in (tmp_path / "METHODS.md").read_text()
