"""Spectral indices of each date, with their uncertainty: a further one is a line in the table.

Names, formulas and constants are those of Awesome Spectral Indices (the package spyndex), against which a test holds
them; bands have its letters. Our own table, because spyndex evaluates text as Python, brings `requests`, and knows no
derivatives.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from seq2seq.products.base import COG, DateArrays, DateRaster, Product, RasterProfile, Scene
from seq2seq.products.formulas import compute, names_in, with_names
from seq2seq.products.styles import BROWN_TO_BLUE, BROWN_TO_GREEN, WHITE_TO_RED, Ramp

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The bands that each letter may stand for, the first that is there.
_LETTERS: dict[str, tuple[str, ...]] = {
    "B": ("B02",),
    "G": ("B03",),
    "R": ("B04",),
    "RE1": ("B05",),
    "RE2": ("B06",),
    "RE3": ("B07",),
    "N": ("B08", "B8A"),
    "S1": ("B11",),
    "S2": ("B12",),
}


@dataclass(frozen=True)
class Index:
    """One index. formula: of the letters above. source: where it was published. about: vegetation, water, ..."""

    name: str
    title: str
    formula: str
    about: str
    source: str

    @property
    def letters(self) -> tuple[str, ...]:
        """The letters of its bands."""
        return names_in(self.formula)

    def bands_in(self, bands: Sequence[str]) -> dict[str, str]:
        """Returns the band for each letter, of those that are there; letters without one are left out."""
        found = {letter: [name for name in _LETTERS[letter] if name in bands] for letter in self.letters}
        return {letter: names[0] for letter, names in found.items() if names}

    def missing_in(self, bands: Sequence[str]) -> tuple[str, ...]:
        """Returns the bands that it needs and that are not there, as people read them: `B08 or B8A`."""
        there = self.bands_in(bands)
        return tuple(" or ".join(_LETTERS[letter]) for letter in self.letters if letter not in there)


def _doi(name: str) -> str:
    return f"https://doi.org/{name}"


# fmt: off
INDICES: tuple[Index, ...] = (
    Index("NDVI", "Normalized difference vegetation index", "(N - R) / (N + R)", "vegetation",
          "https://ntrs.nasa.gov/citations/19740022614"),
    Index("EVI", "Enhanced vegetation index", "2.5 * (N - R) / (N + 6 * R - 7.5 * B + 1)", "vegetation",
          _doi("10.1016/S0034-4257(96)00112-5")),
    Index("EVI2", "Two-band enhanced vegetation index", "2.5 * (N - R) / (N + 2.4 * R + 1)", "vegetation",
          _doi("10.1016/j.rse.2008.06.006")),
    Index("SAVI", "Soil-adjusted vegetation index, L = 0.5", "1.5 * (N - R) / (N + R + 0.5)", "vegetation",
          _doi("10.1016/0034-4257(88)90106-X")),
    Index("OSAVI", "Optimized soil-adjusted vegetation index", "(N - R) / (N + R + 0.16)", "vegetation",
          _doi("10.1016/0034-4257(95)00186-7")),
    Index("MSAVI", "Modified soil-adjusted vegetation index",
          "0.5 * (2 * N + 1 - ((2 * N + 1) ** 2 - 8 * (N - R)) ** 0.5)", "vegetation",
          _doi("10.1016/0034-4257(94)90134-1")),
    Index("GNDVI", "Green normalized difference vegetation index", "(N - G) / (N + G)", "vegetation",
          _doi("10.1016/S0034-4257(96)00072-7")),
    Index("NDREI", "Normalized difference red edge index", "(N - RE1) / (N + RE1)", "vegetation",
          _doi("10.1016/1011-1344(93)06963-4")),
    Index("CIRE", "Chlorophyll index, red edge", "N / RE1 - 1", "vegetation", _doi("10.1078/0176-1617-00887")),
    Index("IRECI", "Inverted red-edge chlorophyll index", "(RE3 - R) / (RE1 / RE2)", "vegetation",
          _doi("10.1016/j.isprsjprs.2013.04.007")),
    Index("MCARI", "Modified chlorophyll absorption ratio index", "(RE1 - R - 0.2 * (RE1 - G)) * (RE1 / R)",
          "vegetation", _doi("10.1016/S0034-4257(00)00113-9")),
    Index("NIRv", "Near-infrared reflectance of vegetation", "(N - R) / (N + R) * N", "vegetation",
          _doi("10.1126/sciadv.1602244")),
    Index("NDMI", "Normalized difference moisture index", "(N - S1) / (N + S1)", "vegetation",
          _doi("10.1016/S0034-4257(01)00318-2")),
    Index("NDWI", "Normalized difference water index", "(G - N) / (G + N)", "water",
          _doi("10.1080/01431169608948714")),
    Index("MNDWI", "Modified normalized difference water index", "(G - S1) / (G + S1)", "water",
          _doi("10.1080/01431160600589179")),
    Index("AWEInsh", "Automated water extraction index", "4 * (G - S1) - 0.25 * N + 2.75 * S2", "water",
          _doi("10.1016/j.rse.2013.08.029")),
    Index("NDCI", "Normalized difference chlorophyll index of water", "(RE1 - R) / (RE1 + R)", "water",
          _doi("10.1016/j.rse.2011.10.016")),
    Index("NBR", "Normalized burn ratio", "(N - S2) / (N + S2)", "burn", _doi("10.3133/ofr0211")),
    Index("NBR2", "Normalized burn ratio 2", "(S1 - S2) / (S1 + S2)", "burn",
          "https://www.usgs.gov/core-science-systems/nli/landsat/landsat-normalized-burn-ratio-2"),
    Index("NDSI", "Normalized difference snow index", "(G - S1) / (G + S1)", "snow",
          _doi("10.1109/IGARSS.1994.399618")),
    Index("NDBI", "Normalized difference built-up index", "(S1 - N) / (S1 + N)", "urban",
          _doi("10.1080/01431160304987")),
    Index("BI", "Bare soil index", "((S1 + R) - (N + B)) / ((S1 + R) + (N + B))", "soil",
          "http://citeseerx.ist.psu.edu/viewdoc/download?doi=10.1.1.465.8749"),
)
# fmt: on

_COLOURS = {"vegetation": BROWN_TO_GREEN, "water": BROWN_TO_BLUE, "snow": BROWN_TO_BLUE}
# Of indices that are no normalised differences.
_SPANS = {"CIRE": (0.0, 6.0), "IRECI": (0.0, 2.0), "MCARI": (0.0, 0.4), "NIRv": (0.0, 0.4), "NDMI": (-0.4, 0.6)}


def _profile(index: Index, info: Scene) -> RasterProfile:
    """The index and its standard deviation, as two bands."""
    formula = with_names(index.formula, index.bands_in(info.bands))
    tags = {
        "INDEX": f"{index.title} ({index.source})",
        "FORMULA": formula,
        "SIGMA": "second band: one standard deviation, to first order, errors of bands taken as independent",
    }
    cf = {"long_name": index.title, "units": "1", "references": index.source, "formula": formula}
    names = (index.name, f"{index.name}_sigma")
    return RasterProfile("float32", names, nodata=float("nan"), tags=tags, cf=cf, style=_style(index))


def _style(index: Index) -> Ramp:
    """From what is not of its kind to what is, over the values that land and water have."""
    low, high = _SPANS.get(index.name, (-0.2, 0.9) if index.about == "vegetation" else (-0.6, 0.6))
    return Ramp(low, high, _COLOURS.get(index.about, WHITE_TO_RED))


def _encode(index: Index, arrays: DateArrays, info: Scene) -> "NDArray[Any]":
    """(2, h, w) value and standard deviation, NaN where a divisor vanishes."""
    named = {letter: info.bands.index(band) for letter, band in index.bands_in(info.bands).items()}
    pixels, sigma = arrays.pixels, arrays.sigma
    bands = {letter: pixels[number] for letter, number in named.items()}
    computed = compute(index.formula, bands, {letter: sigma[number] for letter, number in named.items()})
    return computed.astype("float32")


def _product(index: Index) -> Product:
    return Product(
        name=index.name.lower(),
        title=index.name,
        about=f"{index.title}, and its standard deviation; made where `products` names it.",
        media_type=COG,
        stac_role="data",
        per_date=True,
        raster=DateRaster(partial(_profile, index), partial(_encode, index)),
        optional=True,
    )


OF_INDICES: dict[str, Index] = {index.name.lower(): index for index in INDICES}
INDEX_PRODUCTS: tuple[Product, ...] = tuple(map(_product, INDICES))
