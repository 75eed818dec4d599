"""Who is asking: API keys, each looked up in the database once in a while."""

import asyncio
import hashlib
from dataclasses import dataclass

from anyio import to_thread

from api.http.recent import Recent
from worker.access import keys, quotas
from worker.database.connections import Database
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


class Doorkeeper:
    """Remembers who was let in a moment ago. A refusal is never remembered."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database, self._settings = database, settings
        self._known: Recent[bytes, Caller] = Recent(keep_s=_TRUSTED_S, most=_REMEMBERED)
        self._asked: dict[bytes, asyncio.Task[Caller]] = {}
        self._anybody = Caller(LOCAL_OWNER, LOCAL_OWNER, settings) if settings.auth == "none" else None

    async def admit(self, text: str | None) -> Caller:
        """The caller with the key `text`. Raises `Unauthorized`."""
        if self._anybody is not None:
            return self._anybody
        if text is None:
            raise Unauthorized("an API key is needed: Authorization: Bearer dcl_...")
        mark = hashlib.sha256(text.encode(errors="replace")).digest()
        known = self._known.get(mark)
        if known is not None:
            return known
        # Of many requests at once, one asks.
        asking = self._asked.get(mark)
        if asking is None:
            asking = self._asked[mark] = asyncio.create_task(self._look_up(mark, text))
            asking.add_done_callback(lambda _: self._asked.pop(mark, None))
        return await asyncio.shield(asking)

    async def _look_up(self, mark: bytes, text: str) -> Caller:
        try:
            key = await to_thread.run_sync(keys.authenticate, self._database, text)
        except Unauthorized:
            self._known.forget(mark)
            raise
        caller = Caller(key.owner, key.id, quotas.limits_for(self._settings, key.quota))
        self._known.put(mark, caller)
        return caller
