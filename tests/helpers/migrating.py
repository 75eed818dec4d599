"""`python migrating.py DATABASE_URL PROCESSES`: that many processes migrate at the same moment."""

import os
import sys
import time

from worker.database.connections import Database
from worker.database.migrate import migrate


def main() -> None:
    url, processes = sys.argv[1], int(sys.argv[2])
    together = time.time() + 0.1
    children = []
    for _ in range(processes):
        child = os.fork()
        if child == 0:
            time.sleep(max(0.0, together - time.time()))
            migrate(Database(url))
            os._exit(0)
        children.append(child)
    sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))


if __name__ == "__main__":
    main()
