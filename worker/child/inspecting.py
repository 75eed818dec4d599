"""A job of the process `inspect`: what is in an upload, how it looks, and what a run of it would cost.

The upload is imported in the sandbox, as for any job; what is told here is read from the copy.
"""

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq.workspace import Workspace
from worker.child.ending import Report, ShouldStop
from worker.child.importing import have_input
from worker.processes import memory
from worker.running.job_folder import INPUT, OUT, Request

if TYPE_CHECKING:
    from seq2seq.readers import SequenceSource


def inspect(request: Request, report: Report, should_stop: ShouldStop) -> None:
    """Writes inspection.json and the previews in OUT of the current folder; OUT appears when it is complete."""
    from seq2seq.config import ReconstructionConfig

    config = ReconstructionConfig.from_dict(request.params)
    config = config.replace(max_memory_gb=min(config.max_memory_gb, memory.planned_gb()))
    have_input(request, config, report, should_stop, engine="seq2seq.report.inspection")

    from seq2seq.products import INSPECTION
    from seq2seq.readers import open_sequence
    from seq2seq.report.inspection import describe
    from seq2seq.report.plain import to_plain

    report("progress", phase="checking")
    partial = Workspace.of(Path(OUT)).partial
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    with open_sequence(Path(INPUT), config) as source:
        found = describe(source, config)
        report("progress", phase="pictures")
        found["previews"] = _draw(source, partial, should_stop)
    (partial / INSPECTION.path).write_text(json.dumps(to_plain(found), indent=1, allow_nan=False) + "\n")
    os.replace(partial, OUT)


def _draw(source: "SequenceSource", folder: Path, should_stop: ShouldStop) -> list[dict[str, str]]:
    """Writes the pictures into the folder; date and path of each."""
    from seq2seq.products import DATE_PREVIEWS
    from seq2seq.viewing.input_previews import input_previews

    drawn = []
    for preview in input_previews(source, should_stop=should_stop):
        path = DATE_PREVIEWS.files[0].at(preview.date)
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(preview.image)
        drawn.append({"date": preview.date, "path": path})
    return drawn
