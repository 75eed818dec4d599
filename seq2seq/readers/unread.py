"""Formats that are not read yet: their names, and a way that works today."""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

LAYOUT = "one GeoTIFF a date, S2/2020-08-01.tif, its bands described as B02, B03, ..."
_SAFE = (
    f"a SAFE product is not read yet; write {LAYOUT} (gdal_translate of the bands' .jp2, stacked by gdalbuildvrt "
    "-separate and cut to one grid), and its SCL as SCL/2020-08-01.tif"
)
_S1_SAFE = (
    "a SAFE product of Sentinel-1 is neither calibrated nor terrain-corrected, and is not read; get sigma0 or gamma0 "
    "as GeoTIFF, S1/2020-08-01.tif with bands VV and VH (HyP3, Planetary Computer RTC, openEO sar_backscatter, Earth "
    "Engine)"
)
_JP2 = f"JPEG 2000 is not read yet; write {LAYOUT} (gdalbuildvrt -separate, then gdal_translate -of GTiff)"
_NETCDF = "this may be NetCDF, which is read where its name ends in .nc, and it lies by itself, in S2/ or in S1/"
_HDF = f"HDF is not read yet; write {LAYOUT} (gdal_translate -of GTiff of each subdataset)"

_BY_SUFFIX = {
    ".safe": _SAFE,
    ".jp2": _JP2,
    ".j2k": _JP2,
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
    (b"\xff\x4f\xff\x51", _JP2),
)
_MARKERS = {"manifest.safe": _SAFE, "mtd_msil2a.xml": _SAFE, "mtd_msil1c.xml": _SAFE}


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


def _known(name: str) -> str | None:
    suffix = PurePosixPath(name).suffix
    if suffix == ".safe" and name.startswith("s1"):
        return _S1_SAFE
    return _MARKERS.get(name) or _BY_SUFFIX.get(suffix)
