"""The services that routes work with, opened once for each application."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

from api.http.authentication import Authenticator
from api.http.rates import Rates, Streams
from api.http.recent import Recent
from api.http.sending import Content
from api.metrics import Metrics
from api.receiving.completion import Completion
from api.receiving.incoming import IncomingFolder
from api.receiving.intake import Intake
from api.receiving.reception import Sink
from api.receiving.threads import ReceivingThreads
from api.watching import Watch
from worker.access import keys, logins
from worker.database.connections import Database
from worker.jobs.changes import JobVersion, OwnerVersion, owner_versions, versions
from worker.jobs.lookup import JobLookup
from worker.queue.doorbell import Doorbell
from worker.settings import Settings
from worker.signing.addresses import load_secret
from worker.storage import Storage
from worker.storage.packed import Pack

T = TypeVar("T")

# A map viewer asks for parts of one file a hundred times a second. What was removed since, storage no longer has.
_CONTENTS_KEPT_S = 2.0
_CONTENTS_KEPT = 1000
# Whose pictures are looked at now, each a table of thousands of places; kept while they are new.
_PACKS_KEPT_S = 600.0
_PACKS_KEPT = 16
# Threads that read results at the same time; the rest of the pool stays free for short questions.
_READERS = 24
# A list of jobs need not be newer.
_OWNERS_LOOK_S = 0.5


@dataclass(frozen=True)
class Resources:
    """The database of jobs, the storage of files, and the doorbell that wakes workers."""

    database: Database
    storage: Storage
    doorbell: Doorbell


@dataclass
class Services:
    """stopping: set when streams must end so that the server can. polls: requests that wait for news. lookup: of the
    loop's thread. readers: threads that results are read in. contents: results that were asked for just now, by
    owner, job and path. packs: contents of stored packs, by key. threads: those of uploads, whose files grow in
    `incoming`."""

    settings: Settings
    database: Database
    storage: Storage
    doorbell: Doorbell
    metrics: Metrics
    secret: bytes
    loop: asyncio.AbstractEventLoop
    stopping: asyncio.Event
    authenticator: Authenticator
    watch: Watch[JobVersion]
    watch_owners: Watch[OwnerVersion]
    lookup: JobLookup
    threads: ReceivingThreads
    incoming: IncomingFolder
    intake: Intake
    streams: Streams
    polls: Streams = field(default_factory=lambda: Streams(lambda _: None))
    rates: Rates = field(default_factory=Rates)
    contents: Recent[tuple[str | None, str, str], Content] = field(
        default_factory=lambda: Recent(keep_s=_CONTENTS_KEPT_S, most=_CONTENTS_KEPT)
    )
    packs: Recent[str, Pack] = field(default_factory=lambda: Recent(keep_s=_PACKS_KEPT_S, most=_PACKS_KEPT))
    readers: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(_READERS))

    async def ask(self, question: Callable[..., T], *arguments: object) -> T:
        """The answer to a question to the database that takes well under a millisecond.

        SQLite's readers never wait for its writers: asked right here, it takes half as long as by way of a thread.
        """
        if self.database.is_sqlite:
            return question(*arguments)
        return await to_thread.run_sync(question, *arguments)

    def stop(self) -> None:
        """Answers now whoever waits for something to happen, or sends something long."""
        self.stopping.set()
        self.watch.release()
        self.watch_owners.release()
        self.intake.interrupt_all()


def open_services(settings: Settings, metrics: Metrics, used: Resources) -> Services:
    """Opens them, within a running loop."""
    given = settings.signing_secret
    threads, incoming = ReceivingThreads(), IncomingFolder(settings)
    sink = Sink(used.database, incoming, threads, received=metrics.received.inc)
    return Services(
        settings=settings,
        database=used.database,
        storage=used.storage,
        doorbell=used.doorbell,
        metrics=metrics,
        secret=load_secret(settings.data, given.get_secret_value() if given else None),
        loop=asyncio.get_running_loop(),
        stopping=asyncio.Event(),
        authenticator=Authenticator(
            partial(keys.authenticate, used.database), partial(logins.authenticate, used.database), settings
        ),
        watch=Watch(used.database, versions),
        watch_owners=Watch(used.database, owner_versions, _OWNERS_LOOK_S),
        lookup=JobLookup(used.database),
        threads=threads,
        incoming=incoming,
        intake=Intake(sink, Completion(sink, used.storage, settings)),
        streams=Streams(metrics.streams.set),
    )
