"""`python claiming.py DATABASE_URL PROCESSES`: that many workers claim until nothing is left; prints `WORKER JOB`."""

import os
import sys

from service_databases import without_syncs

from worker import jobs
from worker.database.connections import Database


def claim_all(url: str, worker: str, out: int) -> None:
    database = Database(url)
    if database.is_sqlite:
        without_syncs(database)
    while (job := jobs.claim(database, worker_id=worker, classes=("cpu",), lease_s=60)) is not None:
        os.write(out, f"{worker} {job.id}\n".encode())  # shorter than PIPE_BUF: lines do not mix


def main() -> None:
    url, processes = sys.argv[1], int(sys.argv[2])
    children = []
    for number in range(processes):
        child = os.fork()
        if child == 0:
            claim_all(url, f"worker-{number}", sys.stdout.fileno())
            os._exit(0)
        children.append(child)
    sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))


if __name__ == "__main__":
    main()
