"""The catalogues that are known by name: each one is a value, and a new one is a new value.

Facts of each: the collections, how the assets of bands are called, and how their addresses become ones that answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal
from urllib.parse import urlsplit

from seq2seq.bands import L2A
from seq2seq.errors import ConfigError
from seq2seq.fetching.addresses import AddressRules
from seq2seq.wording import not_one_of

Signing = Literal["none", "sas", "s3"]

SCL = "SCL"
_COMMON = {
    "B01": "coastal",
    "B02": "blue",
    "B03": "green",
    "B04": "red",
    "B05": "rededge1",
    "B06": "rededge2",
    "B07": "rededge3",
    "B08": "nir",
    "B8A": "nir08",
    "B09": "nir09",
    "B11": "swir16",
    "B12": "swir22",
    SCL: "scl",
}
_PLAIN = {band: band for band in (*L2A, SCL)}
_FINEST = {"B01": 60, "B09": 60} | dict.fromkeys(("B02", "B03", "B04", "B08"), 10)
_SIZED = {band: f"{band}_{_FINEST.get(band, 20)}m" for band in (*L2A, SCL)}
_POLARISATIONS = {"VV": "vv", "VH": "vh"}


@dataclass(frozen=True)
class Collection:
    """One collection. assets: by band, the names under which its asset may be found, the first one first."""

    name: str
    assets: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Catalog:
    """One STAC API.

    s1: None where it has no terrain-corrected Sentinel-1, and `why_no_s1` says what it has. signing: `sas` asks
    `signing_url` for tokens for hosts that end in one of `signed_hosts`; `s3` signs with keys of the environment, and
    s3:// stands for `signing_url`. jpeg2000: whether assets are JPEG 2000, which is fetched whole, rather than COG.
    """

    name: str
    url: str
    s2: Collection
    s1: Collection | None = None
    why_no_s1: str = ""
    signing: Signing = "none"
    signing_url: str = ""
    signed_hosts: tuple[str, ...] = ()
    jpeg2000: bool = False
    page: int = 100
    hosts: tuple[str, ...] = field(default=())  # beside public ones: --allow-host
    rules: AddressRules | None = None  # in place of all public hosts and `hosts`: a service's

    @property
    def address_rules(self) -> AddressRules:
        """Where its items may lead."""
        return self.rules or AddressRules.of(self.url, self.hosts)


def _names(*namings: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    return {band: tuple(naming[band] for naming in namings) for band in namings[0]}


_RTC = Collection("sentinel-1-rtc", {band: (name, band) for band, name in _POLARISATIONS.items()})

PLANETARY_COMPUTER = Catalog(
    name="planetary-computer",
    url="https://planetarycomputer.microsoft.com/api/stac/v1",
    s2=Collection("sentinel-2-l2a", _names(_PLAIN)),
    s1=_RTC,
    signing="sas",
    signing_url="https://planetarycomputer.microsoft.com/api/sas/v1/token",
    signed_hosts=(".blob.core.windows.net",),
)
EARTH_SEARCH = Catalog(
    name="earth-search",
    url="https://earth-search.aws.element84.com/v1",
    # Of its two collections the one whose metadata state the offset rightly; the other is `sentinel-2-l2a`.
    s2=Collection("sentinel-2-c1-l2a", _names(_COMMON)),
    why_no_s1="its Sentinel-1 is GRD amplitude in radar geometry, which is not terrain-corrected",
)
CDSE = Catalog(
    name="cdse",
    url="https://stac.dataspace.copernicus.eu/v1",
    s2=Collection("sentinel-2-l2a", _names(_SIZED)),
    why_no_s1="its Sentinel-1 is GRD, which is not terrain-corrected",
    signing="s3",
    signing_url="https://eodata.dataspace.copernicus.eu",
    jpeg2000=True,
)
CATALOGS: dict[str, Catalog] = {known.name: known for known in (PLANETARY_COMPUTER, EARTH_SEARCH, CDSE)}


def find_catalog(text: str) -> Catalog:
    """The catalogue of that name, or any STAC API by its address, with the names of bands that are common.

    Raises `ConfigError`.
    """
    if text in CATALOGS:
        return CATALOGS[text]
    if "://" not in text:
        raise ConfigError(f"{not_one_of('--catalog', text, CATALOGS)}, or the address of a STAC API")
    host = (urlsplit(text).hostname or "").lower()
    known = next((each for each in CATALOGS.values() if urlsplit(each.url).hostname == host), None)
    if known is not None:
        return replace(known, url=text.rstrip("/"))
    s2 = Collection("sentinel-2-l2a", _names(_PLAIN, _COMMON, _SIZED))
    return Catalog(name=text, url=text.rstrip("/"), s2=s2, s1=_RTC)
