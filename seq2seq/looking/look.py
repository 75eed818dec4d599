"""From what lies at a path to a picture of it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from PIL.Image import Image

from seq2seq.config import ReconstructionConfig
from seq2seq.errors import ConfigError
from seq2seq.looking.animation import film, moving_px
from seq2seq.looking.glance import Glance, Wish, take_glances
from seq2seq.looking.paint import Paint, fit_paint, sigma_ramp
from seq2seq.looking.result import is_result, open_result
from seq2seq.looking.scene import Scene, SequenceScene
from seq2seq.looking.series import Pixel, clearest, parse_pixel, parse_point, read_curves, unique
from seq2seq.looking.series_picture import MAP_PX, series_picture
from seq2seq.looking.sheet import contact_sheet, side_px
from seq2seq.looking.single import MOST_CELLS, date_picture
from seq2seq.looking.target import MOVING, SIGNATURE, STILL, check_suffix, default_name, place_for, write_still
from seq2seq.looking.views import Choice, View, choose_view, possible_views
from seq2seq.progress import OnProgress, ignore
from seq2seq.readers import open_sequence
from seq2seq.readers.contents import Window
from seq2seq.writers import write_file

MaskStyle = Literal["outline", "hatch", "none"]
# Cells along a side of the glance that a stretch is fitted to.
_STRETCH_PX = 256
# A window that is read takes so much of the memory that a run may take: 256 MiB by default.
_MEMORY_SHARE = 32


@dataclass(frozen=True)
class Request:
    """What is wanted of a scene.

    bands, mask: None is by what is there. own_stretch: of the date alone. pixels, points, window: as they were typed.
    source: the sequence that a result came from.
    """

    bands: Choice | None = None
    date: str | None = None
    own_stretch: bool = False
    mask: MaskStyle | None = None
    window: str | None = None
    pixels: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
    animate: bool = False
    source: Path | None = None

    @property
    def series(self) -> bool:
        """True where pixels were named."""
        return bool(self.pixels or self.points)

    def words(self) -> list[str]:
        """Further words for the name of the picture."""
        flags = {"own-stretch": self.own_stretch, "series": self.series}
        return [word for word, said in flags.items() if said] + ([self.window] if self.window else [])


@dataclass(frozen=True)
class Written:
    """The file that was written, and what the user should know of it."""

    path: Path
    notes: tuple[str, ...]


def look_at_scene(
    path: Path,
    request: Request,
    config: ReconstructionConfig,
    *,
    out: Path | None = None,
    overwrite: bool = False,
    on_progress: OnProgress = ignore,
) -> Written:
    """Draws a sequence or a result and writes the picture.

    Raises `InputError`, `ConfigError` and `OutputError`, before anything is drawn where that can be known.
    """
    request = _settled(request, out)
    with _opened(path, request, config) as scene:
        view, note = _view(request, scene)
        stem = default_name(scene.info.name, (request.bands, request.date, *request.words()))
        suffix = ".webp" if request.animate else ".png"
        target = place_for(out, stem, suffix, source=path, overwrite=overwrite)
        notes = (*scene.info.notes, *((note,) if note else ()))
        drawing = _Drawing(scene, view, request, notes, int(config.max_memory_gb * 2**30 / _MEMORY_SHARE), on_progress)
        drawing.write(target)
    return Written(target, notes)


def draw(scene: Scene, request: Request, *, budget_bytes: int = 2**28) -> tuple[Image, tuple[str, ...]]:
    """The picture of an open scene that `look_at_scene` would write, and its notes. Raises as that does."""
    view, note = _view(request, scene)
    notes = (*scene.info.notes, *((note,) if note else ()))
    return _Drawing(scene, view, request, notes, budget_bytes, ignore).still(), notes


def _settled(request: Request, out: Path | None) -> Request:
    """With `animate` where the name of the file says so. Raises `ConfigError` for what does not go together."""
    moving = out is not None and out.suffix.lower() in MOVING and not out.is_dir()
    if moving and (request.series or request.date):
        raise ConfigError(f"--out {out}: an animation is of all dates; leave out --date, --pixel and --point")
    request = replace(request, animate=request.animate or moving)
    if request.animate and (request.series or request.date):
        raise ConfigError("--animate is of all dates; leave out --date, --pixel and --point")
    if request.own_stretch and not request.date:
        raise ConfigError("--own-stretch is of one date: name it with --date")
    if request.series and (request.date or request.window):
        raise ConfigError("--pixel and --point are of all dates of the scene; leave out --date and --window")
    check_suffix(out, MOVING if request.animate else STILL, "an animation" if request.animate else "a picture")
    return request


@contextmanager
def _opened(path: Path, request: Request, config: ReconstructionConfig) -> Iterator[Scene]:
    if is_result(path):
        with open_result(path, source=request.source, max_memory_gb=config.max_memory_gb) as result:
            yield result
        return
    if request.source is not None:
        raise ConfigError(f"--input {request.source}: {path} is no result of decloud run, which it would belong to")
    with open_sequence(path, config) as source:
        yield SequenceScene(source)


def _view(request: Request, scene: Scene) -> tuple[View, str | None]:
    """What is shown. A series is of the vegetation index where there is one, and nothing else was asked for."""
    info = scene.info
    if request.bands == "s1" and info.is_result:
        raise ConfigError(f"--bands s1: {info.name} is a result, which has no radar; look at its input")
    if request.series and request.bands is None:
        index = possible_views(info.bands, info.s1_bands).get("ndvi")
        if index is not None:
            return index, None
    return choose_view(request.bands, info.bands, info.s1_bands, name=info.name)


def parse_window(text: str, scene: Scene) -> Window:
    """Reads "ROW,COL,HEIGHT,WIDTH". Raises `ConfigError` for anything else, and where it is not inside the scene."""
    height, width = scene.info.geobox.shape
    try:
        row, column, rows, columns = map(int, text.split(","))
    except ValueError:
        raise ConfigError(f"--window {text}: must be ROW,COL,HEIGHT,WIDTH, such as 0,0,512,512") from None
    if row < 0 or column < 0 or rows < 1 or columns < 1 or row + rows > height or column + columns > width:
        raise ConfigError(f"--window {text}: is not inside {scene.info.name}, {height} rows and {width} columns")
    return Window(row, row + rows, column, column + columns)


class _Drawing:
    """One picture of a scene."""

    def __init__(
        self,
        scene: Scene,
        view: View,
        request: Request,
        notes: Sequence[str],
        budget_bytes: int,
        on_progress: OnProgress,
    ) -> None:
        self._scene, self._view, self._request, self._budget = scene, view, request, budget_bytes
        self._captions = tuple(f"Note: {note}." for note in notes)
        self._on_progress = on_progress
        self._style = request.mask or ("none" if view.radar else "outline")
        self._area = parse_window(request.window, scene) if request.window else scene.info.whole
        self._all = tuple(range(len(scene.info.dates)))
        self._info = replace(scene.info, geobox=scene.info.geobox[self._area.slices])

    def write(self, target: Path) -> None:
        """Draws it and writes the file."""
        if not self._request.animate:
            write_still(target, self.still())
            return
        glance, paint = self._all_dates(moving_px(len(self._all)))
        moving = film(self._info, glance, paint, style=self._style, captions=self._captions)
        write_file(target, moving.encoded("GIF" if target.suffix.lower() == ".gif" else "WEBP", SIGNATURE))

    def still(self) -> Image:
        """Draws a series, one date, or a sheet of all of them."""
        if self._request.series:
            return self._series()
        if self._request.date:
            return self._date(self._info.position(self._request.date))
        glance, paint = self._all_dates(side_px(len(self._all), self._info.images))
        return contact_sheet(self._info, glance, paint, style=self._style, captions=self._captions)

    def _all_dates(self, max_px: int) -> tuple[Glance, Paint]:
        (glance,) = self._glances(self._view, [Wish(self._all, max_px)])
        return glance, _fitted(self._view, glance)

    def _date(self, position: int) -> Image:
        wishes = [Wish((position,), MOST_CELLS), Wish(self._all, _STRETCH_PX)]
        large, small = self._glances(self._view, wishes)
        own = self._request.own_stretch
        return date_picture(
            self._scene.info,
            large,
            _fitted(self._view, large if own else small),
            own_stretch=own,
            sigma=None if small.sigma is None else sigma_ramp(small.sigma),
            style=self._style,
            area=self._area,
            captions=self._captions,
        )

    def _series(self) -> Image:
        info, request = self._scene.info, self._request
        pixels: list[Pixel] = [parse_pixel(text, info) for text in request.pixels]
        pixels += [parse_point(text, info) for text in request.points]
        found = [(pixel, read_curves(self._scene, pixel, self._view)) for pixel in unique(pixels)]
        view, _ = choose_view(None, info.bands, info.s1_bands, name=info.name)
        (glance,) = self._glances(view, [Wish((clearest(info),), MAP_PX)])
        chart = glance, _fitted(view, glance)
        return series_picture(info, found, unit=self._view.unit, chart=chart, captions=self._captions)

    def _glances(self, view: View, wishes: Sequence[Wish]) -> list[Glance]:
        return take_glances(
            self._scene, view, wishes, area=self._area, budget_bytes=self._budget, on_progress=self._on_progress
        )


def _fitted(view: View, glance: Glance) -> Paint:
    """By clear cells of the input; of a result in which none is clear, by what was delivered."""
    paint = fit_paint(view, glance.before, glance.clear)
    if paint.clear or glance.after is None:
        return paint
    return fit_paint(view, glance.after, glance.cloud <= 1)
