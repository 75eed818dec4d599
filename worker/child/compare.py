"""A job of the process `benchmark`: methods side by side on the imported sequence.

The comparison grows in the workspace's checkpoint, where what it has finished, a file for each method on each case,
survives this process and reaches other machines as the checkpoint of any job does.
"""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq.processes import ComparisonRequest
from seq2seq.workspace import Workspace
from worker.child.ending import Report, ShouldStop
from worker.child.importing import have_input
from worker.processes import memory
from worker.running.job_folder import INPUT, OUT, Request

if TYPE_CHECKING:
    from seq2seq.progress import Progress


def compare(request: Request, report: Report, should_stop: ShouldStop) -> None:
    """Makes the tables in OUT of the current folder; OUT appears when they are complete."""
    from seq2seq.config import ReconstructionConfig

    def on_progress(progress: "Progress") -> None:
        report("progress", **vars(progress))

    asked = ComparisonRequest.from_dict(request.params)
    config = ReconstructionConfig(max_minutes=asked.max_minutes)
    # A method that does not fit is a line that says so, and no end of the job.
    config = config.replace(max_memory_gb=min(config.max_memory_gb, memory.planned_gb()))
    have_input(request, config, report, should_stop, engine="seq2seq.comparison.benchmark")

    from seq2seq.comparison.benchmark import ALL, benchmark, make_plan

    plan = make_plan(
        ALL if asked.methods is None else ",".join(asked.methods), ",".join(asked.gaps), asked.seeds, config
    )
    workspace = Workspace.of(Path(OUT))
    benchmark([Path(INPUT)], workspace.checkpoint, plan, on_progress=on_progress, should_stop=should_stop)
    _publish(workspace)


def _publish(workspace: Workspace) -> None:
    """The files move out of the checkpoint, then appear as OUT by one rename. Cut off before, all is made again of the
    finished parts, which takes no time."""
    from seq2seq.products import made_by

    finished = workspace.partial / OUT
    shutil.rmtree(finished, ignore_errors=True)
    finished.mkdir()
    for product in made_by("comparison"):
        os.replace(workspace.checkpoint / product.path, finished / product.path)
    os.replace(finished, OUT)
    shutil.rmtree(workspace.partial, ignore_errors=True)
