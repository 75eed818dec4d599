"""One import: an upload in, a working copy out, or a problem that names file, band, date and numbers.

Everything that looks into the user's files happens in a sandboxed process; this side only waits, and judges what comes
back. Loads neither torch nor rasterio.
"""

import logging
import os
import re
import shutil
import signal
import stat
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from seq2seq.config import ReconstructionConfig
from seq2seq.errors import ConfigError, OutputError
from seq2seq.progress import OnProgress, Progress, ShouldStop, ignore, never_stop
from worker.imports.limits import DEFAULT_LIMITS, ImportLimits
from worker.imports.sandbox import SandboxOutcome, run_confined

CRASHED, LIMIT = "import-crashed", "import-limit"

_PROGRAM = ("-m", "worker.imports.sandboxed")
_MAX_DETAIL = 500
_MAX_ERRORS = 8
_SENSOR = re.compile(r"S1|S2|MASK|SCL")
_FILE = re.compile(r"(S1|S2|MASK|SCL)/\d{4}-\d\d-\d\d\.tif|decloud-sequence\.json")
_DATE = re.compile(r"(?<!\d)(20\d\d)-?(\d\d)-?(\d\d)(?!\d)")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ImportReport:
    """Describes what was imported. folder: the working copy. sequence: what is in it, as `decloud inspect --json` says.

    enclosure: what held the process, see `confinement`. seconds, cpu_s, peak_memory_bytes: what it took.
    """

    folder: Path
    sequence: dict[str, Any]
    enclosure: dict[str, Any]
    seconds: float
    cpu_s: float
    peak_memory_bytes: int


@dataclass(frozen=True)
class ImportProblem:
    """Says why nothing was imported. code: of `seq2seq.errors`, "import-limit" or "import-crashed". detail: one line.

    errors: what it is about, as far as is known: file, date, band, row, column; or limit and allowed.
    """

    code: str
    detail: str
    errors: tuple[dict[str, Any], ...]

    def to_dict(self) -> dict[str, Any]:
        """Returns plain JSON values."""
        return {"code": self.code, "detail": self.detail, "errors": [dict(error) for error in self.errors]}


def import_upload(
    upload: Path,
    into: Path,
    *,
    name: str | None = None,
    config: Mapping[str, Any] | None = None,
    limits: ImportLimits = DEFAULT_LIMITS,
    on_progress: OnProgress = ignore,
    should_stop: ShouldStop = never_stop,
) -> ImportReport | ImportProblem:
    """Makes the working copy of `upload` (a ZIP; on one's own machine also a folder) at `into`, which must not exist.

    name: what the user calls the upload. config: values of `ReconstructionConfig`, by which the input is checked.
    `into` appears complete or not at all. The import dies with the thread that calls this. Raises `OutputError` where
    there is no space, `Stopped` where `should_stop` said so, MemoryError where the kernel killed it for want of memory.
    """
    origin = _printable(Path(name or upload.name).name) or "upload"
    try:
        settings = ReconstructionConfig.from_dict(dict(config or {})).to_dict()
    except (ConfigError, TypeError) as error:
        return ImportProblem("invalid-config", _printable(str(error)), ())
    scratch = Path(tempfile.mkdtemp(prefix=".import-", dir=into.parent)).absolute()
    received = Received(on_progress)
    request = {**_places_in(scratch, upload), **_budgets(limits), "origin": origin, "config": settings}
    try:
        (scratch / "sequence").mkdir()
        outcome = run_confined(
            _PROGRAM, request, scratch=scratch, limits=limits, on_message=received.receive, should_stop=should_stop
        )
        answer = judge(outcome, received, limits=limits, origin=origin)
        if isinstance(answer, ImportProblem):
            return answer
        if not _is_sound(scratch / "sequence"):
            return _crashed(outcome, received, origin, "left what is no working copy")
        os.rename(scratch / "sequence", into)
        return _report(into, answer, outcome)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _places_in(scratch: Path, upload: Path) -> dict[str, str]:
    return {"upload": str(upload.absolute()), "scratch": str(scratch), "folder": str(scratch / "sequence")}


def _budgets(limits: ImportLimits) -> dict[str, int]:
    """Those that the process itself keeps, by the headers of the files."""
    return {"pixel_dates": limits.pixel_dates, "expansion": limits.expansion}


class Received:
    """Keeps what the process reports on its way. It may lie: every text is made printable, and nothing is acted on."""

    def __init__(self, on_progress: OnProgress) -> None:
        self._on_progress = on_progress
        self.dates_by_file: dict[str, str] = {}
        self.doing = ""
        self.file: str | None = None

    def receive(self, message: dict[str, Any]) -> None:
        """Takes in one message; a malformed one is left out."""
        if "files" in message:
            with suppress(TypeError, ValueError):
                self.dates_by_file = {_printable(str(file)): _printable(str(date)) for file, date in message["files"]}
            return
        phase, step, of = _printable(str(message.get("phase"))), message.get("step", 0), message.get("of", 0)
        self.file = _printable(str(message["file"])) if message.get("file") else None
        self.doing = f"while {phase}" + (f" {self.file}" if self.file else "")
        if isinstance(step, int) and isinstance(of, int) and 0 <= step <= of:
            self._on_progress(Progress(phase, step=step, of=of))


def judge(
    outcome: SandboxOutcome, received: Received, *, limits: ImportLimits, origin: str
) -> ImportProblem | dict[str, Any]:
    """Returns the answer of a process that did what it should, else the problem. Raises as `import_upload` does."""
    answer = outcome.answer or {}
    exceeded = outcome.exceeded or str(answer.get("exceeded"))
    if exceeded == "disk_floor_bytes":
        raise OutputError(f"{origin}: no space left {received.doing}: {limits.describe(exceeded)} must stay free")
    if exceeded in asdict(limits):
        return _over_limit(limits, exceeded, str(answer.get("detail") or ""), received, origin)
    problem = answer.get("problem")
    if isinstance(problem, dict):
        detail = _printable(str(problem.get("detail")))
        if problem.get("code") == OutputError.code:
            raise OutputError(detail)
        return ImportProblem(_printable(str(problem.get("code"))), detail, _places(problem, received.dates_by_file))
    is_complete = isinstance(answer.get("report"), dict) and isinstance(answer.get("enclosure"), dict)
    if outcome.exit.status == 0 and is_complete:
        return answer
    if outcome.flooded:
        return _crashed(outcome, received, origin, "said too much")
    if outcome.exit.status == -signal.SIGKILL:
        raise MemoryError(
            f"{origin}: the import was killed by the system {received.doing}, which then had too little memory"
        )
    return _crashed(outcome, received, origin, _how(outcome.exit.status))


def _report(folder: Path, answer: dict[str, Any], outcome: SandboxOutcome) -> ImportReport:
    used = outcome.exit
    sequence, enclosure = answer["report"], answer["enclosure"]
    return ImportReport(folder, sequence, enclosure, used.seconds, used.cpu_s, used.peak_memory_bytes)


def _over_limit(limits: ImportLimits, name: str, reported: str, received: Received, origin: str) -> ImportProblem:
    what = _printable(reported) or f"the import was stopped {received.doing}".rstrip()
    detail = f"{origin}: {what}; it may use {limits.describe(name)}"
    error = {"limit": name, "allowed": getattr(limits, name)}
    return ImportProblem(LIMIT, detail[:_MAX_DETAIL], (error,))


def _crashed(outcome: SandboxOutcome, received: Received, origin: str, how: str) -> ImportProblem:
    _log.error("the import of %s %s %s: %s", origin, how, received.doing, outcome.printed)
    detail = f"{origin}: the import {how} {received.doing}; a file in it is probably damaged".replace(" ;", ";")
    errors = () if received.file is None else (_place(received.file, received.dates_by_file.get(received.file)),)
    return ImportProblem(CRASHED, detail[:_MAX_DETAIL], errors)


def _how(status: int) -> str:
    known = {number.value: number.name for number in signal.Signals}
    return f"was ended by {known.get(-status, f'signal {-status}')}" if status < 0 else "ended unexpectedly"


def _is_sound(folder: Path) -> bool:
    """Nothing but what a working copy holds, in particular no link."""
    found = [path for pattern in ("*", "*/*", "*/*/*") for path in folder.glob(pattern)]
    return all(_belongs(path, path.relative_to(folder).as_posix()) for path in found)


def _belongs(path: Path, name: str) -> bool:
    kind = path.lstat().st_mode
    return bool(_SENSOR.fullmatch(name) and stat.S_ISDIR(kind)) or bool(_FILE.fullmatch(name) and stat.S_ISREG(kind))


def _places(problem: dict[str, Any], dates_by_file: Mapping[str, str]) -> tuple[dict[str, Any], ...]:
    """What the process says its problem is about; it may lie, so that what no place can be is left out."""
    given = problem.get("places")
    places = [place for place in given if isinstance(place, dict)] if isinstance(given, list) else []
    return tuple(error for place in places[:_MAX_ERRORS] if (error := _checked_place(place, dates_by_file)))


def _checked_place(place: dict[str, Any], dates_by_file: Mapping[str, str]) -> dict[str, Any]:
    texts = {name: _printable(value) for name in ("file", "date", "band") if isinstance(value := place.get(name), str)}
    numbers = {name: value for name in ("row", "column") if type(value := place.get(name)) is int and value >= 0}
    named = _place(texts["file"], dates_by_file.get(texts["file"])) if "file" in texts else {}
    return {**named, **texts, **numbers}


def _place(name: str, date: str | None) -> dict[str, Any]:
    """A file, and its date: as the readers said, else as its name has it."""
    written = _DATE.search(name)
    date = date or ("-".join(written.groups()) if written else None)
    return {"file": name, **({"date": date} if date else {})}


def _printable(text: str) -> str:
    """One line without control characters, no longer than a message may be: it may come from a user's file."""
    line = " ".join(text.split())[: 2 * _MAX_DETAIL]
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
    return shown[:_MAX_DETAIL]
