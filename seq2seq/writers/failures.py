"""Failures of GDAL to write, as one line for people."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rasterio._err import CPLE_BaseError  # what GDAL raises while copying; rasterio exports no public name for it
from rasterio.errors import RasterioError

from seq2seq.errors import OutputError
from seq2seq.writers.output import describe_failure


@contextmanager
def one_line_errors(path: Path) -> Iterator[None]:
    """Raises `OutputError` in place of whatever rasterio, GDAL or the system raises while `path` is written."""
    try:
        yield
    except (RasterioError, CPLE_BaseError, OSError, SystemError) as error:
        # rasterio raises SystemError where GDAL fails without saying why, as it does on some full disks.
        raise OutputError(describe_failure(path, _cause(error))) from error


def _cause(error: BaseException) -> str:
    """The innermost message, on one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(error).split()) or type(error).__name__
