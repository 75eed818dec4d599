"""Where an operator lets inputs be fetched from: checked when a job is submitted, and again by who fetches.

Users choose the addresses, and it is our machine that connects. Nothing is allowed that the operator has not named.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from worker.errors import ForbiddenInput
from worker.public_addresses import is_named, may_be_public

_PORTS = {"https": 443, "http": 80}
_HOST = re.compile(r"[a-z0-9_][a-z0-9_.-]{0,252}|[0-9a-f:.]{2,45}")
_LONGEST = 4096
_ANY = "*"
_S3 = "s3://"


@dataclass(frozen=True)
class AllowList:
    """Names hosts, buckets and catalogues, as `Settings` has them. private_hosts: may be inside, and by plain http."""

    hosts: tuple[str, ...] = ()
    private_hosts: tuple[str, ...] = ()
    catalogs: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, values: Mapping[str, Sequence[str]]) -> "AllowList":
        """Takes what `to_dict` gives."""
        return cls(**{field.name: tuple(values[field.name]) for field in fields(cls)})

    def to_dict(self) -> dict[str, Any]:
        """Returns plain JSON values."""
        return asdict(self)

    def check_href(self, href: str) -> None:
        """Checks all that can be known without looking a name up. Raises `ForbiddenInput`: the address goes before."""
        if not (self.hosts or self.private_hosts):
            raise ForbiddenInput(
                "nothing is fetched by reference, the operator has not allowed it (DECLOUD_INPUT_HOSTS); upload the "
                "file, and give /uploads/ID"
            )
        parts = _split(href)
        if parts.scheme == "s3":
            self._check_object(parts)
        else:
            self._check_web(parts)

    def check_catalog(self, name: str) -> None:
        """Checks the name or address of a catalogue. Raises `ForbiddenInput`."""
        if not self.catalogs:
            raise ForbiddenInput(
                "no areas are fetched, the operator has not allowed it (DECLOUD_INPUT_CATALOGS); fetch the area with "
                "decloud fetch, and upload it"
            )
        if name.rstrip("/") not in [allowed.rstrip("/") for allowed in self.catalogs]:
            raise ForbiddenInput(
                f"{_shown(name)} is no catalogue that the operator has allowed; allowed: {', '.join(self.catalogs)}"
            )

    def allows_host(self, host: str, port: int) -> bool:
        """Tells whether a host is on the list; a name with `*.` stands for all below it. No bucket is a host."""
        ends = [name[1:].lower() for name in self.hosts if name.startswith("*.")]
        below = any(host.endswith(end.partition(":")[0]) and end.partition(":")[2] in ("", str(port)) for end in ends)
        return _ANY in self.hosts or below or is_named(host, port, (*self.hosts, *self.private_hosts))

    def is_private(self, host: str, port: int) -> bool:
        """Tells whether a host may have a private address, and plain http."""
        return is_named(host, port, self.private_hosts)

    def allows_object(self, bucket: str, key: str) -> bool:
        """Tells whether the bucket, or a prefix of the key in it, is on the list."""
        for name in self.hosts:
            allowed, _, prefix = name.removeprefix(_S3).partition("/")
            if name.startswith(_S3) and allowed == bucket and _is_below(key, prefix.rstrip("/")):
                return True
        return False

    @property
    def described(self) -> str:
        """What is allowed, for messages."""
        return ", ".join((*self.hosts, *self.private_hosts)) or "none"

    def _check_object(self, parts: SplitResult) -> None:
        key = parts.path.removeprefix("/")
        if not parts.netloc or set("@:") & set(parts.netloc) or parts.query or parts.fragment:
            raise ForbiddenInput("must be of the form s3://BUCKET/KEY")
        if not key or any(part in ("", ".", "..") for part in unquote(key).split("/")):
            raise ForbiddenInput("must be of the form s3://BUCKET/KEY, with the key of one object")
        if not self.allows_object(parts.netloc, key):
            raise ForbiddenInput(f"is in no bucket that the operator has allowed; allowed: {self.described}")

    def _check_web(self, parts: SplitResult) -> None:
        host = parts.hostname or ""
        if parts.scheme not in _PORTS or parts.port == 0 or not _HOST.fullmatch(host):
            raise ForbiddenInput("must be an address such as https://data.example.org/fields.zip, or s3://BUCKET/KEY")
        if parts.username is not None or parts.password is not None:
            raise ForbiddenInput("must hold no user name and no password")
        self.check_host(parts.scheme, host, parts.port or _PORTS[parts.scheme])

    def check_host(self, scheme: str, host: str, port: int) -> None:
        """Checks where an address leads, as far as it is written there. Raises `ForbiddenInput`."""
        if not self.allows_host(host, port):
            raise ForbiddenInput(f"is at no host that the operator has allowed; allowed: {self.described}")
        inside = self.is_private(host, port)
        if not inside and not may_be_public(host, port):
            raise ForbiddenInput("must have a public address")
        if scheme == "http" and not inside:
            raise ForbiddenInput("must begin with https://")


def _split(href: str) -> SplitResult:
    try:
        if len(href) > _LONGEST or not href.isascii() or not href.isprintable() or set(href) & set(' "<>\\^`{|}'):
            raise ValueError
        parts = urlsplit(href)
        _ = parts.hostname, parts.port
    except ValueError:
        raise ForbiddenInput("is no web address") from None
    return parts


def _is_below(key: str, prefix: str) -> bool:
    return not prefix or key == prefix or key.startswith(f"{prefix}/")


def _shown(name: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in name)[:200]
