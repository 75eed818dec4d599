"""One date, large: pixels as squares, with a scale bar and north; of a result before, after and how uncertain."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from seq2seq.looking.compass import centre, degrees, scale_of
from seq2seq.looking.glance import Glance
from seq2seq.looking.layout import SOFT, blank, font, framed, image_of
from seq2seq.looking.paint import Paint, Ramp
from seq2seq.looking.scene import SceneInfo
from seq2seq.looking.sheet import AFTER, BEFORE, SIGMA, Painter, legend_of, panels
from seq2seq.readers.contents import Window
from seq2seq.report.quicklook import UInt8
from seq2seq.sequence import crs_name

# The longer side of an image that is enlarged, and of one that is reduced: by the number of images side by side.
LARGE_PX = {1: 960, 3: 600}
MOST_CELLS = 2048
_GAP, _HEAD = 10, 20


def date_picture(
    info: SceneInfo,
    glance: Glance,
    paint: Paint,
    *,
    style: str,
    area: Window,
    own_stretch: bool = False,
    sigma: Ramp | None = None,
    captions: Sequence[str] = (),
) -> Image.Image:
    """The only date of a glance. area: what it shows of the scene. sigma: the scale of uncertainty, of all dates."""
    images = 1 if glance.after is None else 3
    zoom = max(1, LARGE_PX[images] // max(glance.shape))
    shown, sigma_key = panels(glance, Painter(paint, style, zoom, sigma))
    body = side_by_side(shown[0], (BEFORE, AFTER, SIGMA) if images > 1 else ())
    (t,) = glance.positions
    geobox = info.geobox[area.slices]
    legend = [
        scale_of(geobox, cell_px=glance.cell_px, zoom=zoom),
        *legend_of(paint, style, sigma_key, no_data=bool(np.isnan(glance.before).any())),
    ]
    radar = f"  ·  Sentinel-1 of {info.s1_dates[t]}" if info.s1_dates[t] else ""
    longitude, latitude = centre(geobox)
    facts = (
        f"{100 * info.cloud[t]:.0f} % cloud, shadow or no data{radar}  ·  {_grid(area)}, {crs_name(geobox)}  ·  "
        f"centre {degrees(latitude, longitude)}"
    )
    stretch = paint.caption("for this date alone" if own_stretch else "for all dates")
    texts = [stretch, _cells(info, glance, zoom), *captions, info.credit()]
    return framed(body, title=f"{info.title}, {info.dates[t]}", facts=facts, legend=legend, captions=texts)


def side_by_side(images: Sequence[UInt8], names: Sequence[str]) -> Image.Image:
    """Images of one size in a row, each below its name, where they have names."""
    height, width = images[0].shape[:2]
    top = _HEAD if names else 0
    canvas = blank(len(images) * (width + _GAP) - _GAP, top + height)
    draw = ImageDraw.Draw(canvas)
    for k, image in enumerate(images):
        canvas.paste(image_of(image), (k * (width + _GAP), top))
        if names:
            draw.text((k * (width + _GAP), 0), names[k], font=font(14), fill=SOFT, anchor="la")
    return canvas


def _grid(area: Window) -> str:
    height, width = area.shape
    corner = f" from row {area.row}, column {area.column}" if area.row or area.column else ""
    return f"{height} x {width} px{corner}"


def _cells(info: SceneInfo, glance: Glance, zoom: int) -> str:
    if glance.cell_px == 1:
        return f"Every pixel of the grid is {zoom} x {zoom} pixels here." if zoom > 1 else "Every pixel is shown."
    words = f"Every pixel here is the mean of {glance.cell_px} x {glance.cell_px} pixels of the grid"
    if info.in_memory:
        return f"{words}; a crop of up to {MOST_CELLS} px shows them as they are."
    return f"{words}; a --window of up to {MOST_CELLS} px shows them as they are."
