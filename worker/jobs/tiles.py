"""The tiles of a running job that several workers share: who does which, each done once.

    plan -> open --take, take_own--> taken --done--> done
             ^  |-lay-> (others may take it)  |
             |--give_back, refuse, a lease that runs out

The job's own worker, the lead, plans them, and is fenced by the job's lease owner and attempt; who has taken a tile, by
the tile's. `False` everywhere means that nothing was written: the job or the tile is somebody else's, or gone.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, false, insert, or_, select, true, update

from worker import clock
from worker.database.connections import Database
from worker.database.tables import job_tiles, jobs
from worker.jobs import events
from worker.jobs.rows import Job
from worker.jobs.transitions import lock_held

_TRIES = 8


@dataclass(frozen=True)
class TakenTile:
    """A tile that a worker has for a while. job_attempt: of the lead, for the job's log. max_run_s: of the job."""

    job_id: str
    tile: int
    run_key: str
    owner: str
    attempt: int
    job_attempt: int
    max_run_s: float | None

    @property
    def input_prefix(self) -> str:
        """The prefix of its input in storage."""
        return tile_input_prefix(self.job_id, self.run_key, self.tile)

    @property
    def result_prefix(self) -> str:
        """The prefix of its arrays in storage; no two attempts of any workers share it."""
        who = hashlib.sha256(self.owner.encode()).hexdigest()[:8]
        return f"{self.input_prefix.removesuffix('/in')}/{self.attempt}-{who}"


@dataclass(frozen=True)
class TileState:
    """A tile as it is now. is_open: nobody has it, or somebody whose lease has run out."""

    tile: int
    state: str
    is_open: bool
    laid: bool
    own: bool
    owner: str | None
    prefix: str | None


@dataclass(frozen=True)
class TileBeat:
    """kept: False means that the tile is lost: stop, write nothing. cancelled: the job's owner wants it to end."""

    kept: bool
    cancelled: bool = False


def tile_input_prefix(job_id: str, run_key: str, tile: int) -> str:
    """The prefix of a tile's input in storage."""
    return f"tiles/{job_id}/{run_key[:16]}/{tile}/in"


def plan(database: Database, job: Job, run_key: str, to_do: Iterable[int]) -> bool:
    """Has rows for the tiles of the job's run that its lead has not: those of before stay, those of another run go.

    A tile that an earlier lead has done, and this one has not, is open again; one that others have done stays done, and
    so is one that this lead has.
    """
    with database.begin() as connection:
        if lock_held(connection, job) is None:
            return False
        connection.execute(delete(job_tiles).where(job_tiles.c.job_id == job.id, job_tiles.c.run_key != run_key))
        query = select(job_tiles.c.tile, job_tiles.c.state, job_tiles.c.prefix).where(job_tiles.c.job_id == job.id)
        there = {row.tile: (row.state, row.prefix) for row in connection.execute(query)}
        wanted = set(to_do)
        lost = [tile for tile in wanted if there.get(tile) == ("done", None)]
        had = [tile for tile, (state, _) in there.items() if state != "done" and tile not in wanted]
        _set(connection, job, lost, "open")
        _set(connection, job, had, "done")
        new = {"job_id": job.id, "run_key": run_key, "state": "open", "laid": False, "own": False, "attempt": 0}
        rows = [{**new, "tile": tile} for tile in sorted(wanted - there.keys())]
        if rows:
            connection.execute(insert(job_tiles), rows)
        return True


def states(database: Database, job: Job) -> list[TileState]:
    """All tiles of the job, as they are now."""
    columns = [job_tiles.c[name] for name in ("tile", "state", "laid", "own", "owner", "prefix")]
    query = (
        select(*columns, _is_open(clock.now()).label("is_open"))
        .where(job_tiles.c.job_id == job.id)
        .order_by(job_tiles.c.tile)
    )
    with database.read() as connection:
        rows = connection.execute(query).all()
    return [
        TileState(row.tile, row.state, bool(row.is_open), bool(row.laid), bool(row.own), row.owner, row.prefix)
        for row in rows
    ]


def lay(database: Database, job: Job, tile: int) -> bool:
    """The tile's input is in the storage: others may do it."""
    with database.begin() as connection:
        if lock_held(connection, job) is None:
            return False
        laid = update(job_tiles).where(job_tiles.c.job_id == job.id, job_tiles.c.tile == tile).values(laid=True)
        return connection.execute(laid).rowcount == 1


def take_own(database: Database, job: Job, run_key: str, *, lease_s: float) -> TakenTile | None:
    """A tile for the lead: one that nobody else could do before all others."""
    now = clock.now()
    candidates = (
        select(job_tiles.c.tile, job_tiles.c.attempt)
        .where(job_tiles.c.job_id == job.id, job_tiles.c.run_key == run_key, _is_open(now))
        .order_by(job_tiles.c.laid, job_tiles.c.tile)
    )
    assert job.lease_owner is not None
    with database.begin() as connection:
        if lock_held(connection, job) is None:
            return None
        row = connection.execute(candidates.limit(1).with_for_update(skip_locked=True)).one_or_none()
        if row is None or not _take(connection, job.id, row.tile, row.attempt, job.lease_owner, now + lease_s):
            return None
        return TakenTile(job.id, row.tile, run_key, job.lease_owner, row.attempt + 1, job.attempt, job.max_run_s)


def take(database: Database, *, worker_id: str, classes: Sequence[str], lease_s: float) -> TakenTile | None:
    """A tile of another worker's job of these resource classes: of the job that was submitted first."""
    now = clock.now()
    columns = (job_tiles.c.job_id, job_tiles.c.tile, job_tiles.c.run_key, job_tiles.c.attempt)
    candidates = (
        select(*columns, jobs.c.attempt.label("job_attempt"), jobs.c.max_run_s)
        .join(jobs, jobs.c.id == job_tiles.c.job_id)
        .where(
            job_tiles.c.laid == true(),
            job_tiles.c.own == false(),
            _is_open(now),
            jobs.c.status == "running",
            jobs.c.cancel_requested_at.is_(None),
            jobs.c.resource_class.in_(classes),
        )
        .order_by(jobs.c.number, job_tiles.c.tile)
        .limit(1)
    )
    for _ in range(_TRIES):
        with database.read() as connection:  # nobody waits for workers that only look
            if connection.execute(candidates).one_or_none() is None:
                return None
        with database.begin() as connection:
            row = connection.execute(candidates.with_for_update(skip_locked=True, of=job_tiles)).one_or_none()
            if row is not None and _take(connection, row.job_id, row.tile, row.attempt, worker_id, now + lease_s):
                attempt = row.attempt + 1
                return TakenTile(row.job_id, row.tile, row.run_key, worker_id, attempt, row.job_attempt, row.max_run_s)
    return None


def keep(database: Database, taken: TakenTile, *, lease_s: float) -> TileBeat:
    """Keeps a tile for `lease_s` from now, also when its lease has run out but nobody took it."""
    kept = update(job_tiles).where(_fence(taken)).values(lease_until=clock.now() + lease_s)
    with database.begin() as connection:
        if connection.execute(kept).rowcount != 1:
            return TileBeat(kept=False)
        query = select(jobs.c.cancel_requested_at).where(jobs.c.id == taken.job_id)
        return TileBeat(kept=True, cancelled=connection.scalar(query) is not None)


def done(database: Database, taken: TakenTile, *, prefix: str, message: str | None = None) -> bool:
    """A helper has done the tile. prefix: of its arrays in storage. message: for the job's log."""
    return _end(database, taken, message, state="done", prefix=prefix)


def done_own(database: Database, job: Job, taken: TakenTile) -> bool:
    """The lead has done the tile and has its arrays; one that is not the lead any more has them for nobody."""
    with database.begin() as connection:
        if lock_held(connection, job) is None:
            return False
        ended = update(job_tiles).where(_fence(taken)).values(state="done", lease_until=None)
        return connection.execute(ended).rowcount == 1


def filled(database: Database, job: Job, tile: int) -> bool:
    """The lead has the arrays of a tile that nobody had to do."""
    with database.begin() as connection:
        if lock_held(connection, job) is None:
            return False
        of_tile = and_(job_tiles.c.job_id == job.id, job_tiles.c.tile == tile)
        return connection.execute(update(job_tiles).where(of_tile).values(state="done")).rowcount == 1


def give_back(database: Database, taken: TakenTile) -> bool:
    """Somebody else may do the tile, at once."""
    return _end(database, taken, None, state="open")


def refuse(database: Database, taken: TakenTile, message: str) -> bool:
    """It went wrong: the lead does the tile itself, and what goes wrong there ends as it does without helpers."""
    return _end(database, taken, message, state="open", own=True)


def open_all(connection: Connection) -> None:
    """Lets others have all tiles that somebody has: nobody is alive any more."""
    taken = update(job_tiles).where(job_tiles.c.state == "taken")
    connection.execute(taken.values(state="open", lease_until=None))


def _set(connection: Connection, job: Job, of: Sequence[int], state: str) -> None:
    if of:
        here = and_(job_tiles.c.job_id == job.id, job_tiles.c.tile.in_(of))
        connection.execute(update(job_tiles).where(here).values(state=state, lease_until=None))


def _is_open(now: float) -> ColumnElement[bool]:
    expired = and_(job_tiles.c.state == "taken", job_tiles.c.lease_until < now)
    return or_(job_tiles.c.state == "open", expired)


def _fence(taken: TakenTile) -> ColumnElement[bool]:
    """No clock is asked."""
    return and_(
        job_tiles.c.job_id == taken.job_id,
        job_tiles.c.tile == taken.tile,
        job_tiles.c.run_key == taken.run_key,
        job_tiles.c.state == "taken",
        job_tiles.c.owner == taken.owner,
        job_tiles.c.attempt == taken.attempt,
    )


def _take(connection: Connection, job_id: str, tile: int, attempt: int, owner: str, until: float) -> bool:
    here = and_(job_tiles.c.job_id == job_id, job_tiles.c.tile == tile, job_tiles.c.attempt == attempt)
    values = {"state": "taken", "owner": owner, "attempt": attempt + 1, "lease_until": until}
    return connection.execute(update(job_tiles).where(here).values(values)).rowcount == 1


def _end(database: Database, taken: TakenTile, message: str | None, **values: Any) -> bool:
    ended = update(job_tiles).where(_fence(taken)).values(lease_until=None, **values)
    with database.begin() as connection:
        if connection.execute(ended).rowcount != 1:
            return False
        if message is not None:
            events.append(connection, taken.job_id, taken.job_attempt, "log", {"message": message})
        return True
