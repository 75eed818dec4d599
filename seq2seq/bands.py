"""Band tables of Sentinel-2 MSI and Sentinel-1 C-SAR, and the orders in which products deliver them.

Wavelengths: centre, nm, Sentinel-2A (ESA Sentinel-2 MSI spectral response functions 3.0). GSD: native, metres.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Band:
    """One band: `name` as in the product, centre `wavelength_nm` (0 for radar), native `gsd_m`.

    common_name: of the EO extension of STAC, section Common Band Names. colour: GDAL's colour interpretation, as GDAL
    3.10 and later know it.
    """

    name: str
    wavelength_nm: float
    gsd_m: int
    common_name: str
    colour: str
    atmospheric: bool = False  # B01, B09, B10 observe aerosol, water vapour and cirrus, not the ground


S2_BANDS: dict[str, Band] = {
    band.name: band
    for band in (
        Band("B01", 442.7, 60, "coastal", "coastal", atmospheric=True),
        Band("B02", 492.4, 10, "blue", "blue"),
        Band("B03", 559.8, 10, "green", "green"),
        Band("B04", 664.6, 10, "red", "red"),
        Band("B05", 704.1, 20, "rededge", "rededge"),
        Band("B06", 740.5, 20, "rededge", "rededge"),
        Band("B07", 782.8, 20, "rededge", "rededge"),
        Band("B08", 832.8, 10, "nir", "nir"),
        Band("B8A", 864.7, 20, "nir08", "nir"),
        Band("B09", 945.1, 60, "nir09", "nir", atmospheric=True),
        Band("B10", 1373.5, 60, "cirrus", "swir", atmospheric=True),
        Band("B11", 1613.7, 20, "swir16", "swir"),
        Band("B12", 2202.4, 20, "swir22", "swir"),
    )
}

L1C: tuple[str, ...] = tuple(S2_BANDS)
L2A: tuple[str, ...] = tuple(name for name in L1C if name != "B10")
L2A_10: tuple[str, ...] = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
TEN_METRE: tuple[str, ...] = ("B02", "B03", "B04", "B08")
S1_BANDS: tuple[str, ...] = ("VV", "VH")

# The order assumed for files whose bands carry no description, by band count.
S2_ORDER_BY_COUNT: dict[int, tuple[str, ...]] = {13: L1C, 12: L2A, 10: L2A_10, 4: TEN_METRE}
S1_ORDER_BY_COUNT: dict[int, tuple[str, ...]] = {2: S1_BANDS, 1: ("VV",)}

# Product band sets that may be asked for by name (simulator, documentation).
BAND_SETS: dict[str, tuple[str, ...]] = {"L1C": L1C, "L2A": L2A, "L2A_10": L2A_10, "10m": TEN_METRE}

# Red, green, blue triples for pictures and the perceptual loss: first the natural one, then false colours.
NATURAL_COLOUR: tuple[str, str, str] = ("B04", "B03", "B02")
FALSE_COLOURS: tuple[tuple[str, str, str], ...] = (("B08", "B04", "B03"), ("B12", "B08", "B04"), ("B11", "B8A", "B02"))
