"""Evidence of the dates that are stored 1000 DN too high, as Sentinel-2 products are since processing baseline 04.00.

Copies lie in both directions: a cube may have lost the tag that states the offset, or keep it although the offset has
been applied. So the darkest ground of each date is looked at, band by band, beside what names and metadata claim. All
floors are reflectance as stored: DN x scale, without any offset. Pure functions of numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from seq2seq.bands import NATURAL_COLOUR
from seq2seq.sequence import Float32

# From this day on ESA's products carry it; Collection 1 reprocessed older days with it too.
BASELINE_0400 = np.datetime64("2022-01-25", "D")
SHIFT = 0.1  # 1000 DN of reflectance x 10000
# Water, shadow or dense vegetation reflect less than this in the two darkest bands; what is shifted cannot.
DARKEST_SHIFTED = 0.075
# After the shift is taken away, the darkest ground of land is below 0.06; above are clouds, snow and deserts.
BRIGHTEST_SHIFTED = 0.16
BRIGHTEST_VISIBLE = 0.17
# A shift lifts dark and medium ground of all bands by the same 1000 DN. Haze lifts blue more than infrared, a cloud
# medium ground more than dark, a season some bands: most of the quantiles agree within the first, nearly all within the
# second tolerance.
QUANTILES = (0.005, 0.25, 0.5)
SAME_SHIFT = 0.025
ROUGHLY_SAME_SHIFT = 0.05
NEARLY_ALL = 0.8
NEIGHBOURS = 5
# Without any claim, one date alone may be haze; in a long series several are, by chance.
FEWEST_UNCLAIMED = 2
LEAST_UNCLAIMED_SHARE = 0.05
FEWEST_WHOLLY = 3
STEADY_FLOOR = 0.03
# A declared offset that leaves the darkest ground this far below 0 was applied before.
APPLIED_TWICE = -0.04

UNCLAIMED_OLD, UNCLAIMED_LATE = (None, False), (None, True)

Reason = Literal["declared", "values", "wholly", "claim", "neighbour", "none", "ambiguous", "harmonised"]


@dataclass(frozen=True, eq=False)
class DateEvidence:
    """The evidence on one date. quantiles: (Q, C) those of `QUANTILES` over usable pixels, NaN without any.

    declared: the offset in reflectance that the file's own tags state, 0 without. claimed: what the product's name or
    its metadata say of a shift, None where they say nothing.
    """

    date: np.datetime64
    quantiles: Float32
    declared: float
    claimed: bool | None

    @property
    def floors(self) -> Float32:
        """(C,) the darkest ground."""
        return np.asarray(self.quantiles[0])

    @property
    def level(self) -> float:
        """Mean floor of the two darkest bands; NaN without data."""
        return float(np.sort(self.floors)[:2].mean())

    @property
    def group(self) -> tuple[bool | None, bool]:
        """Dates of one group were most probably made in the same way."""
        return self.claimed, self.claimed is None and bool(self.date >= BASELINE_0400)


@dataclass(frozen=True)
class Verdict:
    """shifted: 1000 DN are to be taken away; None: not known yet. reason: what it rests on."""

    shifted: bool | None
    reason: Reason


def judge_dates(evidence: Sequence[DateEvidence], bands: Sequence[str]) -> list[Verdict]:
    """A verdict with a `shifted` of True or False for each date."""
    verdicts = [_by_itself(one, evidence) for one in evidence]
    verdicts = _judge_groups(evidence, verdicts)
    if not any(_is_dark(one) for one in evidence):
        verdicts = _judge_wholly(evidence, verdicts, bands)
    return [_settled(index, evidence, verdicts) for index in range(len(evidence))]


def applied_twice(one: DateEvidence) -> bool:
    """True where the declared offset cannot be: without it values are right, with it the ground is below nothing."""
    return one.declared < 0 and one.level + one.declared < APPLIED_TWICE


def _by_itself(one: DateEvidence, evidence: Sequence[DateEvidence]) -> Verdict:
    """By its own values and those of near dates that are known to be right."""
    if one.declared:
        return Verdict(False, "declared")
    if one.claimed is False:
        return Verdict(False, "none")
    if np.isnan(one.level):
        return Verdict(None, "none")
    if one.level < DARKEST_SHIFTED:
        return Verdict(False, "harmonised" if one.claimed else "none")
    references = sorted((other for other in evidence if _is_dark(other)), key=lambda other: abs(other.date - one.date))
    if references and _is_shifted_from(one, references[:NEIGHBOURS]):
        return Verdict(True, "values")
    return Verdict(None, "none")


def _is_dark(one: DateEvidence) -> bool:
    """Whether it shows how dark this place is: its reflectance is known, and some ground is dark."""
    return not np.isnan(one.level) and one.level + one.declared < DARKEST_SHIFTED


def _is_shifted_from(one: DateEvidence, references: Sequence[DateEvidence]) -> bool:
    """Whether dark and medium ground of all bands lies 1000 DN higher than usual here."""
    usual = np.median([other.quantiles + other.declared for other in references], axis=0)
    off = np.abs(one.quantiles - usual - SHIFT)
    return bool(np.median(off) <= SAME_SHIFT and (off <= ROUGHLY_SAME_SHIFT).mean() >= NEARLY_ALL)


def _judge_groups(evidence: Sequence[DateEvidence], verdicts: Sequence[Verdict]) -> list[Verdict]:
    """What was made in the same way is shifted on all dates or on none; old dates without a claim may be mixed."""
    judged = list(verdicts)
    dark = [one for one in evidence if _is_dark(one)]
    for group in {one.group for one in evidence}:
        members = {index: verdicts[index] for index, one in enumerate(evidence) if one.group == group}
        right = next((one for one in members.values() if one.shifted is False and one.reason != "declared"), None)
        if group == UNCLAIMED_OLD:
            lifted = [index for index in members if _is_lifted(evidence[index], dark)]
            members = _judge_old(members, lifted, dates=len(evidence))
        elif right is not None:
            members = {index: right if one.shifted is not False else one for index, one in members.items()}
        elif _are_shifted_from([evidence[index] for index in members], dark):
            members = {index: Verdict(True, "values") if one.shifted is None else one for index, one in members.items()}
        for index, verdict in members.items():
            judged[index] = verdict
    return judged


def _judge_old(verdicts: Mapping[int, Verdict], lifted: Sequence[int], *, dates: int) -> dict[int, Verdict]:
    """Each by itself. `lifted` may be shifted, or hazy: few of all dates are not believed, several are worth a word."""
    shifted = [index for index, one in verdicts.items() if one.shifted]
    if len(shifted) >= max(FEWEST_UNCLAIMED, LEAST_UNCLAIMED_SHARE * dates):
        return {index: Verdict(False, "ambiguous") if one.shifted is None else one for index, one in verdicts.items()}
    doubtful = {*shifted, *(lifted if len(lifted) >= FEWEST_WHOLLY else ())}
    return {index: Verdict(False, "ambiguous") if index in doubtful else one for index, one in verdicts.items()}


def _is_lifted(one: DateEvidence, references: Sequence[DateEvidence]) -> bool:
    """Whether the darkest ground is 1000 DN brighter than usual."""
    if not references or np.isnan(one.level) or _is_dark(one):
        return False
    usual = float(np.median([other.level + other.declared for other in references]))
    return abs(one.level - usual - SHIFT) <= SAME_SHIFT


def _are_shifted_from(group: Sequence[DateEvidence], references: Sequence[DateEvidence]) -> bool:
    """Whether the darkest ground of all dates of a group lies 1000 DN above that of all others, in all bands."""
    with_data = [one for one in group if not np.isnan(one.level)]
    if len(with_data) < FEWEST_WHOLLY or not references:
        return False
    darkest = np.min([other.floors + other.declared for other in references], axis=0)
    off = np.abs(np.min([one.floors for one in with_data], axis=0) - darkest - SHIFT)
    return bool(np.median(off) <= SAME_SHIFT and (off <= ROUGHLY_SAME_SHIFT).mean() >= NEARLY_ALL)


def _judge_wholly(evidence: Sequence[DateEvidence], verdicts: list[Verdict], bands: Sequence[str]) -> list[Verdict]:
    """No date shows dark ground: all are shifted alike, or the place is bright."""
    open_ones = [one for one, verdict in zip(evidence, verdicts, strict=True) if verdict.shifted is None]
    dated = [one for one in open_ones if DARKEST_SHIFTED <= one.level <= BRIGHTEST_SHIFTED]
    if not dated:
        return verdicts
    floors = np.min([one.floors for one in dated], axis=0)
    visible = [float(floor) for band, floor in zip(bands, floors, strict=True) if band in NATURAL_COLOUR]
    levels = [one.level for one in dated]
    lowest = [level for level in levels if level <= min(levels) + STEADY_FLOOR]
    looks_shifted = len(visible) > 1 and max(visible) <= BRIGHTEST_VISIBLE
    steady = len(lowest) >= FEWEST_WHOLLY
    return [
        _wholly(one, verdict, looks_shifted=looks_shifted, steady=steady)
        for one, verdict in zip(evidence, verdicts, strict=True)
    ]


def _wholly(one: DateEvidence, verdict: Verdict, *, looks_shifted: bool, steady: bool) -> Verdict:
    if verdict.shifted is not None or one.claimed:
        return verdict
    if looks_shifted and (steady or one.group == UNCLAIMED_LATE):
        return Verdict(True, "wholly")
    return Verdict(False, "ambiguous")


def _settled(index: int, evidence: Sequence[DateEvidence], verdicts: Sequence[Verdict]) -> Verdict:
    """What a date's own values leave open is as on the nearest date of its group, else as it claims."""
    one, verdict = evidence[index], verdicts[index]
    if verdict.shifted is not None:
        return verdict
    known = [
        (abs(other.date - one.date), theirs)
        for other, theirs in zip(evidence, verdicts, strict=True)
        if other.group == one.group and theirs.shifted is not None and theirs.reason != "declared"
    ]
    if known:
        nearest = min(known, key=lambda pair: pair[0])[1]
        return replace(nearest, reason="neighbour" if nearest.shifted else nearest.reason)
    if one.claimed:
        return Verdict(True, "claim")
    return Verdict(False, "ambiguous" if one.group == UNCLAIMED_LATE and not np.isnan(one.level) else "none")
