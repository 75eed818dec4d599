"""The dates of a scene one after another: before beside after, with their day and their place in time."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw

from seq2seq.looking.compass import scale_of
from seq2seq.looking.glance import Glance
from seq2seq.looking.layout import INK, LINE, SOFT, Piece, blank, font, framed
from seq2seq.looking.paint import Paint
from seq2seq.looking.scene import SceneInfo
from seq2seq.looking.sheet import AFTER, BEFORE, Painter, cell_words, legend_of, panels, zoom_for
from seq2seq.looking.single import side_by_side

Kind = Literal["WEBP", "GIF"]
MOVING_PX = 440
# More dates than this are shown smaller: all frames are held at once.
_MANY, _MANY_PX = 60, 300
_FRAME_MS, _LAST_MS = 700, 1800
_HEAD, _FOOT = 34, 34
_QUALITY = 90


@dataclass(frozen=True, eq=False)
class Film:
    """Frames of one size, and how long each is shown."""

    frames: Sequence[Image.Image]
    durations_ms: Sequence[int]

    def encoded(self, kind: Kind, signature: str) -> bytes:
        """As a file that plays for ever. signature: what has made it, said in the file."""
        first, *others = self.frames if kind == "WEBP" else [each.quantize(256) for each in self.frames]
        buffer, exif = BytesIO(), Image.Exif()
        exif[0x0131] = signature
        options = {"exif": exif, "quality": _QUALITY} if kind == "WEBP" else {"comment": signature.encode()}
        first.save(
            buffer, kind, save_all=True, append_images=others, duration=list(self.durations_ms), loop=0, **options
        )
        return buffer.getvalue()


def moving_px(dates: int) -> int:
    """The longer side of an image in an animation of so many dates."""
    return MOVING_PX if dates <= _MANY else _MANY_PX


def film(info: SceneInfo, glance: Glance, paint: Paint, *, style: str, captions: Sequence[str] = ()) -> Film:
    """A frame for each date of the glance: of a result before and after, of a sequence the date alone."""
    painter = Painter(paint, style, zoom_for(glance.shape, moving_px(len(glance.positions))))
    shown, _ = panels(glance, painter)
    names = (BEFORE, AFTER) if glance.after is not None else ()
    legend: list[Piece] = [
        scale_of(info.geobox, cell_px=glance.cell_px, zoom=painter.zoom),
        *legend_of(paint, style, None, no_data=bool(np.isnan(glance.before).any())),
    ]
    texts = [paint.caption(), *cell_words(glance), *captions, info.credit()]
    places = _places(info, glance.positions)
    frames = []
    for k, (t, images) in enumerate(zip(glance.positions, shown, strict=True)):
        body = side_by_side(images[: max(len(names), 1)], names)
        label = f"{100 * info.cloud[t]:.0f} % cloud, shadow or no data"
        frame = _frame(body, info.dates[t], label, places, k)
        frames.append(framed(frame, title=info.title, facts=info.facts(), legend=legend, captions=texts))
    return Film(frames, [_FRAME_MS] * (len(frames) - 1) + [_LAST_MS])


def _places(info: SceneInfo, positions: Sequence[int]) -> list[float]:
    """Where each date lies between first and last, 0 to 1."""
    days = np.array([info.dates[t] for t in positions], dtype="datetime64[D]").astype(np.int64)
    return [float(place) for place in (days - days[0]) / max(int(days[-1] - days[0]), 1)]


def _frame(body: Image.Image, day: str, label: str, places: Sequence[float], now: int) -> Image.Image:
    """The images below their day, above a line of time with all dates and this one."""
    width = max(body.width, 430)
    canvas = blank(width, _HEAD + body.height + _FOOT)
    draw = ImageDraw.Draw(canvas)
    draw.text((0, 22), day, font=font(22), fill=INK, anchor="ls")
    draw.text((width, 22), label, font=font(14), fill=SOFT, anchor="rs")
    canvas.paste(body, (0, _HEAD))
    y, left, right = _HEAD + body.height + 20, 7, width - 8
    draw.line((left, y, right, y), fill=LINE, width=2)
    for k, place in enumerate(places):
        x, radius = round(left + place * (right - left)), 6 if k == now else 3
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=INK if k == now else SOFT)
    return canvas
