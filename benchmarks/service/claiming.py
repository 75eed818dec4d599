"""`python claiming.py DATABASE_URL PROCESSES`: that many workers claim until nothing is left.

Prints a line `WORKER JOB` for each claim, and `WORKER -` for each that found the database locked for too long: a worker
tries again then, and so do these.
"""

import os
import sys

from worker import jobs
from worker.database.connections import Database
from worker.errors import DatabaseUnavailable


def _claim_all(database: Database, worker: str) -> None:
    while True:
        try:
            job = jobs.claim(database, worker_id=worker, classes=("cpu",), lease_s=600)
        except DatabaseUnavailable:
            os.write(1, f"{worker} -\n".encode())
            continue
        if job is None:
            return
        os.write(1, f"{worker} {job.id}\n".encode())  # shorter than PIPE_BUF: lines do not mix


def main() -> int:
    """The worst exit code."""
    url, processes = sys.argv[1], int(sys.argv[2])
    children = []
    for number in range(processes):
        child = os.fork()
        if child == 0:
            _claim_all(Database(url), f"worker-{number}")
            os._exit(0)
        children.append(child)
    return max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)


if __name__ == "__main__":
    sys.exit(main())
