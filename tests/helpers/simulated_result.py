"""A tiny result in every format a real one has, labelled as simulated: images of a slope that grows brighter."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from seq2seq.bands import TEN_METRE
from seq2seq.products import PREVIEW
from seq2seq.products.base import DateArrays
from seq2seq.products.choosing import Outputs
from seq2seq.radiometry import Radiometry
from seq2seq.report.html_report import write_report
from seq2seq.report.preview import preview_png
from seq2seq.report.quicklook import Miniatures, display_bands
from seq2seq.report.thumbnails import thumbnails
from seq2seq.writers import write_file
from seq2seq.writers.rasters import Provenance, write_rasters
from seq2seq.writers.stac import write_stac

SIZE_PX = 16
_WHOLE = slice(0, SIZE_PX)
GEOBOX = GeoBox((SIZE_PX, SIZE_PX), Affine(10, 0, 600_000, 0, -10, 5_600_000), "EPSG:32631")


@dataclass(frozen=True)
class _Scene:
    bands: tuple[str, ...]
    radiometry: Radiometry
    geobox: GeoBox


_SCENE = _Scene(
    TEN_METRE,
    Radiometry("uint16", 1e-4, 0.0, 0.0, tags=(1e-4, 0.0)),
    GEOBOX,
)


def write_result(folder: Path, *, dates: int, config: dict[str, Any], collection_id: str = "job-1") -> None:
    """Images of `dates` dates, preview, report, which holds `config`, and STAC."""
    days = np.datetime64("2021-05-01") + 10 * np.arange(dates)
    pictures = Miniatures(days, display_bands(TEN_METRE), (SIZE_PX, SIZE_PX))
    slope = np.linspace(0.05, 0.25, SIZE_PX**2, dtype=np.float32).reshape(SIZE_PX, SIZE_PX)
    cloud_mask = slope > 0.2
    for t, day in enumerate(days):
        pixels = np.stack([slope + np.float32(0.01 * t)] * len(TEN_METRE))
        _write_date(folder, str(day), pixels, cloud_mask)
        pictures.add(
            t, _WHOLE, _WHOLE, before=pixels[:3], after=pixels[:3], sigma=_sigma(cloud_mask), cloud_mask=cloud_mask
        )
    drawn = pictures.pictures()
    write_file(folder / PREVIEW.path, preview_png(drawn, note="simulated data"))
    write_report(folder, _report([str(day) for day in days], config), thumbnails=thumbnails(drawn))
    write_stac(folder, _SCENE.geobox, collection_id)


def _write_date(folder: Path, date: str, pixels: NDArray[np.float32], cloud_mask: NDArray[np.bool_]) -> None:
    arrays = {"pixels": pixels, "sigma": _sigma(cloud_mask), "cloud_mask": cloud_mask[None]}
    write_rasters(
        folder,
        date,
        lambda: [(Window(0, 0, SIZE_PX, SIZE_PX), DateArrays(arrays.__getitem__))],
        products=Outputs().products,
        info=_SCENE,
        provenance=Provenance("simulated", "simulated", 0, "", simulated=True, full_prediction=False),
        hidden=float(cloud_mask.mean()),
    )


def _sigma(cloud_mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    return np.where(cloud_mask, np.float32(0.01), np.float32(0))[None].repeat(len(TEN_METRE), 0)


def _report(dates: list[str], config: dict[str, Any]) -> Any:
    nothing: dict[str, Any] = {"methods": {}, "by_band": {}, "by_gap": [], "by_date": [], "coverage_90": None}
    return {
        "version": "simulated",
        "created": f"{dates[-1]}T00:00:00Z",
        "method": "simulated",
        "seed": 0,
        "device": "none",
        "config": config,
        "software": {},
        "input": {
            "path": "simulated",
            "name": "simulated",
            "simulated": True,
            "dates": dates,
            "bands": list(TEN_METRE),
            "grid": {"crs": "EPSG:32631", "width": SIZE_PX, "height": SIZE_PX, "gsd_m": 10.0},
            "s1": {"available": False, "units": "", "dates": [None] * len(dates)},
            "mask_source": "user",
            "cloud_fraction": [0.25] * len(dates),
            "warnings": ["Simulated method: nothing was reconstructed."],
        },
        "holdout": {"pixels": 0, "explanation": "Nothing was trained.", "gain": None, **nothing},
        "training": {"steps": 0, "tiles": 1, "curve": []},
        "series": None,
        "resources": {"seconds": {}, "peak_memory_gb": 0.0},
        "perceptual": {"requested": "off", "used": False, "reason": "simulated method"},
    }
