"""NumPy arrays of a whole sequence in one file: pixels, dates, bands, transform, crs and observed; no pickles."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any


class NpzArrays:
    """What is known of the format before a file is opened, which alone imports what reads it."""

    name = "NumPy arrays of a sequence"
    example = "fields.npz"

    def wants(self, member: PurePosixPath) -> bool:
        """A file by itself."""
        return len(member.parts) == 1 and member.suffix.lower() == ".npz"

    def recognises(self, root: Any) -> bool:
        """One such file."""
        return len(root.members) == 1

    @contextmanager
    def open(self, root: Any) -> Iterator[Any]:
        """The arrays as rasters of a date each. Raises `UnreadableFileError`."""
        yield _contents(root.members[0].path, root.members[0].name)


@dataclass(frozen=True)
class ArrayRaster:
    """One date. pixels: (C, H, W)."""

    header: Any
    pixels: Any

    def read(self, window: Any) -> Any:
        """(C, h, w) of the window."""
        return self.pixels[:, *window.slices]


def _contents(path: Path, name: str) -> Any:
    import zipfile

    import numpy as np

    from seq2seq.errors import UnreadableFileError
    from seq2seq.readers.contents import Contents

    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in ("pixels", "dates", "bands", "transform", "crs", "observed")}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UnreadableFileError(f"{name}: is no sequence of NumPy arrays ({error})", file=name) from error
    dates = arrays["dates"].astype("datetime64[D]")
    bands = tuple(str(band) for band in arrays["bands"])
    clouds = ~arrays["observed"][:, None]  # (T, 1, H, W)
    return Contents(
        s2=_rasters(name, arrays, dates, arrays["pixels"], bands),
        s1=[],
        masks=_rasters(name, arrays, dates, clouds.astype(np.uint8), (None,)),
        fingerprint=hashlib.sha256(path.read_bytes()).hexdigest(),
        warnings=(),
    )


def _rasters(name: str, arrays: Any, dates: Any, pixels: Any, bands: tuple[str | None, ...]) -> list[ArrayRaster]:
    from affine import Affine
    from odc.geo.geobox import GeoBox

    from seq2seq.readers.contents import Header

    shape, count = pixels.shape[2:], len(bands)
    geobox = GeoBox(shape, Affine(*arrays["transform"]), str(arrays["crs"]))
    return [
        ArrayRaster(
            Header(
                name=f"{name} of {date}",
                date=date,
                geobox=geobox,
                dtype=pixels.dtype.name,
                descriptions=bands,
                nodata=None,
                scales=(1.0,) * count,
                offsets=(0.0,) * count,
                chunk=shape,
            ),
            one,
        )
        for date, one in zip(dates, pixels, strict=True)
    ]
