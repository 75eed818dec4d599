"""Signatures of notices by Standard Webhooks 1.0 (HMAC-SHA256), and the secrets that receivers verify them with.

Each owner has a secret of their own, made from the deployment's: with one for all, every user could send notices that
look like ours to every other user's receiver.
"""

import base64
import binascii
import hmac

_PREFIX = "whsec_"
_BYTES = range(24, 65)


def parse_secrets(text: str) -> list[bytes]:
    """Reads one or several `whsec_...` with spaces between. Raises `ValueError`, which shows none of it."""
    return [_decoded(part) for part in text.split()]


def _decoded(text: str) -> bytes:
    try:
        secret = base64.b64decode(text.removeprefix(_PREFIX), validate=True) if text.startswith(_PREFIX) else b""
    except binascii.Error:
        secret = b""
    if len(secret) not in _BYTES:
        raise ValueError(f"must be {_PREFIX} and base64 of {_BYTES[0]} to {_BYTES[-1]} random bytes")
    return secret


class Signer:
    """Signs with each secret that is given and, for each, with the owner's made from it."""

    def __init__(self, given: str | None, signing_secret: bytes) -> None:
        """given: one `whsec_...`, or the new one and old ones while they are being replaced, with spaces between. None:
        made from `signing_secret`, and only owners' secrets are used. Raises `ValueError`."""
        self._given = parse_secrets(given or "")
        self._roots = self._given or [_mac(signing_secret, "decloud webhooks 1")]

    def secret_of(self, owner: str) -> str:
        """Returns what the owner's receivers need: `whsec_...`."""
        return _PREFIX + base64.b64encode(_of_owner(self._roots[0], owner)).decode()

    def headers(self, notice_id: str, owner: str, *, timestamp: int, body: bytes) -> dict[str, str]:
        """Returns the headers of a notice.

        timestamp: of this try, in seconds since 1970; the id stays the same for all tries.
        """
        signed = f"{notice_id}.{timestamp}.".encode() + body
        keys = [*(_of_owner(root, owner) for root in self._roots), *self._given]
        return {
            "webhook-id": notice_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(f"v1,{base64.b64encode(_mac(key, signed)).decode()}" for key in keys),
        }


def _of_owner(root: bytes, owner: str) -> bytes:
    # No notice's id begins so: a signature is never a secret.
    return _mac(root, f"decloud webhooks of {owner}")


def _mac(key: bytes, message: str | bytes) -> bytes:
    return hmac.digest(key, message.encode() if isinstance(message, str) else message, "sha256")
