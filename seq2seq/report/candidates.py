"""Names and colours of what a report compares: the result, its rivals, and the candidates it is blended from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

RESULT, LINEAR, NEAREST = "result", "linear", "nearest"
# A name in prose, and in the heads of wide tables. Candidates that are not here are called by their own names.
TITLES: Mapping[str, tuple[str, str]] = {
    RESULT: ("This result", "Result"),
    LINEAR: ("Linear interpolation", "Linear"),
    NEAREST: ("Nearest clear date", "Nearest"),
}


def titles_with(candidates: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """`TITLES` and those of a method's candidates by name, which stand after the result."""
    own = {name: (f"{title} alone", title) for name, title in candidates.items() if name not in TITLES}
    return {RESULT: TITLES[RESULT], **own, **TITLES}


# What everything is measured against keeps its colour in every report; other candidates take the next free one.
_FIXED = (RESULT, LINEAR, NEAREST)
_COLOURS = 4  # report.css has candidate-0 to candidate-3, and other


@dataclass(frozen=True)
class Candidate:
    """One prediction: `name` in report.json, what people call it, and the class of its colour in report.css."""

    name: str
    title: str
    short: str
    colour: str


def candidates(names: Iterable[str], titles: Mapping[str, tuple[str, str]] = TITLES) -> dict[str, Candidate]:
    """By name: those that have titles in their order, then others by name."""
    known = list(titles)
    ordered = sorted(set(names), key=lambda name: (known.index(name) if name in titles else len(known), name))
    free = [name for name in ordered if name not in _FIXED]
    colours = {name: f"candidate-{index}" if index < _COLOURS else "other" for index, name in enumerate(free)}
    return {name: Candidate(name, *titles.get(name, (name, name)), colour=colours.get(name, name)) for name in ordered}
