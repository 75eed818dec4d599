"""What is odd about the S2 files without being wrong: one line each for `SequenceInfo.warnings`."""

from collections.abc import Iterator, Sequence

import numpy as np

from seq2seq.readers.acquisitions import OpticalAcquisition
from seq2seq.readers.names import listed
from seq2seq.readers.scan import Scan

# From this day on products carry an offset of -1000 DN (processing baseline 04.00), unless they were harmonised.
BASELINE_0400 = np.datetime64("2022-01-25", "D")
BASELINE_0400_OFFSET = 0.1
# Under more cloud than this nothing dark may be in sight, and the smallest value tells nothing.
_MOSTLY_CLEAR = 0.5


def optical_remarks(s2: Sequence[OpticalAcquisition], scanned: Scan) -> Iterator[str]:
    """All that apply."""
    yield from _assumed_bands(s2[0])
    yield from _mixed_scales(s2)
    yield from _undeclared_offset(s2, scanned)


def _assumed_bands(first: OpticalAcquisition) -> Iterator[str]:
    if not any(first.raster.header.descriptions):
        names = ", ".join(first.bands)
        yield f"S2 bands have no names; taken in the order of {len(first.bands)}-band products: {names}"


def _mixed_scales(s2: Sequence[OpticalAcquisition]) -> Iterator[str]:
    first = s2[0]
    others = [acquisition.raster.header.name for acquisition in s2 if acquisition.radiometry != first.radiometry]
    if others:
        yield (
            f"{listed(others)}: scale, offset or no-data value differ from {first.raster.header.name}, "
            f"after which results are stored (scale {first.radiometry.scale:g}, offset {first.radiometry.offset:g})"
        )


def _undeclared_offset(s2: Sequence[OpticalAcquisition], scanned: Scan) -> Iterator[str]:
    """Later products in which nothing is dark have probably lost the tag that states their offset."""
    suspects = [
        (acquisition.raster.header.name, lowest)
        for acquisition, lowest, cloudy in zip(s2, scanned.lowest, scanned.cloud_fractions, strict=True)
        if acquisition.raster.header.date >= BASELINE_0400
        and acquisition.radiometry.is_integer
        and acquisition.radiometry.offset == 0
        and cloudy < _MOSTLY_CLEAR
    ]
    if suspects and (darkest := min(lowest for _, lowest in suspects)) >= BASELINE_0400_OFFSET:
        yield (
            f"{listed([name for name, _ in suspects])}: no reflectance below {darkest:.2f}; if these are products of "
            "processing baseline 04.00 or later, state their offset in the files (-0.1, with scale 0.0001)"
        )
