"""API keys: `dcl_ID_SECRET`. The database holds the SHA-256 of the whole key, never the key."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select, update

from worker import clock
from worker.access import quotas
from worker.database.connections import Database
from worker.database.tables import api_keys
from worker.errors import InvalidRequest, NotFound, Unauthorized
from worker.values import is_id, storable

_KEY = re.compile(r"dcl_([0-9a-f]{12})_[0-9a-f]{48}")
_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}")
_MAX_NAME = 100
# `last_used` is written no more often than this, so that most requests only read.
_USED_EVERY_S = 60.0


@dataclass(frozen=True)
class Key:
    """Holds what is known of a key, which is not its secret.

    quota: figures in place of the settings' (`quotas.limits_for`).
    """

    id: str
    owner: str
    name: str | None
    quota: dict[str, int]
    created: float
    expires: float | None
    revoked: float | None
    last_used: float | None


# Of the table, in the order of `Key`.
COLUMNS = (
    api_keys.c.id,
    api_keys.c.owner,
    api_keys.c.name,
    api_keys.c.quota,
    api_keys.c.created,
    api_keys.c.expires,
    api_keys.c.revoked,
    api_keys.c.last_used,
)


def create(
    database: Database,
    *,
    owner: str,
    name: str | None = None,
    quota: dict[str, int] | None = None,
    expires_s: float | None = None,
) -> tuple[Key, str]:
    """Makes a key; returns it and its text, which is not kept and cannot be shown again. Raises `InvalidRequest`."""
    if not _OWNER.fullmatch(owner):
        raise InvalidRequest(f"owner {owner!r}: up to 100 letters, digits and . _ @ + -, a letter or digit first")
    if expires_s is not None and expires_s <= 0:
        raise InvalidRequest(f"a key that expires in {expires_s:g} s could never be used")
    quotas.check_names(quota or {})
    key_id = secrets.token_hex(6)
    text = f"dcl_{key_id}_{secrets.token_hex(24)}"
    now = clock.now()
    row = {
        "id": key_id,
        "hash": _hash(text),
        "owner": owner,
        "name": None if name is None else storable(name, _MAX_NAME),
        "quota": quota or {},
        "created": now,
        "expires": None if expires_s is None else now + expires_s,
    }
    with database.begin() as connection:
        return _to_key(connection.execute(insert(api_keys).values(row).returning(*COLUMNS)).one()), text


def listing(database: Database, owner: str | None = None) -> tuple[Key, ...]:
    """Returns all keys, or an owner's, oldest first."""
    query = select(*COLUMNS).order_by(api_keys.c.created, api_keys.c.id)
    with database.read() as connection:
        found = connection.execute(query if owner is None else query.where(api_keys.c.owner == owner))
        return tuple(_to_key(row) for row in found)


def revoke(database: Database, key_id: str) -> Key:
    """Lets nobody come in with it from now on; revoking twice keeps the first time. Raises `NotFound`."""
    with database.begin() as connection:
        query = select(*COLUMNS).where(api_keys.c.id == key_id).with_for_update()
        row = connection.execute(query).one_or_none() if is_id(key_id) else None
        if row is None:
            raise NotFound(f"no key {key_id!r}")
        if row.revoked is not None:
            return _to_key(row)
        revoked = update(api_keys).where(api_keys.c.id == key_id).values(revoked=clock.now())
        return _to_key(connection.execute(revoked.returning(*COLUMNS)).one())


def authenticate(database: Database, text: str) -> Key:
    """Returns the key of which `text` is the text. Raises `Unauthorized`, with the same words for every reason."""
    match = _KEY.fullmatch(text)
    if match is None:
        raise refusal()
    with database.read() as connection:
        row = connection.execute(select(*COLUMNS, api_keys.c.hash).where(api_keys.c.id == match[1])).one_or_none()
    if row is None or not hmac.compare_digest(row.hash, _hash(text)):
        raise refusal()
    *values, _ = row
    return let_in(database, Key(*values))


def let_in(database: Database, key: Key) -> Key:
    """Returns the key, whose use is noted. Raises `Unauthorized` for one that is revoked or has expired."""
    now = clock.now()
    if key.revoked is not None or (key.expires is not None and key.expires <= now):
        raise refusal()
    if key.last_used is None or abs(now - key.last_used) > _USED_EVERY_S:
        with database.begin() as connection:
            connection.execute(update(api_keys).where(api_keys.c.id == key.id).values(last_used=now))
    return key


def refusal() -> Unauthorized:
    """What everybody is told who is not let in."""
    return Unauthorized("a valid API key is needed: Authorization: Bearer dcl_...")


def _hash(text: str) -> str:
    """Plain SHA-256 is enough: the secret has 192 random bits, there is nothing to guess."""
    return hashlib.sha256(text.encode()).hexdigest()


def _to_key(row: Any) -> Key:
    return Key(*tuple(row))
