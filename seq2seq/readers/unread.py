"""Formats that are not read yet: their names, and a way that works today."""

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

LAYOUT = "one GeoTIFF a date, S2/2020-08-01.tif, its bands described as B02, B03, ..."
_SAFE = (
    "a SAFE product without its images and metadata; download it whole: MTD_MSIL2A.xml and "
    "GRANULE/*/IMG_DATA/R*m/*.jp2 are read"
)
TERRAIN_CORRECTED_S1 = (
    "get sigma0 or gamma0 as GeoTIFF, S1/2020-08-01.tif with bands VV and VH (HyP3, Planetary Computer RTC, openEO "
    "sar_backscatter, Earth Engine)"
)
_S1_SAFE = (
    f"a SAFE product of Sentinel-1 is neither calibrated nor terrain-corrected, and is not read; {TERRAIN_CORRECTED_S1}"
)
EOPATCH_PICKLES = (
    "an EOPatch with pickles (bbox.pkl, timestamp.pkl, ...) is not read, for loading them can run any program; save it "
    "again with eo-learn 1.5 or later: EOPatch.load(folder).save(new_folder)"
)
_JP2 = (
    "a JPEG 2000 image by itself is no sequence; give SAFE products whole, or one image a date as S2/2020-08-01.jp2 "
    "(10, 12 or 13 bands in the order of Sentinel-2, or B02 B03 B04 B08)"
)
_J2K = (
    "a bare codestream of JPEG 2000 has no position and is not read; write a .jp2 with one (gdal_translate -of "
    "JP2OpenJPEG -a_srs -a_ullr), or GeoTIFF"
)
_NETCDF = "this may be NetCDF, which is read where its name ends in .nc, and it lies by itself, in S2/ or in S1/"
_HDF = f"HDF is not read yet; write {LAYOUT} (gdal_translate -of GTiff of each subdataset)"

_ARCHIVE = "an archive in a folder or in an archive is not unpacked; unpack it there"

_BY_SUFFIX = {
    ".zip": _ARCHIVE,
    ".tar": _ARCHIVE,
    ".tgz": _ARCHIVE,
    ".safe": _SAFE,
    ".jp2": _JP2,
    ".j2k": _J2K,
    ".j2c": _J2K,
    ".nc": _NETCDF,
    ".nc4": _NETCDF,
    ".cdf": _NETCDF,
    ".h5": _HDF,
    ".hdf5": _HDF,
    ".hdf": _HDF,
    ".he5": _HDF,
}
_BY_START = (
    (b"CDF\x01", _NETCDF),
    (b"CDF\x02", _NETCDF),
    (b"CDF\x05", _NETCDF),
    (b"\x89HDF\r\n\x1a\n", _NETCDF),
    (b"\x0e\x03\x13\x01", _HDF),
    (b"\0\0\0\x0cjP  ", _JP2),
    (b"\xff\x4f\xff\x51", _J2K),
)
_MARKERS = {"manifest.safe": _SAFE} | {
    f"{name}.pkl{suffix}": EOPATCH_PICKLES for name in ("bbox", "timestamp", "meta_info") for suffix in ("", ".gz")
}
_S1_PRODUCT = re.compile(r"(?i)S1[A-D]_\w\w_(?:GRD|SLC|OCN|RAW|ETA)\w_.*\.(?:SAFE|zip)")


def advice_for(path: Path) -> str | None:
    """Advice on a file or folder of a known format that is not read, None for every other."""
    known = advice_among([path.name])
    try:
        if known or path.is_dir():
            return known or advice_among(sorted(entry.name for entry in path.iterdir()))
        with path.open("rb") as file:
            start = file.read(8)
    except OSError:
        return None
    return next((words for magic, words in _BY_START if start.startswith(magic)), None)


def advice_among(names: Iterable[str]) -> str | None:
    """The same by the names of what lies in a folder or an archive: the first that is known counts."""
    for name in names:
        for part in PurePosixPath(name).parts:
            if known := _known(part.lower()):
                return known
    return None


def radar_products(names: Iterable[str]) -> list[str]:
    """What to say where other files of an input are read and products of Sentinel-1 lie beside them."""
    found = sorted({part for name in names for part in PurePosixPath(name).parts if _S1_PRODUCT.fullmatch(part)})
    return [f"S1 is left out, {found[0]}{' and others' if len(found) > 1 else ''}: {_S1_SAFE}"] if found else []


def _known(name: str) -> str | None:
    suffix = PurePosixPath(name).suffix
    if (suffix == ".safe" and name.startswith("s1")) or _S1_PRODUCT.fullmatch(name):
        return _S1_SAFE
    return _MARKERS.get(name) or _BY_SUFFIX.get(suffix)
