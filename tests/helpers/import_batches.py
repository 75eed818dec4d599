"""Imports many small uploads in one sandboxed process, each judged as if it had come alone: starting costs most."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rasterio

from seq2seq.config import ReconstructionConfig
from worker.imports.importer import ImportProblem, Received, judge
from worker.imports.limits import DEFAULT_LIMITS, ImportLimits
from worker.imports.sandbox import SandboxOutcome, run_confined
from worker.processes.child_process import ProcessExit

# What `worker.imports.sandboxed.main` does, for one upload after the other.
_BATCH = """
import json, sys, traceback
from pathlib import Path
from worker.imports import confinement, sandboxed
from worker.processes.parent_link import message_pipe
request = json.load(sys.stdin)
confinement.limit(request["limits"])
pipe = open(message_pipe(), "w", buffering=1)
sandboxed.enclose(Path(request["uploads"]), Path(request["scratch"]))
for name in request["names"]:
    def send(**values):
        pipe.write(json.dumps({"upload": name, "said": values}) + chr(10))
    folder = Path(request["scratch"], "copies", name)
    folder.mkdir(parents=True)
    one = {**request, "upload": request["uploads"] + "/" + name, "folder": str(folder), "origin": name + ".zip"}
    try:
        send(answer=sandboxed.answer(one, send))
    except Exception:
        send(answer={"trace": traceback.format_exc()})
"""


@dataclass(frozen=True)
class Outcome:
    """copy: folder of what was imported, or problem: why nothing was. trace: of a bug. printed: by the process."""

    copy: Path | None
    problem: ImportProblem | None
    trace: str | None


@dataclass(frozen=True)
class Batch:
    """outcomes by name. printed: what the process wrote for the operator."""

    outcomes: dict[str, Outcome]
    printed: str


def import_batch(
    uploads: dict[str, bytes], folder: Path, *, limits: ImportLimits = DEFAULT_LIMITS, **config: Any
) -> Batch:
    """Uploads lie in `folder`/uploads under their names, which are plain ones; all else happens in `folder`/job."""
    (folder / "uploads").mkdir(parents=True)
    (folder / "job").mkdir()
    for name, content in uploads.items():
        (folder / "uploads" / name).write_bytes(content)
    answers: dict[str, dict[str, Any]] = {}
    received = {name: Received(lambda _: None) for name in uploads}

    def receive(message: dict[str, Any]) -> None:
        said = message["said"]
        if "answer" in said:
            answers[message["upload"]] = said["answer"]
        else:
            received[message["upload"]].receive(said)

    request = {
        "uploads": str(folder / "uploads"),
        "scratch": str(folder / "job"),
        "names": list(uploads),
        "config": ReconstructionConfig(**config).to_dict(),
        "pixel_dates": limits.pixel_dates,
        "expansion": limits.expansion,
    }
    outcome = run_confined(
        ("-c", _BATCH), request, scratch=folder / "job", limits=limits, on_message=receive, should_stop=lambda: False
    )
    assert set(answers) == set(uploads), f"{outcome.exit.status}, {outcome.exceeded}, {outcome.printed}"
    outcomes = {name: _outcome(name, answer, received[name], folder, limits) for name, answer in answers.items()}
    return Batch(outcomes, outcome.printed)


def pixel_bytes(copy: Path) -> bytes:
    """All pixels of a working copy."""
    content = b""
    for path in sorted(copy.rglob("*.tif")):
        with rasterio.open(path) as file:
            content += file.read().tobytes()
    return content


def _outcome(name: str, answer: dict[str, Any], received: Received, folder: Path, limits: ImportLimits) -> Outcome:
    if "trace" in answer:
        return Outcome(None, None, answer["trace"])
    outcome = SandboxOutcome({**answer, "enclosure": {}}, ProcessExit(0, 0.0, 0.0, 0, 0), None, False, "")
    judged = judge(outcome, received, limits=limits, origin=f"{name}.zip")
    if isinstance(judged, ImportProblem):
        return Outcome(None, judged, None)
    return Outcome(folder / "job" / "copies" / name, None, None)
