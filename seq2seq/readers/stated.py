"""Statements of names and metadata about the Sentinel-2 product that a file was made of: its baseline, its offset."""

import re
from collections.abc import Mapping

from seq2seq.readers.contents import StatedProduct

_PRODUCT_NAME = re.compile(r"S2[A-D]_MSIL(?:1C|2A)_\d{8}T\d{6}_N(\d\d)(\d\d)_")
# A name may hold a colon, at which GDAL parts name and value: `s2` and `processing_baseline=05.00`.
_BASELINE = re.compile(r"(?i)(?:^|[:=])processing_baseline[=:]\s*(\d{1,2})\.(\d\d)\s*$")
_ADD_OFFSET = re.compile(r"(?i)(?:^|[:=])(?:boa|radio)_add_offset\w*[=:]\s*([-+]?\d{1,6}(?:\.\d*)?)\s*$")
_APPLIED = re.compile(r"(?i)(?:^|[:=])boa_offset_applied[=:]\s*true\s*$")
_LONGEST = 500


def baseline_in_name(name: str) -> str | None:
    """ "04.00" from `S2A_MSIL2A_20221005T115411_N0400_R023_...`, None from other names."""
    found = _PRODUCT_NAME.search(name)
    return f"{found[1]}.{found[2]}" if found else None


def stated_product(tags: Mapping[str, str]) -> StatedProduct:
    """The product as a file's metadata state it, as GDAL's Sentinel-2 driver, STAC exports and others name it."""
    lines = [f"{key}={str(value)[:_LONGEST]}" for key, value in sorted(tags.items())]
    versions = [found for line in lines if (found := _BASELINE.search(line))]
    named = [version for line in lines if (version := baseline_in_name(line))]
    offsets = [float(found[1]) for line in lines if (found := _ADD_OFFSET.search(line))]
    applied = any(_APPLIED.search(line) for line in lines)
    return StatedProduct(
        baseline=f"{int(versions[0][1]):02d}.{versions[0][2]}" if versions else next(iter(named), None),
        add_offset=0.0 if applied else next(iter(offsets), None),
    )
