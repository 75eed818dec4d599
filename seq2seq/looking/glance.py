"""A scene reduced to what a picture has room for: read window by window, kept as means of square cells."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seq2seq.looking.scene import Part, Scene, split_window
from seq2seq.looking.views import View
from seq2seq.progress import OnProgress, Progress, ignore
from seq2seq.readers.contents import Window
from seq2seq.report.quicklook import AreaMean
from seq2seq.sequence import Bool, Float32


@dataclass(frozen=True, eq=False)
class Glance:
    """Some dates of a scene in a view. positions: of the dates, (N,). cell_px: pixels along a side of a cell.

    before, after: (N, C, h, w) as shown, NaN where there is no data. cloud: (N, h, w) share of each cell that is cloud,
    shadow or no data. sigma: (N, h, w) of what is shown, 0 where observed. A sequence has neither after nor sigma.
    """

    positions: tuple[int, ...]
    cell_px: int
    before: Float32
    cloud: Float32
    after: Float32 | None
    sigma: Float32 | None

    @property
    def shape(self) -> tuple[int, int]:
        """(h, w) cells."""
        return self.cloud.shape[1], self.cloud.shape[2]

    @property
    def masked(self) -> Bool:
        """(N, h, w) True where at least half of a cell is cloud, shadow or no data."""
        return np.asarray(self.cloud >= 0.5)

    @property
    def clear(self) -> Bool:
        """(N, h, w) True where all of a cell shows the ground."""
        return np.asarray(self.cloud == 0)


@dataclass(frozen=True)
class Wish:
    """Some dates, with at most `max_px` cells along a side."""

    positions: tuple[int, ...]
    max_px: int


class _Cells:
    """Collects one wish."""

    def __init__(self, wish: Wish, area: Window, view: View) -> None:
        self._wish, self._area, self._view = wish, area, view
        self._before, self._cloud = self._empty(len(view.bands)), self._empty(1)
        self._after: list[AreaMean] = []
        self._sigma: list[AreaMean] = []

    def _empty(self, channels: int) -> list[AreaMean]:
        return [AreaMean(channels, self._area.shape, self._wish.max_px) for _ in self._wish.positions]

    def add(self, part: Part, place: Window) -> None:
        rows = slice(place.row - self._area.row, place.row_end - self._area.row)
        columns = slice(place.column - self._area.column, place.column_end - self._area.column)
        if part.after is not None and not self._after:
            self._after, self._sigma = (self._empty(len(self._view.bands)) for _ in range(2))
        for k, t in enumerate(self._wish.positions):
            self._add(self._before[k], rows, columns, self._view.additive(part.before[t]))
            self._cloud[k].add(rows, columns, part.cloud_mask[t][None])
            if part.after is not None and part.sigma is not None:
                self._add(self._after[k], rows, columns, self._view.additive(part.after[t]))
                self._add(self._sigma[k], rows, columns, part.sigma[t])

    def glance(self) -> Glance:
        before, cloud = _means(self._before), _means(self._cloud)[:, 0]
        after, sigma = (_means(self._after), _means(self._sigma)) if self._after else (None, None)
        return Glance(
            positions=self._wish.positions,
            cell_px=self._cloud[0].cell_px,
            before=self._view.channels(before),
            cloud=cloud,
            after=None if after is None else self._view.channels(after),
            sigma=None if after is None or sigma is None else self._view.uncertainty(after, sigma),
        )

    @staticmethod
    def _add(cells: AreaMean, rows: slice, columns: slice, pixels: Float32) -> None:
        has_data = np.asarray(np.isfinite(pixels).all(axis=0))
        cells.add(rows, columns, np.nan_to_num(pixels), has_data)


def take_glances(
    scene: Scene,
    view: View,
    wishes: Sequence[Wish],
    *,
    area: Window | None = None,
    budget_bytes: int = 2**29,
    on_progress: OnProgress = ignore,
) -> list[Glance]:
    """Reads an area once, by default all of the scene, and gives a glance for each wish.

    Memory: `budget_bytes` and the glances, whatever the size of the scene. Raises `InputError`s of reading.
    """
    area = area or scene.info.whole
    collected = [_Cells(wish, area, view) for wish in wishes]
    parts = list(split_window(area, scene.bytes_per_pixel, budget_bytes))
    for number, place in enumerate(parts):
        on_progress(Progress("looking", number, len(parts)))
        part = scene.read(place, view)
        for cells in collected:
            cells.add(part, place)
    on_progress(Progress("looking", len(parts), len(parts)))
    return [cells.glance() for cells in collected]


def _means(cells: Sequence[AreaMean]) -> Float32:
    return np.stack([each.mean() for each in cells])
