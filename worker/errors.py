"""What can go wrong in the service, named by cause. The HTTP status of each lives in `api.errors` alone."""

from typing import Any


class ServiceError(Exception):
    """Tells a caller what can be acted on. `code` is stable, `detail` one sentence, `extra` the numbers in it."""

    code = "service-error"

    def __init__(self, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra


class NotFound(ServiceError):  # noqa: N818  named as the caller sees it
    """There is no such job, upload, key or file, or it belongs to somebody else; the two look the same on purpose."""

    code = "not-found"


class InvalidSettings(ServiceError):  # noqa: N818
    """The operator's settings contradict each other or lie outside their range."""

    code = "invalid-settings"


class InvalidRequest(ServiceError):  # noqa: N818
    """A value can never be accepted: a priority out of range, a key that is too long."""

    code = "invalid-request"


class ForbiddenDestination(InvalidRequest):
    """A notice's address is one that our machine must not connect to. `detail` goes on from the address' name."""


class ForbiddenInput(InvalidRequest):
    """An input is where the operator lets nothing be fetched from. `detail` goes on from the input's address."""


class QuotaExceeded(ServiceError):  # noqa: N818
    """The owner has used what one owner may use. `extra`: quota, limit, used, asked; it may work again later."""

    code = "quota-exceeded"


class UploadTooLarge(ServiceError):  # noqa: N818
    """One upload is longer than uploads may be. `extra`: limit, asked."""

    code = "upload-too-large"


class UploadNotReady(ServiceError):  # noqa: N818
    """The upload is not complete. `extra`: offset, length."""

    code = "upload-not-ready"


class UploadInUse(ServiceError):  # noqa: N818
    """The upload is the input of jobs that have not ended, or a part of another. `extra`: jobs, or that upload."""

    code = "upload-in-use"


class OffsetConflict(ServiceError):  # noqa: N818
    """The bytes sent do not continue where the stored ones end. `extra`: expected, got."""

    code = "offset-conflict"


class ChecksumMismatch(ServiceError):  # noqa: N818
    """The bytes stored are not those the sender has. `extra`: expected, got."""

    code = "checksum-mismatch"


class IdempotencyConflict(ServiceError):  # noqa: N818
    """The idempotency key was used before with another request. `extra`: job_id of the first."""

    code = "idempotency-conflict"


class JobActive(ServiceError):  # noqa: N818
    """What was asked can only be done to a job that has ended. `extra`: status."""

    code = "job-active"


class Unauthorized(ServiceError):  # noqa: N818
    """There is no key, or a malformed, unknown, expired or revoked one; which of them is not said."""

    code = "unauthorized"


class StorageFullError(ServiceError):
    """No space is left where files or rows are kept. `extra`: what is known of free and needed bytes."""

    code = "storage-full"


class InvalidKey(ServiceError):  # noqa: N818
    """A storage key could lead out of its place: a step up, a link, an empty part. `extra`: key."""

    code = "invalid-key"


class RangeNotSatisfiable(ServiceError):  # noqa: N818
    """The bytes asked for lie outside the file. `extra`: size, start, end."""

    code = "range-not-satisfiable"


class StorageUnavailable(ServiceError):  # noqa: N818
    """Files cannot be read or written now: no answer, no permission, a broken disk. Trying again may help."""

    code = "storage-unavailable"


class InvalidSignature(ServiceError):  # noqa: N818
    """The signed address was changed, was signed with another secret, or has expired. `extra`: expired."""

    code = "invalid-signature"


class DatabaseUnavailable(ServiceError):  # noqa: N818
    """The database does not answer, or stayed locked for too long. Trying again is right."""

    code = "database-unavailable"


class ForeignDatabase(ServiceError):  # noqa: N818
    """The database belongs to another program: it has tables, and they are not ours."""

    code = "foreign-database"


class BrokerUnavailable(ServiceError):  # noqa: N818
    """The broker does not answer. Trying again is right."""

    code = "broker-unavailable"


class DatabaseTooNew(ServiceError):  # noqa: N818
    """The database was migrated by a newer release than this one. `extra`: found, known."""

    code = "database-too-new"


def one_line(error: BaseException, longest: int = 500) -> str:
    """Puts what an error says into one line of at most `longest` characters."""
    return " ".join(str(error).split())[:longest]
