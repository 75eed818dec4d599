"""A fit of `guided`, and closed forms beside it: as many as the time allows.

Steps, state and second fit are those of `guided`. A member is made in `start`, as one cached stage more. A member that
was left out says nothing: its candidate is nowhere finite, and the blend takes no such candidate.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from seq2seq.methods.base import Arrays, Cached, Fit, MethodInfo, RunContext, Shape
from seq2seq.methods.best import INFO, MEMBERS
from seq2seq.methods.best.settings import BestSettings
from seq2seq.methods.guided import INFO as GUIDED
from seq2seq.methods.guided.method import Guided
from seq2seq.sequence import Float32, Observations

CHOSEN = "members"


def affordable(shape: Shape, *, s1: bool, seconds: float | None) -> tuple[MethodInfo, ...]:
    """Chooses the members that take no more than `seconds` together by their costs, the first ones first; None: all.

    s1: whether there is radar; without it those that need it are left out.
    """
    found, taken = [], 0.0
    for info in MEMBERS:
        cost = info.cost(shape, info.settings()).seconds
        if (info.needs_s1 and not s1) or (seconds is not None and taken + cost > seconds):
            continue
        found.append(info)
        taken += cost
    return tuple(found)


def stage_of_member(info: MethodInfo) -> str:
    """Names the stage of a member's candidates."""
    return f"member-{info.name}"


class _Member:
    """A closed form of the same tile. It is fitted when it is asked for what no stage holds.

    earlier: the same member of the first fit, which then predicts for this one too: what it has learnt is the scene's.
    """

    def __init__(
        self, info: MethodInfo, visible: Observations, context: RunContext, earlier: "_Member | None" = None
    ) -> None:
        self._info, self._visible, self._earlier = info, visible, earlier
        self._context = replace(context, cached=_prefixed(context.cached, info.name), expect=_heard_of)
        self._candidates = context.cached(stage_of_member(info), lambda: self.fit.predict(visible))

    @cached_property
    def fit(self) -> Fit:
        """The fit that predicts."""
        if self._earlier is not None:
            return self._earlier.fit
        self._context.check_stop()
        return self._info.load()(self._info.settings()).start(self._visible, self._context, None)

    def predict(self, visible: Observations) -> Arrays:
        """Predicts its candidates from what is visible now."""
        if np.array_equal(visible.s2.observed, self._visible.s2.observed):
            return self._candidates
        return self.fit.predict(visible)


def _heard_of(shares: Mapping[str, float]) -> None:
    """Ignores the stages of a member, which is one stage itself."""


def _prefixed(cached: Cached, name: str) -> Cached:
    return lambda stage, make: cached(f"{name}-{stage}", make)


class BestFit:
    """`guided` with its members, of one tile."""

    def __init__(self, ours: Fit, members: Mapping[str, _Member]) -> None:
        self._ours, self._members = ours, members

    @property
    def ours(self) -> Fit:
        """The fit of `guided`."""
        return self._ours

    @property
    def members(self) -> Mapping[str, _Member]:
        """Those that are there, by the names of their methods."""
        return self._members

    @property
    def steps_total(self) -> int:
        """Steps of `guided`."""
        return self._ours.steps_total

    @property
    def steps_done(self) -> int:
        """Steps made so far."""
        return self._ours.steps_done

    def step(self, elapsed_share: float | None = None) -> float:
        """Makes one update of `guided`."""
        return self._ours.step(elapsed_share)

    def predict(self, visible: Observations) -> dict[str, Float32]:
        """Predicts what `guided` does, and each member's candidate; not a number, of one that was left out."""
        silent = np.broadcast_to(np.float32(np.nan), visible.s2.shape)
        predicted = dict.fromkeys(INFO.candidates, silent) | self._ours.predict(visible)
        for member in self._members.values():
            predicted.update(member.predict(visible))
        return predicted

    def state_dict(self) -> dict[str, Any]:
        """Returns the state of `guided`; members are cached."""
        return self._ours.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from `state_dict`."""
        self._ours.load_state_dict(state)


class Best:
    """The method behind the interface of all methods."""

    def __init__(self, settings: BestSettings) -> None:
        self._settings = settings

    def start(self, visible: Observations, context: RunContext, warm: Any) -> BestFit:
        """Prepares `guided` and makes the members that its time leaves room for; a second fit has those of the first.

        warm: a `BestFit`. The choice goes by costs, not by the clock, and is cached: it is the same after a resume.
        """
        members = self._chosen(visible, context, warm)
        costs = {info.name: info.cost(visible.s2.shape, info.settings()).seconds for info in members}
        seconds = None if context.seconds is None else context.seconds - sum(costs.values())
        ours_s = GUIDED.preparing_share * GUIDED.cost(visible.s2.shape, self._settings).seconds
        of_all = ours_s + sum(costs.values())

        def expect(shares: Mapping[str, float]) -> None:
            ahead = {name: share * ours_s / of_all for name, share in shares.items()}
            context.expect({**ahead, **{stage_of_member(info): costs[info.name] / of_all for info in members}})

        # `guided` prepares and steps exactly as it does alone
        alone = replace(context, seconds=seconds, expect=expect)
        ours = Guided(self._settings).start(visible, alone, None if warm is None else warm.ours)
        made = {}
        for info in members:
            context.check_stop()
            limit = None if context.seconds is None else costs[info.name]
            earlier = None if warm is None else warm.members[info.name]
            made[info.name] = _Member(info, visible, replace(context, seconds=limit), earlier)
        return BestFit(ours, made)

    def _chosen(self, visible: Observations, context: RunContext, warm: Any) -> list[MethodInfo]:
        def choose() -> Arrays:
            limit = None if context.seconds is None else self._settings.members_share * context.seconds
            found = affordable(visible.s2.shape, s1=visible.s1 is not None, seconds=limit)
            return {CHOSEN: np.array([info in found for info in MEMBERS])}

        if warm is not None:
            return [info for info in MEMBERS if info.name in warm.members]
        chosen = context.cached(CHOSEN, choose)[CHOSEN]
        return [info for info, there in zip(MEMBERS, chosen, strict=True) if there]
