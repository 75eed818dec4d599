"""What can go wrong between here and a server, as one line each; the command line shows them as they are."""

from typing import Any

from seq2seq.errors import DecloudError


class ClientError(DecloudError):
    """Base of what a client raises. `code` is the server's where it said one."""

    code = "client-error"


class ServerUnavailable(ClientError):  # noqa: N818  named as the caller sees it
    """The server did not answer, or answered that it cannot now, for longer than there was patience."""

    code = "server-unavailable"


class NotAServer(ClientError):  # noqa: N818
    """The address is none, or what answers there is no decloud server, or not one this client can talk to."""

    code = "not-a-server"


class Refused(ClientError):  # noqa: N818
    """The server understood and said no. status: HTTP's. code, detail, problem: of its problem document (RFC 9457)."""

    def __init__(self, message: str, *, status: int, code: str, problem: dict[str, Any]) -> None:
        super().__init__(message)
        self.status, self.code, self.problem = status, code, problem


class InvalidPayload(ClientError):  # noqa: N818
    """What is to be uploaded cannot be: missing, empty, of no known format, unreadable, no room for the archive."""

    code = "invalid-payload"


class DamagedTransfer(ClientError):  # noqa: N818
    """Bytes arrived that are not those which were sent, again and again."""

    code = "damaged-transfer"


class CannotStore(ClientError):  # noqa: N818
    """The result cannot be written here: the folder holds something else, no space, no permission."""

    code = "cannot-store"


class JobNotSuccessful(ClientError):  # noqa: N818
    """The job has ended without a result: it failed, by `code`, or was dismissed."""

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


class NotDelivered(ClientError):  # noqa: N818
    """The job has a result, which the server could not bring to where it was to go; the text says why."""

    code = "not-delivered"


class StillRunning(ClientError):  # noqa: N818
    """The job had not ended when the caller's time for waiting was over. The job goes on."""

    code = "still-running"


class UnknownJob(ClientError):  # noqa: N818
    """None of your jobs is meant by that, or several are."""

    code = "no-such-job"


class UnknownOutput(ClientError):  # noqa: N818
    """The result has no output of that name."""

    code = "no-such-output"
