"""What is measured, one generator a part: each yields rows, plain values with a `key`, as soon as they are known."""

import json
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from measuring import DECLOUD, ROOT, CommandFailedError, Measured, cuda_device, measure

Row = dict[str, Any]

SHARED = ROOT.parent / "shared"
JUDGE = SHARED / "bench" / "score.py"
CASES = ("fields-cloud-0", "fields-cloud-1", "fields-run-0")
NORMAL_90 = 1.6449  # half width of the normal distribution's 90 % interval, in sigma
FULL_SCALE_DN = 10_000  # the judge's: reflectance x 10000, clipped to [0, 1]
SCALE_DATES, SCALE_BANDS = 30, "L1C"
GPU_SHAPE = (384, 768)  # the paper's region of interest
HELP_REPEATS = 5


class NotMeasured(Exception):  # noqa: N818  no error: a part that this machine cannot measure, and why
    """Why a part was skipped."""


@dataclass(frozen=True)
class Bench:
    """What to measure and where. run_options: passed to every `decloud run`. reuse: finished outputs, or None.
    other: a checkout of other code to compare with, or None."""

    work: Path
    seeds: tuple[int, ...] = (0, 1, 2)
    cases: tuple[str, ...] = CASES
    sizes: tuple[int, ...] = (256, 512)
    scale_dates: int = SCALE_DATES
    run_options: tuple[str, ...] = ()
    reuse: Path | None = None
    other: Path | None = None
    paper_minutes: float = 4.0
    look_every_s: float = 20.0
    quick: bool = False

    def case(self, name: str) -> Path:
        """Folder with input/ and truth.npz. Raises NotMeasured where the shared data are absent."""
        if self.quick:
            return self.simulated(self.scale_dates, min(self.sizes))
        folder = SHARED / "data" / name
        if not folder.is_dir():
            raise NotMeasured(f"{name} is not in ../shared/data")
        return folder

    def simulated(self, dates: int, size: int) -> Path:
        """Folder of a simulated sequence with its truth; made once."""
        folder = self.work / f"simulated-{dates}-{size}"
        if not folder.exists():
            measure([DECLOUD, "simulate", folder, "--dates", str(dates), "--size", str(size), "--bands", SCALE_BANDS])
        return folder

    def run(self, source: Path, name: str, *options: str) -> tuple[Measured, Path]:
        """`decloud run` of source/input, and its output folder."""
        out = self.work / name
        command = [DECLOUD, "run", source / "input", out, "--overwrite", "--quiet", *self.run_options, *options]
        return measure(command), out


def quality(bench: Bench) -> Iterator[Row]:
    """Default settings on every case and seed, judged on the hidden pixels."""
    need_judge()
    for name in bench.cases:
        case = bench.case(name)
        for seed in bench.seeds:
            yield _reused(bench, case, name, seed) if bench.reuse else _quality_run(bench, case, name, seed)


def speed(bench: Bench) -> Iterator[Row]:
    """One minute on every case: a result that is not below linear?"""
    need_judge()
    for name in bench.cases:
        case = bench.case(name)
        options = () if bench.quick else ("--max-minutes", "1")
        measured, out = bench.run(case, f"minute-{name}", *options)
        yield {"key": name, "case": name, "wall_s": measured.wall_s, "gain_db": judge(case, out)["gain_db"]}


def scale(bench: Bench) -> Iterator[Row]:
    """Simulated scenes of growing size: time for each pixel, memory, and that the result holds."""
    for size in bench.sizes:
        source = bench.simulated(bench.scale_dates, size)
        yield _scale_row(bench, source, f"{bench.scale_dates} x 13 x {size} x {size}", size * size)


def startup(bench: Bench) -> Iterator[Row]:
    """What comes before the first step: the program itself, then reading, checking and masking."""
    walls = [measure([DECLOUD, "--help"]).wall_s for _ in range(HELP_REPEATS)]
    yield {
        "key": "help",
        "what": f"`decloud --help`, median of {len(walls)}",
        "wall_s": statistics.median(walls),
        "spread_s": [min(walls), max(walls)],
    }
    size = max(bench.sizes)
    large = bench.simulated(bench.scale_dates, size)
    scene = f"{bench.scale_dates} x 13 x {size} x {size} simulated"
    yield _inspection(large, scene + ", its own masks")
    settings = bench.work / "s2cloudless.json"
    settings.write_text(json.dumps({"cloud_detector": "s2cloudless"}))
    yield _inspection(large, scene + ", clouds found by s2cloudless", "--config", str(settings))
    yield _inspection(bench.case(bench.cases[0]), bench.cases[0])


def paper(bench: Bench) -> Iterator[Row]:
    """The published method against the default one, on the same held-out pixels: in a process of its own."""
    name, result = bench.cases[0], bench.work / "against-paper.json"
    measure(
        [
            *(sys.executable, Path(__file__).with_name("against_paper.py"), bench.case(name) / "input", result),
            *("--seed", str(bench.seeds[0]), "--minutes", str(bench.paper_minutes)),
            *("--every", str(bench.look_every_s), *(("--max-minutes", "0.1") if bench.quick else ())),
        ]
    )
    yield {"key": name, "case": name, "seed": bench.seeds[0], **json.loads(result.read_text())}


def gpu(bench: Bench) -> Iterator[Row]:
    """The paper's scene on a CUDA device."""
    device = cuda_device()
    if device is None:
        raise NotMeasured("not measured: no CUDA device")
    height, width = (24, 48) if bench.quick else GPU_SHAPE
    source = bench.work / f"simulated-{height}x{width}"
    if not source.exists():
        measure([sys.executable, Path(__file__).with_name("rectangle.py"), source, str(height), str(width)])
    row = _scale_row(bench, source, f"{SCALE_DATES} x 13 x {height} x {width}", height * width, "--device", "cuda")
    yield {**row, "device": device}


PARTS = {"quality": quality, "speed": speed, "scale": scale, "startup": startup, "paper": paper, "gpu": gpu}


def judge(case: Path, out: Path) -> dict[str, Any]:
    """The scores of the shared judge, by method, and gain_db over linear."""
    scores: dict[str, Any] = json.loads(measure([sys.executable, JUDGE, case, out / "declouded", "--json"]).output)
    return scores


def coverage(case: Path, out: Path) -> Row:
    """Share of scored values (hidden pixels x bands) within 1.6449 sigma of the truth, should be 0.9; and how many."""
    with np.load(case / "truth.npz") as truth:
        dates, bands = [str(date) for date in truth["dates"]], [str(band) for band in truth["bands"]]
        scored, true = truth["evaluate"], _reflectance(truth["s2"])
    inside = values = 0
    for t, date in enumerate(dates):
        predicted = _reflectance(_bands(out / "declouded", date, bands))
        sigma = _bands(out / "uncertainty", date, bands)
        covered = (np.abs(predicted - true[t]) <= NORMAL_90 * sigma)[:, scored[t]]
        inside, values = inside + int(covered.sum()), values + covered.size
    return {"coverage_90": inside / values, "values": values}


def judged(case: Path, out: Path, scores: dict[str, Any] | None = None) -> Row:
    """What the judge says of a result, and how many of its intervals hold; scores: the judge's, where it has spoken."""
    scores = scores or judge(case, out)
    return {
        **{metric: scores["prediction"][metric] for metric in ("psnr", "sam", "ssim")},
        "linear_psnr": scores["linear"]["psnr"],
        "gain_db": scores["gain_db"],
        **coverage(case, out),
    }


def need_judge() -> None:
    """Raises NotMeasured where the shared judge is absent."""
    if not JUDGE.is_file():
        raise NotMeasured("not measured: the judge, ../shared/bench/score.py, is not there")


def _quality_run(bench: Bench, case: Path, name: str, seed: int) -> Row:
    measured, out = bench.run(case, f"{name}-{seed}", "--seed", str(seed))
    timing = {"wall_s": measured.wall_s, "peak_gb": measured.peak_gb, "reused": False}
    return _quality_row(name, seed, out, judged(case, out), timing)


def _reused(bench: Bench, case: Path, name: str, seed: int) -> Row:
    """The row of outputs that are there already; time and memory are those of their own report."""
    assert bench.reuse is not None, "asked for only where there is something to reuse"
    out, scores = bench.reuse / f"{name}-{seed}", bench.reuse / f"{name}-{seed}.json"
    if not (out / "report.json").is_file():
        raise NotMeasured(f"{name}, seed {seed}: no finished output {out.name} to reuse")
    known = json.loads(scores.read_text()) if scores.is_file() else None
    resources = read_report(out)["resources"]
    wall_s = sum(resources["seconds"].values())
    timing = {"wall_s": wall_s, "peak_gb": resources["peak_memory_gb"], "reused": True}
    return _quality_row(name, seed, out, judged(case, out, known), timing)


def _quality_row(name: str, seed: int, out: Path, figures: Row, timing: Row) -> Row:
    holdout = read_report(out)["holdout"]
    claimed = {method: scores["psnr"] for method, scores in holdout["methods"].items()}
    return {
        "key": f"{name}/{seed}",
        "case": name,
        "seed": seed,
        **figures,
        "claimed_psnr": claimed.get("result"),
        "claimed_gain_db": claimed["result"] - claimed["linear"] if claimed else None,
        "claimed_coverage_90": holdout["coverage_90"],
        **timing,
    }


def _scale_row(bench: Bench, source: Path, shape: str, pixels: int, *options: str) -> Row:
    expected = inspected(source)[1]["estimate"]
    measured, out = bench.run(source, f"out-{source.name}", *options)
    report = read_report(out)
    return {
        "key": shape,
        "shape": shape,
        "pixels": pixels,
        "wall_s": measured.wall_s,
        "peak_gb": measured.peak_gb,
        "tiles": report["training"]["tiles"],
        "phases": report["resources"]["seconds"],
        "gain_db": judge(source, out)["gain_db"] if JUDGE.is_file() else None,
        "estimate_s": expected["seconds"],
        "estimate_gb": expected["memory_gb"],
    }


def _inspection(source: Path, what: str, *options: str) -> Row:
    try:
        measured, found = inspected(source, *options)
    except CommandFailedError as error:
        return {"key": what, "what": f"`decloud inspect`, {what}", "wall_s": None, "failed": str(error)}
    estimate = found["estimate"]
    return {
        "key": what,
        "what": f"`decloud inspect`, {what}",
        "wall_s": measured.wall_s,
        "peak_gb": measured.peak_gb,
        "estimate_s": estimate["seconds"],
        "estimate_gb": estimate["memory_gb"],
    }


def inspected(source: Path, *options: str) -> tuple[Measured, dict[str, Any]]:
    """What `decloud inspect` says of source/input."""
    measured = measure([DECLOUD, "inspect", source / "input", "--json", *options])
    return measured, json.loads(measured.output)


def read_report(out: Path) -> dict[str, Any]:
    """The report of a finished run."""
    report: dict[str, Any] = json.loads((out / "report.json").read_text(encoding="utf-8"))
    return report


def _reflectance(dn: np.ndarray) -> np.ndarray:
    return np.clip(dn.astype(np.float32), 0, FULL_SCALE_DN) / FULL_SCALE_DN


def _bands(folder: Path, date: str, bands: list[str]) -> np.ndarray:
    """(C, H, W) the bands by name, else in order: as the judge reads them."""
    (file,) = folder.glob(f"{date}*.tif")
    with rasterio.open(file) as dataset:
        names = list(dataset.descriptions)
        known = all(band in names for band in bands)
        return dataset.read([names.index(b) + 1 for b in bands] if known else list(range(1, len(bands) + 1)))
