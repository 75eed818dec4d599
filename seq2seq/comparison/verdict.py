"""What a table says, in sentences: which method is best, by how much, and where the default method is not.

Made from the rows as results.json holds them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from seq2seq.config import ReconstructionConfig
from seq2seq.report.figures import fixed, ranged
from seq2seq.validation.holdout import LINEAR

Values = Mapping[str, Any]
OURS = ReconstructionConfig.method
LEGEND = (
    "In brackets after a method: `40 % of steps` was cut by its time budget there, over all its cases, and may do "
    "better with more time; `0 % of steps, never trained` had no time for any; `1 case not finished` failed or was "
    "stopped."
)
# Methods that are told one by one.
_MOST_NAMED = 4


def verdicts(rows: Sequence[Values]) -> dict[str, list[str]]:
    """Sentences by kind of gap."""
    gaps = dict.fromkeys(row["gap"] for row in rows)
    return {gap: verdict([row for row in rows if row["gap"] == gap]) for gap in gaps}


def verdict(rows: Sequence[Values]) -> list[str]:
    """Sentences on one table. rows: complete ones first, the best first; at least one."""
    delivered = [row for row in rows if not row["alone"]]
    complete = [row for row in delivered if row["cases"] == row["of"]]
    if not complete:
        return ["No method has finished every case, so that none is called the best."]
    best = complete[0]
    return [
        _best(best, len(complete)),
        *_on_ours(best, complete),
        *_elsewhere(complete),
        *_alone(best, rows),
        *_cut(complete),
    ]


def _best(best: Values, of: int) -> str:
    over = [
        f"{ranged(found)} dB over {name}{_meaning(found)}" for name, found in best["differences"].items()
    ]  # none over itself
    return (
        f"Best of {of} here: {best['name']}, {fixed(best['scores']['psnr'], 2)} dB"
        + "".join(f", {each}" for each in over)
        + "."
    )


def _on_ours(best: Values, complete: Sequence[Values]) -> list[str]:
    ours = next((row for row in complete if row["name"] == OURS), None)
    if ours is None or ours is best:
        return []
    ahead = [(row["name"], row["differences"].get(OURS)) for row in complete[: complete.index(ours)]]
    named = [f"{name} {ranged(found)} dB{_meaning(found)}" for name, found in ahead[:_MOST_NAMED]]
    more = len(ahead) - len(named)
    text = ", ".join(named) + (f" and {more} more" if more else "")
    simple = " Linear interpolation alone is better than it." if LINEAR in dict(ahead) else ""
    return [f"{OURS}, the default, is not the best here: ahead of it {_are(len(ahead))} {text}.{simple}"]


def _elsewhere(complete: Sequence[Values]) -> list[str]:
    """Where the default method is beaten in a class of gap length, or in a band, whatever the whole says."""
    ours = next((row for row in complete if row["name"] == OURS), None)
    if ours is None:
        return []
    beaten = []
    for part in ("by_gap", "by_band"):
        for name, error in ours[part].items():
            least = min((row for row in complete if name in row[part]), key=lambda row: float(row[part][name]))
            if fixed(least[part][name], 4) < fixed(error, 4):
                beaten.append(f"{name} ({least['name']} {fixed(least[part][name], 4)}, {OURS} {fixed(error, 4)})")
    return [f"Less RMSE than {OURS} has: {', '.join(beaten)}."] if beaten else []


def _alone(best: Values, rows: Sequence[Values]) -> list[str]:
    above = next((row for row in rows if row["alone"] and row["cases"] == row["of"]), None)
    if above is None or above["scores"]["psnr"] <= best["scores"]["psnr"]:
        return []
    return [
        f"{above['name']}, not blended and so not what a run delivers, reaches {fixed(above['scores']['psnr'], 2)} dB."
    ]


def _cut(complete: Sequence[Values]) -> list[str]:
    cut = [f"{row['name']} ({row['cut']})" for row in complete if row["cut"]]
    others = "the order may be another with more time"
    return [f"Cut by the time budget: {', '.join(cut)}; {others}."] if cut else []


def _meaning(found: Values | None) -> str:
    if found is None or found["low_db"] is None:
        return ", on too few dates for a range" if found else ""
    return ", no difference that the dates show" if found["low_db"] <= 0 <= found["high_db"] else ""


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
