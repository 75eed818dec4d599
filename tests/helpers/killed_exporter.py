"""`python killed_exporter.py SETTINGS NAME`: delivers results until it is killed; NAME is this machine."""

import json
import socket
import sys
import time
from typing import Any

from worker.database.connections import Database
from worker.exports.exporter import Exporter
from worker.settings import Settings
from worker.storage import open_storage


def main() -> None:
    settings, name = Settings(**json.loads(sys.argv[1])), sys.argv[2]
    ask = socket.getaddrinfo

    def here(host: Any, *args: Any, **values: Any) -> Any:
        return ask("127.0.0.1" if host == name else host, *args, **values)

    socket.getaddrinfo = here
    storage = open_storage(settings.storage_url, settings.storage_options)
    Exporter(Database(settings.database_url), storage, settings).start()
    time.sleep(60)


if __name__ == "__main__":
    main()
