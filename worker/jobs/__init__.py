"""The job contract in one place: everything that may happen to a job, each in one transaction with its event.

    submit -> accepted --claim--> running --publish--> successful
                 ^                   |------fail-----> failed
                 |--retry, release,--|--dismissed----> dismissed
                      reap

`dismiss` takes an accepted job to dismissed at once and asks the worker of a running one to stop. Who may write for a
running job is decided by its lease owner and attempt, which only ever counts up; never by a clock.
"""

from worker.jobs.artifacts import Artifact
from worker.jobs.claims import Beat, advanced, claim, heartbeat, record, save_checkpoint
from worker.jobs.dismissal import dismiss, remove
from worker.jobs.outcomes import dismissed, fail, publish, release, retry
from worker.jobs.queries import Filters, Page, get, listing, queue_position
from worker.jobs.reaping import Reaped, reap, take_back_all
from worker.jobs.rows import ENDED, Job, JobStatus
from worker.jobs.submission import PRIORITIES, submit

__all__ = [
    "ENDED",
    "PRIORITIES",
    "Artifact",
    "Beat",
    "Filters",
    "Job",
    "JobStatus",
    "Page",
    "Reaped",
    "advanced",
    "claim",
    "dismiss",
    "dismissed",
    "fail",
    "get",
    "heartbeat",
    "listing",
    "publish",
    "queue_position",
    "reap",
    "record",
    "release",
    "remove",
    "retry",
    "save_checkpoint",
    "submit",
    "take_back_all",
]
