"""A small finished result of a simulated sequence for what shows results in a browser; what files and charts say."""

from pathlib import Path
from typing import Any

import rasterio

from seq2seq.bands import BAND_SETS
from seq2seq.config import ReconstructionConfig
from seq2seq.simulation.simulate import simulate, write_simulation


def small_result(folder: Path, *, dates: int = 6, size: tuple[int, int] = (72, 104), name: str = "cloud-free") -> Path:
    """Runs interpolation on all bands of L2A, with S1 and masks; the folder of the result, `name`."""
    from seq2seq.run import pipeline

    write_simulation(simulate(dates=dates, size=size, bands=BAND_SETS["L2A"], cloud=0.4, seed=3), folder / "meadows")
    return pipeline.run(
        folder / "meadows" / "input", folder / name, ReconstructionConfig(method="linear", device="cpu")
    )


def dates_of(result: Path) -> list[str]:
    """In order."""
    return sorted(path.stem for path in (result / "declouded").glob("*.tif"))


def stored_reflectance(result: Path, band: str, row: int, column: int) -> list[str]:
    """A pixel of a band in every GeoTIFF, with the four decimals that L2A has."""
    found = []
    for day in dates_of(result):
        with rasterio.open(result / "declouded" / f"{day}.tif") as image:
            at = image.descriptions.index(band) + 1
            stored = image.read(at, window=((row, row + 1), (column, column + 1)))[0, 0]
        found.append(f"{stored / 10_000:.4f}")
    return found


def charted(page: Any) -> list[str]:
    """The result's values as the table beneath the chart lists them."""
    page.locator(".place details summary").click()
    page.wait_for_selector(".place table")
    place = page.locator(".place thead th").all_inner_texts().index("Result")
    return [line.locator("th, td").nth(place).inner_text() for line in page.locator(".place tbody tr").all()]
