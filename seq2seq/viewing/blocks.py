"""Windows of a finished result and of its input, all dates together, in the values that their files store."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq.looking.result import Rasters, ResultScene
from seq2seq.radiometry import Radiometry
from seq2seq.readers.contents import Window
from seq2seq.readers.gdal_file import GdalFile, pixel_errors
from seq2seq.sequence import Bool, Float32

OBSERVED, HIDDEN, NO_DATA = 0, 1, 2
# Steps of a stored sigma, reflectance, and of stored backscatter, dB: far below what either means.
SIGMA_STEP, DB_STEP = 1e-4, 0.01
SIGMA_NO_DATA, DB_NO_DATA = 65535, -32768


@dataclass(frozen=True, eq=False)
class Block:
    """A window of all T dates.

    before, after: (T, B, h, w) as the result's files store reflectance, `before` with the no-data value where nothing
    is known. sigma: (T, B, h, w) uint16, in `SIGMA_STEP`. mask: (T, 1, h, w) uint8, OBSERVED, HIDDEN or NO_DATA. s1:
    (T, K, h, w) int16, in `DB_STEP`; None without S1.
    """

    before: NDArray[Any]
    after: NDArray[Any]
    sigma: NDArray[np.uint16]
    mask: NDArray[np.uint8]
    s1: NDArray[np.int16] | None


class BlockReader:
    """Reads blocks of a result, the last one once. bands, s1_bands: of what is read; storage: of reflectance, with a
    no-data value. budget_bytes: what a block may take."""

    def __init__(self, scene: ResultScene, budget_bytes: int) -> None:
        self._scene, self._budget = scene, budget_bytes
        self._kept: tuple[Window, Block] | None = None
        self.info, self.bands = scene.info, scene.info.bands
        self.s1_bands = scene.before.info.s1_bands if scene.before is not None else ()
        rasters = scene.declouded
        header = rasters.files[0].header
        self.storage = Radiometry(header.dtype, rasters.scale, rasters.offset, _no_data(header.dtype, header.nodata))

    @property
    def bytes_per_pixel(self) -> int:
        """What reading and painting take for each pixel of a window."""
        bands, item = len(self.bands), np.dtype(self.storage.dtype).itemsize
        of_source = self._scene.before.bytes_per_pixel if self._scene.before is not None else 0
        return of_source + len(self.info.dates) * (bands * (2 * item + 2 + 4) + 2 * len(self.s1_bands) + 64)

    @property
    def whole(self) -> Window:
        """All of it."""
        height, width = self.info.geobox.shape
        return Window(0, height, 0, width)

    def fits(self, shape: tuple[int, int]) -> bool:
        """Whether a block of this shape takes no more than it may."""
        return shape[0] * shape[1] * self.bytes_per_pixel <= self._budget

    def read(self, window: Window) -> Block:
        """A window of all dates. Raises `UnreadableFileError`."""
        if self._kept is None or self._kept[0] != window:
            self._kept = None  # not two at once
            self._kept = window, self._read(window)
        return self._kept[1]

    def _read(self, window: Window) -> Block:
        scene = self._scene
        after = read_stored(scene.declouded, window)
        sigma = np.stack([_stored_sigma(read_file(file, window)) for file in scene.sigma.files])
        hidden = read_stored(scene.cloud_mask, window)[:, :1] > 0
        if scene.before is None:
            mask = np.where(
                hidden | scene.replaced, np.uint8(NO_DATA if scene.replaced else HIDDEN), np.uint8(OBSERVED)
            )
            return Block(np.where(mask > 0, self._nothing, after), after, sigma, mask, None)
        found = scene.before.source.read(*window.slices)
        has_data = (found.s2.pixels != 0).any(axis=1, keepdims=True)
        mask = np.where(has_data, hidden, np.uint8(NO_DATA)).astype(np.uint8)
        s1 = None if found.s1 is None else _stored_db(found.s1.pixels, found.s1.observed)
        return Block(self._stored(found.s2.pixels, has_data), after, sigma, mask, s1)

    def glance(self, max_px: int) -> tuple[NDArray[Any], Bool, Float32]:
        """All of the result in small, (T, B, h, w) stored values, (T, h, w) hidden, (T, B, h, w) sigma: every nth
        pixel, as many as `max_px` a side."""
        height, width = self.info.geobox.shape
        step = -(-max(height, width) // max_px)
        if self.fits((height, width)):
            block, every = self.read(self.whole), (slice(None, None, step),) * 2
            hidden = block.mask[(slice(None), 0, *every)] != OBSERVED
            sigma = block.sigma[(..., *every)].astype(np.float32) * np.float32(SIGMA_STEP)
            return block.after[(..., *every)], hidden, sigma
        scene, whole, shape = self._scene, self.whole, (-(-height // step), -(-width // step))
        after, hidden, sigma = (
            np.stack([read_file(file, whole, shape) for file in rasters.files])
            for rasters in (scene.declouded, scene.cloud_mask, scene.sigma)
        )
        return after, hidden[:, 0] > 0, sigma

    def radar_sample(self, side_px: int) -> Float32:
        """(K, N) dB of all dates, NaN without data, from the middle of each quarter of the scene."""
        assert self._scene.before is not None
        if self._kept is not None and self._kept[0] == self.whole:
            return _in_db(self._kept[1].s1)
        height, width = self.info.geobox.shape
        side, found = (min(side_px, height), min(side_px, width)), []
        for row, column in {((height - side[0]) * r // 4, (width - side[1]) * c // 4) for r in (1, 3) for c in (1, 3)}:
            read = self._scene.before.source.read(slice(row, row + side[0]), slice(column, column + side[1])).s1
            assert read is not None
            values = np.where(read.observed[:, None], read.pixels, np.float32(np.nan))
            found.append(np.moveaxis(values, 1, 0).reshape(len(read.bands), -1))
        return np.concatenate(found, axis=1)

    def _stored(self, reflectance: Float32, has_data: Bool) -> NDArray[Any]:
        """Date by date, because the way goes through float64."""
        stored = np.empty(reflectance.shape, dtype=self.storage.dtype)
        for t, pixels in enumerate(reflectance):
            stored[t] = self.storage.to_dn(pixels)
            np.copyto(stored[t], self._nothing, where=~has_data[t])
        return stored

    @property
    def _nothing(self) -> Any:
        return np.asarray(self.storage.nodata, dtype=self.storage.dtype)


def _in_db(s1: NDArray[np.int16] | None) -> Float32:
    """(T, K, h, w) as stored -> (K, N) dB."""
    assert s1 is not None
    values = np.where(s1 == DB_NO_DATA, np.float32(np.nan), s1 * np.float32(DB_STEP))
    return np.moveaxis(values, 1, 0).reshape(s1.shape[1], -1)


def read_stored(rasters: Rasters, window: Window) -> NDArray[Any]:
    """(T, B, h, w) as stored."""
    return np.stack([read_file(file, window) for file in rasters.files])


def read_file(file: GdalFile, window: Window, shape: tuple[int, int] | None = None) -> NDArray[Any]:
    """(B, h, w) as stored, every nth pixel where `shape` is smaller. Raises `UnreadableFileError`."""
    with file.dataset() as dataset, pixel_errors(file.header, window):
        out = None if shape is None else (dataset.count, *shape)
        found: NDArray[Any] = dataset.read(window=window.ranges, out_shape=out)
        return found


def _no_data(dtype: str, stated: float | None) -> float:
    """What the files say; else the greatest value, which no reflectance comes near, and NaN of floats."""
    if stated is not None:
        return stated
    return float(np.iinfo(dtype).max) if np.issubdtype(np.dtype(dtype), np.integer) else float("nan")


def _stored_sigma(sigma: NDArray[Any]) -> NDArray[np.uint16]:
    steps = np.nan_to_num(sigma / np.float32(SIGMA_STEP) + np.float32(0.5), nan=SIGMA_NO_DATA)
    return np.where(np.isfinite(sigma), np.clip(steps, 0, SIGMA_NO_DATA - 1), SIGMA_NO_DATA).astype(np.uint16)


def _stored_db(pixels: Float32, observed: Bool) -> NDArray[np.int16]:
    steps = np.clip(np.rint(pixels / np.float32(DB_STEP)), DB_NO_DATA + 1, -DB_NO_DATA - 1)
    return np.where(observed[:, None] & np.isfinite(pixels), np.nan_to_num(steps), DB_NO_DATA).astype(np.int16)
