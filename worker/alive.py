"""`python -m worker.alive`: the health check of a machine or container that runs a worker. Exit code 0 or 1, and why.

By the worker's own sign in the database, never by asking it through the broker: a broker that is away is no reason to
restart a worker. Neither is a database that does not answer.
"""

import socket
import sys

from worker import clock
from worker.database.connections import Database
from worker.errors import ServiceError
from worker.queue import workers
from worker.settings import Settings, load_settings


def main() -> int:
    """Prints one line; returns the exit code."""
    try:
        is_alive, sentence = look(load_settings(), socket.gethostname())
    except ServiceError as error:
        print(f"not known: {error.detail}")
        return 0
    print(sentence)
    return 0 if is_alive else 1


def look(settings: Settings, host: str) -> tuple[bool, str]:
    """Tells whether any worker of `host` gave a sign lately, and when the last did. Raises `DatabaseUnavailable`."""
    database = Database(settings.database_url)
    try:
        signs = [worker.last_seen for worker in workers.listing(database) if worker.host == host]
    finally:
        database.close()
    if not signs:
        return False, f"no worker of {host} is known"
    silent_s = clock.now() - max(signs)
    return (
        silent_s <= workers.HEARTBEATS * settings.heartbeat_s,
        f"a worker of {host} was seen {max(0.0, silent_s):.0f} s ago",
    )


if __name__ == "__main__":
    sys.exit(main())
