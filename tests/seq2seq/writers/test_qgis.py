"""Styles name bands and values that the raster beside them has, in the terms of QGIS."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
from simulated_result import write_result

from seq2seq.bands import BAND_SETS, L1C
from seq2seq.products import PRODUCTS
from seq2seq.products.base import RasterProfile
from seq2seq.products.styles import Composite, Ramp
from seq2seq.radiometry import Radiometry
from seq2seq.writers.qgis import qml

RASTERS = [product for product in PRODUCTS if product.raster]


class Scene:
    def __init__(self, bands: tuple[str, ...], radiometry: Radiometry) -> None:
        self.bands, self.radiometry = bands, radiometry


PLAIN = Radiometry("uint16", 1e-4, 0.0, 0.0, tags=(1.0, 0.0))


def profile_of(name: str, bands: tuple[str, ...] = L1C, radiometry: Radiometry = PLAIN) -> RasterProfile:
    product = next(each for each in RASTERS if each.name == name)
    assert product.raster is not None
    return product.raster.profile(Scene(bands, radiometry))


def renderer(profile: RasterProfile) -> ElementTree.Element:
    assert profile.style is not None
    found = ElementTree.fromstring(qml(profile.style, profile.bands)).find("pipe/rasterrenderer")
    assert found is not None
    return found


@pytest.mark.parametrize("name", [product.name for product in RASTERS])
def test_every_raster_has_a_style_of_a_kind_that_qgis_has_for_bands_that_are_there(name: str) -> None:
    profile = profile_of(name)
    drawn = renderer(profile)
    assert drawn.get("type") in ("multibandcolor", "singlebandpseudocolor", "paletted")
    numbers = [int(value) for key, value in drawn.items() if key in ("band", "redBand", "greenBand", "blueBand")]
    assert numbers
    assert all(1 <= number <= len(profile.bands) for number in numbers)


def test_it_lies_beside_its_raster_under_the_same_name(tmp_path: Path) -> None:
    write_result(tmp_path, dates=2, config={})
    rasters, styles = ({path.with_suffix("") for path in tmp_path.rglob(f"*{end}")} for end in (".tif", ".qml"))
    assert len(rasters) == 6
    assert rasters == styles


@pytest.mark.parametrize("bands", list(BAND_SETS.values()), ids=list(BAND_SETS))
def test_an_image_is_shown_in_natural_colour(bands: tuple[str, ...]) -> None:
    drawn = renderer(profile_of("declouded", bands))
    shown = [bands[int(str(drawn.get(f"{colour}Band"))) - 1] for colour in ("red", "green", "blue")]
    assert shown == ["B04", "B03", "B02"]


def test_without_these_bands_it_is_shown_in_others() -> None:
    assert Composite.of(("B03", "B04", "B08"), 0, 1).bands == ("B08", "B04", "B03")
    assert Composite.of(("B05", "B06"), 0, 1).bands == ("B05", "B05", "B05")


@pytest.mark.parametrize(
    ("radiometry", "expected"),
    [
        (Radiometry("uint16", 1e-4, 0.0, 0.0, tags=(1.0, 0.0)), (0, 3000)),
        (Radiometry("uint16", 1e-4, -0.1, 0.0, tags=(1.0, 0.0)), (1000, 4000)),
        # QGIS applies tags before it looks at a style.
        (Radiometry("uint16", 1e-4, -0.1, 0.0, tags=(1e-4, -0.1)), (0, 0.3)),
        (Radiometry("float32", 1.0, 0.0, None, tags=(1.0, 0.0)), (0, 0.3)),
    ],
)
def test_black_and_white_are_the_same_reflectance_however_it_is_stored(
    radiometry: Radiometry, expected: tuple[float, float]
) -> None:
    drawn = renderer(profile_of("declouded", radiometry=radiometry))
    for stretch in (drawn.find(f"{colour}ContrastEnhancement") for colour in ("red", "green", "blue")):
        assert stretch is not None
        limits = [float(str(stretch.findtext(end))) for end in ("minValue", "maxValue")]
        assert limits == pytest.approx(expected, abs=1e-6)


def test_a_mask_shows_what_was_hidden_and_leaves_the_rest_clear(tmp_path: Path) -> None:
    entries = renderer(profile_of("cloud_mask")).findall("colorPalette/paletteEntry")
    opacity = {int(str(entry.get("value"))): int(str(entry.get("alpha"))) for entry in entries}
    write_result(tmp_path, dates=1, config={})
    with rasterio.open(tmp_path / "cloud_mask" / "2021-05-01.tif") as mask:
        assert set(np.unique(mask.read())) == set(opacity)
    assert opacity[0] == 0 < opacity[1]


def test_the_stops_of_a_ramp_grow_evenly_from_end_to_end() -> None:
    ramp = Ramp(-0.2, 0.8, ("#000000", "#111111", "#222222"))
    assert [value for value, _ in ramp.stops] == pytest.approx([-0.2, 0.3, 0.8])
    items = renderer(profile_of("uncertainty")).findall("rastershader/colorrampshader/item")
    values = [float(str(item.get("value"))) for item in items]
    assert values == sorted(set(values))
    assert [item.get("alpha") for item in items[:2]] == ["0", "255"]  # what was observed is not covered
