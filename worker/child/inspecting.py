"""A job of the process `inspect`: what is in an upload, and what a run of it would cost.

The upload is imported in the sandbox, as for any job; what is told here is read from the copy.
"""

import json
import os
from pathlib import Path

from seq2seq.workspace import Workspace
from worker.child.ending import Report, ShouldStop
from worker.child.importing import have_input
from worker.processes import memory
from worker.running.job_folder import INPUT, OUT, Request


def inspect(request: Request, report: Report, should_stop: ShouldStop) -> None:
    """Writes inspection.json in OUT of the current folder; OUT appears when it is complete."""
    from seq2seq.config import ReconstructionConfig

    config = ReconstructionConfig.from_dict(request.params)
    config = config.replace(max_memory_gb=min(config.max_memory_gb, memory.planned_gb()))
    have_input(request, config, report, should_stop, engine="seq2seq.report.inspection")

    from seq2seq.products import INSPECTION
    from seq2seq.readers import open_sequence
    from seq2seq.report.inspection import describe
    from seq2seq.report.plain import to_plain

    report("progress", phase="checking")
    with open_sequence(Path(INPUT), config) as source:
        found = describe(source, config)
    partial = Workspace.of(Path(OUT)).partial
    partial.mkdir(exist_ok=True)
    (partial / INSPECTION.path).write_text(json.dumps(to_plain(found), indent=1, allow_nan=False) + "\n")
    os.replace(partial, OUT)
