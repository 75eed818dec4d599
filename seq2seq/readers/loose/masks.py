"""Which of the cloud masks that lie beside images counts on which date, and how it becomes a layer.

A date's own mask (MASK, CLOUDS) counts before any other, then SCL, then the first of `mask_kinds.KINDS` that is there:
those that know shadows before those that know clouds alone. One kind counts a date, for a union of detectors is
cloudier than any of them. Whoever wants another leaves out what goes before it.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from seq2seq.readers.acquisitions import sample_windows
from seq2seq.readers.composed import Converted
from seq2seq.readers.contents import Raster
from seq2seq.readers.layers import Layer
from seq2seq.readers.mask_kinds import KINDS, RADAR_KINDS, SCL_NAMES, MaskKind, full_scale
from seq2seq.readers.scl import looks_like_scl, sampled_classes
from seq2seq.wording import listed

SCL: Literal["SCL"] = "SCL"
_BY_NAME = {name: kind for kind in KINDS for name in kind.names} | {
    kind.name.upper(): kind for kind in (*KINDS, *RADAR_KINDS)
}
# As they are looked for in names, the longest first: CLOUD_MASK is not CLOUD.
MASK_NAMES = tuple(sorted({*SCL_NAMES, *_BY_NAME}, key=lambda name: (-len(name), name)))
# From this day to February 2024, Earth Engine has QA60 without values.
_QA60_ENDS = np.datetime64("2022-01-25")
_QA60 = "QA60"


@dataclass(frozen=True)
class DatedMask:
    """One band that is a mask. what: a name of its kind, in capitals."""

    what: str
    raster: Raster

    @property
    def day(self) -> np.datetime64:
        """UTC."""
        return self.raster.header.date

    @property
    def kind(self) -> str:
        """SCL, or the name of its kind."""
        return SCL if self.what in SCL_NAMES else _BY_NAME[self.what].name


def radar_kind(what: str) -> MaskKind | None:
    """The kind of a mask of radar, None for one of clouds."""
    kind = _BY_NAME.get(what)
    return kind if kind in RADAR_KINDS else None


def mask_layers(found: Sequence[DatedMask]) -> tuple[list[Layer], list[str]]:
    """The masks that count as layers, and what to say about them."""
    said: list[str] = []
    masks = _with_values(_scl_by_values(found, said), said)
    order = [kind.name for kind in KINDS if kind.own] + [SCL] + [kind.name for kind in KINDS if not kind.own]
    by_day: dict[np.datetime64, list[DatedMask]] = defaultdict(list)
    for mask in masks:
        by_day[mask.day].append(mask)
    chosen, unused = [], defaultdict(set)
    for day in sorted(by_day):
        first = min((mask.kind for mask in by_day[day]), key=order.index)
        chosen += [mask for mask in by_day[day] if mask.kind == first]
        for mask in by_day[day]:
            if mask.kind != first:
                unused[mask.kind].add(first)
    said += _used(chosen)
    said += [f"{kind} is not used on dates that have {' or '.join(sorted(others))}" for kind, others in unused.items()]
    return _layers(chosen), said


def _scl_by_values(found: Sequence[DatedMask], said: list[str]) -> list[DatedMask]:
    """The same, but masks called CLOUD or MASK that hold classes of SCL are SCL; other values than 0 and 1 are told."""
    own = {kind.name for kind in KINDS if kind.own}
    values = sampled_classes([mask.raster for mask in found if mask.kind in own])
    if looks_like_scl(values):
        return [replace(mask, what=SCL) if mask.kind in own else mask for mask in found]
    if len(values - {0}) > 1:
        there = listed([str(value) for value in sorted(values)])
        said.append(f"MASK holds the values {there}: all but 0 are taken as cloud")
    return list(found)


def _with_values(masks: Sequence[DatedMask], said: list[str]) -> list[DatedMask]:
    """Without QA60 of days for which nobody filled it: it is 0 everywhere, on all of them."""
    late = [mask for mask in masks if mask.kind == _QA60 and mask.day >= _QA60_ENDS]
    if not late or any(_highest(mask.raster) for mask in late):
        return list(masks)
    days = listed(sorted({str(mask.day) for mask in late}))
    said.append(
        f"QA60 is 0 everywhere on {days}: Earth Engine left it empty from 2022-01-25 on, so it is not used there"
    )
    return [mask for mask in masks if mask not in late]


def _highest(raster: Raster) -> float:
    """The largest value in a sample, 0 where there is none."""
    highest = 0.0
    for window in sample_windows(raster.header):
        values = raster.read(window)
        finite = values[np.isfinite(values)]
        highest = max(highest, float(finite.max())) if finite.size else highest
    return highest


def _used(chosen: Sequence[DatedMask]) -> Iterator[str]:
    """What derived masks were used on how many dates; masking itself tells of SCL, and the user's own need no word."""
    for kind in KINDS:
        days = {mask.day for mask in chosen if mask.kind == kind.name}
        if days and not kind.own:
            yield f"clouds on {listed(sorted(map(str, days)))} are those of {kind.name}; masked are {kind.words}"


def _layers(chosen: Sequence[DatedMask]) -> list[Layer]:
    full: dict[str, float] = {}
    for kind in KINDS:
        rasters = [mask.raster for mask in chosen if mask.kind == kind.name]
        if kind.share and rasters:
            full[kind.name] = full_scale(max(_highest(raster) for raster in rasters), rasters[0].header.dtype)
    return [
        Layer(SCL, _called(mask.raster, SCL))
        if mask.kind == SCL
        else Layer("MASK", _flags(mask, full.get(mask.kind, 1.0)))
        for mask in chosen
    ]


def _called(raster: Raster, name: str) -> Raster:
    header = replace(raster.header, descriptions=(name,))
    return Converted(raster, header, lambda values: values)


def _flags(mask: DatedMask, full: float) -> Raster:
    """0 and 1 of one mask. full: the value of a share of 1."""
    rule = _BY_NAME[mask.what].masked
    # MSK_CLASSI_OPAQUE and _CIRRUS of a date are two masks of one kind, and no pieces side by side.
    name = mask.what if mask.kind == "MSK_CLASSI" else mask.kind
    header = replace(
        mask.raster.header, dtype="uint8", nodata=None, descriptions=(name,), scales=(1.0,), offsets=(0.0,)
    )
    return Converted(mask.raster, header, lambda values: rule(values / full if full != 1 else values))
