"""The meaning of a variable's or band's name in cubes: a band of Sentinel-2 or 1, a classification, a mask, or none."""

import re
from typing import NamedTuple

from seq2seq.bands import S2_BANDS
from seq2seq.readers.layers import Sensor

# B02, s2_B2, S2-L2A-B02, B02_10m, B8A, boa_b05: names of masks and qualities of a band end like that too, so that the
# words before are known ones.
_S2_WORDS = (
    r"(?:(?:S2[A-D]?|SENTINEL[-_]?2[A-D]?|MSI(?:L1C|L2A)?|L1C|L2A|BOA|TOA|SR|SURFACE|REFLECTANCE|RHO|HARMONI[SZ]ED|BAND)"
    r"[-_ .])*"
)
_S2_BAND = re.compile(_S2_WORDS + r"B0?(1[0-2]|[1-9]|8A)(?:[-_ ](?:10|20|60)M)?")
_SCL = re.compile(_S2_WORDS + r"SCL(?:[-_ ](?:10|20|60)M)?")
_POLARISATION = re.compile(r"(?<![A-Z])(VV|VH|HH|HV)(?![A-Z])")
_S1_WORDS = re.compile(
    r"(?:S1[A-D]?|SENTINEL-?1|GRD|RTC|IW|ASC(?:ENDING)?|DESC(?:ENDING)?|SIGMA0?|GAMMA0?|BACKSCATTER|DB|LINEAR|POWER|"
    r"VV|VH|HH|HV|[-_ .])+"
)
_LONGEST = 80
# Asset names of Earth Search and what people make of them.
_COMMON = {
    "COASTAL": "B01", "BLUE": "B02", "GREEN": "B03", "RED": "B04", "REDEDGE1": "B05", "REDEDGE2": "B06",
    "REDEDGE3": "B07", "NIR": "B08", "NIR08": "B8A", "NIR09": "B09", "CIRRUS": "B10", "SWIR16": "B11", "SWIR22": "B12",
}  # fmt: skip
# All of them: 0 is clear ground. The first that is there counts.
MASKS = ("S2_DLMASK", "CLOUDMASK_EN", "CLOUD_MASK", "CLOUDMASK", "S2_MASK", "CLM")


class Meaning(NamedTuple):
    """sensor: S2, S1, SCL or MASK. band: its canonical name."""

    sensor: Sensor
    band: str


def meaning(name: str) -> Meaning | None:
    """What a name means, in any case; None for all that is no band of ours."""
    upper = name.strip().upper()
    if len(upper) > _LONGEST:
        return None
    if upper in MASKS:
        return Meaning("MASK", upper)
    if _SCL.fullmatch(upper):
        return Meaning("SCL", "SCL")
    if found := _S2_BAND.fullmatch(upper):
        band = "B8A" if found[1] == "8A" else f"B{int(found[1]):02d}"
        return Meaning("S2", band) if band in S2_BANDS else None
    if upper in _COMMON:
        return Meaning("S2", _COMMON[upper])
    if len(set(_POLARISATION.findall(upper))) == 1 and _S1_WORDS.fullmatch(upper):
        return Meaning("S1", _POLARISATION.findall(upper)[0])
    return None
