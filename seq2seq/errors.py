"""The error tree. A message says what was wrong with which file, band or date, and carries the numbers.

`DecloudError` is what a caller catches: everything below it is the user's to mend and is shown as one line, never as a
stack trace. Bugs of ours stay ordinary exceptions.
"""


class DecloudError(Exception):
    """Base of every error whose cause lies outside the program. `code` is stable and may be matched by programs."""

    code = "decloud-error"


class InputError(DecloudError):
    """The user's files cannot be used as they are."""

    code = "invalid-input"


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
    """A package that not every installation has is needed: `name`. The message says which extra brings it."""

    code = "missing-extra"


class WeightsUnavailableError(DecloudError):
    """Pretrained VGG16 weights were demanded and cannot be had."""

    code = "weights-unavailable"


class OutputError(DecloudError):
    """The result cannot be written: folder not empty, disk full, no permission."""

    code = "output-error"


class Stopped(DecloudError):  # noqa: N818  no error: what was asked for
    """The run was asked to stop and did so after saving a checkpoint; the same call continues it."""

    code = "stopped"
