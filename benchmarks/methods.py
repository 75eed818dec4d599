"""Measures the methods side by side; writes methods.json and METHODS.md beside this file.

python benchmarks/methods.py                                     everything (hours)
python benchmarks/methods.py comparison --cases fields-cloud-0   a part, or a case of it; other figures stay
python benchmarks/methods.py temporal --fusets PYTHON            beside FuseTS, of an environment that has it

comparison: `decloud benchmark` on shared and simulated sequences. temporal: seconds beside loops over pixels.
ablations: DSen2-CR's loss, and radar as the input of the published method. Finished parts of a comparison lie in --work
and are not repeated.
"""

import argparse
import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from measuring import DECLOUD, ROOT, Measured, measure
from methods_page import render
from parts import SHARED, NotMeasured, Row
from run import Book, measure_part

HERE = Path(__file__).resolve().parent
# By name: what `decloud simulate` makes it with, or None for one of the shared folder.
CASES: dict[str, tuple[str, ...] | None] = {
    "fields-cloud-0": None,
    "ypres-run-5": None,
    "simulated-10": ("--dates", "20", "--size", "64", "--bands", "L2A_10", "--cloud", "0.6", "--seed", "10"),
    "simulated-11": ("--dates", "30", "--size", "64", "--bands", "L2A_10", "--cloud", "0.7", "--seed", "11"),
}
ABLATIONS = {"carl": (), "noise": ("--schedule-factor", "0.02")}


def main() -> int:
    """Exit code 1 where a measured command failed."""
    options = _options()
    options.work.mkdir(parents=True, exist_ok=True)
    parts: dict[str, Callable[[], Iterator[Row]]] = {
        "comparison": partial(comparison, options),
        "temporal": partial(temporal, options.fusets),
        "ablations": partial(ablations, options),
    }
    book = Book(options.results, quick=False, names=("methods.json", "METHODS.md"), rendered=render)
    failures = [failure for name in options.parts or parts for failure in measure_part(name, parts[name], book)]
    print(f"Results  {book.page}")
    for failure in failures:
        print(failure, file=sys.stderr)
    return int(bool(failures))


def comparison(options: argparse.Namespace) -> Iterator[Row]:
    """The table of each case, as `decloud benchmark` writes it."""
    for name in options.cases:
        source, out = _input(name, options.work), options.work / "compared" / name
        command = ["benchmark", _relative(source), "--methods", options.methods, "--gaps", options.gaps]
        command += ["--seeds", str(options.seeds)]
        command += [] if options.max_minutes is None else ["--max-minutes", f"{options.max_minutes:g}"]
        _measured([DECLOUD, *command, "--out", out, "--quiet"])
        yield {
            "key": name if options.max_minutes is None else f"{name}, {options.max_minutes:g} min",
            "note": options.note,
            "command": shlex.join(["decloud", *command]),
            "simulated": shlex.join(["decloud", "simulate", name, *made]) if (made := CASES[name]) else None,
            "results": _kept(json.loads((out / "results.json").read_text(encoding="utf-8"))),
        }


def temporal(fusets: Path | None) -> Iterator[Row]:
    """Seconds of methods without training beside the same arithmetic pixel by pixel."""
    command: list[str | Path] = [sys.executable, HERE / "temporal.py", *(("--fusets", fusets) if fusets else ())]
    yield from map(json.loads, measure(command).output.splitlines())


def ablations(options: argparse.Namespace) -> Iterator[Row]:
    """Both, on every case that has radar."""
    for name in options.cases:
        for part, more in ABLATIONS.items():
            seeds = [str(seed) for seed in range(options.seeds)]
            command = [sys.executable, HERE / "ablations.py", part, _relative(_input(name, options.work)), *more]
            lines = _measured([*command, "--seeds", *seeds]).output.splitlines()
            yield from (_ablation(name, json.loads(line)) for line in lines)


def _ablation(name: str, row: Row) -> Row:
    return row | {"key": f"{name}/{row['part']}/{row['seed']}/{row['variant']}", "case": name}


def _kept(results: dict[str, Any]) -> dict[str, Any]:
    """What a page needs of results.json: not each case by itself."""
    return {name: value for name, value in results.items() if name not in ("outcomes", "config", "explanation")}


def _input(name: str, work: Path) -> Path:
    """Raises NotMeasured where it is a shared one and there are none."""
    made = CASES[name]
    if made is None:
        folder = SHARED / "data" / name / "input"
        if not folder.is_dir():
            raise NotMeasured(f"{name} is not in ../shared/data")
        return folder
    folder = work / name
    if not folder.exists():
        measure([DECLOUD, "simulate", folder, *made])
    return folder / "input"


def _relative(path: Path) -> str:
    """From the repository, so that commands name no place of this machine; a work folder elsewhere stays as it is."""
    text = os.path.relpath(path, ROOT)
    return text if text.startswith(os.path.join("..", "shared")) or not text.startswith("..") else str(path)


def _measured(command: Sequence[str | Path]) -> Measured:
    """In the repository, which relative paths start from."""
    return measure(["env", "-C", ROOT, *command])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help="comparison, temporal, ablations; all by default")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES), metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--methods", default="all", metavar="NAME,...")
    parser.add_argument("--gaps", default="cloud,date,run", metavar="KIND,...")
    parser.add_argument("--seeds", type=int, default=3, metavar="N")
    parser.add_argument(
        "--max-minutes", type=float, metavar="MIN", help="of each method on each case; default: no limit"
    )
    parser.add_argument("--note", metavar="TEXT", help="what else the page says of a comparison: a busy machine")
    parser.add_argument("--fusets", type=Path, metavar="PYTHON", help="of an environment that has FuseTS")
    parser.add_argument("--work", type=Path, default=ROOT / "benchmarks" / ".methods", metavar="DIR")
    parser.add_argument("--results", type=Path, default=HERE, metavar="DIR", help="default benchmarks/")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
