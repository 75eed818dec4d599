"""Makes a bundle: scene.json, pictures of every date in every style, and the cube, of a finished result.

Windows of the scene are read one after another, with all dates, and painted, packed and put while the next is read. Of
large scenes it holds coarser pictures and fewer values (`seq2seq.viewing.limits`).
The same result gives the same bytes.
"""

import json
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq.errors import Stopped
from seq2seq.looking.result import ResultScene
from seq2seq.progress import OnProgress, Progress, ShouldStop, ignore, never_stop
from seq2seq.readers.contents import Window
from seq2seq.report.quicklook import UInt8
from seq2seq.viewing import blocks
from seq2seq.viewing.blocks import BlockReader
from seq2seq.viewing.cube import CubeArray, metadata_files
from seq2seq.viewing.limits import CHUNK_PX, sampling_step, within_cells
from seq2seq.viewing.manifest import describe_scene
from seq2seq.viewing.pictures import encode_webp
from seq2seq.viewing.places import Put
from seq2seq.viewing.pyramid import Levels, Pyramid
from seq2seq.viewing.sampling import sampled_affine
from seq2seq.viewing.scales import choose_styles
from seq2seq.viewing.styles import Style
from seq2seq.viewing.values import CellValues

SCENE = "scene.json"
PHASE = "pictures"
# Files that may wait for each thread before reading goes on; what waits is held in memory.
_AHEAD = 16
DEFAULT_BYTES = 2**30


def write_bundle(
    scene: ResultScene,
    put: Put,
    *,
    threads: int | None = None,
    budget_bytes: int = DEFAULT_BYTES,
    on_progress: OnProgress = ignore,
    should_stop: ShouldStop = never_stop,
) -> None:
    """Puts the files of a bundle of `scene`, the manifest last.

    threads: those that paint and pack, by default one for each core. budget_bytes: of a window that is read.

    Raises `Stopped` between two windows, `InputError`, and what `put` raises.
    """
    on_progress(Progress(PHASE))
    reader = BlockReader(scene, budget_bytes)
    height, width = scene.info.geobox.shape
    styles, dates = choose_styles(reader), scene.info.dates
    levels = within_cells(Levels(height, width), len(styles) * len(dates))
    bundle = _Bundle(reader, levels, styles, on_progress, should_stop)
    with _threads(threads or _cores(), put) as give:
        bundle.write(give)
    affine = [float(value) for value in sampled_affine(scene.info.geobox.affine, bundle.step)[:6]]
    grid = {"crs_wkt": scene.info.geobox.crs.to_wkt(), "affine": affine}
    for path, content in metadata_files(bundle.arrays, dates, grid).items():
        put(path, content)
    described = describe_scene(scene.info, levels, styles, bundle.arrays, bundle.step)
    put(SCENE, json.dumps(described, indent=1, ensure_ascii=False, allow_nan=False).encode())


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# Makes the file at a path, where there is one.
Make = Callable[[], bytes | None]
Give = Callable[[str, Make], None]


@contextmanager
def _threads(count: int, put: Put) -> Iterator[Give]:
    """Makes files in threads and puts them in the order in which they were given."""
    waiting: deque[tuple[str, Future[bytes | None]]] = deque()

    def put_first() -> None:
        path, made = waiting.popleft()
        content = made.result()
        if content is not None:
            put(path, content)

    with ThreadPoolExecutor(count, thread_name_prefix="pictures") as pool:

        def give(path: str, make: Make) -> None:
            waiting.append((path, pool.submit(make)))
            while len(waiting) > _AHEAD * count:
                put_first()

        try:
            yield give
            while waiting:
                put_first()
        finally:
            for _, made in waiting:
                made.cancel()


class _Bundle:
    """One bundle in the making. arrays: of the cube; step: of so many pixels a side, one has its values there."""

    def __init__(
        self,
        reader: BlockReader,
        levels: Levels,
        styles: tuple[Style, ...],
        on_progress: OnProgress,
        should_stop: ShouldStop,
    ) -> None:
        self._reader, self._levels, self._styles = reader, levels, styles
        self._on_progress, self._should_stop = on_progress, should_stop
        self.step = sampling_step(levels.height * levels.width, _stored_bytes(reader), 4 + bool(reader.s1_bands))
        shape = -(-levels.height // self.step), -(-levels.width // self.step)
        self.arrays = _arrays(reader, shape, min(CHUNK_PX, levels.cell_px // self.step))
        self._pictures = [(style, date) for style in styles for date in reader.info.dates]
        self._cells_done = 0

    def write(self, give: Give) -> None:
        """All pictures and chunks."""
        self._give = give
        height, width = self._levels.size(self._levels.count)
        with _canvas((len(self._pictures), height, width, 4)) as canvas:
            cell = self._levels.cell_px

            def place(painted: UInt8, row: int, column: int) -> None:
                _, h, w, _ = painted.shape
                canvas[:, row * cell : row * cell + h, column * cell : column * cell + w] = painted

            Pyramid(self._levels, self._paint, self._take).visit(place)
            for k, (style, date) in enumerate(self._pictures):
                self._check_stop()
                give(f"{style.name}/{date}.webp", _encoding(canvas[k], style))

    def _paint(self, window: Window) -> UInt8:
        """(P, h, w, 4) of a cell, read in parts where it is too large for the memory. Gives their chunks."""
        self._check_stop()
        rows, columns = self._levels.cells(0)
        self._on_progress(Progress(PHASE, step=self._cells_done, of=rows * columns))
        painted = np.empty((len(self._pictures), *window.shape, 4), dtype=np.uint8)
        values = CellValues(self.arrays, window, self.step, self._give_chunk)
        for part in _parts(window, self._reader):
            block = self._reader.read(part)
            inside = part.within(window)
            count = len(self._reader.info.dates)
            for k, style in enumerate(self._styles):
                painted[(slice(k * count, (k + 1) * count), *inside)] = style.paint(block)
            values.add(block, part)
        values.finish()
        self._cells_done += 1
        return painted

    def _give_chunk(self, array: CubeArray, row: int, column: int, values: NDArray[Any]) -> None:
        self._give(array.path(row, column), _packing(array, values))

    def _take(self, painted: UInt8, level: int, row: int, column: int) -> None:
        """A cell of every picture."""
        for (style, date), picture in zip(self._pictures, painted, strict=True):
            self._give(f"{style.name}/{date}/{level}/{row}_{column}.webp", _encoding(picture, style))

    def _check_stop(self) -> None:
        if self._should_stop():
            raise Stopped("before all pictures were made")


def _stored_bytes(reader: BlockReader) -> int:
    """Of all values of a pixel, as the cube's arrays hold them."""
    of_band = 2 * np.dtype(reader.storage.dtype).itemsize + 2
    return len(reader.info.dates) * (len(reader.bands) * of_band + 1 + 2 * len(reader.s1_bands))


def _arrays(reader: BlockReader, shape: tuple[int, int], chunk_px: int) -> tuple[CubeArray, ...]:
    """What the cube holds."""
    storage, dates = reader.storage, len(reader.info.dates)

    def array(name: str, bands: tuple[str, ...], dtype: str, nodata: float | None, **about: Any) -> CubeArray:
        noisy = name not in ("sigma", "mask")
        return CubeArray(name, bands, dtype, (dates, len(bands), *shape), chunk_px, nodata, about, noisy)

    reflectance = {"scale": storage.scale, "offset": storage.offset, "unit": "reflectance"}
    classes = {"0": "observed", "1": "cloud, shadow", "2": "no data"}
    found = [
        array("before", reader.bands, storage.dtype, storage.nodata, **reflectance),
        array("after", reader.bands, storage.dtype, storage.nodata, **reflectance),
        array(
            "sigma",
            reader.bands,
            "uint16",
            blocks.SIGMA_NO_DATA,
            scale=blocks.SIGMA_STEP,
            offset=0.0,
            unit="reflectance",
        ),
        array("mask", ("mask",), "uint8", None, values=classes),
    ]
    if reader.s1_bands:
        found.append(
            array("s1", reader.s1_bands, "int16", blocks.DB_NO_DATA, scale=blocks.DB_STEP, offset=0.0, unit="dB")
        )
    return tuple(found)


def _parts(window: Window, reader: BlockReader) -> Iterator[Window]:
    """The window itself, or squares of whole chunks that fit into the memory, one chunk at least."""
    side = -(-max(window.shape) // CHUNK_PX) * CHUNK_PX
    while side > CHUNK_PX and not reader.fits((min(side, window.shape[0]), min(side, window.shape[1]))):
        side = -(-side // 2 // CHUNK_PX) * CHUNK_PX
    for row in range(window.row, window.row_end, side):
        for column in range(window.column, window.column_end, side):
            yield Window(row, min(row + side, window.row_end), column, min(column + side, window.column_end))


@contextmanager
def _canvas(shape: tuple[int, ...]) -> Iterator[UInt8]:
    """Room for all whole pictures: in memory, or in a temporary file where that is a lot."""
    if np.prod(shape, dtype=np.int64) <= DEFAULT_BYTES:
        yield np.zeros(shape, dtype=np.uint8)
        return
    with TemporaryFile() as file:
        yield np.memmap(file, dtype=np.uint8, mode="w+", shape=shape)


def _encoding(picture: UInt8, style: Style) -> Make:
    return lambda: encode_webp(picture, lossless=style.flat)


def _packing(array: CubeArray, values: Any) -> Make:
    return lambda: array.chunk(values)
