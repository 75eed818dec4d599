"""RESULTS.md from results.json: a pure function of what was measured. Medians, spread, and the floors beside them."""

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

from seq2seq.validation.metrics import psnr_of

Row = dict[str, Any]
Results = dict[str, Any]  # part -> {"rows": [...], "note": why not measured, or None, "on": circumstances}

# What to reach on the shared cases with default settings: gain over linear on average and on the worst seed, dB;
# spectral angle at most, degrees; SSIM at least. run-0 has a floor for its gain alone.
FLOORS: dict[str, dict[str, float]] = {
    "fields-cloud-0": {"mean": 4.9, "min": 3.8, "sam": 7.2, "ssim": 0.82, "wall": 45.0},
    "fields-cloud-1": {"mean": 5.7, "min": 3.8, "sam": 8.4, "ssim": 0.78, "wall": 45.0},
    "fields-run-0": {"mean": 5.1, "min": 0.0, "wall": 45.0},
}
COVERAGE, ALL_COVERAGE = (0.83, 0.97), (0.88, 0.92)  # of a case, and of all cases together
CASE_S, MINUTE_S, READ_S, HELP_S, GPU_S = 360.0, 60.0, 20.0, 0.7, 60.0
SCALE_S, SCALE_GB, SCALE_RATIO, SCALE_MORE_GB = 120.0, 8.0, 4.5, 2.0
PAPER_RATIO = 50.0
DEFAULT_METHOD = "guided"
BUSY_RATIO, BUSY_LIMIT = 2.5, 1.15
SEAM_RATIO = 1.05
WHOLE_TILE, TILE_GB = (30, 13, 10_980, 10_980), 4.0
WHOLE_TILE_NAME = " x ".join(map(str, WHOLE_TILE))
# Of two processes, and of 32 workers; of one tile.
SPEED_UP, COORDINATOR_MS = (1.8, 28.0), 20.0
QUICK = "**A check of the benchmark's own code (`--quick`) on a tiny simulated case: these figures mean nothing.**"


def render(results: Results, *, quick: bool = False) -> str:
    """The whole page. Parts that were never measured say so."""
    blocks = ["# Results", QUICK if quick else "", _head(results)]
    for name, (title, section) in SECTIONS.items():
        part = results.get(name)
        blocks += [f"## {title}", provenance(part, results), section(part["rows"]) if part and part["rows"] else ""]
    return "\n\n".join(block for block in blocks if block) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first column to the left, the others to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def number(value: float | None, digits: int, unit: str = "", *, sign: bool = False) -> str:
    """`value` rounded, or a dash where there is none."""
    return "–" if value is None else f"{value:{'+' if sign else ''}.{digits}f}{unit}"


def duration(seconds: float | None) -> str:
    """3.2 s, 4 min 05 s, 2 h 40 min."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 1 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def reached(held: bool) -> str:
    """Whether a target is reached."""
    return "yes" if held else "**no**"


def _head(results: Results) -> str:
    if not results:
        return "Nothing has been measured yet."
    latest = max((part["on"] for part in results.values()), key=lambda on: str(on["date"]))
    seeds = sorted({row["seed"] for part in results.values() for row in part["rows"] if "seed" in row})
    versions = ", ".join(f"{name} {number}" for name, number in latest["versions"].items())
    return "\n".join(
        [
            f"- Date: {latest['date']}, commit {latest['commit']}",
            f"- Machine: {machine(latest)}",
            f"- Versions: {versions}",
            f"- Seeds: {', '.join(map(str, seeds)) or 'none'}",
            "- Repeat: `make bench`; a part of it: `make bench ARGS='--only quality --seeds 0'` (parts: "
            f"{', '.join(SECTIONS)}). New figures replace the old ones of the same rows.",
            "",
            "Every run is a process of the `decloud` command: wall time and peak resident memory are the operating "
            "system's. Where there are several, the median, and the smallest to the largest in brackets.",
        ]
    )


def provenance(part: Row | None, results: Results) -> str:
    """When a part was measured, and where, if not on the machine of the head; or why it was not."""
    if part is None:
        return "Not measured yet."
    on = part["on"]
    latest = max((other["on"] for other in results.values()), key=lambda on: str(on["date"]))
    where = "" if machine(on) == machine(latest) else f", on {machine(on)}"
    note = f"{part['note']}. " if part.get("note") else ""
    return f"{note}Measured {on['date']} at {on['commit']}{where}." if part["rows"] else note.strip()


def machine(on: Row) -> str:
    return f"{on['cpu']}, {on['cores']} cores, {on['ram_gb']} GiB"


def _several(values: Sequence[float], shown: Callable[[float], str]) -> str:
    middle = shown(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} ({shown(min(values))} to {shown(max(values))})"


def _quality(rows: list[Row]) -> str:
    cases = {case: [row for row in rows if row["case"] == case] for case in dict.fromkeys(r["case"] for r in rows)}
    head = ["case, seed", "PSNR dB", "gain dB", "SAM °", "SSIM", "90 % covers"]
    head += ["held-out dB", "held-out gain", "wall", "peak GiB"]
    pooled, alike = _covered(rows), statistics.fmean(_covered(of_case) for of_case in cases.values())
    reused = "\n\n\\* time and memory from the run's own report." if any(row["reused"] for row in rows) else ""
    return "\n\n".join(
        [
            "On pixels that were hidden from the method, by the judge of the shared cases. *Held-out* is what the run "
            "itself said in its report, on other pixels, that it hid from itself.",
            table(head, (_quality_cells(row) for row in rows)) + reused,
            "Against what is to be reached (floors in brackets):",
            table(
                ["case", "mean gain dB", "worst gain dB", "SAM °", "SSIM", "90 % covers", "wall", "all reached"],
                (_floor_cells(case, of_case) for case, of_case in cases.items()),
            ),
            f"All cases together: {100 * pooled:.1f} % of values lie in their 90 % interval "
            f"({100 * ALL_COVERAGE[0]:.0f} to {100 * ALL_COVERAGE[1]:.0f}); each case alike: {100 * alike:.1f} %.",
        ]
    )


def _covered(rows: list[Row]) -> float:
    """Share of the values of all rows that lie in their interval."""
    return statistics.fmean([row["coverage_90"] for row in rows], [row["values"] for row in rows])


def _beside(rows: list[Row]) -> str:
    cases = {case: [row for row in rows if row["case"] == case] for case in dict.fromkeys(r["case"] for r in rows)}
    means = {
        case: [statistics.mean(row[code]["psnr"] for row in of_case) for code in ("other", "this")]
        for case, of_case in cases.items()
    }
    head = ["case", "PSNR dB, other code", "this code", "difference, each seed", "gain dB, other", "this"]
    head += ["wall, other", "this"]
    lines = [_beside_cells(case, of_case) for case, of_case in cases.items()]
    new = [after - before for case, (before, after) in means.items() if not case.startswith("fields")]
    mean = f"Mean difference on acquisitions (all but `fields-*`): {statistics.mean(new):+.2f} dB." if new else ""
    return "\n\n".join(
        part
        for part in (
            f"Both ran in turn, each seed in the other order. The other code: {rows[-1]['commit']}. Means over seeds.",
            table(head, lines),
            mean,
        )
        if part
    )


def _beside_cells(case: str, rows: list[Row]) -> list[str]:
    def mean(code: str, figure: str) -> float:
        return statistics.mean(row[code][figure] for row in rows)

    differences = [row["this"]["psnr"] - row["other"]["psnr"] for row in rows]
    return [
        f"{case}, {len(rows)} seed{'s' * (len(rows) > 1)}",
        number(mean("other", "psnr"), 2),
        number(mean("this", "psnr"), 2),
        ", ".join(number(value, 2, sign=True) for value in differences),
        number(mean("other", "gain_db"), 2, sign=True),
        number(mean("this", "gain_db"), 2, sign=True),
        *(duration(statistics.median(row[code]["wall_s"] for row in rows)) for code in ("other", "this")),
    ]


def _quality_cells(row: Row) -> list[str]:
    return [
        f"{row['case']}, {row['seed']}",
        number(row["psnr"], 2),
        number(row["gain_db"], 2, sign=True),
        number(row["sam"], 2),
        number(row["ssim"], 3),
        number(100 * row["coverage_90"], 1, " %"),
        number(row["claimed_psnr"], 2),
        number(row["claimed_gain_db"], 2, sign=True),
        duration(row["wall_s"]) + ("\\*" if row["reused"] else ""),
        number(row["peak_gb"], 2),
    ]


def _floor_cells(case: str, rows: list[Row]) -> list[str]:
    floors = FLOORS.get(case, {})
    gains, sam, ssim = [r["gain_db"] for r in rows], [r["sam"] for r in rows], [r["ssim"] for r in rows]
    covered, walls = [r["coverage_90"] for r in rows], [r["wall_s"] for r in rows]
    mean, sam_mean, ssim_mean = statistics.fmean(gains), statistics.fmean(sam), statistics.fmean(ssim)
    held = (
        mean >= floors.get("mean", 0.0)
        and min(gains) >= floors.get("min", 0.0)
        and sam_mean <= floors.get("sam", 90.0)
        and ssim_mean >= floors.get("ssim", 0.0)
        and COVERAGE[0] <= min(covered) <= max(covered) <= COVERAGE[1]
        and max(walls) <= floors.get("wall", CASE_S)
    )
    seeds = "1 seed" if len(rows) == 1 else f"{len(rows)} seeds"
    return [
        f"{case}, {seeds}",
        _against(number(mean, 2, sign=True), floors.get("mean"), "≥"),
        _against(number(min(gains), 2, sign=True), floors.get("min"), "≥"),
        _against(number(sam_mean, 2), floors.get("sam"), "≤"),
        _against(number(ssim_mean, 3), floors.get("ssim"), "≥"),
        f"{100 * min(covered):.1f} to {100 * max(covered):.1f} % ({100 * COVERAGE[0]:.0f} to {100 * COVERAGE[1]:.0f})",
        _against(_several(walls, duration), floors.get("wall", CASE_S), "≤", " s"),
        reached(held),
    ]


def _against(shown: str, floor: float | None, sign: str, unit: str = "") -> str:
    return shown if floor is None else f"{shown} ({sign} {floor:g}{unit})"


def _others(rows: list[Row]) -> str:
    """Gains and seconds of every method on every case, and whether any is both better and faster than the default."""
    cases, methods = (list(dict.fromkeys(row[name] for row in rows)) for name in ("case", "method"))
    found = {(row["case"], row["method"]): row for row in rows}

    def cell(case: str, method: str) -> str:
        row = found.get((case, method))
        return "–" if row is None else f"{number(row['gain_db'], 2, sign=True)} ({duration(row['wall_s'])})"

    cells = [[case, *(cell(case, method) for method in methods)] for case in cases]
    compared = [(row, found[row["case"], DEFAULT_METHOD]) for row in rows if (row["case"], DEFAULT_METHOD) in found]
    ahead = [row for row, ours in compared if row["psnr"] > ours["psnr"] and row["wall_s"] < ours["wall_s"]]
    most = max((row["psnr"] - ours["psnr"] for row, ours in compared if row is not ours), default=None)
    named = "".join(f"; {row['method']} on {row['case']}" for row in ahead)
    verdict = (
        f"No other is both faster and better than `{DEFAULT_METHOD}`: {reached(not ahead)}{named}. The best of the "
    )
    verdict += f"others beside it, worst case: {number(most, 2, ' dB', sign=True)} (to reach: at most +0.2)."
    return "\n\n".join(
        [
            "Seed 0, by the judge: gain over linear interpolation, dB, and wall time.",
            table(["case", *methods], cells),
            *([verdict] if compared else []),
        ]
    )


def _speed(rows: list[Row]) -> str:
    head = ["`--max-minutes 1`", "wall", "gain over linear dB", f"in {MINUTE_S:.0f} s", "not below linear"]
    cells = (
        [
            row["case"],
            duration(row["wall_s"]),
            number(row["gain_db"], 2, sign=True),
            reached(row["wall_s"] <= MINUTE_S),
            reached(row["gain_db"] >= 0),
        ]
        for row in rows
    )
    return table(head, cells)


def _scale(rows: list[Row]) -> str:
    ordered = sorted(rows, key=lambda row: row["pixels"])
    head = ["SIMULATED scene", "wall", "ms a pixel", "peak GiB", "tiles", "gain over linear dB", "estimated before"]
    lines = [table(head, (_scale_cells(row) for row in ordered))]
    lines += [_grown(small, large) for small, large in pairwise(ordered)]
    first = ordered[0]
    if first["pixels"] == 256 * 256:
        held = first["wall_s"] <= SCALE_S and first["peak_gb"] <= SCALE_GB
        lines.append(f"{first['shape']} within {SCALE_S / 60:.0f} minutes and {SCALE_GB:g} GiB: {reached(held)}.")
    found = _whole_tile_time(ordered[-1])
    lines.append(f"{WHOLE_TILE_NAME}, a whole tile, at the pace of the largest, extrapolated: {found}.")
    return "\n\n".join(lines)


def _whole_tile_time(row: Row, devices: int = 1) -> str:
    """Extrapolated by dates, bands and pixels; each device does as many tiles in a time as one alone."""
    values = math.prod(int(size) for size in row["shape"].split(" x "))
    return duration(row["wall_s"] * math.prod(WHOLE_TILE) / values / devices)


def _whole_tile(rows: list[Row]) -> str:
    head = ["SIMULATED, `--method linear`", "wall", "peak GiB", f"≤ {TILE_GB:g} GiB", "tiles", "estimated before"]
    cells = [
        [
            row["key"],
            duration(row["wall_s"]),
            number(row["peak_gb"], 2),
            reached(row["peak_gb"] <= TILE_GB),
            str(row["tiles"]),
            _estimated(row),
        ]
        for row in rows
    ]
    return table(head, cells)


def _estimated(row: Row) -> str:
    return f"{duration(row['estimate_s'])}, {row['estimate_gb']:.1f} GiB"


def _scale_cells(row: Row) -> list[str]:
    return [
        row["shape"],
        duration(row["wall_s"]),
        number(1000 * row["wall_s"] / row["pixels"], 2),
        number(row["peak_gb"], 2),
        str(row["tiles"]),
        number(row["gain_db"], 2, sign=True),
        _estimated(row),
    ]


def _grown(small: Row, large: Row) -> str:
    times, area = large["wall_s"] / small["wall_s"], large["pixels"] / small["pixels"]
    more_gb = large["peak_gb"] - small["peak_gb"]
    text = f"{small['shape']} to {large['shape']}: {area:.2g} x the pixels, {times:.2f} x the time "
    text += f"({times / area:.2f} x for each pixel), {more_gb:+.2f} GiB"
    if area != 4:
        return f"{text}."
    held = times <= SCALE_RATIO and more_gb <= SCALE_MORE_GB
    return f"{text}; to reach: {SCALE_RATIO} x and {SCALE_MORE_GB:+g} GiB: {reached(held)}."


def _startup(rows: list[Row]) -> str:
    cells = []
    for row in rows:
        limit = HELP_S if row["key"] == "help" else READ_S
        spread = f" ({' to '.join(duration(s) for s in row['spread_s'])})" if "spread_s" in row else ""
        held = row["wall_s"] is not None and row["wall_s"] < limit
        estimate = "–" if "estimate_s" not in row else f"{duration(row['estimate_s'])}, {row['estimate_gb']:.1f} GiB"
        wall = duration(row["wall_s"]) + spread if "failed" not in row else f"failed: {row['failed']}"
        cells.append([row["what"], wall, f"< {limit:g} s", reached(held), estimate])
    return table(["before the first step", "wall", "to reach", "reached", "its estimate of a run"], cells)


def _paper(rows: list[Row]) -> str:
    return "\n\n".join(_against_paper(row) for row in rows)


def _against_paper(row: Row) -> str:
    return "\n\n".join(
        [
            f"{row['case']}, seed {row['seed']}, device {row['ebel2021']['device']}: RMSE on the same held-out pixels, "
            "hidden from both. The clock of `ebel2021` counts its steps alone, that of `guided` all but reading.",
            table(
                ["method", "what", "after", "held-out RMSE", "PSNR dB"],
                [
                    ["interpolation", "linear in time", "–", *_error(row["linear_rmse"])],
                    *(_last_cells(title, points) for title, points in _paper_curves(row)),
                    *(["guided", p["what"], duration(p["seconds"]), *_error(p["rmse"])] for p in _guided(row)),
                ],
            ),
            "![Held-out RMSE over time](curve.svg)",
            "\n".join(
                f"- {line}" for line in [_schedule(row["ebel2021"]), _perceptual(row["ebel2021"]), *_ratios(row)]
            ),
        ]
    )


def _schedule(published: Row) -> str:
    """Its step time, and its whole length: extrapolated, unless it was run."""
    pace = f"Method `ebel2021`: {published['step_s']:.3f} s a step (median)."
    length = f"windows x 20 passes x 100 iterations = {published['steps_total']:,} steps"
    if published["published"]["complete"]:
        return f"{pace} Its schedule of {published['windows']} {length} was run to its end."
    return (
        f"{pace} Its published schedule is {published['windows']} {length}; at this pace "
        f"**{duration(_whole_s(published))}: extrapolated from the step time, not run to the end**."
    )


def _perceptual(published: Row) -> str:
    if published["perceptual"]:
        return "With its perceptual loss."
    return "Without its perceptual loss, as the VGG16 weights were not at hand; with it each of its steps is slower."


def _ratios(row: Row) -> list[str]:
    found, whole_run_s = comparison(row), row["guided"]["whole_s"]
    there = "did not get there" if found["guided_s"] is None else f"was there after {duration(found['guided_s'])}"
    return [
        f"Measured: the best that `ebel2021` reached was {found['published_rmse']:.4f}, "
        f"after {duration(found['published_s'])}; `guided` {there}: {_times(found['measured'])}.",
        f"Against the whole published schedule: {_times(found['whole'])} to the RMSE that `ebel2021` has been seen to "
        f"reach (to reach: {PAPER_RATIO:g} x: {_reached_or_not(found['whole'])}).",
        f"Should it be as good at its end as `guided`'s result ({found['result_rmse']:.4f}, known after "
        f"{duration(found['result_s'])}): {_times(found['to_result'])}. The whole run of `guided`, with its second "
        f"fit, takes {duration(whole_run_s)}: {_times(found['to_end'])}. How good `ebel2021` is at its end "
        + ("was measured." if row["ebel2021"]["published"]["complete"] else "is not known from this run."),
    ]


def comparison(row: Row) -> dict[str, float | None]:
    """Times to equal held-out RMSE, and their ratios; None where `guided` never got there."""
    points = [point for _, curve in _paper_curves(row) for point in curve]
    best = min(points, key=lambda point: (point["rmse"], point["seconds"]))
    curve, whole_s = _guided(row), _whole_s(row["ebel2021"])
    there = min((p["seconds"] for p in curve if p["rmse"] <= best["rmse"]), default=None)
    result = curve[-1]
    return {
        "published_rmse": best["rmse"],
        "published_s": best["seconds"],
        "guided_s": there,
        "measured": best["seconds"] / there if there else None,
        "whole": whole_s / there if there else None,
        "result_rmse": result["rmse"],
        "result_s": result["seconds"],
        "to_result": whole_s / result["seconds"],
        "to_end": whole_s / row["guided"]["whole_s"],
    }


def _paper_curves(row: Row) -> list[tuple[str, list[Row]]]:
    scaled = row["ebel2021"]["scaled"]
    schedule = f"{scaled['passes']} x {scaled['iterations']} schedule, " + ("whole" if scaled["complete"] else "cut")
    curves = [("published schedule, beginning", row["ebel2021"]["published"]["curve"]), (schedule, scaled["curve"])]
    return [(title, curve) for title, curve in curves if curve]


def _guided(row: Row) -> list[Row]:
    points: list[Row] = row["guided"]["curve"]
    return points


def _whole_s(published: Row) -> float:
    """Seconds that the published schedule takes at the measured pace."""
    return float(published["step_s"] * published["steps_total"])


def _last_cells(title: str, points: list[Row]) -> list[str]:
    """The last point of a curve of method `ebel2021`."""
    last = points[-1]
    return ["ebel2021", f"{title}: step {last['step']}", duration(last["seconds"]), *_error(last["rmse"])]


def _error(value: float) -> list[str]:
    return [f"{value:.4f}", number(psnr_of(value, least=1e-9), 2)]


def _times(ratio: float | None) -> str:
    if ratio is None:
        return "`guided` did not get there"
    return f"**{ratio:.3g} x** shorter" if ratio >= 1 else f"**{1 / ratio:.3g} x longer**"


def _reached_or_not(ratio: float | None) -> str:
    return reached(ratio is not None and ratio >= PAPER_RATIO)


def _gpu(rows: list[Row]) -> str:
    lines = [
        f"{row['device']}: {row['shape']}, SIMULATED: {duration(row['wall_s'])} (to reach: {duration(GPU_S)}: "
        f"{reached(row['wall_s'] <= GPU_S)}), {row['peak_gb']:.2f} GiB of the machine's memory, gain over linear "
        f"{number(row['gain_db'], 2, ' dB', sign=True)}. "
        + ", ".join(f"{phase} {duration(seconds)}" for phase, seconds in row["phases"].items())
        + "."
        for row in rows
    ]
    lines += [
        f"{WHOLE_TILE_NAME} at the pace of {row['shape']}, extrapolated: "
        f"{_whole_tile_time(row)} on one {row['device']}, {_whole_tile_time(row, 8)} on eight."
        for row in rows
    ]
    return "\n\n".join(lines)


def _busy(rows: list[Row]) -> str:
    """Ratios within one run: the machine of another day does not enter."""
    head = [
        "SIMULATED",
        "alone",
        "beside one a core",
        "ratio",
        f"≤ {BUSY_RATIO:g} x",
        "limit",
        "with it",
        "within 15 %",
        "others took",
    ]
    cells = [
        [
            row["key"],
            duration(row["alone_s"]),
            f"{duration(row['beside_s'])} ({row['neighbours']})",
            number(row["beside_s"] / row["alone_s"], 2, " x"),
            reached(row["beside_s"] <= BUSY_RATIO * row["alone_s"]),
            duration(row["limit_s"]),
            f"{duration(row['limited_s'])}, of which {duration(row['start_s'])} to load",
            reached(row["limited_s"] <= BUSY_LIMIT * row["limit_s"]),
            f"≤ {row['strangers']:.2f} cores",
        ]
        for row in rows
    ]
    return table(head, cells) + "\n\nBeside: as many processes that only count as there are cores."


def _tiled(rows: list[Row]) -> str:
    head = ["SIMULATED", "limit", "wall", "peak GiB", "tiles", "gain over linear dB", "step at borders / elsewhere"]
    head.append(f"≤ {SEAM_RATIO:g}")
    cells = [
        [
            row["key"],
            duration(row["limit_s"]),
            duration(row["wall_s"]),
            number(row["peak_gb"], 2),
            str(row["tiles"]),
            number(row["gain_db"], 2, sign=True),
            number(row["seam_ratio"], 3),
            reached(row["seam_ratio"] <= SEAM_RATIO),
        ]
        for row in rows
    ]
    note = "Steps between neighbouring pixels that were filled, mean of all dates and bands."
    if any(row["wall_s"] > row["limit_s"] for row in rows):
        note += " The limit was passed: every tile is predicted whole, and that alone took longer on shared cores."
    return table(head, cells) + "\n\n" + note


def _workers(rows: list[Row]) -> str:
    head = ["one scene", "one", "together", "speed-up", "to reach", "", "processor time", "others took", "coordinator"]
    cells = [
        [
            row["key"],
            duration(row["one_s"]),
            duration(row["together_s"]),
            number(row["speed_up"], 2, " x"),
            f"≥ {SPEED_UP[row['workers'] > 2]:g} x",
            reached(row["speed_up"] >= SPEED_UP[row["workers"] > 2]),
            number(row["cpu_ratio"], 2, " x"),
            "" if row["strangers"] is None else f"≤ {row['strangers']:.2f} cores",
            number(row["coordinator_ms"], 1, " ms a tile"),
        ]
        for row in rows
    ]
    return (
        table(head, cells)
        + "\n\nOne: of one thread, or all tiles one after the other. Processor time: of all processes "
        "together over that of one. Coordinator: processor time in the database, of all workers' calls; to reach: "
        f"{COORDINATOR_MS:g} ms."
    )


SECTIONS: dict[str, tuple[str, Callable[[list[Row]], str]]] = {
    "quality": ("Quality on real sequences, default settings", _quality),
    "beside": ("Beside earlier code", _beside),
    "others": ("Beside what else could be picked", _others),
    "speed": ("In a minute", _speed),
    "scale": ("Larger scenes", _scale),
    "tiled": ("Many tiles, with a limit of time", _tiled),
    "whole-tile": ("A whole tile of Sentinel-2", _whole_tile),
    "workers": ("One scene on many workers", _workers),
    "startup": ("Before the first step", _startup),
    "busy": ("On a busy machine", _busy),
    "paper": ("Against the published method", _paper),
    "gpu": ("On a GPU", _gpu),
}
