"""Addresses that have to be signed before they answer: tokens that expire (Azure), and keys of the user's (S3)."""

import hashlib
import hmac
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import quote, urlsplit

from seq2seq.errors import ConfigError
from seq2seq.fetching.catalogs import Catalog
from seq2seq.fetching.failures import FetchError
from seq2seq.fetching.metering import Meter
from seq2seq.fetching.transport import Transport

# A token that ends within this time is replaced before it is used.
_MARGIN_S = 120.0
# Of the environment, as the tools of each catalogue name them.
_SUBSCRIPTION_KEY = "PC_SDK_SUBSCRIPTION_KEY"
_S3_KEYS = (("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), ("CDSE_S3_ACCESS_KEY", "CDSE_S3_SECRET_KEY"))
_EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()

Signed = tuple[str, Mapping[str, str]]


class Signer(Protocol):
    """Signs the addresses of one catalogue. Safe to use from many threads."""

    def resolve(self, href: str) -> str:
        """The web address that `href` stands for."""

    def sign(self, url: str, refused: int) -> tuple[Signed, int]:
        """What to ask for, with its headers, and the number of the signature; never one up to number `refused`."""

    @property
    def renews(self) -> bool:
        """Whether another signature may be accepted where one was refused."""


@dataclass
class SignedAddress:
    """The address of one asset, for `Transport.read`; used by one thread at a time."""

    href: str
    signer: Signer
    _number: int = field(default=0, init=False)
    _refused: int = field(default=0, init=False)

    def signed(self) -> Signed:
        """With a signature that was not refused."""
        signed, self._number = self.signer.sign(self.href, self._refused)
        return signed

    def renew(self) -> bool:
        """Forgets the signature that was used last."""
        self._refused = self._number
        return self.signer.renews


class Unsigned:
    """Addresses that answer as they are."""

    renews = False

    def resolve(self, href: str) -> str:
        """Itself."""
        return href

    def sign(self, url: str, refused: int) -> tuple[Signed, int]:
        """Itself."""
        return (url, {}), 0


class SasTokens:
    """Azure's shared access signatures, one for each container, asked for when they are needed and when they end."""

    renews = True

    def __init__(self, catalog: Catalog, transport: Transport, clock: Callable[[], float] = time.time) -> None:
        self._endpoint, self._hosts = catalog.signing_url, catalog.signed_hosts
        self._transport, self._clock = transport, clock
        self._lock = threading.Lock()
        self._tokens: dict[tuple[str, str], tuple[str, float, int]] = {}
        self._number = 0

    def resolve(self, href: str) -> str:
        """Itself."""
        return href

    def sign(self, url: str, refused: int) -> tuple[Signed, int]:
        """With the token of its container. Raises `FetchError` where none is given out."""
        parts = urlsplit(url)
        host, container = parts.hostname or "", parts.path.lstrip("/").partition("/")[0]
        if not any(host.endswith(ending) for ending in self._hosts) or not container:
            return (url, {}), 0
        token, number = self._token((host.partition(".")[0], container), refused)
        return (f"{url}{'&' if parts.query else '?'}{token}", {}), number

    def _token(self, key: tuple[str, str], refused: int) -> tuple[str, int]:
        with self._lock:
            token, ends, number = self._tokens.get(key, ("", 0.0, 0))
            if number <= refused or ends < self._clock() + _MARGIN_S:
                token, ends = self._ask(key)
                self._number += 1
                number = self._number
                self._tokens[key] = token, ends, number
            return token, number

    def _ask(self, key: tuple[str, str]) -> tuple[str, float]:
        own = os.environ.get(_SUBSCRIPTION_KEY)
        headers = {"Ocp-Apim-Subscription-Key": own} if own else {}
        try:
            found = self._transport.json(f"{self._endpoint}/{quote(key[0])}/{quote(key[1])}", Meter(), headers=headers)
        except FetchError as error:
            raise FetchError(f"no token for it from {self._endpoint} ({error})") from error
        token, ends = found.get("token"), found.get("msft:expiry")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or " " in token:
            raise FetchError(f"{self._endpoint} answers without a token")
        return token, _seconds(ends)


class S3Keys:
    """Requests that are signed with the user's keys (AWS Signature Version 4)."""

    renews = False

    def __init__(self, catalog: Catalog, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._endpoint, self._clock = catalog.signing_url.rstrip("/"), clock
        found = next(
            ((os.environ[a], os.environ[b]) for a, b in _S3_KEYS if os.environ.get(a) and os.environ.get(b)), None
        )
        if found is None:
            raise ConfigError(
                f"{catalog.name}: files are given out to holders of S3 keys alone; set {' and '.join(_S3_KEYS[0])} to "
                "yours"
            )
        self._access, self._secret = found

    def resolve(self, href: str) -> str:
        """s3://BUCKET/KEY at the endpoint."""
        return f"{self._endpoint}/{href.removeprefix('s3://')}" if href.startswith("s3://") else href

    def sign(self, url: str, refused: int) -> tuple[Signed, int]:
        """With the headers of a signature of now; only what is at the endpoint gets one."""
        if not url.startswith(f"{self._endpoint}/"):
            return (url, {}), 0
        return (url, sigv4(url, self._access, self._secret, self._clock())), 0


def sigv4(url: str, access: str, secret: str, now: datetime, region: str = "default") -> dict[str, str]:
    """The headers that sign a GET of S3 (Signature Version 4; Amazon S3 API reference, "Authenticating Requests")."""
    parts = urlsplit(url)
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    signed = {"host": parts.netloc, "x-amz-content-sha256": _EMPTY_SHA256, "x-amz-date": stamp}
    names = ";".join(signed)
    lines = "".join(f"{name}:{value}\n" for name, value in signed.items())
    request = "\n".join(["GET", parts.path, parts.query, lines, names, _EMPTY_SHA256])
    scope = f"{day}/{region}/s3/aws4_request"
    digest = hashlib.sha256(request.encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for step in (day, region, "s3", "aws4_request", f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"):
        key = hmac.digest(key, step.encode(), "sha256")
    signature = f"AWS4-HMAC-SHA256 Credential={access}/{scope}, SignedHeaders={names}, Signature={key.hex()}"
    return {"Authorization": signature, "x-amz-content-sha256": _EMPTY_SHA256, "x-amz-date": stamp}


def signer_of(catalog: Catalog, transport: Transport) -> Signer:
    """The signer that the catalogue needs. Raises `ConfigError` where it needs keys that are not there."""
    if catalog.signing == "sas":
        return SasTokens(catalog, transport)
    return S3Keys(catalog) if catalog.signing == "s3" else Unsigned()


def _seconds(text: object) -> float:
    """A time such as 2026-11-29T08:00:00Z, in seconds; an hour from now where that is none."""
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return time.time() + 3600
