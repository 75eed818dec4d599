"""`python claiming.py DATABASE_URL PROCESSES`: that many workers claim until nothing is left; one line for each job."""

import os
import sys

from worker import jobs
from worker.database import Database


def main() -> int:
    """The worst exit code."""
    url, processes = sys.argv[1], int(sys.argv[2])
    children = []
    for number in range(processes):
        child = os.fork()
        if child == 0:
            database = Database(url)
            while (job := jobs.claim(database, worker_id=f"worker-{number}", classes=("cpu",), lease_s=60)) is not None:
                os.write(1, f"worker-{number} {job.id}\n".encode())  # shorter than PIPE_BUF: lines do not mix
            os._exit(0)
        children.append(child)
    return max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)


if __name__ == "__main__":
    sys.exit(main())
