"""Contact sheets: all dates of a scene side by side, or of a result before, after and how uncertain."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from seq2seq.looking.compass import scale_of
from seq2seq.looking.glance import Glance
from seq2seq.looking.layout import (
    INK,
    LINE,
    MASK,
    SOFT,
    Piece,
    RampKey,
    Swatch,
    blank,
    font,
    framed,
    image_of,
    mask_key,
    no_data_key,
    text_width,
)
from seq2seq.looking.paint import Paint, Ramp, enlarged, sigma_ramp, with_mask
from seq2seq.looking.scene import SceneInfo
from seq2seq.report.quicklook import UInt8
from seq2seq.sequence import Bool, Float32

# Of one image, by the number of dates: the longer side that it may have.
_SIDES = ((6, 340), (12, 260), (30, 200), (60, 170))
_LEAST_SIDE = 128
_GAP, _LABEL = 8, 22
_SIGN_GAP = 3
_WIDE = 1.6  # of a sheet, width over height
_CLOUD = (128, 142, 160)
# From this zoom on outlines are two pixels wide.
_LARGE = 8
# In a picture of uncertainty: pixels that were observed and pass through.
OBSERVED = (36, 43, 48)
BEFORE, AFTER, SIGMA = "before", "after", "uncertainty"


def side_px(dates: int, images: int = 1) -> int:
    """The longer side of an image on a sheet of so many dates with so many images each."""
    side = next((side for most, side in _SIDES if dates * images <= most), _LEAST_SIDE)
    return max(_LEAST_SIDE, side)


def zoom_for(shape: tuple[int, int], side: int) -> int:
    """A whole number, so that every cell is as large as every other."""
    return max(1, round(side / max(shape)))


@dataclass(frozen=True, eq=False)
class Painter:
    """What turns dates of a glance into images. style: of the mask, outline, hatch or none. sigma: the scale of
    uncertainty; None: of the glance's own dates."""

    paint: Paint
    style: str
    zoom: int
    sigma: Ramp | None = None

    def image(self, channels: Float32, mask: Bool) -> UInt8:
        """(C, h, w), (h, w) -> (h zoom, w zoom, 3) with its mask."""
        large = enlarged(self.paint(channels), self.zoom)
        return with_mask(large, enlarged(mask, self.zoom), self.style, MASK, width=2 if self.zoom >= _LARGE else 1)


def panels(glance: Glance, painter: Painter) -> tuple[list[list[UInt8]], Piece | None]:
    """The images of each date in one order, of a result three; and the key of its uncertainty."""
    masked = glance.masked
    before = [painter.image(image, mask) for image, mask in zip(glance.before, masked, strict=True)]
    if glance.after is None or glance.sigma is None:
        return [[image] for image in before], None
    nothing = np.zeros(glance.shape, dtype=bool)
    after = [painter.image(image, nothing) for image in glance.after]
    ramp = painter.sigma or sigma_ramp(glance.sigma)
    sigma = [enlarged(_painted_sigma(image, ramp), painter.zoom) for image in glance.sigma]
    key = RampKey(f"uncertainty, one std of {painter.paint.view.unit},", ramp, " and more")
    return [list(each) for each in zip(before, after, sigma, strict=True)], key


def _painted_sigma(sigma: Float32, ramp: Ramp) -> UInt8:
    """(h, w) -> (h, w, 3); what was observed is dark."""
    observed = np.nan_to_num(sigma) == 0
    return np.where(observed[..., None], np.array(OBSERVED), ramp.apply(sigma[None])).astype(np.uint8)


def contact_sheet(info: SceneInfo, glance: Glance, paint: Paint, *, style: str, captions: Sequence[str]) -> Image.Image:
    """All dates of the glance in rows, each with its day and its share of cloud."""
    images = 1 if glance.after is None else 3
    painter = Painter(paint, style, zoom_for(glance.shape, side_px(len(glance.positions), images)))
    shown, sigma_key = panels(glance, painter)
    labels = [_label(info, t, radar=paint.view.radar) for t in glance.positions]
    shares = [None if paint.view.radar else info.cloud[t] for t in glance.positions]
    names = (BEFORE, AFTER, SIGMA) if images > 1 else ()
    body = grid(shown, labels, shares, names)
    legend = [
        scale_of(info.geobox, cell_px=glance.cell_px, zoom=painter.zoom, most_px=110),
        *legend_of(paint, style, sigma_key, no_data=bool(np.isnan(glance.before).any())),
    ]
    texts = [paint.caption(), *cell_words(glance), share_words(info, paint), *captions, info.credit()]
    return framed(body, title=info.title, facts=info.facts(), legend=legend, captions=texts)


def legend_of(paint: Paint, style: str, sigma_key: Piece | None, *, no_data: bool) -> list[Piece]:
    """What colours mean, of those that are there."""
    ramp = [RampKey(paint.view.unit, paint.ramp)] if paint.ramp else []
    grey = [no_data_key()] if no_data else []
    uncertain = [sigma_key, Swatch("observed", OBSERVED, filled=True)] if sigma_key else []
    return [*ramp, *mask_key(style), *uncertain, *grey]


def cell_words(glance: Glance) -> list[str]:
    """What was reduced, where something was."""
    side = glance.cell_px
    return [f"Every square is the mean of {side} x {side} pixels of the grid."] if side > 1 else []


def share_words(info: SceneInfo, paint: Paint) -> str:
    """What the figures beside the dates are, and where masks come from."""
    figure = "the day of Sentinel-1" if paint.view.radar else "the share of cloud, shadow and no data"
    words = f"Beside each date: {figure}."
    if info.mask_source is None:
        return words
    source = {"user": "the user's, from MASK", "scl": "of SCL", "rules": "found by rules"}.get(
        info.mask_source, f"found by {info.mask_source}"
    )
    return f"{words} Masks are {source}."


def _label(info: SceneInfo, t: int, *, radar: bool) -> tuple[str, str]:
    if radar:
        day = info.s1_dates[t]
        return info.dates[t], f"S1 {day[5:] if day[:4] == info.dates[t][:4] else day}" if day else "no S1"
    return info.dates[t], f"{100 * info.cloud[t]:.0f} %"


def columns_for(count: int, across: int, down: int) -> int:
    """How many columns bring a sheet of `count` cells nearest to its shape; of equals, fewest empty places."""

    def badness(columns: int) -> tuple[float, int]:
        rows = -(-count // columns)
        shape = np.log(columns * across / (rows * down) / _WIDE)
        return round(abs(float(shape)), 1), columns * rows - count

    return min(range(1, count + 1), key=badness)


def grid(
    shown: Sequence[Sequence[UInt8]],
    labels: Sequence[tuple[str, str]],
    shares: Sequence[float | None],
    names: Sequence[str],
) -> Image.Image:
    """Images of each date in a row, below its label and a bar of its share; dates in as many rows as look well.

    names: of the images, above each column.
    """
    height, width = shown[0][0].shape[:2]
    inner = len(shown[0]) * (width + _SIGN_GAP) - _SIGN_GAP
    across, down = max(inner, _label_width(labels)) + _GAP + 4, height + _LABEL + 6 + _GAP
    columns = columns_for(len(shown), across, down)
    top = 18 if names else 0
    canvas = blank(columns * across - _GAP - 4, top + -(-len(shown) // columns) * down - _GAP)
    draw = ImageDraw.Draw(canvas)
    for column in range(columns):
        for k, name in enumerate(names):
            x = column * across + k * (width + _SIGN_GAP)
            draw.text((x, 0), name, font=font(12), fill=SOFT, anchor="la")
    for number, (images, label, share) in enumerate(zip(shown, labels, shares, strict=True)):
        x, y = number % columns * across, top + number // columns * down
        _draw_label(draw, (x, y), inner, label, share)
        for k, image in enumerate(images):
            canvas.paste(image_of(image), (x + k * (width + _SIGN_GAP), y + _LABEL + 6))
    return canvas


def _label_width(labels: Sequence[tuple[str, str]]) -> int:
    return max(text_width(f"{first}  {second}", 13) for first, second in labels)


def _draw_label(
    draw: ImageDraw.ImageDraw, corner: tuple[int, int], width: int, label: tuple[str, str], share: float | None
) -> None:
    """Day and figure above a bar of the share of cloud, where there is one."""
    x, y = corner
    right = x + max(width, _label_width([label]))
    draw.text((x, y + 15), label[0], font=font(13), fill=INK, anchor="ls")
    draw.text((right, y + 15), label[1], font=font(13), fill=SOFT, anchor="rs")
    if share is None:
        return
    draw.rectangle((x, y + 20, right - 1, y + 22), fill=LINE)
    if share > 0:
        draw.rectangle((x, y + 20, x + max(1, round(share * (right - x))) - 1, y + 22), fill=_CLOUD)
