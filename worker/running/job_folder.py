"""What supervisor and child leave each other in an attempt's folder, and what the child's exit codes mean."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from seq2seq.processes import DECLOUD
from seq2seq.workspace import Workspace

# Exit codes. SHORT: of what the machine should have, mostly disk space. BAD_INPUT, OUT_OF_MEMORY and SHORT leave an
# error.json.
DONE, BAD_INPUT, BUG, STOPPED, OUT_OF_MEMORY, SHORT = 0, 2, 70, 75, 77, 78

# request.json: to the child. error.json, out, out.partial: from it. input: from the import. child.log: what it printed.
REQUEST, ERROR, UPLOAD, INPUT, OUT, LOG = "request.json", "error.json", "upload", "input", "out", "child.log"
# fetch.json: to the process that fetches what is no upload; fetched: what it has, complete once it is marked.
FETCH, FETCHED, _CONTENT, _MARK = "fetch.json", "fetched", "content", "done.json"
# Between the job's process and its supervisor, where other workers do some of the tiles: `worker.child.shared_tiles`.
SHARED_TILES = "tiles"
# In the folder of a tile that others have done: the storage has its arrays already.
STORED = ".stored"
# task.json: what a tile's own process is to do, beside the arrays of its observations.
TASK = "task.json"
# The ending of a file below FETCHED that is written in place.
UNFINISHED = ".part"


@dataclass(frozen=True)
class Request:
    """Says what the child is to do. upload: what the user calls their file, which is in the folder as UPLOAD. process:
    by the names of `seq2seq.processes`.

    retry: what earlier attempts taught, {"tile_px": 128} after running out of memory. limits: of the import, by the
    names of `worker.imports.limits.ImportLimits`. share_tiles_from: so many tiles are shared; 0: never.
    """

    job_id: str
    attempt: int
    upload: str | None
    params: dict[str, Any]
    retry: dict[str, Any]
    limits: dict[str, int]
    process: str = DECLOUD
    share_tiles_from: int = 0

    def write(self, folder: Path) -> None:
        """Writes it into the attempt's folder."""
        (folder / REQUEST).write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, folder: Path) -> "Request":
        """Reads it from the attempt's folder."""
        values = json.loads((folder / REQUEST).read_text())
        return cls(**{field.name: values[field.name] for field in fields(cls)})


@dataclass(frozen=True)
class FetchRequest:
    """Says what is to be fetched in place of an upload. source: {"href": ...}, {"area", "dates", "catalog"}
    or {"sample": name}.

    allowed: of `worker.allowed_inputs.AllowList`. max_bytes: of everything that is fetched. pixel_dates: of a sequence.
    disk_floor_bytes: what stays free.
    """

    source: dict[str, Any]
    allowed: dict[str, Any]
    max_bytes: int
    pixel_dates: int
    disk_floor_bytes: int

    def write(self, folder: Path) -> None:
        """Writes it into the attempt's folder, where it is as long as something is to be fetched."""
        (folder / FETCH).write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Reads it from the attempt's folder."""
        return cls(**json.loads((folder / FETCH).read_text()))


@dataclass(frozen=True)
class Fetched:
    """Describes what was fetched: a file, or a folder with a sequence or STAC items. name: what users call it."""

    path: Path
    name: str

    def write(self) -> None:
        """Marks what was fetched as complete."""
        mark = self.path.parent / _MARK
        new = mark.with_suffix(".new")
        new.write_text(json.dumps({"name": self.name}))
        new.replace(mark)

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Reads what the attempt in `folder` has fetched; None where nothing is complete. It is never a link."""
        path, mark = folder / FETCHED / _CONTENT, folder / FETCHED / _MARK
        if path.is_symlink() or not path.exists():
            return None
        try:
            return cls(path, str(json.loads(mark.read_text())["name"]))
        except (OSError, ValueError, LookupError, TypeError):
            return None

    @classmethod
    def of(cls, folder: Path, name: str) -> Self:
        """Returns where that is to be."""
        return cls(folder / FETCHED / _CONTENT, name)


def workspace_of(folder: Path) -> Workspace:
    """Returns where the engine keeps the unfinished result of the attempt in `folder`."""
    return Workspace.of(folder / OUT)


def read_error(folder: Path) -> dict[str, Any]:
    """Reads error.json of a child that has ended; empty where there is none, or only half of one."""
    try:
        problem = json.loads((folder / ERROR).read_text())
    except (OSError, ValueError):
        return {}
    return problem if isinstance(problem, dict) else {}


def log_tail(folder: Path, characters: int = 4000) -> str:
    """Reads the end of what the child printed, for the operator."""
    try:
        with (folder / LOG).open("rb") as log:
            log.seek(0, 2)
            log.seek(max(0, log.tell() - characters))
            return log.read().decode(errors="replace")
    except OSError:
        return ""
