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
    'Beside a method, "40 % of steps": cut by its time budget there, so many of its training steps were made over all '
    'its cases, and it may do better with more time; "0 % of steps": what it trains in steps was never trained; "1 '
    'case not finished": it failed there or was stopped, see the list of what was not finished.'
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
    ahead = complete[: complete.index(ours)]
    sure = [row for row in ahead if _is_sure(row["differences"].get(OURS))]
    unsure = [row for row in ahead if row not in sure]
    told = [
        f"{text}: {_named(rows)}"
        for text, rows in (
            ("ahead of it beyond what the dates leave open", sure),
            ("ahead, but by no difference that the dates show", unsure),
        )
        if rows
    ]
    simple = " Plain linear interpolation is among them." if LINEAR in [row["name"] for row in ahead] else ""
    return [f"{OURS}, the default, is not the best here; {'; '.join(told)}.{simple}"]


def _named(rows: Sequence[Values]) -> str:
    """`harmonic +0.70 (−2.21 to +2.79) dB`, of some, and how many more there are."""
    named = [f"{row['name']} {ranged(row['differences'].get(OURS))} dB" for row in rows[:_MOST_NAMED]]
    more = len(rows) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def _elsewhere(complete: Sequence[Values]) -> list[str]:
    """Where the default method is beaten in a class of gap length, or in a band, whatever the whole says."""
    ours = next((row for row in complete if row["name"] == OURS), None)
    if ours is None:
        return []
    told = []
    for part, text in (("by_gap", "by length of the gap"), ("by_band", "by band")):
        beaten: dict[str, list[str]] = {}
        for name, error in ours[part].items():
            least = min((row for row in complete if name in row[part]), key=lambda row: float(row[part][name]))
            if fixed(least[part][name], 4) < fixed(error, 4):
                beaten.setdefault(least["name"], []).append(name)
        if beaten:
            every = len(ours[part])
            named = [f"{name} ({'all' if len(k) == every else ', '.join(k)})" for name, k in beaten.items()]
            told.append(f"{text}, {', '.join(named)}")
    return [f"Least RMSE, less than that of {OURS}: {'; '.join(told)}."] if told else []


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


def _meaning(found: Values) -> str:
    if found["low_db"] is None:
        return ", on too few dates for a range"
    return "" if _is_sure(found) else ", no difference that the dates show"


def _is_sure(found: Values | None) -> bool:
    """Whether all of the range is above 0, or below."""
    return found is not None and found["low_db"] is not None and not found["low_db"] <= 0 <= found["high_db"]
