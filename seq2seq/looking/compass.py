"""Where north is on a grid, and how long its pixels are: a scale bar and an arrow."""

import math
from dataclasses import dataclass

from odc.geo.geobox import GeoBox
from PIL import Image, ImageDraw
from rasterio.warp import transform

from seq2seq.looking.layout import INK, SOFT, font
from seq2seq.readers.pairing import gsd_m

_WGS84 = "EPSG:4326"
_METRES_PER_DEGREE = 111_320.0
# A grid of UTM leans by up to three degrees at the edge of its zone: the arrow of such a one stands upright.
_UPRIGHT_DEGREES = 3.5
_STEP_DEGREES = 1e-4


def pixel_width_m(geobox: GeoBox) -> float:
    """Metres from one column to the next, in the middle of the grid; degrees shrink with latitude."""
    if not geobox.crs.geographic:
        return float(gsd_m(geobox))
    latitude = math.radians(centre(geobox)[1])
    return float(abs(geobox.resolution.x)) * _METRES_PER_DEGREE * math.cos(latitude)


def centre(geobox: GeoBox) -> tuple[float, float]:
    """Longitude and latitude of the middle of the grid."""
    height, width = geobox.shape
    return lonlat(geobox, height / 2, width / 2)


def lonlat(geobox: GeoBox, row: float, column: float) -> tuple[float, float]:
    """Longitude and latitude of a place of the grid, in pixels from its corner."""
    x, y = geobox.affine @ (column, row)
    (longitude,), (latitude,) = transform(geobox.crs.to_wkt(), _WGS84, [x], [y])
    return longitude, latitude


def place_of(geobox: GeoBox, longitude: float, latitude: float) -> tuple[float, float]:
    """The inverse of `lonlat`: row and column, in pixels from the corner."""
    (x,), (y,) = transform(_WGS84, geobox.crs.to_wkt(), [longitude], [latitude])
    column, row = ~geobox.affine @ (x, y)
    return row, column


def degrees(latitude: float, longitude: float) -> str:
    """A place in words, to about a metre."""
    return (
        f"{abs(latitude):.5f}° {'N' if latitude >= 0 else 'S'}, {abs(longitude):.5f}° {'E' if longitude >= 0 else 'W'}"
    )


def north_degrees(geobox: GeoBox) -> float:
    """Clockwise from the top of the picture to true north, -180 to 180; 0 where the grid is north-up, nearly."""
    angle = exact_north_degrees(geobox)
    return 0.0 if abs(angle) <= _UPRIGHT_DEGREES else angle


def exact_north_degrees(geobox: GeoBox) -> float:
    """Clockwise from the top of the picture to true north in its middle, -180 to 180."""
    height, width = geobox.shape
    longitude, latitude = centre(geobox)
    row, column = place_of(geobox, longitude, latitude + (_STEP_DEGREES if latitude < 89 else -_STEP_DEGREES))
    turned = 0.0 if latitude < 89 else 180.0  # the step went south
    return (math.degrees(math.atan2(column - width / 2, height / 2 - row)) + turned + 180) % 360 - 180


def round_length(most: float) -> float:
    """The longest of 1, 2, 5, 10, ... that is no more than `most`."""
    power = 10.0 ** math.floor(math.log10(most))
    return max(step * power for step in (1, 2, 5) if step * power <= most * (1 + 1e-9))


@dataclass(frozen=True)
class ScaleBar:
    """An entry of a legend: a bar of a round length of about `most_px`, and an arrow that points north.

    metres_per_px: of the picture. north: clockwise from the top, None: no arrow.
    """

    metres_per_px: float
    north: float | None
    most_px: int = 150

    @property
    def metres(self) -> float:
        """The length of the bar."""
        return round_length(self.metres_per_px * self.most_px)

    @property
    def width(self) -> int:
        """Of bar, text and arrow."""
        return self._bar_px + 70 + (34 if self.north is not None else 0)

    @property
    def _bar_px(self) -> int:
        return max(1, round(self.metres / self.metres_per_px))

    def draw(self, canvas: Image.Image, x: int, y: int) -> None:
        """Draws the arrow, the bar and its length."""
        draw = ImageDraw.Draw(canvas)
        if self.north is not None:
            _draw_arrow(canvas, x + 9, y, self.north)
            x += 34
        end = x + self._bar_px
        draw.rectangle((x, y - 1, end, y + 1), fill=INK)
        for tick in (x, end):
            draw.rectangle((tick - 1, y - 5, tick, y + 5), fill=INK)
        text = f"{self.metres / 1000:g} km" if self.metres >= 1000 else f"{self.metres:g} m"
        draw.text((end + 9, y), text, font=font(13), fill=INK, anchor="lm")


def scale_of(geobox: GeoBox, *, cell_px: int, zoom: int, arrow: bool = True, most_px: int = 150) -> ScaleBar:
    """For a picture whose cells of `cell_px` pixels are drawn as squares of `zoom`."""
    metres = pixel_width_m(geobox) * cell_px / zoom
    return ScaleBar(metres, north_degrees(geobox) if arrow else None, most_px)


def _draw_arrow(canvas: Image.Image, x: int, y: int, degrees: float) -> None:
    """A needle around (x, y), with an N at its tip."""
    side, sharp = 34, 4
    needle = Image.new("L", (side * sharp, side * sharp))
    draw, middle = ImageDraw.Draw(needle), side * sharp // 2
    tip, tail, half = middle - 11 * sharp, middle + 9 * sharp, 5 * sharp
    draw.polygon([(middle, tip), (middle + half, tail), (middle, tail - 4 * sharp), (middle - half, tail)], fill=255)
    needle = needle.rotate(-degrees).resize((side, side), Image.Resampling.LANCZOS)
    canvas.paste(INK, (x - side // 2, y - side // 2), needle)
    turn = math.radians(degrees)
    label = (x + 13 * math.cos(turn) if abs(degrees) < 90 else x - 13, y + 13 * math.sin(turn) - 1)
    ImageDraw.Draw(canvas).text(label, "N", font=font(11), fill=SOFT, anchor="mm")
