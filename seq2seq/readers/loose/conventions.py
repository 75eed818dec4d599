"""The names of published products, as far as a date, a sensor or a band in them needs more than common sense.

One convention a line of `CONVENTIONS`: a pattern of the whole stem, in capitals, and what a match says. Light.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from seq2seq.bands import L1C, L2A_10, S1_BANDS

_SEN2R_NO_BAND_10 = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B09", "B11", "B12")
_POLARISATIONS = ("VV", "VH", "HH", "HV")


@dataclass(frozen=True)
class Stated:
    """What a convention says about a file; what it leaves out is found as in other names.

    bands: of the file, in their order. mask: name of its kind, "SCL", or of radar's. skip: what it is, where nothing
    is to be read from it. offset_applied: no offset is left in the values. amplitude: backscatter is no power.
    product: radar images and the masks that belong to them share it.
    """

    sensor: str | None = None
    bands: tuple[str, ...] = ()
    mask: str | None = None
    skip: str | None = None
    offset_applied: bool = False
    amplitude: bool = False
    orbit: str = ""
    product: str = ""


def _force(match: re.Match[str]) -> Stated:
    if not match["sensor"].startswith("SEN2"):
        return Stated(skip=f"{match['sensor']} of FORCE")
    if match["what"] == "QAI":
        return Stated(sensor="S2", mask="QAI")
    if match["what"] != "BOA":
        return Stated(skip=f"{match['what']} of FORCE")
    return Stated(sensor="S2", bands=L2A_10, offset_applied=True)


def _sen2r(match: re.Match[str]) -> Stated:
    orbit, what = match["orbit"], match["what"]
    if what in ("SCL", "CLD"):
        return Stated(sensor="S2", mask="SCL" if what == "SCL" else "MSK_CLDPRB", orbit=orbit)
    if what not in ("BOA", "TOA"):
        return Stated(skip=f"{what} of sen2r")
    # It keeps one of two: B08 in 10 m, B8A in coarser products; the bands go by number.
    bands = tuple(("B8A" if band == "B08" and match["res"] != "10" else band) for band in _SEN2R_NO_BAND_10)
    return Stated(sensor="S2", bands=(*bands[:9], "B10", *bands[9:]) if what == "TOA" else bands, orbit=orbit)


def _hyp3(match: re.Match[str]) -> Stated:
    what, product = match["what"] or "", match["product"]
    if what in _POLARISATIONS:
        return Stated(sensor="S1", bands=(what,), amplitude=match["unit"] == "A", product=product)
    if what == "LS_MAP":
        return Stated(sensor="S1", mask="LS_MAP", product=product)
    return Stated(skip=f"{what or 'an extra'} of HyP3")


def _opera(match: re.Match[str]) -> Stated:
    what, product = match["what"], match["product"]
    if what in _POLARISATIONS:
        return Stated(sensor="S1", bands=(what,), orbit=match["track"], product=product)
    if what == "MASK":
        return Stated(sensor="S1", mask="RTC_MASK", orbit=match["track"], product=product)
    return Stated(skip=f"{what} of OPERA")


def _hls(match: re.Match[str]) -> Stated:
    if match["sensor"] != "S30":  # of Landsat, whose B05 is another
        return Stated(skip="Landsat of HLS")
    return Stated(sensor="S2", mask="HLS_FMASK" if match["what"] == "FMASK" else None, offset_applied=True)


def _sits(match: re.Match[str]) -> Stated:
    return Stated(sensor="S2", mask="SCL")


def _sen12ms(match: re.Match[str]) -> Stated:
    return Stated(sensor=match[1], bands=L1C if match[1] == "S2" else S1_BANDS)


def _skipped(match: re.Match[str]) -> Stated:
    return Stated(skip=match[1])


CONVENTIONS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Stated]], ...] = (
    (re.compile(r"\d{8}_LEVEL2_(?P<sensor>[A-Z0-9]{5})_(?P<what>[A-Z]{3})"), _force),
    (re.compile(r"S2[A-D](?:1C|2A)_\d{8}_(?P<orbit>\d{3})_.*_(?P<what>[A-Z0-9]{3,6})_(?P<res>\d\d)"), _sen2r),
    (
        re.compile(
            r"(?P<product>S1[A-D]_\w\w_\d{8}T\d{6}_\w{3}_RTC\d\d_G_[GS](?P<unit>[PDA])\w{4}_[0-9A-F]{4})"
            r"(?:_(?P<what>\w+))?"
        ),
        _hyp3,
    ),
    (
        re.compile(r"(?P<product>OPERA_L2_RTC-S1_T(?P<track>\d{3})-\d{6}-IW\d_.*_V\d+\.\d+)_(?P<what>[A-Z0-9_]+)"),
        _opera,
    ),
    (re.compile(r"OPERA_L2_RTC-S1-(STATIC)_.*"), _skipped),
    (re.compile(r"HLS\.(?P<sensor>[SL]30)\..*\.(?P<what>[A-Z0-9]+)"), _hls),
    (re.compile(r"SENTINEL-2_MSI_[A-Z0-9]+_CLOUD_\d{4}-\d\d-\d\d"), _sits),
    (re.compile(r"(S[12])_ROIS\d{4}_\d+_IMGNO_\d+_\d{4}-\d\d-\d\d_PATCH_\d+"), _sen12ms),
    # What lies beside Sentinel-2 bands, and other satellites.
    (re.compile(r"(?:.*_)?(TCI|AOT|WVP|PVI|MSK_QUALIT|MSK_DETFOO)(?:_.*)?"), _skipped),
    (re.compile(r"(L[COTEM]0[4-9])_.*"), _skipped),
)

_PICTURE = re.compile(r"_(?:RGB|(?:TRUE|FALSE|NATURAL)_COLOU?R|PREVIEW|QUICKLOOK|BROWSE|THUMBNAIL|ND[VWMS]I|EVI|SAVI)_")
_TRIPLET = re.compile(r"ROIS\d{4}_(?:SPRING|SUMMER|FALL|WINTER)_S[12](?:_CLOUDY)?_\d+_P\d+")
_RELATIVE_ORBIT = re.compile(r"_R(\d{3})_")
_ABSOLUTE_ORBIT = re.compile(r"S1([A-C])_\w\w_[A-Z0-9_]{4}_\w{4}_\d{8}T\d{6}_\d{8}T\d{6}_(\d{6})_")
# Relative orbit = (absolute orbit - this) mod 175 + 1.
_FIRST_ORBITS = {"A": 73, "B": 27, "C": 172}


def stated_in(stem: str) -> Stated:
    """What the name of a file, without suffix, says by its convention."""
    upper = stem.upper()
    for pattern, read in CONVENTIONS:
        if match := pattern.fullmatch(upper):
            return read(match)
    return Stated()


def is_picture(words: str) -> bool:
    """True for the normalised name of a picture or an index, whose bands need no meaning."""
    return _PICTURE.search(words) is not None


def is_triplet(stem: str) -> bool:
    """True for the name of a patch of SEN12MS-CR, which has one date."""
    return _TRIPLET.fullmatch(stem.upper()) is not None


def orbit_in(text: str) -> str:
    """The relative orbit that names of ESA's products tell, as "094"; "" without."""
    upper = text.upper()
    if found := _RELATIVE_ORBIT.search(upper):
        return found[1]
    if found := _ABSOLUTE_ORBIT.search(upper):
        return f"{(int(found[2]) - _FIRST_ORBITS[found[1]]) % 175 + 1:03d}"
    return ""
