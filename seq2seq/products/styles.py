"""How viewers may show a raster: values and colours, in no viewer's terms; `seq2seq.writers.qgis` knows QGIS's."""

from collections.abc import Sequence
from dataclasses import dataclass

from seq2seq.bands import FALSE_COLOURS, NATURAL_COLOUR
from seq2seq.products.base import COG_FORMAT, DATE, XML, Product, ProductFile

STYLE_SUFFIX = ".qml"

# From none to the most, growing in lightness, so that all eyes can read it.
DOUBT = ("#00224e", "#424e6b", "#7c7b78", "#baae6c", "#ffea46")
BROWN_TO_GREEN = ("#8c510a", "#d8b365", "#f6e8c3", "#c7eae5", "#5ab45f", "#1a6b2f")
BROWN_TO_BLUE = ("#8c510a", "#d8b365", "#f5f5f5", "#92c5de", "#2166ac")
WHITE_TO_RED = ("#1a6b2f", "#a6d96a", "#ffffbf", "#fdae61", "#d7191c")


@dataclass(frozen=True)
class Composite:
    """Three bands as red, green and blue; one band three times is grey. low, high: values that are black and white."""

    bands: tuple[str, str, str]
    low: float
    high: float

    @classmethod
    def of(cls, bands: Sequence[str], low: float, high: float) -> "Composite":
        """Natural colour where the bands have it, else a false colour, else the first band as grey."""
        triples = (each for each in (NATURAL_COLOUR, *FALSE_COLOURS) if set(each) <= set(bands))
        return cls(next(triples, (bands[0],) * 3), low, high)


@dataclass(frozen=True)
class Ramp:
    """One band, number `band` from 1, in colours evenly apart from `low` to `high`. transparent: `low` is not shown."""

    low: float
    high: float
    colours: tuple[str, ...]
    band: int = 1
    transparent: bool = False

    @property
    def stops(self) -> tuple[tuple[float, str], ...]:
        """Values and their colours."""
        steps = len(self.colours) - 1
        return tuple(
            (self.low + (self.high - self.low) * number / steps, colour) for number, colour in enumerate(self.colours)
        )


@dataclass(frozen=True)
class Classes:
    """One band of whole numbers: value, label, colour with its opacity, #rrggbbaa."""

    entries: tuple[tuple[int, str, str], ...]


Style = Composite | Ramp | Classes


def styles_of(rasters: Sequence[Product]) -> Product:
    """Returns the product that a style beside each raster is: of the same name, so that QGIS finds it."""
    return Product(
        name="styles",
        title="QGIS styles",
        about="How QGIS shows the image beside it: it is found by its name.",
        media_type=XML,
        per_date=True,
        format=COG_FORMAT,
        parts=tuple(ProductFile(f"{raster.name}/{DATE}{STYLE_SUFFIX}", XML) for raster in rasters),
    )
