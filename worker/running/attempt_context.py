"""What every attempt of one supervisor works with."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from worker.database.connections import Database
from worker.results.publishing import Insist
from worker.settings import Settings
from worker.storage import Storage


@dataclass(frozen=True)
class AttemptContext:
    """Lends an attempt what is its supervisor's. command: of the job's process, to which the attempt's folder is added;
    tile_command: of that of a tile.

    stopping: set when it must end. insist: repeats a call to the database. ring: wakes workers of a resource class.
    """

    database: Database
    storage: Storage
    settings: Settings
    device: str
    command: Sequence[str]
    tile_command: Sequence[str]
    stopping: threading.Event
    insist: Insist
    ring: Callable[[str], object]

    @property
    def is_remote(self) -> bool:
        """Whether the storage reaches other machines, which may then go on from a checkpoint."""
        return not self.settings.storage_url.startswith("file:")
