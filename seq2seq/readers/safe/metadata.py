"""A product's own metadata: MTD_MSIL2A.xml, MTD_MSIL1C.xml. Paths that they state are names to us, and never opened."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from seq2seq.bands import S2_BANDS
from seq2seq.errors import InvalidPixelsError
from seq2seq.readers.contents import StatedProduct
from seq2seq.readers.sun import Sun, sun_at
from seq2seq.readers.xml_leaves import Leaf, read_leaves

_TAGS = (
    *("PRODUCT_URI", "PROCESSING_BASELINE", "GENERATION_TIME", "DATATAKE_SENSING_START", "SENSING_ORBIT_NUMBER"),
    *("SENSING_ORBIT_DIRECTION", "IMAGE_FILE", "BOA_QUANTIFICATION_VALUE", "QUANTIFICATION_VALUE", "BOA_ADD_OFFSET"),
    *("RADIO_ADD_OFFSET", "SPECIAL_VALUE_TEXT", "SPECIAL_VALUE_INDEX"),
)
_URI = re.compile(r"[A-Za-z0-9][\w.-]{0,150}")
_DAY = re.compile(r"(20\d\d-\d\d-\d\d)T(\d\d):(\d\d):(\d\d)")
_BASELINE = re.compile(r"\d\d\.\d\d")
_LISTED_IMAGE = re.compile(r"(?:^|/)[^/]*_(B(?:0[1-9]|1[0-2]|8A)|SCL)(?:_([126]0)m)?(?:\.jp2)?$")
_BAND_IDS = tuple(S2_BANDS)


@dataclass(frozen=True)
class ProductMetadata:
    """What is stated, "" or None where nothing is. datatake: its start, "20221005T115411". orbit: "D023".

    add_offsets: in DN, by band. images: the (band, gsd in m or 0) that the product consists of.
    """

    uri: str = ""
    baseline: str | None = None
    generated: str = ""
    datatake: str = ""
    orbit: str = ""
    quantification: float = 10_000.0
    nodata: float = 0.0
    add_offsets: Mapping[str, float] = field(default_factory=dict)
    images: frozenset[tuple[str, int]] = frozenset()

    def stated(self, bands: Sequence[str], *, name: str) -> StatedProduct:
        """The product as headers carry it. Raises `InvalidPixelsError` where these bands' offsets differ."""
        offsets = {self.add_offsets.get(band) for band in bands}
        if len(offsets) > 1:
            raise InvalidPixelsError(
                f"{name}: states different offsets for its bands ("
                + ", ".join(f"{band} {self.add_offsets.get(band, 0):g}" for band in bands)
                + " DN), which no product has",
                file=name,
            )
        return StatedProduct(self.baseline, next(iter(offsets), None))


def read_metadata(path: Path, *, name: str) -> ProductMetadata:
    """The metadata in a file that messages call `name`.

    Raises `UnreadableFileError` for what is no safe XML, `InvalidPixelsError` for a quantification that can be none.
    """
    leaves = read_leaves(path, _TAGS, name=name)
    texts: dict[str, str] = {}
    for leaf in leaves:
        texts.setdefault(leaf.tag, leaf.text)
    uri, baseline = texts.get("PRODUCT_URI", ""), texts.get("PROCESSING_BASELINE", "")
    return ProductMetadata(
        uri=uri if _URI.fullmatch(uri) else "",
        baseline=baseline if _BASELINE.fullmatch(baseline) else None,
        generated=texts.get("GENERATION_TIME", ""),
        datatake=_datatake(texts.get("DATATAKE_SENSING_START", "")),
        orbit=_orbit(texts),
        quantification=_quantification(texts, name),
        nodata=_nodata(leaves),
        add_offsets=_add_offsets(leaves),
        images=frozenset(
            (found[1], int(found[2] or 0))
            for leaf in leaves
            if leaf.tag == "IMAGE_FILE" and (found := _LISTED_IMAGE.search(leaf.text))
        ),
    )


def read_sun(path: Path, *, name: str) -> Sun | None:
    """The sun over a tile as its metadata state it: the first zenith and azimuth are the scene's mean.

    Those that follow are of the detectors' views. Raises `UnreadableFileError` for what is no safe XML.
    """
    angles: dict[str, float | None] = {}
    for leaf in read_leaves(path, ("ZENITH_ANGLE", "AZIMUTH_ANGLE"), name=name):
        angles.setdefault(leaf.tag, _number(leaf.text))
    zenith = angles.get("ZENITH_ANGLE")
    return sun_at(angles.get("AZIMUTH_ANGLE"), None if zenith is None else 90 - zenith)


def _datatake(text: str) -> str:
    found = _DAY.match(text)
    return f"{found[1].replace('-', '')}T{found[2]}{found[3]}{found[4]}" if found else ""


def _orbit(texts: Mapping[str, str]) -> str:
    number, direction = texts.get("SENSING_ORBIT_NUMBER", ""), texts.get("SENSING_ORBIT_DIRECTION", "")
    letter = direction[:1].upper() if direction[:1].upper() in ("A", "D") else ""
    return f"{letter}{int(number):03d}" if re.fullmatch(r"\d{1,3}", number, re.ASCII) else letter


def _quantification(texts: Mapping[str, str], name: str) -> float:
    text = texts.get("BOA_QUANTIFICATION_VALUE") or texts.get("QUANTIFICATION_VALUE") or "10000"
    value = _number(text)
    if value is None or value <= 0:
        raise InvalidPixelsError(f"{name}: states a quantification of {text[:40]!r}, must be above 0", file=name)
    return value


def _nodata(leaves: Sequence[Leaf]) -> float:
    """The DN of no data: texts and their values follow each other in pairs."""
    special = [leaf for leaf in leaves if leaf.tag.startswith("SPECIAL_VALUE_")]
    for text, value in pairwise(special):
        if (text.tag, text.text, value.tag) == ("SPECIAL_VALUE_TEXT", "NODATA", "SPECIAL_VALUE_INDEX"):
            return _number(value.text) or 0.0
    return 0.0


def _add_offsets(leaves: Sequence[Leaf]) -> dict[str, float]:
    offsets = {}
    for leaf in leaves:
        if leaf.tag in ("BOA_ADD_OFFSET", "RADIO_ADD_OFFSET"):
            number = leaf.attributes.get("band_id", "")
            value = _number(leaf.text)
            if re.fullmatch(r"\d{1,2}", number, re.ASCII) and int(number) < len(_BAND_IDS) and value is not None:
                offsets[_BAND_IDS[int(number)]] = value
    return offsets


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
