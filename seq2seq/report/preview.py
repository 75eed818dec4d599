"""One picture of a whole sequence: a choice of dates, the input above, the result below."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from seq2seq.report.quicklook import Pictures, UInt8
from seq2seq.report.thumbnails import encoded

if TYPE_CHECKING:
    from PIL.Image import Image

_PAPER, _INK, _SOFT = (17, 22, 26), (226, 232, 230), (150, 162, 160)
_GAP_PX, _LEFT_PX, _TOP_PX, _RIGHT_PX = 6, 40, 40, 14


def preview_png(pictures: Pictures, *, columns: int = 6, cell_px: int = 224, note: str | None = None) -> bytes:
    """PNG: a choice of dates, the input above, the result below, each named. `note`: a line below the picture."""
    chosen = choose_dates(pictures.cloud.mean((1, 2)), columns)
    stretch = pictures.stretch
    rows = [
        ("cloudy", [stretch.apply(pictures.before[t]) for t in chosen]),
        ("cloud-free", [stretch.apply(pictures.after[t]) for t in chosen]),
    ]
    return _draw_grid(rows, [pictures.dates[t] for t in chosen], cell_px=cell_px, note=note)


def choose_dates(cloud_fraction: NDArray[np.floating], count: int) -> list[int]:
    """Indices of up to `count` dates spread over the sequence; of each stretch of time the one nearest to half cloudy.

    Half cloudy dates show best what was restored and what it has to agree with.
    """
    parts = np.array_split(np.arange(len(cloud_fraction)), min(count, len(cloud_fraction)))
    return [int(part[np.argmin(np.abs(cloud_fraction[part] - 0.5))]) for part in parts]


def _draw_grid(rows: list[tuple[str, list[UInt8]]], dates: list[str], *, cell_px: int, note: str | None) -> bytes:
    from PIL import Image, ImageDraw, ImageFont

    height, width = rows[0][1][0].shape[:2]
    scale = cell_px / max(height, width)
    cell_width, cell_height = max(1, round(width * scale)), max(1, round(height * scale))
    across, down = cell_width + _GAP_PX, cell_height + _GAP_PX
    bottom = 34 if note else 14
    size = (_LEFT_PX + len(dates) * across + _RIGHT_PX - _GAP_PX, _TOP_PX + len(rows) * down - _GAP_PX + bottom)
    canvas = Image.new("RGB", size, _PAPER)
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(15)
    for column, date in enumerate(dates):
        middle = _LEFT_PX + column * across + cell_width / 2
        draw.text((middle, _TOP_PX - 11), date, font=font, fill=_INK, anchor="ms")
    for row, (name, images) in enumerate(rows):
        y = _TOP_PX + row * down
        _draw_upright(canvas, name, (_LEFT_PX / 2, y + cell_height / 2), font)
        for column, image in enumerate(images):
            picture = Image.fromarray(image).resize((cell_width, cell_height), Image.Resampling.BICUBIC)
            canvas.paste(picture, (_LEFT_PX + column * across, y))
    if note:
        draw.text((_LEFT_PX, size[1] - 12), note, font=ImageFont.load_default(14), fill=_SOFT, anchor="ls")
    return encoded(canvas, "PNG")  # the smallest there is would be 1 to 4 % smaller and take up to seven times as long


def _draw_upright(canvas: "Image", text: str, centre: tuple[float, float], font: Any) -> None:
    """Text that reads from bottom to top."""
    from PIL import Image, ImageDraw

    left, top, right, bottom = font.getbbox(text)
    label = Image.new("L", (int(right - left) + 4, int(bottom - top) + 4))
    ImageDraw.Draw(label).text((2 - left, 2 - top), text, font=font, fill=255)
    label = label.rotate(90, expand=True)
    corner = (round(centre[0] - label.width / 2), round(centre[1] - label.height / 2))
    canvas.paste(_INK, (*corner, corner[0] + label.width, corner[1] + label.height), label)
