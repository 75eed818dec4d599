"""Addresses that work without a key until they expire: for browsers, for QGIS, for whoever is shown a result."""

import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path
from urllib.parse import quote

from worker.errors import InvalidSettings, InvalidSignature

SECRET_FILE = "signing.secret"
_SECRET_BYTES = 32
_SHORTEST_SECRET = 16
_LONGEST_NUMBER = 12
# What a signature is good for: one path, or all below it.
_ONE, _BELOW = "decloud address 1", "decloud tree 1"


def sign(path: str, *, expires: int, secret: bytes) -> str:
    """Returns `PATH?expires=...&signature=...`: whoever has it may read `path`, and nothing else, until `expires`.

    `path` is the request's path as a server sees it, decoded, without a query; `expires` is in seconds since 1970.
    """
    return f"{quote(path)}?expires={expires}&signature={_signature(path, str(expires), secret, _ONE)}"


def sign_below(prefix: str, *, expires: int, secret: bytes) -> str:
    """Returns `EXPIRES-SIGNATURE`, to stand in a path: whoever has it may read what lies below `prefix` until then.

    Relative links of a document lead to addresses with the same signature, which a query would not be passed on to.
    """
    return f"{expires}-{_signature(prefix, str(expires), secret, _BELOW)}"


def verify_below(prefix: str, *, token: str, secret: bytes, now: float) -> None:
    """Raises `InvalidSignature` unless `sign_below` made the token for this very prefix and it has not expired."""
    expires, _, signature = token.partition("-")
    _verify(prefix, expires, signature, secret, now, _BELOW)


def verify(path: str, *, expires: str, signature: str, secret: bytes, now: float) -> None:
    """Raises `InvalidSignature` unless `sign` made the two values for this very path and `now` is before `expires`."""
    _verify(path, expires, signature, secret, now, _ONE)


def _verify(path: str, expires: str, signature: str, secret: bytes, now: float, kind: str) -> None:
    number = expires.isascii() and expires.isdigit() and len(expires) <= _LONGEST_NUMBER
    right = _signature(path, expires, secret, kind).encode()
    if not number or not hmac.compare_digest(right, signature.encode(errors="replace")):
        raise InvalidSignature("the address was not signed by this server, or was changed since", expired=False)
    if now >= int(expires):
        raise InvalidSignature(f"the address expired {now - int(expires):,.0f} s ago; ask for a new one", expired=True)


def load_secret(folder: Path, given: str | None = None) -> bytes:
    """Returns `given`, or what `folder` keeps in a file that only its owner may read; made at the first call.

    However many processes call it at once, they get the same. Raises `InvalidSettings` where the file cannot be used:
    a secret that others may read, or could have put there, signs nothing.
    """
    if given is not None:
        try:
            check_secret(given)
        except ValueError as error:
            raise InvalidSettings(f"signing_secret {error}") from None
        return given.encode()
    path = folder / SECRET_FILE
    try:
        if not path.exists():
            _make_secret(path)
        return _read_secret(path)
    except OSError as error:
        raise InvalidSettings(f"{path}: {error.strerror or error}") from error


def check_secret(given: str) -> None:
    """Raises ValueError for a secret that could be guessed."""
    if len(given) < _SHORTEST_SECRET:
        raise ValueError(f"has {len(given)} characters, must have at least {_SHORTEST_SECRET}")


def _signature(path: str, expires: str, secret: bytes, kind: str) -> str:
    # The number comes first and holds no line end: no two pairs make one message.
    message = f"{kind}\n{expires}\n{path}"
    return hmac.new(secret, message.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()


def _make_secret(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, f"{secrets.token_hex(_SECRET_BYTES)}\n".encode())
        os.fsync(handle)
        os.link(temporary, path)  # unlike a rename, fails where another process was first
    except FileExistsError:
        pass
    finally:
        os.close(handle)
        temporary.unlink()


def _read_secret(path: Path) -> bytes:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
            raise InvalidSettings(
                f"{path}: must be a file of user {os.geteuid()} that nobody else may read (mode 600); "
                f"it is of user {status.st_uid}, mode {stat.S_IMODE(status.st_mode):o}"
            )
        text = file.read(4 * _SECRET_BYTES).strip()
    try:
        secret = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        secret = b""
    if len(secret) != _SECRET_BYTES:
        raise InvalidSettings(f"{path}: does not hold a secret of {_SECRET_BYTES} bytes; delete it to have one made")
    return secret
