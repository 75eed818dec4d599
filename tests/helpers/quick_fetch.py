"""The process that fetches inputs, which gives a server up after tenths of seconds."""

import sys

from stac_server import QUICK

from worker.child.ending import leave
from worker.fetching.run_fetch import main

COMMAND = (sys.executable, __file__)

if __name__ == "__main__":
    leave(main(QUICK))
