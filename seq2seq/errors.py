"""The error tree. A message states what was wrong with which file, band or date, with the numbers.

`DecloudError` is what a caller catches: everything below it is the user's to mend and is shown as one line, never as a
stack trace. Bugs of ours stay ordinary exceptions.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any


class DecloudError(Exception):
    """Base of every error whose cause lies outside the program. `code` is stable and may be matched by programs."""

    code = "decloud-error"


@dataclass(frozen=True)
class Place:
    """A place in an input, as far as it is known.

    file: the user's name of it. date: YYYY-MM-DD. row, column: of the whole image, from 0.
    """

    file: str | None = None
    date: str | None = None
    band: str | None = None
    row: int | None = None
    column: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Returns the known facts, as plain JSON values."""
        return {name: value for name, value in asdict(self).items() if value is not None}


class InputError(DecloudError):
    """The user's files cannot be used as they are. It carries the place that its message names, for programs.

    date: anything that is written as YYYY-MM-DD. others: further places that the message names.
    """

    code = "invalid-input"

    def __init__(
        self,
        detail: str,
        *,
        file: str | None = None,
        date: object = None,
        band: str | None = None,
        row: int | None = None,
        column: int | None = None,
        others: Sequence[Place] = (),
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.file, self.date = file, None if date is None else str(date)
        self.band, self.row, self.column = band, row, column
        self.others = tuple(others)

    @property
    def places(self) -> tuple[Place, ...]:
        """All places that it is about: its own first, where it has any."""
        own = Place(self.file, self.date, self.band, self.row, self.column)
        return ((own,) if own != Place() else ()) + self.others


@contextmanager
def concerning(file: str, date: object = None) -> Iterator[None]:
    """Names this file, and this date, in an `InputError` raised within that names no file itself."""
    try:
        yield
    except InputError as error:
        if error.file is None:
            error.file = file
        if error.file == file and error.date is None and date is not None:
            error.date = str(date)
        raise


class MissingDataError(InputError):
    """Something that must be there is not: no S2 folder, fewer than two dates, no clear pixel."""

    code = "missing-data"


class UnreadableFileError(InputError):
    """A file is corrupt, truncated, of the wrong kind, or refused for safety."""

    code = "unreadable-file"


class MisalignedGridsError(InputError):
    """Grids, sizes, CRSs or extents that must agree do not."""

    code = "misaligned-grids"


class InvalidPixelsError(InputError):
    """Pixel values that cannot be what they claim: NaN, infinities, constant bands, wrong dtype or scale."""

    code = "invalid-pixels"


class UnknownBandsError(InputError):
    """Band names or a band count that no Sentinel product has."""

    code = "unknown-bands"


class DuplicateDatesError(InputError):
    """Two files claim the same date."""

    code = "duplicate-dates"


class UnsafeArchiveError(InputError):
    """A ZIP that tries to leave its folder, hides its size, or is larger than allowed."""

    code = "unsafe-archive"


class ConfigError(DecloudError):
    """A setting is out of range or contradicts another."""

    code = "invalid-config"


class MissingExtraError(DecloudError, ImportError):
    """A package that not every installation has is needed: `name`. The message names the extra that brings it."""

    code = "missing-extra"


class WeightsUnavailableError(DecloudError):
    """Pretrained weights were demanded and cannot be had, or are not what they should be."""

    code = "weights-unavailable"


class DivergedError(DecloudError):
    """A method's loss is no number any more: what it would predict is worth nothing."""

    code = "diverged"


class OutputError(DecloudError):
    """The result cannot be written: folder not empty, disk full, no permission."""

    code = "output-error"


class Stopped(DecloudError):  # noqa: N818  no error: what was asked for
    """The run was asked to stop and did so after saving a checkpoint; the same call continues it."""

    code = "stopped"
