"""What supervisor and child leave each other in an attempt's folder, and what the child's exit codes mean."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from seq2seq.processes import DECLOUD
from seq2seq.workspace import Workspace

# Exit codes. SHORT: of what the machine should have, mostly disk space. BAD_INPUT, OUT_OF_MEMORY and SHORT leave an
# error.json.
DONE, BAD_INPUT, BUG, STOPPED, OUT_OF_MEMORY, SHORT = 0, 2, 70, 75, 77, 78

# request.json: to the child. error.json, out, out.partial: from it. input: from the import. child.log: what it printed.
REQUEST, ERROR, UPLOAD, INPUT, OUT, LOG = "request.json", "error.json", "upload", "input", "out", "child.log"


@dataclass(frozen=True)
class Request:
    """Says what the child is to do. upload: what the user calls their file, which is in the folder as UPLOAD. process:
    by the names of `seq2seq.processes`.

    retry: what earlier attempts taught, {"tile_px": 128} after running out of memory. limits: of the import, by the
    names of `worker.imports.limits.ImportLimits`.
    """

    job_id: str
    attempt: int
    upload: str | None
    params: dict[str, Any]
    retry: dict[str, Any]
    limits: dict[str, int]
    process: str = DECLOUD

    def write(self, folder: Path) -> None:
        """Writes it into the attempt's folder."""
        (folder / REQUEST).write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, folder: Path) -> "Request":
        """Reads it from the attempt's folder."""
        values = json.loads((folder / REQUEST).read_text())
        return cls(**{field.name: values[field.name] for field in fields(cls)})


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
