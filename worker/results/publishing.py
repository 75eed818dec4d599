"""From a finished result folder to the storage and the job's row: files first, then one commit that shows them all."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from worker import jobs
from worker.database.connections import Database
from worker.jobs import Artifact, Job
from worker.results.gain import gain_of
from worker.results.manifest import MANIFEST, describe_file
from worker.storage import Storage

StillOurs = Callable[[], bool]
# Repeats a call until the database answers; None where that cannot be awaited.
Insist = Callable[[Callable[[], bool]], bool | None]


def publish(
    database: Database,
    storage: Storage,
    job: Job,
    result: Path,
    *,
    usage: dict[str, Any],
    still_ours: StillOurs,
    insist: Insist,
) -> bool | None:
    """Puts the folder `result` below results/JOB/ATTEMPT and makes it the job's result; False: it is no longer ours.

    Whatever does not end in the commit leaves no file behind. None: whether there was a commit is not known, so the
    files stay. Raises what the storage raises, after which another attempt may publish the same folder.
    """
    artifacts, prefix, gain = read_manifest(result), job.attempt_prefix, gain_of(result)
    try:
        complete = _put_all(storage, prefix, artifacts, result, still_ours)
    except BaseException:
        storage.delete_prefix(prefix)
        raise
    published = complete and insist(
        lambda: jobs.publish(database, job, result_prefix=prefix, artifacts=artifacts, usage=usage, gain=gain)
    )
    if published is False:
        storage.delete_prefix(prefix)
    return published


def _put_all(storage: Storage, prefix: str, artifacts: list[Artifact], result: Path, still_ours: StillOurs) -> bool:
    for artifact in artifacts:
        if not still_ours():
            return False
        storage.put(f"{prefix}/{artifact.path}", result / artifact.path)
    return True


def read_manifest(result: Path) -> list[Artifact]:
    """All files of a result, the manifest itself last."""
    listed = json.loads((result / MANIFEST).read_text())["files"]
    return [Artifact(**entry) for entry in (*listed, describe_file(result / MANIFEST, MANIFEST))]
