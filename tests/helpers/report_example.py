"""A report with made-up figures, as report.json's values, for tests of what is written and shown. No figure in it was
measured."""

from functools import cache
from typing import Any

import numpy as np

from seq2seq.report.quicklook import Miniatures
from seq2seq.report.thumbnails import Thumbnail, thumbnails

DATES = ["2021-01-01", "2021-01-11", "2021-01-21"]
BANDS = ["B02", "B03", "B04"]
METHODS = {"result": 26.0, "network": 25.5, "prior": 25.0, "linear": 22.0, "nearest": 20.0}


def scores(psnr: float) -> dict[str, Any]:
    rmse = 10 ** (-psnr / 20)
    return {
        "psnr": psnr,
        "rmse": rmse,
        "mae": 0.7 * rmse,
        "nrmse": 5 * rmse,
        "sam": 30 - psnr,
        "ssim": psnr / 32,
        "pixels": 1234,
    }


def band_scores(psnr: float) -> dict[str, Any]:
    return {"rmse": 10 ** (-psnr / 20), "psnr": psnr, "mae": 0.01}


def gap(low: float, high: float | None, *, fallback: bool) -> dict[str, Any]:
    weights = {"network": 0.0, "prior": 0.0, "linear": 1.0} if fallback else {"network": 0.6, "prior": 0.4, "linear": 0}
    rmse = {method: 10 ** (-psnr / 20) for method, psnr in METHODS.items()}
    return {
        "dates": "partly clouded",
        "gap_days": (low, high),
        "pixels": 600,
        "rmse": rmse,
        "weights": weights,
        "fallback": fallback,
    }


def example_report(*, simulated: bool = True) -> dict[str, Any]:
    return {
        "version": "0.1.0",
        "created": "2021-03-01T12:00:00Z",
        "method": "guided",
        "seed": 0,
        "device": "cpu",
        "config": {"method": "guided", "seed": 0, "max_minutes": None, "full_prediction": False},
        "software": {"python": "3.11", "torch": "2.13.0"},
        "input": {
            "path": "/data/fields",
            "name": "fields",
            "simulated": simulated,
            "dates": DATES,
            "bands": BANDS,
            "grid": {"crs": "EPSG:32631", "width": 30, "height": 20, "gsd_m": 10.0},
            "s1": {"available": True, "units": "db (from the values)", "dates": ["2021-01-02", None, "2021-01-20"]},
            "mask_source": "user",
            "cloud_fraction": [0.0, 0.5, 1.0],
            "warnings": [],
        },
        "holdout": {
            "pixels": 1234,
            "explanation": "Clear pixels were hidden from the fit and compared with the result.",
            "gain": {"low_db": 1.84, "high_db": 5.62, "measured_db": 3.97, "dates": 7, "pixels": 1234},
            "methods": {method: scores(psnr) for method, psnr in METHODS.items()},
            "by_band": {b: {m: band_scores(psnr - i) for m, psnr in METHODS.items()} for i, b in enumerate(BANDS)},
            "by_gap": [gap(0, 30, fallback=False), gap(30, None, fallback=True)],
            "by_date": [
                {
                    "date": DATES[0],
                    "dates": "fully clouded",
                    "gap_days": (20, 45),
                    "pixels": 600,
                    "rmse": {"result": 0.05, "linear": 0.08},
                }
            ],
            "coverage_90": 0.91,
        },
        "training": {
            "steps": 40,
            "tiles": 1,
            "curve": [
                {"step": s, "loss": 1 / (1 + s), "holdout_psnr": 20 + s / 10 if s % 20 == 0 else None, "seconds": s}
                for s in range(0, 41, 10)
            ],
            "notes": ["hidden pixels were inpainted by an example"],
        },
        "series": {
            "index": "NDVI",
            "bands": ["B04", "B08"],
            "days": [0, 10, 20],
            "pixels": [
                {
                    "row": 3,
                    "column": 4,
                    "share": 0.625,
                    "values": [0.2, 0.5, 0.4],
                    "sigma": [0.0, 0.1, 0.05],
                    "observation": [0.2, float("nan"), float("nan")],
                    "linear": [0.2, 0.2, 0.2],
                }
            ],
        },
        "resources": {"seconds": {"reading": 1.5, "fitting": 70.0, "writing": 2.0}, "peak_memory_gb": 1.25},
        "perceptual": {"requested": "auto", "used": False, "reason": "no weights"},
        "files": [
            {"path": "declouded/DATE.tif", "title": "Cloud-free images", "about": "An image a date."},
            {"path": "report.json", "title": "Report", "about": "How good the result is."},
        ],
    }


@cache
def example_thumbnails() -> list[Thumbnail]:
    generator = np.random.default_rng(0)
    collected = Miniatures(np.array(DATES, dtype="datetime64[D]"), BANDS, (20, 30))
    for t in range(len(DATES)):
        pixels = generator.random((3, 20, 30), dtype=np.float32)
        cloud_mask = generator.random((20, 30)) > 0.5
        collected.add(
            t, slice(0, 20), slice(0, 30), before=pixels, after=pixels, sigma=pixels / 50, cloud_mask=cloud_mask
        )
    return thumbnails(collected.pictures())
