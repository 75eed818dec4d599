"""One asset on the grid of the sequence: the window that is needed is fetched, checked, and resampled."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.warp import transform_bounds

from seq2seq.errors import InputError
from seq2seq.fetching.failures import FetchError, RefusedAddressError
from seq2seq.fetching.local_copy import LocalCopy
from seq2seq.fetching.metering import Meter
from seq2seq.fetching.scenes import Scene
from seq2seq.fetching.signing import SignedAddress, Signer
from seq2seq.fetching.tiff_index import TiffIndex, read_index
from seq2seq.fetching.transport import Transport
from seq2seq.readers.contents import Header, Window
from seq2seq.readers.geotiff import MAGIC, GeoTiff, open_geotiff
from seq2seq.readers.warp import read_on
from seq2seq.sequence import Float32

# Bilinear interpolation looks at one pixel more; corners of another zone's grid are found within a hundredth of one.
_MARGIN_PX = 3
_JP2_MAGIC = b"\0\0\0\x0cjP  "
_HARDENED = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_PAM_ENABLED": "NO", "GDAL_GEOREF_SOURCES": "INTERNAL"}


@dataclass(frozen=True)
class _Crop:
    """A window of a file's pixels, as a raster of its own."""

    header: Header
    pixels: NDArray[Any]

    def read(self, window: Window) -> NDArray[Any]:
        rows, columns = window.slices
        return self.pixels[:, rows, columns]


class AssetReader:
    """Reads one asset, block by block. Bytes that were fetched for one block are there for the next.

    nodata: where the file declares none. jpeg2000: whether it may be JPEG 2000. path: of the local copy, which is made.
    Everything that fails is a `FetchError` that names item and asset, but for `Stopped` and a full disk.
    """

    def __init__(self, scene: Scene, band: str, *, nodata: float, jpeg2000: bool, path: Path) -> None:
        self._scene, self._asset = scene, scene.assets[band]
        self._nodata, self._jpeg2000, self._path = nodata, jpeg2000, path
        self._copy: LocalCopy | None = None
        self._index: TiffIndex | None = None
        self._file: GeoTiff | _Jpeg2000 | None = None

    def read(
        self, block: GeoBox, *, nearest: bool, signer: Signer, transport: Transport, meter: Meter
    ) -> tuple[Float32, str]:
        """(h, w) values as stored on the grid `block`, NaN where there are none, and the dtype they are stored in."""
        with self._naming():
            file = self._opened(signer, transport, meter)
            header = file.header
            window = _window_of(header.geobox, block)
            if window is None:
                return np.full(block.shape, np.nan, dtype=np.float32), header.dtype
            nodata = self._nodata if header.nodata is None else header.nodata
            crop = self._crop(file, window)
            if _nests(header.geobox, block):
                return _repeated(crop, block, nodata), header.dtype
            values = read_on(crop, block, _whole(block), nodata=nodata, nearest=nearest)
            return np.asarray(values[0], dtype=np.float32), header.dtype

    @contextmanager
    def _naming(self) -> Iterator[None]:
        what = f"{self._scene.id}, asset {self._asset.key}"
        try:
            yield
        except RefusedAddressError as error:
            raise RefusedAddressError(f"{what}: {error}") from error
        except FetchError as error:
            raise FetchError(f"{what}: {error}") from error
        except InputError as error:
            # Readers name the file, which is ours and has another name.
            raise FetchError(f"{what}: {str(error).removeprefix(f'{self._path.name}: ')}") from error
        except ValueError as error:
            raise FetchError(f"{what}: {error}") from error

    def _opened(self, signer: Signer, transport: Transport, meter: Meter) -> "GeoTiff | _Jpeg2000":
        """The file, its header read."""
        if self._file is not None:
            return self._file
        if self._copy is None:
            address = SignedAddress(signer.resolve(self._asset.href), signer)
            self._copy = LocalCopy(self._path, address, transport, meter)
        start = self._copy.read(0, min(len(_JP2_MAGIC), self._copy.size))
        if self._jpeg2000 and start == _JP2_MAGIC:
            self._copy.ensure_all()
            self._file = _open_jpeg2000(self._path, self._scene)
            return self._file
        if start[:4] not in MAGIC:
            raise FetchError(f"is no image that is read, its first bytes are {start[:4]!r}")
        self._index = read_index(self._copy.read)
        date = np.datetime64(self._scene.time.date(), "D")
        self._file = open_geotiff(self._path, name=self._path.name, date=date)
        return self._file

    def _crop(self, file: "GeoTiff | _Jpeg2000", window: Window) -> _Crop:
        if self._index is not None and self._copy is not None:
            around = self._index.aligned(window.row, window.row_end, window.column, window.column_end)
            window = Window(*around)
            self._copy.ensure(self._index.spans(*around))
        rows, columns = window.slices
        pixels = file.read(window)[:1]
        return _Crop(replace(file.header, geobox=file.header.geobox[rows, columns]), pixels)


@dataclass(frozen=True)
class _Jpeg2000:
    """A JPEG 2000 file, whole; only its own driver opens it."""

    path: Path
    header: Header

    def read(self, window: Window) -> NDArray[Any]:
        with rasterio.Env(**_HARDENED), rasterio.open(self.path, driver="JP2OpenJPEG") as dataset:
            return np.asarray(dataset.read(window=window.ranges))


def _open_jpeg2000(path: Path, scene: Scene) -> _Jpeg2000:
    """Raises ValueError for what the driver does not read."""
    try:
        with rasterio.Env(**_HARDENED), rasterio.open(path, driver="JP2OpenJPEG") as dataset:
            if dataset.crs is None:
                raise ValueError("has no CRS")
            header = Header(
                name=path.name,
                date=np.datetime64(scene.time.date(), "D"),
                geobox=GeoBox((dataset.height, dataset.width), dataset.transform, dataset.crs.to_wkt()),
                dtype=dataset.dtypes[0],
                descriptions=tuple(dataset.descriptions),
                nodata=dataset.nodata,
                scales=tuple(dataset.scales),
                offsets=tuple(dataset.offsets),
                chunk=tuple(dataset.block_shapes[0]),
            )
    except rasterio.errors.RasterioError as error:
        raise ValueError("is no JPEG 2000 that can be read") from error
    return _Jpeg2000(path, header)


def _whole(block: GeoBox) -> Window:
    return Window(0, block.shape[0], 0, block.shape[1])


def _window_of(image: GeoBox, block: GeoBox) -> Window | None:
    """The pixels of `image` that `block` needs; None where it lies outside."""
    (height, width), affine = block.shape, block.affine
    edges = [affine @ corner for corner in ((0, 0), (width, 0), (0, height), (width, height))]
    box = min(x for x, _ in edges), min(y for _, y in edges), max(x for x, _ in edges), max(y for _, y in edges)
    left, bottom, right, top = transform_bounds(block.crs.to_wkt(), image.crs.to_wkt(), *box, densify_pts=21)
    corners = [(~image.affine) @ (x, y) for x in (left, right) for y in (bottom, top)]
    columns, rows = (np.array(axis) for axis in zip(*corners, strict=True))
    size_m = max(abs(block.affine.a / image.affine.a), 1.0)
    margin = int(np.ceil(_MARGIN_PX * size_m))
    height, width = image.shape
    row, row_end = max(0, int(np.floor(rows.min())) - margin), min(height, int(np.ceil(rows.max())) + margin)
    column, column_end = max(0, int(np.floor(columns.min())) - margin), min(width, int(np.ceil(columns.max())) + margin)
    return Window(row, row_end, column, column_end) if row < row_end and column < column_end else None


def _repeated(crop: _Crop, block: GeoBox, nodata: float) -> Float32:
    """(h, w) where each pixel of the grid has the value of the one that it lies in; NaN outside, and for no data."""
    image, (height, width) = crop.header.geobox, block.shape
    # Of the centres of rows and columns.
    columns = np.floor(((~image.affine @ block.affine) @ (np.arange(width) + 0.5, 0.5))[0]).astype(np.intp)
    rows = np.floor(((~image.affine @ block.affine) @ (0.5, np.arange(height) + 0.5))[1]).astype(np.intp)
    inside_rows, inside_columns = (rows >= 0) & (rows < image.shape[0]), (columns >= 0) & (columns < image.shape[1])
    values = np.full((height, width), np.nan, dtype=np.float32)
    stored = crop.pixels[0][np.ix_(rows[inside_rows], columns[inside_columns])].astype(np.float32)
    stored[stored == np.float32(nodata)] = np.nan
    values[np.ix_(inside_rows, inside_columns)] = stored
    return values


def _nests(image: GeoBox, block: GeoBox) -> bool:
    """Whether each pixel of the grid lies in one pixel of the image: then its value is that one's, and no mixture."""
    if image.crs.epsg != block.crs.epsg or not image.axis_aligned:
        return False
    ratio = np.array([image.affine.a / block.affine.a, image.affine.e / block.affine.e])
    shift = np.array([image.affine.c - block.affine.c, image.affine.f - block.affine.f]) / (
        block.affine.a,
        block.affine.e,
    )
    whole = np.abs(np.concatenate([ratio - np.rint(ratio), shift - np.rint(shift)])).max() < 1e-3
    return bool(whole and (ratio >= 0.999).all())
