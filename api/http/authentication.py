"""API keys, and logins in their place: who makes a request. Each is looked up in the database once in a while."""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from anyio import to_thread

from api.http.recent import Recent
from worker.access import quotas
from worker.access.keys import Key
from worker.errors import Unauthorized
from worker.settings import Settings

# A revoked key is let in for so long; 5 s are promised.
_TRUSTED_S = 2.0
_REMEMBERED = 10_000
# Who everybody is where no keys are asked for.
LOCAL_OWNER = "local"


@dataclass(frozen=True)
class Caller:
    """limits: the settings with the key's own quota. name: whose requests are counted together."""

    owner: str
    name: str
    limits: Settings


class Authenticator:
    """Tells callers by their keys, and remembers for a moment whom it let in. It never remembers a refusal."""

    def __init__(self, find_key: Callable[[str], Key], find_login: Callable[[str], Key], settings: Settings) -> None:
        """Both block, and raise `Unauthorized`: `authenticate` of `worker.access.keys` and of `.logins`."""
        self._find_key, self._find_login, self._settings = find_key, find_login, settings
        self._known: Recent[bytes, Caller] = Recent(keep_s=_TRUSTED_S, most=_REMEMBERED)
        self._asked: dict[bytes, asyncio.Task[Caller]] = {}
        self._anybody = Caller(LOCAL_OWNER, LOCAL_OWNER, settings) if settings.auth == "none" else None

    async def authenticate(self, text: str | None) -> Caller:
        """The caller who has the key `text`. Raises `Unauthorized`."""
        if self._anybody is not None:
            return self._anybody
        if text is None:
            raise Unauthorized("an API key is needed: Authorization: Bearer dcl_...")
        return await self._find(_digest("key", text), self._find_key, text)

    async def authenticate_login(self, token: str) -> Caller:
        """The caller whose browser stays signed in by this token. Raises `Unauthorized`."""
        if self._anybody is not None:
            return self._anybody
        return await self._find(_digest("login", token), self._find_login, token)

    def forget_login(self, token: str) -> None:
        """Trusts the token no more: its login is over. From any thread."""
        self._known.forget(_digest("login", token))

    async def _find(self, digest: bytes, find: Callable[[str], Key], text: str) -> Caller:
        known = self._known.get(digest)
        if known is not None:
            return known
        # Of many requests at once, one asks.
        asking = self._asked.get(digest)
        if asking is None:
            asking = self._asked[digest] = asyncio.create_task(self._look_up(digest, find, text))
            asking.add_done_callback(lambda _: self._asked.pop(digest, None))
        return await asyncio.shield(asking)

    async def _look_up(self, digest: bytes, find: Callable[[str], Key], text: str) -> Caller:
        try:
            key = await to_thread.run_sync(find, text)
        except Unauthorized:
            self._known.forget(digest)
            raise
        caller = Caller(key.owner, key.id, quotas.limits_for(self._settings, key.quota))
        self._known.put(digest, caller)
        return caller


def _digest(kind: str, text: str) -> bytes:
    """What a secret is remembered by. A key is no login, nor a login a key."""
    return hashlib.sha256(f"{kind} {text}".encode(errors="replace")).digest()
