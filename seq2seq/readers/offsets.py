"""The offset of -1000 DN that Sentinel-2 products have since processing baseline 04.00: looked for, applied, said."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from seq2seq.errors import InvalidPixelsError
from seq2seq.radiometry import S2_SCALE
from seq2seq.readers.acquisitions import OpticalAcquisition, sample_windows
from seq2seq.readers.contents import CloudMask, Header
from seq2seq.readers.offset_evidence import QUANTILES, SHIFT, DateEvidence, Reason, Verdict, applied_twice, judge_dates
from seq2seq.readers.stated import baseline_in_name
from seq2seq.sequence import Bool, Float32
from seq2seq.wording import listed

S2Offset = Literal["auto", "tags", "0", "-1000"]

_FEWEST_PIXELS = 50
_FIRST_BASELINE = 4
_WORDS: dict[Reason, str] = {
    "values": "all bands lie about 1000 DN higher there than on other dates",
    "wholly": "no date has ground that is darker, and less 1000 DN it is as dark as land is",
    "claim": "their name or metadata say so, and no pixel of theirs contradicts",
    "neighbour": "as on the nearest date that shows it, for clouds hide theirs",
}


def settle_offsets(
    s2: Sequence[OpticalAcquisition], masks: Sequence[CloudMask | None], setting: S2Offset
) -> tuple[list[OpticalAcquisition], tuple[str, ...]]:
    """The acquisitions, each read with the right offset, and what was decided on which dates, with its numbers.

    setting: `auto` looks at names, metadata and values of each date; `tags` believes the files; `0` and `-1000` hold
    for all dates, in DN of reflectance x 10000. Raises `InvalidPixelsError` where a file states an offset that its
    values contradict.
    """
    if setting == "tags":
        return list(s2), ()
    if setting != "auto":
        offset = float(setting) * S2_SCALE
        return [_shifted(one, offset) for one in s2], (f"S2 offset {setting} DN on all dates, as set (s2_offset)",)
    evidence = [_evidence(one, mask) for one, mask in zip(s2, masks, strict=True)]
    _check_declared(s2, evidence)
    verdicts = judge_dates(evidence, s2[0].bands)
    settled = [_shifted(one, -SHIFT) if verdict.shifted else one for one, verdict in zip(s2, verdicts, strict=True)]
    return settled, tuple(_remarks(evidence, verdicts))


def _claim(header: Header) -> bool | None:
    """Whether the name or the metadata say that the values are shifted; None where they say nothing."""
    if header.product.add_offset is not None:
        return header.product.add_offset != 0
    baseline = header.product.baseline or baseline_in_name(header.name)
    if baseline is None or baseline.startswith("99"):  # 99.99: a test product
        return None
    return int(baseline.split(".")[0]) >= _FIRST_BASELINE


def _evidence(one: OpticalAcquisition, mask: CloudMask | None) -> DateEvidence:
    header = one.raster.header
    return DateEvidence(header.date, _quantiles(one, mask), one.radiometry.offset, _claim(header))


def _quantiles(one: OpticalAcquisition, mask: CloudMask | None) -> Float32:
    """(Q, C) reflectance as stored, of a sample of the usable pixels."""
    parts = []
    for window in sample_windows(one.raster.header):
        dn = one.raster.read(window)
        usable: Bool = one.radiometry.has_data(dn)
        if mask is not None:
            usable &= ~mask.read(window)
        parts.append(dn[:, usable])
    values = np.concatenate(parts, axis=1)  # (C, n)
    if values.shape[1] < _FEWEST_PIXELS:
        return np.full((len(QUANTILES), len(values)), np.nan, dtype=np.float32)
    quantiles = np.quantile(values, QUANTILES, axis=1, method="lower")
    return np.asarray(quantiles * one.radiometry.scale, dtype=np.float32)


def _shifted(one: OpticalAcquisition, offset: float) -> OpticalAcquisition:
    return replace(one, radiometry=replace(one.radiometry, offset=offset))


def _check_declared(s2: Sequence[OpticalAcquisition], evidence: Sequence[DateEvidence]) -> None:
    twice = [(one, known) for one, known in zip(s2, evidence, strict=True) if applied_twice(known)]
    if not twice:
        return
    one, known = twice[0]
    header = one.raster.header
    raise InvalidPixelsError(
        f"{header.name}: states an offset of {_dn(known.declared)} DN, but its darkest ground is {_dn(known.level)} "
        f"DN, reflectance {known.level + known.declared:.3f} after it; so on {len(twice)} of {len(s2)} dates. Set "
        "s2_offset to 0 if it was applied already, to tags if it is right",
        file=header.name,
        date=header.date,
    )


def _remarks(evidence: Sequence[DateEvidence], verdicts: Sequence[Verdict]) -> Iterator[str]:
    for reason, words in _WORDS.items():
        if found := _of(evidence, verdicts, reason):
            yield (
                f"S2 offset -1000 DN applied on {_dates(found)} (darkest ground {_levels(found)}{_usual(evidence)}): "
                f"{words}; s2_offset = 0 or tags says otherwise"
            )
    if found := _of(evidence, verdicts, "harmonised"):
        yield (
            f"no S2 offset applied on {_dates(found)} though their product has one: ground of {_levels(found)} shows "
            "that it was applied before; s2_offset = -1000 says otherwise"
        )
    if found := _of(evidence, verdicts, "ambiguous"):
        yield (
            f"no S2 offset applied on {_dates(found)}, where nothing is darker than {_levels(found)}: a bright place "
            "or haze, or products of processing baseline 04.00 or later that lost their offset; s2_offset = -1000 or 0 "
            "says which"
        )


def _of(evidence: Sequence[DateEvidence], verdicts: Sequence[Verdict], reason: Reason) -> list[DateEvidence]:
    return [one for one, verdict in zip(evidence, verdicts, strict=True) if verdict.reason == reason]


def _usual(evidence: Sequence[DateEvidence]) -> str:
    usual = [one.level for one in evidence if one.level + one.declared < SHIFT / 2]
    return f", {_dn(float(np.median(usual)))} DN on other dates" if usual else ""


def _dates(found: Sequence[DateEvidence]) -> str:
    return listed([str(one.date) for one in found])


def _levels(found: Sequence[DateEvidence]) -> str:
    levels = [one.level for one in found if not np.isnan(one.level)]
    if not levels:
        return "not in sight"
    low, high = _dn(min(levels)), _dn(max(levels))
    return f"{low} DN" if low == high else f"{low} to {high} DN"


def _dn(reflectance: float) -> str:
    return f"{reflectance / S2_SCALE:.0f}"
