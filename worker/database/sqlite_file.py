"""SQLite's file: made once, opened without making it, and known again: nothing is written to one that is gone."""

import logging
import os
import sqlite3
import threading
import time
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from worker.errors import DatabaseUnavailable, ForeignDatabase
from worker.places import Place

_log = logging.getLogger(__name__)

_WAL_WITHIN_S = 10.0
# SQLite keeps these beside the file for as long as anybody has it open; what was committed last is in the first.
_BESIDE = ("-wal", "-shm")
_SAVED = ".saved"
_SHOWN = 3


class SqliteFile:
    """Guards the file at `path`.

    From the first connection on, a connection of our own keeps it, and what SQLite keeps beside it, from being replaced
    by SQLite itself: so whatever is another one later was put there by somebody else.
    """

    def __init__(self, path: Path, *, busy_s: float) -> None:
        self.path = path.absolute()
        self._busy_s = busy_s
        self._opening = threading.Lock()
        self._kept: sqlite3.Connection | None = None
        self._places: tuple[Place, ...] = ()
        self._reported: str | None = None

    def create(self) -> None:
        """Makes the file, empty, and its folder, where they are missing. Raises `ForeignDatabase` before anything is
        written to a database of another program."""
        if self._kept is not None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            self._refuse_foreign()
        else:
            with suppress(FileExistsError):  # of another process that starts at the same time
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666))

    def connect(self) -> sqlite3.Connection:
        """Connects, and never makes a file. Raises sqlite3.OperationalError where none, or another one, is there."""
        with self._opening:
            if self._kept is None:
                self._kept = self._open()
                self._kept.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # now the files beside it are there
                self._places = tuple(Place.of(Path(f"{self.path}{ending}")) for ending in ("", *_BESIDE))
        connection = self._open()
        if trouble := self._trouble():
            connection.close()
            raise sqlite3.OperationalError(trouble)
        return connection

    def check(self) -> None:
        """Raises `DatabaseUnavailable` while the file, or what SQLite keeps beside it, is not what was opened."""
        trouble = self._trouble()
        if trouble != self._reported:
            self._reported = trouble
            if trouble is None:
                _log.warning("the database's file is there again: %s", self.path)
            else:
                _log.error("the database takes no writes: %s", trouble)
        if trouble is not None:
            raise DatabaseUnavailable("the database's file is not the one that was opened; the operator has to mend it")

    def close(self) -> None:
        """Closes it, and saves beside the path what is open and would be lost with the last connection."""
        if self._kept is None:
            return
        if self._trouble():
            self._save(self._kept)
        self._kept.close()
        self._kept, self._places = None, ()

    def _trouble(self) -> str | None:
        for place in self._places:
            if trouble := place.trouble():
                remedy = "put back the file that was opened" if place.path == self.path else "restart the server"
                return f"{place.path} {trouble}; {remedy}"
        return None

    def _open(self) -> sqlite3.Connection:
        if not self.path.exists():
            raise sqlite3.OperationalError("its file is not there")
        uri = f"file:{quote(str(self.path))}?mode=rw"
        # Transactions begin where `Database` says so, not where the driver guesses.
        connection = sqlite3.connect(uri, uri=True, timeout=self._busy_s, check_same_thread=False, isolation_level=None)
        try:
            _switch_to_wal(connection)
            for pragma in ("synchronous=FULL", "foreign_keys=ON"):
                connection.execute(f"PRAGMA {pragma}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _save(self, connection: sqlite3.Connection) -> None:
        saved = self.path.with_name(f"{self.path.name}{_SAVED}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            saved.unlink(missing_ok=True)
            connection.execute("VACUUM INTO ?", (str(saved),))
            _log.error("what was open as %s is saved as %s; stop the server and rename it", self.path, saved)
        except (sqlite3.Error, OSError) as error:
            _log.error("what was open as %s could not be saved: %s", self.path, error)

    def _refuse_foreign(self) -> None:
        """What is no database at all is left to be said by the first connection."""
        uri = f"file:{quote(str(self.path))}?mode=ro"
        with suppress(sqlite3.Error), closing(sqlite3.connect(uri, uri=True, timeout=self._busy_s)) as connection:
            names = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
            revisions = connection.execute("SELECT * FROM alembic_version") if "alembic_version" in names else ()
            refuse_foreign(str(self.path), names, [str(row[0]) for row in revisions])


def refuse_foreign(where: str, tables: list[str], revisions: list[str]) -> None:
    """Raises `ForeignDatabase` for tables that no revision of ours has made."""
    others = sorted(name for name in tables if name != "alembic_version" and not name.startswith("sqlite_"))
    ours = any(is_ours(revision) for revision in revisions)
    if ours or not (others or revisions):
        return
    shown = ", ".join(others[:_SHOWN]) + (f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else "")
    raise ForeignDatabase(
        f"{where}: is another program's database (tables {shown or 'alembic_version'}); "
        "name one of its own for decloud with DECLOUD_DATABASE_URL"
    )


def is_ours(revision: str) -> bool:
    """Tells whether a release of ours, also a later one, calls a revision so."""
    return len(revision) == 5 and revision[0] == "r" and revision[1:].isdigit()


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """SQLite does not wait for a lock when the first connections of several processes switch a new file at once."""
    deadline = time.monotonic() + _WAL_WITHIN_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
