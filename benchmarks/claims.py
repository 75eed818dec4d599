"""Do the gains that runs claim hold? Sequences whose truth is known, under their own clouds and under others.

python benchmarks/claims.py --cases CASE ... --masks 0 1   runs them, enters rows in claims.json, prints the table
python benchmarks/claims.py                                prints the table of METHOD.md from claims.json

Mask 0 is the clouds that a case has; others hide in every date what the clouds of another date would, moved and
flipped, and the seed of a run is its mask's number. Gains are over interpolation of all observed pixels, as the judge
of the shared cases has it. A row keeps what its claim was made from, so that it is made again here by error scales
that the runs of its own place had no part in: that is the honest test. Masks of one scene are one place.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import numpy as np
from parts import CASES, FULL_SCALE_DN, SHARED

from seq2seq.config import ReconstructionConfig
from seq2seq.interpolation import interpolate_from_others
from seq2seq.readers import open_sequence
from seq2seq.sequence import Bool, Float32, Observations
from seq2seq.validation.claim import SCATTER, Claim, FilledDate, HiddenDate, claim_gain, filled_dates
from seq2seq.validation.holdout import LINEAR

FILE = Path(__file__).with_name("claims.json")
ACQUISITIONS = ("carpathians-run-5", "ribatejo-cloud-5", "tanzania-cloud-5", "ypres-cloud-5", "ypres-run-5")
DIGITS = 4
Row = dict[str, Any]
Scales = tuple[float, float]


def place(row: Row) -> str:
    """Cases of one place share the first word of their name."""
    case: str = row["case"]
    return case.split("-")[0]


def error_scales(rows: Sequence[Row]) -> Scales:
    """Squared error per variance of the candidates by kind of date: the geometric mean over places, to two digits."""
    kinds = []
    for kind in (0, 1):
        places: dict[str, list[float]] = {}
        for row in rows:
            if row["scales"][kind] is not None:
                places.setdefault(place(row), []).append(float(np.log(row["scales"][kind])))
        kinds.append(float(f"{np.exp(np.mean([np.mean(logs) for logs in places.values()])):.2g}"))
    return kinds[0], kinds[1]


def claimed(row: Row, scales: Scales) -> Claim:
    """The claim of a run, made again by `scales`."""
    hidden, filled = (
        [kind(*values) for values in row[name]] for kind, name in ((HiddenDate, "hidden"), (FilledDate, "filled"))
    )
    found = claim_gain(hidden, filled, scales)
    assert found is not None, "runs without hidden pixels are not entered"
    return found


def left_out(rows: Sequence[Row], row: Row) -> Claim:
    """The claim of a run by scales that no run at its place had a say in."""
    return claimed(row, error_scales([other for other in rows if place(other) != place(row)]))


def summary(rows: Sequence[Row]) -> dict[str, float]:
    """How far the claims are off, dB, and how often their intervals hold, without their own places."""
    claims = [left_out(rows, row) for row in rows]
    off = np.array([claim.measured_db - row["gain_db"] for claim, row in zip(claims, rows, strict=True)])
    plain = np.array([row["plain_db"] - row["gain_db"] for row in rows])
    return {
        "median": float(np.median(np.abs(off))),
        "worst": float(np.abs(off).max()),
        "bias": float(off.mean()),
        "plain_median": float(np.median(np.abs(plain))),
        "held": float(np.mean([_holds(claim, row) for claim, row in zip(claims, rows, strict=True)])),
        "rmse": float(
            np.median([abs((claim.rmse or 0) / row["rmse"] - 1) for claim, row in zip(claims, rows, strict=True)])
        ),
    }


def table(rows: Sequence[Row]) -> str:
    """Markdown, a line a run, and how far claims are off."""
    head = ["run", "judged dB", "hidden pixels, as they are", "claimed, without its place", "off by", "holds"]
    head += ["error", "claimed error"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for row in rows:
        claim = left_out(rows, row)
        cells = [f"{row['case']}, mask {row['mask']}", f"{row['gain_db']:+.2f}", f"{row['plain_db']:+.2f}"]
        cells += [f"{claim.measured_db:+.2f} ({claim.low_db:+.1f} to {claim.high_db:+.1f})"]
        cells += [f"{claim.measured_db - row['gain_db']:+.2f}", "yes" if _holds(claim, row) else "**no**"]
        cells += [f"{row['rmse']:.4f}", f"{claim.rmse:.4f} ({claim.rmse_low:.3f} to {claim.rmse_high:.3f})"]
        lines.append(f"| {' | '.join(cells)} |")
    found, scales = summary(rows), error_scales(rows)
    lines += [
        "",
        f"Claims are off by {found['median']:.2f} dB in the median (hidden pixels as they are: "
        f"{found['plain_median']:.2f}), {found['worst']:.1f} dB at worst, {found['bias']:+.2f} dB on average; "
        f"{found['held']:.0%} of {len(rows)} intervals hold; the claimed error is off by {found['rmse']:.0%} in the "
        f"median. Error scales of all places: {scales[0]:g} and {scales[1]:g}.",
    ]
    return "\n".join(lines)


def run(case: Path, mask: int) -> Row:
    """Reconstructs a case under a mask, and judges what was claimed of it."""
    from seq2seq.run.reconstruction import reconstruct

    observations, truth, asked = masked(case, mask)
    config, candidates = ReconstructionConfig(seed=mask), {}
    made = reconstruct(observations, config, progress=False, on_candidates=candidates.update)
    proof, s2 = made.assessment, observations.s2
    assert proof is not None, "every shared case has clear dates to hide from"
    blended = {name: candidates[name] for name in (LINEAR, *config.info.blended)}
    plain = interpolate_from_others(s2.pixels, s2.observed, s2.days)
    clouded = np.zeros(len(s2.dates), bool)
    clouded[[date.date for date in proof.filled if date.kind]] = True
    # The claim of a run is for all that it filled; here for what truth is known of, as clouds that were there hide it.
    filled = filled_dates(made.s2.pixels, plain, blended, asked, clouded)
    errors, of_plain = (np.square(image - truth).mean(axis=1) for image in (made.s2.pixels, plain))
    result, linear = (float(image[asked].mean(dtype=np.float64)) for image in (errors, of_plain))
    return {
        "case": case.name,
        "mask": mask,
        "gain_db": round(10 * float(np.log10(linear / result)), 3),
        "rmse": round(result**0.5, 5),
        "plain_db": round(proof.gain_db, 3),
        "scales": [_scale(filled, kind, errors, asked) for kind in (0, 1)],
        "hidden": [_short(date) for date in proof.hidden],
        "filled": [_short(date) for date in filled],
    }


def masked(case: Path, mask: int) -> tuple[Observations, Float32, Bool]:
    """Observations under a mask, the truth (T, C, H, W) where it is known, and the pixels (T, H, W) to judge."""
    with open_sequence(case / "input", ReconstructionConfig()) as source:
        given = source.read()
    s2 = given.s2
    with np.load(case / "truth.npz") as file:
        hidden, true = file["evaluate"], np.clip(file["s2"].astype(np.float32) / FULL_SCALE_DN, 0, 1)
    truth: Float32 = np.where(s2.observed[:, None], s2.pixels, true)
    known = s2.observed | hidden
    observed = s2.observed if mask == 0 else known & _moved(s2.observed, np.random.default_rng(mask))
    pixels = np.where(observed[:, None], truth, np.float32(0))
    return replace(given, s2=replace(s2, pixels=pixels, observed=observed)), truth, known & ~observed


def _moved(observed: Bool, rng: np.random.Generator) -> Bool:
    """The clouds of another date on every date, moved around and flipped."""
    moved = observed[rng.permutation(len(observed))].copy()
    for t, image in enumerate(moved):
        shifted = np.roll(image, rng.integers(image.shape), axis=(0, 1))
        moved[t] = shifted[:: rng.choice((-1, 1)), :: rng.choice((-1, 1))]
    return moved


def _scale(filled: Sequence[FilledDate], kind: int, errors: Float32, asked: Bool) -> float | None:
    """Squared error per variance of the candidates on the filled dates of a kind; None where there are none."""
    dates = [date for date in filled if date.kind == kind]
    if not dates:
        return None
    pixels = np.array([date.pixels for date in dates])
    error = np.array([errors[date.date][asked[date.date]].mean(dtype=np.float64) for date in dates])
    ratio = (pixels @ error) / (pixels @ np.array([date.variance for date in dates]))
    return float(f"{ratio / np.exp(SCATTER[kind] ** 2 / 2):.4g}")


def _short(date: HiddenDate | FilledDate) -> list[float]:
    return [value if isinstance(value, int) else float(f"{value:.{DIGITS}g}") for value in astuple(date)]


def _holds(claim: Claim, row: Row) -> bool:
    assert claim.low_db is not None
    assert claim.high_db is not None
    return claim.low_db <= float(row["gain_db"]) <= claim.high_db


def enter(row: Row) -> list[Row]:
    """The rows of claims.json with this one."""
    rows: list[Row] = json.loads(FILE.read_text()) if FILE.is_file() else []
    found = {(old["case"], old["mask"]): old for old in rows} | {(row["case"], row["mask"]): row}
    ordered = [found[key] for key in sorted(found)]
    FILE.write_text("[\n" + ",\n".join(" " + json.dumps(each) for each in ordered) + "\n]\n")
    return ordered


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", default=(*ACQUISITIONS, *CASES), metavar="CASE", help="of ../shared/data")
    parser.add_argument("--masks", nargs="+", type=int, default=[], metavar="N", help="0: the clouds of the case")
    options = parser.parse_args()
    for mask in options.masks:
        for case in options.cases:
            row = run(SHARED / "data" / case, mask)
            rows = enter(row)
            claim = claimed(row, error_scales(rows))
            print(f"{case}, mask {mask}: {row['gain_db']:+.2f} dB, claimed {claim.measured_db:+.2f}", file=sys.stderr)
    print(table(json.loads(FILE.read_text())))


if __name__ == "__main__":
    main()
