"""Pictures composed of parts: text, images, legends, a scale bar, on one dark ground as in every picture of decloud."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from PIL import Image, ImageDraw, ImageFont

from seq2seq.looking.paint import Ramp, no_data_colour
from seq2seq.report.charts import number
from seq2seq.report.quicklook import UInt8

Colour = tuple[int, int, int]
PAPER, INK, SOFT, LINE = (17, 22, 26), (226, 232, 230), (150, 162, 160), (58, 66, 70)
MASK: Colour = (255, 45, 150)
MARGIN = 18
_TITLE, _FACTS, _SMALL = 21, 14, 13
_LEAST_WIDTH = 460
_RAMP_PX = (120, 11)


@cache
def font(size: int) -> "ImageFont.FreeTypeFont | ImageFont.ImageFont":
    """The font of all pictures; it lies in Pillow."""
    return ImageFont.load_default(size)


def text_width(text: str, size: int) -> int:
    """Pixels across."""
    return round(font(size).getlength(text))


def wrapped(text: str, size: int, width: int) -> list[str]:
    """Lines of whole words, none wider than `width` unless a word is."""
    lines: list[str] = []
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


class Piece(Protocol):
    """Something of a known size that draws itself: an entry of a legend."""

    @property
    def width(self) -> int:
        """Pixels across."""

    def draw(self, canvas: Image.Image, x: int, y: int) -> None:
        """Draws itself around the middle `y` of its line, from `x` to the right."""


@dataclass(frozen=True)
class Swatch:
    """A square of a colour, filled or outlined, and its meaning."""

    text: str
    colour: Colour
    filled: bool = False

    @property
    def width(self) -> int:
        """Of square and text."""
        return 20 + text_width(self.text, _SMALL)

    def draw(self, canvas: Image.Image, x: int, y: int) -> None:
        """Draws square and text."""
        draw = ImageDraw.Draw(canvas)
        draw.rectangle((x, y - 6, x + 12, y + 6), fill=self.colour if self.filled else None, outline=self.colour)
        draw.text((x + 20, y), self.text, font=font(_SMALL), fill=SOFT, anchor="lm")


@dataclass(frozen=True)
class RampKey:
    """The scale of a ramp: its name, the least value, its colours, the most."""

    name: str
    ramp: Ramp
    more: str = ""

    @property
    def _texts(self) -> tuple[str, str]:
        return f"{self.name} {number(round(self.ramp.low, 3))}", f"{number(round(self.ramp.high, 3))}{self.more}"

    @property
    def width(self) -> int:
        """Of texts and colours."""
        return sum(text_width(text, _SMALL) for text in self._texts) + _RAMP_PX[0] + 16

    def draw(self, canvas: Image.Image, x: int, y: int) -> None:
        """Draws texts and colours."""
        import numpy as np

        draw, (first, last) = ImageDraw.Draw(canvas), self._texts
        draw.text((x, y), first, font=font(_SMALL), fill=SOFT, anchor="lm")
        left = x + text_width(first, _SMALL) + 8
        steps = np.linspace(self.ramp.low, self.ramp.high, _RAMP_PX[0], dtype=np.float32)
        colours = self.ramp.apply(np.tile(steps, (1, _RAMP_PX[1], 1)))
        canvas.paste(Image.fromarray(colours), (left, y - _RAMP_PX[1] // 2))
        draw.text((left + _RAMP_PX[0] + 8, y), last, font=font(_SMALL), fill=SOFT, anchor="lm")


def no_data_key() -> Swatch:
    """What the grey of cells without data means."""
    return Swatch("no data", no_data_colour(), filled=True)


def mask_key(style: str) -> list[Piece]:
    """What the mask's colour means; nothing where it is not drawn."""
    drawn = {"outline": "outlined", "hatch": "hatched"}.get(style)
    return [Swatch(f"{drawn}: cloud, shadow or no data", MASK)] if drawn else []


def blank(width: int, height: int) -> Image.Image:
    """An empty canvas."""
    return Image.new("RGB", (width, height), PAPER)


def image_of(picture: UInt8) -> Image.Image:
    """(h, w, 3) as an image."""
    return Image.fromarray(picture)


def framed(
    body: Image.Image, *, title: str, facts: str, legend: Sequence[Piece] = (), captions: Sequence[str] = ()
) -> Image.Image:
    """The picture around its body: title and facts above, legend and captions below, as wide as the body needs."""
    inner = max(body.width, _LEAST_WIDTH)
    head = [(line, _TITLE, INK, 30) for line in wrapped(title, _TITLE, inner)]
    head += [(line, _FACTS, SOFT, 19) for line in wrapped(facts, _FACTS, inner)]
    foot = [(line, _SMALL, SOFT, 18) for text in captions if text for line in wrapped(text, _SMALL, inner)]
    rows = _rows(legend, inner)
    top = MARGIN + sum(step for *_, step in head) + 12
    below = top + body.height + 14
    canvas = blank(inner + 2 * MARGIN, below + 24 * len(rows) + sum(step for *_, step in foot) + MARGIN)
    _write(canvas, head, MARGIN)
    canvas.paste(body, (MARGIN, top))
    for k, row in enumerate(rows):
        x = MARGIN
        for piece in row:
            piece.draw(canvas, x, below + 24 * k + 8)
            x += piece.width + 24
    _write(canvas, foot, below + 24 * len(rows) + (4 if rows else 0))
    return canvas


def _write(canvas: Image.Image, lines: Sequence[tuple[str, int, Colour, int]], y: int) -> None:
    draw = ImageDraw.Draw(canvas)
    for text, size, colour, step in lines:
        draw.text((MARGIN, y), text, font=font(size), fill=colour, anchor="la")
        y += step


def _rows(pieces: Sequence[Piece], width: int) -> list[list[Piece]]:
    """As many in a row as there is room for."""
    rows: list[list[Piece]] = []
    used = 0
    for piece in pieces:
        if not rows or used + piece.width > width:
            rows.append([])
            used = 0
        rows[-1].append(piece)
        used += piece.width + 24
    return rows
