"""Pictures of one patch of a data set: radar, cloudy, its clouds and cloud-free side by side, or all of its dates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from seq2seq.bands import L1C, S1_BANDS
from seq2seq.datasets.cloud_score import cloud_or_shadow, find_clouds
from seq2seq.datasets.patches import check_same_size, has_values, read_optical, read_patch
from seq2seq.errors import MissingDataError
from seq2seq.looking.layout import MASK, Piece, RampKey, Swatch, blank, mask_key
from seq2seq.looking.paint import Paint, enlarged, fit_paint, with_mask
from seq2seq.looking.sheet import OBSERVED, grid, zoom_for
from seq2seq.looking.single import side_by_side
from seq2seq.looking.trees import Patch, Shot
from seq2seq.looking.views import Choice, View, choose_view, radar_view
from seq2seq.report.quicklook import AreaMean, UInt8
from seq2seq.sequence import Bool, Float32

CLOUD, SHADOW = (222, 228, 232), (92, 120, 176)
RULE = "Clouds and shadows are found by DSen2-CR's rule; the data set has no masks."
GSD_M = 10.0


@dataclass(frozen=True, eq=False)
class Drawn:
    """A picture of a patch, and what is said of it. zoom, cell_px: of the images in it."""

    image: Image.Image
    facts: str
    paints: tuple[Paint, ...]
    zoom: int
    cell_px: int = 1


@dataclass(frozen=True, eq=False)
class _Optical:
    """(13, H, W) reflectance, where it has values, and its clouds."""

    pixels: Float32
    valid: Bool

    @classmethod
    def read(cls, shot: Shot) -> "_Optical":
        assert shot.s2 is not None
        pixels = read_optical(shot.s2, date=np.datetime64(shot.date or "NaT", "D"))
        return cls(pixels, has_values(pixels[None])[0])

    @property
    def cloud(self) -> Bool:
        """(H, W) cloud or shadow."""
        return cloud_or_shadow(self.pixels)

    def channels(self, view: View) -> Float32:
        """(C, H, W) as shown, NaN outside the swath."""
        bands = self.pixels[[L1C.index(band) for band in view.bands]]
        return view.channels(np.where(self.valid, bands, np.float32(np.nan)))


def draw_patch(patch: Patch, bands: Choice | None, *, side: int) -> Drawn:
    """Draws a patch, images of about `side` pixels. Raises `InputError` naming the file that cannot be read."""
    view, _ = choose_view(bands, L1C, (), name=patch.name)
    return _draw_series(patch, view, side) if patch.shots[0].date else _draw_triplet(patch, view, side)


def legend_of(drawn: Drawn, *, series: bool) -> list[Piece]:
    """What colours mean."""
    found: list[Piece] = [RampKey(paint.view.unit, paint.ramp) for paint in drawn.paints if paint.ramp]
    if series:
        return [*found, *mask_key("outline")]
    return [*found, Swatch("cloud", CLOUD, filled=True), Swatch("shadow", SHADOW, filled=True)]


def _draw_triplet(patch: Patch, view: View, side: int) -> Drawn:
    shot = patch.shots[0]
    cloudy = _Optical.read(shot) if shot.s2 else None
    clear = _Optical.read(Shot(None, patch.clear, None)) if patch.clear else None
    radar = None if shot.s1 is None else read_patch(shot.s1, bands=2)
    _check_sizes([shot, Shot(None, patch.clear, None)], [cloudy, clear], [radar, None])
    reference = clear or cloudy
    if reference is None:
        raise MissingDataError(f"{patch.name}: has no Sentinel-2 image", file=str(shot.s1))
    shape = reference.valid.shape
    zoom = zoom_for(shape, side)
    both = [image for image in (clear, cloudy) if image is not None]
    paint = fit_paint(view, np.stack([each.channels(view) for each in both]), np.stack([~each.cloud for each in both]))
    images = [
        _radar_image(radar, shape),
        _optical_image(cloudy, paint, shape),
        _class_image(cloudy, shape),
        _optical_image(clear, paint, shape),
    ]
    names = ("Sentinel-1", "cloudy", "clouds", "cloud-free")
    lacking = [name for name, there in zip(names, (radar, cloudy, cloudy, clear), strict=True) if there is None]
    shown = [enlarged(image, zoom) for image in images]
    body = side_by_side(shown, [f"no {name}" if name in lacking else name for name in names])
    share = float(cloudy.cloud.mean()) if cloudy else None
    return Drawn(body, "" if share is None else f"{100 * share:.0f} % cloud or shadow", (paint,), zoom)


def _draw_series(patch: Patch, view: View, side: int) -> Drawn:
    optical = [_Optical.read(shot) if shot.s2 else None for shot in patch.shots]
    radar = [None if shot.s1 is None else _read_radar(shot) for shot in patch.shots]
    _check_sizes(patch.shots, optical, radar)
    there = [image for image in optical if image is not None]
    if not there:
        raise MissingDataError(f"{patch.name}: has no Sentinel-2 image", file=str(patch.shots[0].s1))
    clouds = [None if image is None else image.cloud for image in optical]
    shape = there[0].valid.shape
    channels = [_reduced(image.channels(view), side) for image in there]
    clear = [_reduced(cloud[None], side)[0] == 0 for cloud in clouds if cloud is not None]
    paint = fit_paint(view, np.stack(channels), np.stack(clear))
    cell_px = -(-max(shape) // side)
    zoom = zoom_for(channels[0].shape[1:], side)
    backscatter = _radar_paint([image for image in radar if image is not None], side)
    empty = np.full(channels[0].shape[1:], np.nan, dtype=np.float32)[None]
    shown: list[list[UInt8]] = []
    for image, cloud, db in zip(optical, clouds, radar, strict=True):
        left = paint(empty.repeat(len(view.shown), 0) if image is None else channels.pop(0))
        masked = np.zeros(empty.shape[1:], bool) if cloud is None else _reduced(cloud[None], side)[0] >= 0.5
        left = with_mask(enlarged(left, zoom), enlarged(masked, zoom), "outline", MASK)
        shown.append(
            [left] if backscatter is None else [left, enlarged(_paint_radar(db, backscatter, empty, side), zoom)]
        )
    shares = [None if cloud is None else float(cloud.mean()) for cloud in clouds]
    labels = [
        (shot.date or "", "no S2" if share is None else f"{100 * share:.0f} %")
        for shot, share in zip(patch.shots, shares, strict=True)
    ]
    known = [share for share in shares if share is not None]
    names = () if backscatter is None else ("Sentinel-2", "Sentinel-1")
    facts = f"{len(patch.shots)} dates, {100 * float(np.mean(known)):.0f} % cloud or shadow on average"
    facts += "" if backscatter is not None else ", no Sentinel-1"
    return Drawn(grid(shown, labels, shares, names), facts, (paint,), zoom, cell_px)


def _read_radar(shot: Shot) -> Float32:
    assert shot.s1 is not None
    return read_patch(shot.s1, bands=2, date=np.datetime64(shot.date or "NaT", "D"))


def _check_sizes(shots: Sequence[Shot], optical: Sequence[_Optical | None], radar: Sequence[Float32 | None]) -> None:
    """Raises `InputError` where images of a place differ in size."""
    images = {}
    for shot, image, db in zip(shots, optical, radar, strict=True):
        if shot.s2 is not None and image is not None:
            images[shot.s2] = image.pixels
        if shot.s1 is not None and db is not None:
            images[shot.s1] = db
    check_same_size(images)


def _reduced(image: Float32 | Bool, side: int) -> Float32:
    """(C, H, W) -> means of square cells, at most `side` of them along a side; NaN where there is nothing."""
    height, width = image.shape[1:]
    cells = AreaMean(len(image), (height, width), side)
    has_data = np.asarray(np.isfinite(image).all(axis=0))
    cells.add(slice(0, height), slice(0, width), np.nan_to_num(image), has_data)
    return cells.mean()


def _decibels(radar: Float32, side: int | None = None) -> Float32:
    """(2, H, W) dB -> (3, h, w) VV, VH and their ratio."""
    view = radar_view(S1_BANDS)
    power = view.additive(np.where((radar == 0).all(axis=0), np.float32(np.nan), radar))
    return view.channels(power if side is None else _reduced(power, side))


def _radar_paint(radar: Sequence[Float32], side: int) -> Paint | None:
    """One for all dates; None without radar."""
    if not radar:
        return None
    channels = np.stack([_decibels(image, side) for image in radar])
    return fit_paint(radar_view(S1_BANDS), channels, np.ones(channels[:, 0].shape, dtype=bool))


def _paint_radar(radar: Float32 | None, paint: Paint, empty: Float32, side: int) -> UInt8:
    return paint(empty.repeat(3, 0) if radar is None else _decibels(radar, side))


def _radar_image(radar: Float32 | None, shape: tuple[int, ...]) -> UInt8:
    if radar is None:
        return _missing(shape)
    channels = _decibels(radar)
    return fit_paint(radar_view(S1_BANDS), channels[None], np.ones((1, *shape), dtype=bool))(channels)


def _optical_image(image: _Optical | None, paint: Paint, shape: tuple[int, ...]) -> UInt8:
    return _missing(shape) if image is None else paint(image.channels(paint.view))


def _class_image(image: _Optical | None, shape: tuple[int, ...]) -> UInt8:
    """Clear, cloud and shadow."""
    if image is None:
        return _missing(shape)
    clouds = find_clouds(image.pixels)
    classes = np.where(clouds[..., None], np.array(CLOUD), np.array(OBSERVED))
    return np.where((image.cloud & ~clouds)[..., None], np.array(SHADOW), classes).astype(np.uint8)


def _missing(shape: tuple[int, ...]) -> UInt8:
    """A dark square with a cross: nothing is there, unlike no data in a file."""
    image = blank(shape[1], shape[0])
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, shape[1] - 1, shape[0] - 1), outline=OBSERVED)
    draw.line((0, 0, shape[1], shape[0]), fill=OBSERVED)
    draw.line((0, shape[0], shape[1], 0), fill=OBSERVED)
    return np.asarray(image)
