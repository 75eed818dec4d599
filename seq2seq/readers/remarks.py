"""Oddities of S2 files that are no errors: one line each for `SequenceInfo.warnings`."""

from collections.abc import Iterator, Sequence

from seq2seq.readers.acquisitions import OpticalAcquisition
from seq2seq.readers.names import listed_files


def optical_remarks(s2: Sequence[OpticalAcquisition]) -> Iterator[str]:
    """All that apply."""
    yield from _assumed_bands(s2[0])
    yield from _mixed_scales(s2)


def _assumed_bands(first: OpticalAcquisition) -> Iterator[str]:
    if not any(first.raster.header.descriptions):
        names = ", ".join(first.bands)
        yield f"S2 bands have no names; taken in the order of {len(first.bands)}-band products: {names}"


def _mixed_scales(s2: Sequence[OpticalAcquisition]) -> Iterator[str]:
    first = s2[0]
    headers = [acquisition.raster.header for acquisition in s2 if acquisition.radiometry != first.radiometry]
    if headers:
        others = listed_files([(header.name, header.date) for header in headers])
        yield (
            f"{others}: scale, offset or no-data value differ from {first.raster.header.name}, "
            f"after which results are stored (scale {first.radiometry.scale:g}, offset {first.radiometry.offset:g})"
        )
