"""A small viewer bundle of a simulated landscape, by the contract alone and by none of our writers: the page's fixture.

The result is the truth with known errors, so that every value in a chart can be worked out here, too.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import zarr
from numpy.typing import NDArray
from PIL import Image

from seq2seq.bands import L1C, S2_BANDS
from seq2seq.simulation.simulate import Simulation, simulate, to_dn

BANDS = ("B02", "B03", "B04", "B08", "B11")
ALL_BANDS = (*BANDS, *(name for name in L1C if name not in BANDS))
SCALE, NODATA, SIGMA_NODATA, S1_NODATA = 1e-4, 0, 65535, -32768
CHUNK_PX = 32
_TRIPLES = {"rgb": ("B04", "B03", "B02"), "false": ("B08", "B04", "B03")}
_NDVI = ("#f6efd8", "#a3cc7a", "#0b4a2e")

STYLES = (
    "rgb-before", "rgb", "false-before", "false", "ndvi-before", "ndvi", "s1", "uncertainty", "mask",
)  # fmt: skip

Stored = NDArray[Any]


@dataclass(frozen=True)
class Bundle:
    """What was written: the folder with pictures/ and declouded/ in it, and the stored values, (T, C, H, W)."""

    folder: Path
    dates: tuple[str, ...]
    before: Stored
    after: Stored
    sigma: Stored
    mask: Stored
    s1: Stored

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest as it stands on disk."""
        manifest: dict[str, Any] = json.loads((self.folder / "pictures" / "scene.json").read_text())
        return manifest

    def rewrite(self, **changed: Any) -> None:
        """Writes the manifest with these keys changed."""
        (self.folder / "pictures" / "scene.json").write_text(json.dumps(self.manifest | changed))


@lru_cache(maxsize=4)
def _simulation(dates: int, size_px: int, bands: tuple[str, ...]) -> Simulation:
    return simulate(dates=dates, size=size_px, bands=bands, cloud=0.45, seed=3)


def _values(dates: int, size_px: int, bands: tuple[str, ...] = BANDS) -> tuple[tuple[str, ...], dict[str, Stored]]:
    """Stored values of all arrays, each (T, C, H, W)."""
    simulation = _simulation(dates, size_px, bands)
    rng = np.random.default_rng(1)
    mask = simulation.cloud_mask[:, None].astype(np.uint8)
    after = to_dn(simulation.truth.pixels)
    after = np.where(mask == 1, np.maximum(after.astype(int) + rng.integers(-60, 60, after.shape), 1), after)
    before = to_dn(simulation.s2.pixels)
    before[:, :, :3, :3], mask[:, :, :3, :3] = NODATA, 2
    sigma = np.where(mask != 0, rng.integers(500, 4000, after.shape), 0).astype(np.uint16)
    s1 = simulation.s1
    assert s1 is not None
    nearest = np.abs(s1.dates[None].astype(int) - simulation.s2.dates[:, None].astype(int)).argmin(axis=1)
    radar = np.round(s1.pixels[nearest] * 100).astype(np.int16)
    values = {"before": before, "after": after.astype(np.uint16), "sigma": sigma, "mask": mask, "s1": radar}
    return tuple(str(day) for day in simulation.s2.dates), values


def _write_array(folder: Path, name: str, values: Stored, fill: int) -> dict[str, Any]:
    chunks = (*values.shape[:2], CHUNK_PX, CHUNK_PX)
    array = zarr.create_array(
        folder / name, shape=values.shape, chunks=chunks, dtype=values.dtype, fill_value=fill,
        compressors=[zarr.codecs.GzipCodec(level=2)], filters=None, overwrite=True,
    )  # fmt: skip
    array[:] = values
    metadata: dict[str, Any] = json.loads((folder / name / "zarr.json").read_text())
    return metadata


def _write_cube(folder: Path, values: dict[str, Stored]) -> None:
    fills = {"before": NODATA, "after": NODATA, "sigma": SIGMA_NODATA, "mask": 0, "s1": S1_NODATA}
    members = {name: _write_array(folder, name, each, fills[name]) for name, each in values.items()}
    group = {"zarr_format": 3, "node_type": "group", "attributes": {}}
    consolidated = {"kind": "inline", "must_understand": False, "metadata": members}
    (folder / "zarr.json").write_text(json.dumps(group | {"consolidated_metadata": consolidated}))


def _grey(values: Stored, low: float, high: float) -> NDArray[np.uint8]:
    return np.clip((values - low) / (high - low) * 255, 0, 255).astype(np.uint8)


def _composite(stored: Stored, bands: tuple[str, ...]) -> NDArray[np.uint8]:
    """(T, H, W, 4) of three bands; no data is transparent."""
    picked = [stored[:, BANDS.index(band)] for band in bands]
    colours = [
        _grey(each * SCALE, 0.0, 0.45 if band == "B08" else 0.22) for each, band in zip(picked, bands, strict=True)
    ]
    return np.stack([*colours, np.where(picked[0] == NODATA, 0, 255).astype(np.uint8)], axis=-1)


def _ramp(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.uint8]:
    """(T, H, W, 4): dark to light green; NaN is transparent."""
    level = _grey(np.nan_to_num(values), low, high)
    return np.stack([level // 2, level, level // 3, np.where(np.isnan(values), 0, 255).astype(np.uint8)], axis=-1)


def _pictures(values: dict[str, Stored]) -> dict[str, NDArray[np.uint8]]:
    """Pictures (T, H, W, 4) by style."""
    found = {}
    for end, stored in (("-before", values["before"]), ("", values["after"])):
        found |= {name + end: _composite(stored, bands) for name, bands in _TRIPLES.items()}
        red, nir = (stored[:, BANDS.index(band)].astype(float) for band in ("B04", "B08"))
        with np.errstate(invalid="ignore"):
            found["ndvi" + end] = _ramp((nir - red) / (nir + red), 0.0, 0.9)
    mask = values["mask"][:, 0] == 1
    alpha = np.where(mask, 150, 0)
    marks = np.stack([np.full(mask.shape, colour) for colour in (230, 0, 126)] + [alpha], axis=-1).astype(np.uint8)
    uncertainty = _ramp(values["sigma"].mean(axis=1) * 1e-5, 0.0, 0.04)
    return found | {"mask": marks, "uncertainty": uncertainty, "s1": _ramp(values["s1"][:, 0] / 100, -20.0, 0.0)}


def _cells(folder: Path, picture: Image.Image, levels: int) -> None:
    """The pyramid of one date: cells of 256 px, each level half the one before."""
    for level in range(levels):
        scaled = picture.resize([-(-side // 2**level) for side in picture.size], Image.Resampling.BOX)
        for top in range(0, scaled.height, 256):
            for left in range(0, scaled.width, 256):
                place = folder / str(level) / f"{top // 256}_{left // 256}.webp"
                place.parent.mkdir(parents=True, exist_ok=True)
                box = (left, top, min(left + 256, scaled.width), min(top + 256, scaled.height))
                scaled.crop(box).save(place, lossless=True, method=0)


def _write_pictures(
    folder: Path, drawn: dict[str, NDArray[np.uint8]], dates: tuple[str, ...], levels: int
) -> tuple[int, int]:
    overview = (0, 0)
    for style, pictures in drawn.items():
        (folder / style).mkdir(parents=True)
        for date, pixels in zip(dates, pictures, strict=True):
            picture = Image.fromarray(pixels)
            overview = picture.size
            if levels:
                _cells(folder / style / date, picture, levels)
                picture = picture.resize([-(-side // 2**levels) for side in picture.size], Image.Resampling.BOX)
            picture.save(folder / style / f"{date}.webp", lossless=True, method=0)
            overview = picture.size
    return overview


def _style(name: str) -> dict[str, Any]:
    base = name.removesuffix("-before")
    titles = {"rgb": "Natural colour", "false": "False colour", "ndvi": "Vegetation index (NDVI)", "s1": "Sentinel-1"}
    legends = {
        "ndvi": {"unit": "NDVI", "low": 0.0, "high": 0.9, "colours": _NDVI},
        "uncertainty": {"unit": "reflectance", "low": 0, "high": 0.04, "colours": ["#00224e", "#7c7b78", "#ffea46"]},
        "mask": {"labels": ["cloud, shadow"], "colours": ["#e6007e"]},
    }
    of = "input" if name.endswith("-before") or name in ("s1", "mask") else "result"
    return {
        "name": name, "title": titles.get(base, base), "of": of, "bands": _TRIPLES.get(base),
        "stretch": None, "legend": legends.get(base),
    }  # fmt: skip


def _manifest(
    values: dict[str, Stored], dates: tuple[str, ...], levels: int, overview: tuple[int, int]
) -> dict[str, Any]:
    height, width = values["mask"].shape[2:]
    knots = [[side * step / 4 for step in range(5)] for side in (height, width)]
    # The first bands are always the same, so that BANDS.index finds them.
    bands = ALL_BANDS[: values["after"].shape[1]]
    reflectance = {
        "bands": bands,
        "dtype": "uint16",
        "scale": SCALE,
        "offset": 0.0,
        "nodata": NODATA,
        "unit": "reflectance",
    }
    masked = (values["mask"] == 1).mean(axis=(1, 2, 3))
    return {
        "version": 1, "title": "Fields", "made": "by best, 2026-11-29", "simulated": True, "width": width,
        "height": height, "levels": levels, "cell_px": 256, "overview": overview, "crs": "EPSG:32631",
        "affine": [10, 0, 500000, 0, -10, 5600000], "north_deg": 1.2, "gsd_m": [10, 10], "interval_90": 1.6449,
        "credit": "Simulated data.",
        "lonlat": {
            "rows": knots[0], "columns": knots[1],
            "lon": [[3.0 + column * 1e-4 for column in knots[1]] for _ in knots[0]],
            "lat": [[50.5 - row * 1e-4 for _ in knots[1]] for row in knots[0]],
        },
        "dates": [
            {
                "date": date, "cloud": round(float(share), 4), "acquired": True, "requested": False, "weight": None,
                "s1_date": date, "file": f"declouded/{date}.tif",
            }
            for date, share in zip(dates, masked, strict=True)
        ],
        "bands": [
            {"name": name, "wavelength_nm": wave, "ground": True}
            for name, wave in ((band, S2_BANDS[band].wavelength_nm) for band in bands)
        ],
        "s1_bands": ["VV", "VH"], "styles": [_style(name) for name in STYLES],
        "cube": {
            "chunk_px": CHUNK_PX,
            "arrays": {
                "before": reflectance, "after": reflectance,
                "sigma": {**reflectance, "scale": 1e-5, "nodata": SIGMA_NODATA},
                "mask": {"bands": ["mask"], "dtype": "uint8", "nodata": None},
                "s1": {"bands": ["VV", "VH"], "dtype": "int16", "scale": 0.01, "offset": 0.0, "nodata": S1_NODATA},
            },
        },
        "downloads": [{"title": "All files (ZIP)", "path": "../results.zip"}],
    }  # fmt: skip


def _write_images(folder: Path, after: Stored, dates: tuple[str, ...]) -> None:
    folder.mkdir()
    transform = rasterio.Affine(10, 0, 500000, 0, -10, 5600000)
    profile = {
        "driver": "GTiff", "count": after.shape[1], "height": after.shape[2], "width": after.shape[3],
        "dtype": "uint16", "nodata": NODATA, "crs": "EPSG:32631", "transform": transform,
    }  # fmt: skip
    for date, pixels in zip(dates, after, strict=True):
        with rasterio.open(folder / f"{date}.tif", "w", **profile) as image:
            image.write(pixels)
            image.scales = [SCALE] * after.shape[1]


def write_bundle(folder: Path, *, dates: int = 8, size_px: int = 96, bands: tuple[str, ...] = BANDS) -> Bundle:
    """Writes a bundle of a scene without a pyramid into `folder`, all styles and arrays in it. bands: or ALL_BANDS."""
    days, values = _values(dates, size_px, bands)
    pictures = folder / "pictures"
    overview = _write_pictures(pictures, _pictures(values), days, 0)
    _write_cube(pictures / "cube", values)
    (pictures / "scene.json").write_text(json.dumps(_manifest(values, days, 0, overview)))
    _write_images(folder / "declouded", values["after"], days)
    (folder / "results.zip").write_bytes(b"PK\x05\x06" + bytes(18))
    return Bundle(folder, days, **values)


def write_large_pictures(folder: Path, *, dates: int = 2, size_px: int = 96, enlarged: int = 16) -> Bundle:
    """Writes the natural colours of a scene of size_px x enlarged pixels a side, one level of cells, no values."""
    days, values = _values(dates, size_px)
    values = {name: each.repeat(enlarged, axis=2).repeat(enlarged, axis=3) for name, each in values.items()}
    drawn = {
        name: _composite(values[end], _TRIPLES["rgb"]) for name, end in (("rgb-before", "before"), ("rgb", "after"))
    }
    overview = _write_pictures(folder / "pictures", drawn, days, 1)
    manifest = _manifest(values, days, 1, overview) | {"styles": [_style(name) for name in drawn], "cube": None}
    (folder / "pictures" / "scene.json").write_text(json.dumps(manifest))
    return Bundle(folder, days, **values)
