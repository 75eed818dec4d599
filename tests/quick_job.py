"""A job's process with the schedule of seconds of `quick_engine`."""

import sys

import pytest
from quick_engine import use_schedule

from worker.process import die_with_parent
from worker.run_job import main

if __name__ == "__main__":
    die_with_parent()
    use_schedule(pytest.MonkeyPatch())
    sys.exit(main())
