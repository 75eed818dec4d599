"""Logins: a browser that has shown a key once stays signed in for a time by a token of its own.

The database holds the token's SHA-256 and whose key was shown. The key decides at every look: once it is revoked or has
expired, its logins are over.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass

from sqlalchemy import delete, insert, select

from worker import clock
from worker.access import keys
from worker.access.keys import Key
from worker.database.connections import Database
from worker.database.tables import api_keys, logins

_BYTES = 32
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
# Of one key; the oldest makes room.
_MOST = 50


@dataclass(frozen=True)
class Login:
    """A login that has just begun. token: what the browser shows from now on; it is not kept. expires: seconds since
    1970."""

    token: str
    expires: float


def begin(database: Database, key_id: str, *, keep_s: float) -> Login:
    """Keeps whoever has shown the key signed in for `keep_s` seconds, no longer than the key itself is good."""
    now = clock.now()
    newest = select(logins.c.hash).where(logins.c.key_id == key_id).order_by(logins.c.created.desc()).limit(_MOST - 1)
    with database.begin() as connection:
        key_expires = connection.scalar(select(api_keys.c.expires).where(api_keys.c.id == key_id))
        login = Login(secrets.token_urlsafe(_BYTES), min(now + keep_s, key_expires or now + keep_s))
        connection.execute(delete(logins).where(logins.c.expires <= now))
        kept = tuple(connection.scalars(newest))
        connection.execute(delete(logins).where(logins.c.key_id == key_id, logins.c.hash.not_in(kept)))
        row = {"hash": _hash(login.token), "key_id": key_id, "created": now, "expires": login.expires}
        connection.execute(insert(logins).values(row))
    return login


def authenticate(database: Database, token: str) -> Key:
    """Returns the key that was shown. Raises `Unauthorized`, with the same words for every reason."""
    if _TOKEN.fullmatch(token) is None:
        raise keys.refusal()
    found = select(*keys.COLUMNS).join(logins, logins.c.key_id == api_keys.c.id)
    valid = (logins.c.hash == _hash(token), logins.c.expires > clock.now())
    with database.read() as connection:
        row = connection.execute(found.where(*valid)).one_or_none()
    if row is None:
        raise keys.refusal()
    return keys.let_in(database, Key(*tuple(row)))


def end(database: Database, token: str) -> None:
    """Lets nobody in with the token from now on, known or not: who asks need not be anybody, so nothing is written for
    one that there is not."""
    here = logins.c.hash == _hash(token)
    with database.read() as connection:
        known = connection.scalar(select(logins.c.key_id).where(here))
    if known is not None:
        with database.begin() as connection:
            connection.execute(delete(logins).where(here))


def _hash(token: str) -> str:
    """Plain SHA-256 is enough: the token has 256 random bits."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
