"""The quality of this code beside that of another checkout, an earlier commit's say: both in one run, in turn."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from measuring import DECLOUD, ROOT, commit, measure
from parts import Bench, NotMeasured, Row, judged, need_judge

# git worktree add DIR COMMIT makes the other checkout; it runs with this environment's libraries.
CODES = OTHER, THIS = "other", "this"


def beside(bench: Bench) -> Iterator[Row]:
    """Every case and seed by both codes, so that a noisy machine is as noisy for either."""
    if bench.other is None:
        raise NotMeasured("not measured: --other names no checkout to compare with")
    need_judge()
    for seed in bench.seeds:
        for name in bench.cases:
            case = bench.case(name)
            order = CODES if seed % 2 else CODES[::-1]
            found = {code: _run(bench, case, bench.work / code / f"{name}-{seed}", seed, code) for code in order}
            yield {"key": f"{name}/{seed}", "case": name, "seed": seed, "commit": commit(bench.other), **found}


def _run(bench: Bench, case: Path, out: Path, seed: int, code: str) -> dict[str, Any]:
    """Where `--only quality --reuse` finds it: in a folder for each code."""
    assert bench.other is not None, "asked for only where there is another"
    root = bench.other.resolve() if code == OTHER else ROOT
    command = [DECLOUD, "run", case / "input", out, "--overwrite", "--quiet", "--seed", str(seed)]
    measured = measure([*command, *bench.run_options], {"PYTHONPATH": str(root)})
    return {**judged(case, out), "wall_s": measured.wall_s, "peak_gb": measured.peak_gb}
