"""Styles for QGIS (.qml): symbology alone, so that they fit any QGIS 3 and change nothing else of a layer."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from seq2seq.products.styles import Classes, Composite, Ramp, Style

_HEAD = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
_OPAQUE = "255"


def qml(style: Style, bands: Sequence[str]) -> bytes:
    """Writes `style` for a raster of `bands`, as QGIS keeps it beside a file."""
    root = Element("qgis", version="3.28", styleCategories="Symbology")
    pipe = SubElement(root, "pipe")
    match style:
        case Composite():
            _add_composite(pipe, style, bands)
        case Ramp():
            _add_ramp(pipe, style)
        case Classes():
            _add_classes(pipe, style)
    SubElement(pipe, "brightnesscontrast", brightness="0", contrast="0", gamma="1")
    SubElement(root, "blendMode").text = "0"
    indent(root, " ")
    return _HEAD.encode() + tostring(root) + b"\n"


def _renderer(pipe: Element, kind: str, **attributes: str) -> Element:
    shared = {"type": kind, "opacity": "1", "alphaBand": "-1", "nodataColor": ""}
    return SubElement(pipe, "rasterrenderer", {**shared, **attributes})


def _add_composite(pipe: Element, style: Composite, bands: Sequence[str]) -> None:
    numbers = {
        colour: str(bands.index(name) + 1) for colour, name in zip(("red", "green", "blue"), style.bands, strict=True)
    }
    renderer = _renderer(pipe, "multibandcolor", **{f"{colour}Band": number for colour, number in numbers.items()})
    for colour in numbers:
        stretch = SubElement(renderer, f"{colour}ContrastEnhancement")
        SubElement(stretch, "minValue").text = f"{style.low:.9g}"
        SubElement(stretch, "maxValue").text = f"{style.high:.9g}"
        SubElement(stretch, "algorithm").text = "StretchToMinimumMaximum"


def _add_ramp(pipe: Element, style: Ramp) -> None:
    low, high = f"{style.low:.9g}", f"{style.high:.9g}"
    renderer = _renderer(
        pipe, "singlebandpseudocolor", band=str(style.band), classificationMin=low, classificationMax=high
    )
    shader = SubElement(
        SubElement(renderer, "rastershader"),
        "colorrampshader",
        colorRampType="INTERPOLATED",
        classificationMode="1",
        minimumValue=low,
        maximumValue=high,
        clip="0",
    )
    for number, (value, colour) in enumerate(style.stops):
        alpha = "0" if style.transparent and not number else _OPAQUE
        SubElement(shader, "item", value=f"{value:.9g}", label=f"{value:.3g}", color=colour, alpha=alpha)


def _add_classes(pipe: Element, style: Classes) -> None:
    palette = SubElement(_renderer(pipe, "paletted", band="1"), "colorPalette")
    for value, label, colour in style.entries:
        SubElement(
            palette, "paletteEntry", value=str(value), label=label, color=colour[:7], alpha=str(int(colour[7:], 16))
        )
