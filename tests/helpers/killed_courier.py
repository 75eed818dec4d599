"""`python killed_courier.py SETTINGS`: is killed when a notice is delivered and that is not written down yet."""

import json
import os
import signal
import sys
import time

from worker.database.connections import Database
from worker.jobs import outbox
from worker.notices.courier import Courier, open_signer
from worker.settings import Settings


def main() -> None:
    settings = Settings(**json.loads(sys.argv[1]))
    outbox.delivered = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    courier = Courier(Database(settings.database_url), settings, open_signer(settings, b"signing secret"))
    courier.start()
    time.sleep(60)


if __name__ == "__main__":
    main()
