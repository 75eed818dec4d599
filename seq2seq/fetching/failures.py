"""Errors of fetching that are the catalogue's or the network's. What the user typed wrongly is a `ConfigError`."""

from seq2seq.errors import DecloudError


class FetchError(DecloudError):
    """A catalogue or a file of it cannot be had, or is not what it should be; the message names item and asset."""

    code = "fetch-failed"


class StatusError(FetchError):
    """A server has answered with a status that stays. status: its number."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class ChangedError(FetchError):
    """A file is not the one of which a part is there already."""


class RefusedAddressError(FetchError):
    """A catalogue leads to where it has no business: another scheme, a private network, a file of this machine."""

    code = "refused-address"
