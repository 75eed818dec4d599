"""Outcomes as a table: scores pooled over cases, and paired differences with what the dates leave open.

A row pools only what its method has finished, and says of how many cases; differences to a reference are taken on the
cases that both have finished. Dates err each in its own way, so that intervals come from dates drawn again with
replacement (a cluster bootstrap, as for the gain that a run claims, `seq2seq.validation.gain`): a date of an input is
one, however many seeds have hidden it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from seq2seq.comparison.case import CaseName, Outcome
from seq2seq.comparison.scoring import GAP_CLASSES, CaseScores, Error
from seq2seq.validation.assessment import pool_scores
from seq2seq.validation.gain import MIN_DATES, DateErrors, bootstrap_db
from seq2seq.validation.metrics import Scores

ALL_GAPS = "all"
Scored = Mapping[CaseName, CaseScores]


@dataclass(frozen=True)
class Difference:
    """PSNR over a reference on the same pixels, dB: above 0 is better. low_db, high_db: where 90 % of the bootstrap
    lie; None on fewer than `MIN_DATES` dates. dates: of the hidden pixels; cases: that both have finished."""

    measured_db: float
    low_db: float | None
    high_db: float | None
    dates: int
    cases: int


@dataclass(frozen=True)
class Row:
    """One prediction on one kind of gap, or all. name: of the method; `NAME alone` is its own candidate, not blended.

    cases, of: finished, and all. by_gap, by_band: RMSE. differences: by the name of the reference. seconds: mean over
    cases; memory_gb: most. steps: made, as a share of all there were to make; None where there are none. cut: what a
    reader has to know of the row, such as `40 % of steps`; empty where nothing was cut.
    """

    gap: str
    name: str
    method: str
    alone: bool
    cases: int
    of: int
    dates: int
    scores: Scores
    by_gap: dict[str, float]
    by_band: dict[str, float]
    differences: dict[str, Difference]
    seconds: float
    memory_gb: float | None
    steps: float | None = None
    cut: str = ""


def table(outcomes: Sequence[Outcome], gaps: Sequence[str], references: Sequence[str]) -> list[Row]:
    """Rows by kind of gap, complete ones first, the best PSNR first; where there are several kinds, all together last.

    references: methods that all rows are compared with, as far as they were run.
    """
    kinds = [*gaps, *([ALL_GAPS] if len(gaps) > 1 else [])]
    return [row for kind in kinds for row in _rows(kind, outcomes, references)]


def difference(ours: Scored, theirs: Scored) -> Difference | None:
    """On the cases that both have; None where there are none."""
    both = sorted(ours.keys() & theirs.keys())
    if not both:
        return None
    pairs: dict[tuple[str, str], list[tuple[Error, Error]]] = {}
    for case in both:
        for date, error in ours[case].by_date.items():
            pairs.setdefault((case.input, date), []).append((error, theirs[case].by_date[date]))
    evidence = [_date_errors(index, found) for index, (_, found) in enumerate(sorted(pairs.items()))]
    measured, low, high = bootstrap_db(evidence)
    few = len(evidence) < MIN_DATES
    return Difference(measured, None if few else low, None if few else high, len(evidence), len(both))


def pooled_rmse(errors: Iterable[Error]) -> float:
    """Of all their pixels together."""
    found = list(errors)
    return float(np.sqrt(np.average([each.rmse**2 for each in found], weights=[each.pixels for each in found])))


def _rows(gap: str, outcomes: Sequence[Outcome], references: Sequence[str]) -> list[Row]:
    inside = [each for each in outcomes if gap in (ALL_GAPS, each.case.gap)]
    of = len({each.case for each in inside})
    compared = {name: _scored(inside, name, alone=False) for name in references}
    rows = []
    for method in dict.fromkeys(each.method for each in inside):
        for alone in (False, True):
            scored = _scored(inside, method, alone=alone)
            if scored:
                others = {name: theirs for name, theirs in compared.items() if alone or name != method}
                rows.append(_row(gap, method, alone, of, scored, others, [o for o in inside if o.method == method]))
    return sorted(rows, key=lambda row: (-row.cases, -row.scores.psnr))


def _row(
    gap: str,
    method: str,
    alone: bool,
    of: int,
    scored: Scored,
    others: Mapping[str, Scored],
    outcomes: Sequence[Outcome],
) -> Row:
    cases = list(scored.values())
    bands = dict.fromkeys(band for case in cases for band in case.by_band)
    classes = [name for name in GAP_CLASSES if any(name in case.by_gap for case in cases)]
    found = {name: difference(scored, theirs) for name, theirs in others.items()}
    seconds = [each.seconds for each in outcomes if each.seconds is not None]
    memory = [each.memory_gb for each in outcomes if each.memory_gb is not None]
    steps = _steps(outcomes)
    return Row(
        gap=gap,
        name=f"{method} alone" if alone else method,
        method=method,
        alone=alone,
        cases=len(cases),
        of=of,
        dates=len({(name.input, date) for name, case in scored.items() for date in case.by_date}),
        scores=pool_scores([case.scores for case in cases]),
        by_gap={each: pooled_rmse(case.by_gap[each] for case in cases if each in case.by_gap) for each in classes},
        by_band={each: pooled_rmse(case.by_band[each] for case in cases if each in case.by_band) for each in bands},
        differences={name: each for name, each in found.items() if each is not None},
        seconds=float(np.mean(seconds)),
        memory_gb=max(memory, default=None),
        steps=steps,
        cut=_cut(steps, of - len(cases)),
    )


def _steps(outcomes: Iterable[Outcome]) -> float | None:
    found = [(each.steps_done, each.steps_total) for each in outcomes if each.reason is None]
    total = sum(of for _, of in found)
    return sum(done for done, _ in found) / total if total else None


def _cut(steps: float | None, unfinished: int) -> str:
    """What was not done: `40 % of steps`, `1 case not finished`."""
    said = []
    if steps is not None and steps < 1:
        # 0 is none at all, and 100 would be all
        said.append(f"{min(max(round(100 * steps), 1), 99) if steps else 0} % of steps")
    if unfinished:
        said.append(f"{unfinished} {'case' if unfinished == 1 else 'cases'} not finished")
    return "; ".join(said)


def _scored(outcomes: Iterable[Outcome], method: str, *, alone: bool) -> Scored:
    own = [each for each in outcomes if each.method == method]
    found = {each.case: each.alone if alone else each.result for each in own}
    return {case: scores for case, scores in found.items() if scores is not None}


def _date_errors(index: int, pairs: Sequence[tuple[Error, Error]]) -> DateErrors:
    ours, theirs = (pooled_rmse(errors) ** 2 for errors in zip(*pairs, strict=True))
    return DateErrors(index, 0, 0, sum(error.pixels for error, _ in pairs), ours, theirs)
