"""A job's process with the schedule of seconds of `quick_engine`."""

import pytest
from quick_engine import use_schedule

from worker.child.ending import leave
from worker.child.run_job import main
from worker.processes.parent_link import die_with_parent

if __name__ == "__main__":
    die_with_parent()
    use_schedule(pytest.MonkeyPatch())
    leave(main())
