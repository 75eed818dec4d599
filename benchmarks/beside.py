"""The quality of this code beside that of another checkout, an earlier commit's say: both in one run, in turn."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from measuring import DECLOUD, ROOT, commit, measure
from parts import JUDGE, Bench, NotMeasured, Row, coverage, judge

# git worktree add DIR COMMIT makes the other checkout; it runs with this environment's libraries.
CODES = OTHER, THIS = "other", "this"


def beside(bench: Bench) -> Iterator[Row]:
    """Every case and seed by both codes, so that a noisy machine is as noisy for either."""
    if bench.other is None:
        raise NotMeasured("not measured: --other names no checkout to compare with")
    if not JUDGE.is_file():
        raise NotMeasured("not measured: the judge, ../shared/bench/score.py, is not there")
    for seed in bench.seeds:
        for name in bench.cases:
            case = bench.case(name)
            order = CODES if seed % 2 else CODES[::-1]
            found = {code: _judged(bench, case, f"{name}-{seed}-{code}", seed, _root(bench, code)) for code in order}
            yield {"key": f"{name}/{seed}", "case": name, "seed": seed, "commit": commit(bench.other), **found}


def _root(bench: Bench, code: str) -> Path:
    assert bench.other is not None, "asked for only where there is another"
    return bench.other.resolve() if code == OTHER else ROOT


def _judged(bench: Bench, case: Path, name: str, seed: int, root: Path) -> dict[str, Any]:
    out = bench.work / name
    command = [DECLOUD, "run", case / "input", out, "--overwrite", "--quiet", "--seed", str(seed)]
    measured = measure([*command, *bench.run_options], {"PYTHONPATH": str(root)})
    scores = judge(case, out)
    return {
        **{metric: scores["prediction"][metric] for metric in ("psnr", "sam", "ssim")},
        "gain_db": scores["gain_db"],
        "coverage_90": coverage(case, out),
        "wall_s": measured.wall_s,
        "peak_gb": measured.peak_gb,
    }
