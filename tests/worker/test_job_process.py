"""A child that dies with whoever started it, is heard through its own pipe, and leaves nobody behind."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import simulated
from service_workers import alive, until

from worker.imports.importer import CRASHED
from worker.processes import memory
from worker.processes.child_process import DEADLINE, ChildProcess, ProcessExit, Stop, without_secrets
from worker.running.job_folder import BAD_INPUT, Request, log_tail
from worker.running.supervisor import COMMAND
from worker.running.verdicts import ChildOutcome, Failure, Retry, judge

REPORT = """
import json, os
pipe = int(os.environ["DECLOUD_CHILD_PIPE"])
def report(**values): os.write(pipe, (json.dumps(values) + "\\n").encode())
"""


def start(folder: Path, program: str, heard: list[Any] | None = None, **more: Any) -> ChildProcess:
    command = [sys.executable, "-c", REPORT + textwrap.dedent(program)]
    on_message = (heard if heard is not None else []).append
    with (folder / "child.log").open("ab") as log:
        return ChildProcess(
            command, folder=folder, environment=os.environ, output=log.fileno(), on_message=on_message, **more
        )


def ended(child: ChildProcess) -> ProcessExit:
    ending: ProcessExit = until(child.poll)
    return ending


def test_every_line_is_heard_before_the_end_is_told_and_what_it_prints_is_kept_apart(tmp_path: Path) -> None:
    heard: list[Any] = []
    child = start(
        tmp_path, "print('noise', flush=True)\nfor i in range(2000): report(i=i)\nos.write(pipe, b'{half')", heard
    )
    assert ended(child).status == 0
    assert heard == [{"i": i} for i in range(2000)]
    assert log_tail(tmp_path) == "noise\n"


def test_the_end_tells_status_time_and_memory(tmp_path: Path) -> None:
    ending = ended(start(tmp_path, "x = bytearray(80 * 2**20)\nimport sys; sys.exit(3)"))
    assert ending.status == 3
    assert ending.peak_memory_bytes > 80 * 2**20
    assert ending.seconds > 0
    child = start(tmp_path, "import time; time.sleep(60)")
    child.end()
    assert ended(child).status == -signal.SIGKILL


def test_grandchildren_do_not_outlive_it(tmp_path: Path) -> None:
    heard: list[Any] = []
    child = start(
        tmp_path,
        """
        import subprocess, sys
        report(pid=subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]).pid)
        """,
        heard,
    )
    ended(child)
    until(lambda: not alive(heard[0]["pid"]), within_s=2)


def test_it_dies_with_its_parent_and_also_if_that_was_dead_before_it_began(tmp_path: Path) -> None:
    program = textwrap.dedent(
        """
        import os, sys, time
        from pathlib import Path
        from worker.processes.child_process import ChildProcess
        child = "from worker.processes.parent_link import die_with_parent; die_with_parent(); open('ready', 'w')"
        child += "; import time; time.sleep(60)"
        started = ChildProcess(
            [sys.executable, "-c", child], folder=Path("."), environment=os.environ, output=1, on_message=print
        )
        Path("pid").write_text(str(started.pid))
        time.sleep(60)
        """
    )
    parent = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path)
    until((tmp_path / "ready").exists)
    pid = int((tmp_path / "pid").read_text())
    assert alive(pid)
    parent.kill()
    parent.wait()
    until(lambda: not alive(pid), within_s=2)

    orphan = "from worker.processes.parent_link import die_with_parent; die_with_parent(); print('alive')"
    said = subprocess.run(
        [sys.executable, "-c", orphan], env={**os.environ, "DECLOUD_CHILD_PARENT": "1"}, capture_output=True, text=True
    )
    assert (said.returncode, said.stdout) == (1, "")


DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); report(ready=1); time.sleep(60)"


@pytest.mark.parametrize(("grace_s", "within_s"), [(0.0, 0.3), (0.3, 0.0)])
def test_what_takes_longer_than_it_may_is_asked_to_end_and_killed_after_the_grace(
    tmp_path: Path, grace_s: float, within_s: float
) -> None:
    heard: list[Any] = []
    with start(tmp_path, DEAF, heard) as child:
        until(lambda: heard)
        began = time.monotonic()
        ended = child.supervise(lambda: None, within_s=within_s, grace_s=grace_s)
    assert (ended.status, ended.stopped) == (-signal.SIGKILL, DEADLINE)
    assert 0.3 <= time.monotonic() - began < 5


def test_a_child_that_listens_is_asked_first_and_has_its_own_end(tmp_path: Path) -> None:
    polite = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(75)); report(); time.sleep(60)"
    )
    heard: list[Any] = []
    with start(tmp_path, polite, heard) as child:
        ended = child.supervise(lambda: Stop("stopping", 30) if heard else None, within_s=30)
    assert (ended.status, ended.stopped) == (75, "stopping")


def test_a_later_reason_without_grace_kills_what_was_only_asked(tmp_path: Path) -> None:
    reasons = iter([Stop("cancelled", 30), Stop("lost")])
    heard: list[Any] = []
    with start(tmp_path, DEAF, heard) as child:
        until(lambda: heard)
        ended = child.supervise(lambda: next(reasons, None), within_s=30)
    assert (ended.status, ended.stopped) == (-signal.SIGKILL, "lost")
    assert ended.seconds < 20


def test_what_goes_wrong_in_hearing_ends_the_child_and_is_raised(tmp_path: Path) -> None:
    def broken(message: dict[str, Any]) -> None:
        raise ValueError(f"a bug at {message['i']}")

    program = [sys.executable, "-c", REPORT + "report(i=1); import time; time.sleep(60)"]
    values: dict[str, Any] = {"environment": os.environ, "output": 1, "on_message": broken}
    with ChildProcess(program, folder=tmp_path, **values) as child:
        with pytest.raises(ValueError, match="a bug at 1"):
            child.supervise(lambda: None, within_s=30)
        assert not alive(child.pid)


@pytest.mark.parametrize(
    "flood", ["report(x='x' * 3000)", "for i in range(99): report(i=i)", "os.write(pipe, b'x' * 3000)"]
)
def test_a_child_that_sends_too_much_is_not_listened_to_any_longer(tmp_path: Path, flood: str) -> None:
    heard: list[Any] = []
    with start(tmp_path, flood, heard, most_bytes=500) as child:
        child.supervise(lambda: Stop("flooding") if child.is_flooding else None, within_s=30)
    assert child.is_flooding
    assert len(heard) < 60


def test_credentials_are_left_out_of_an_environment_and_the_rest_stays() -> None:
    secret = (
        "DECLOUD_DATABASE_URL",
        "AWS_ACCESS_KEY_ID",
        "PGPASSWORD",
        "MY_TOKEN",
        "DB_PASSWORD",
        "BROKER_URL",
        "API_KEY",
    )
    kept = ("PATH", "HOME", "LANG", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "HTTPS_PROXY", "PYTHONPATH")
    assert set(without_secrets(dict.fromkeys((*secret, *kept), "x"))) == set(kept)


def test_a_container_memory_limit_and_its_kills_are_those_that_count(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("1048576\n")
    (tmp_path / "memory.events").write_text("low 0\noom 3\noom_kill 2\noom_group_kill 0\n")
    assert memory.limit_bytes(tmp_path) == 1048576
    assert memory.oom_kills(tmp_path) == 2
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.limit_bytes(tmp_path) == memory.limit_bytes(tmp_path / "nowhere") > 2**28
    (tmp_path / "vmstat").write_text("nr_free_pages 1\noom_kill 7\n")
    assert memory.oom_kills(tmp_path / "nowhere", tmp_path / "vmstat") == 7
    assert memory.oom_kills(tmp_path / "nowhere", tmp_path / "nowhere") == 0


def outcome(status: int, *, oom_kills: int = 0, plan: Any = None, learnt: Any = None) -> ChildOutcome:
    ending = ProcessExit(status, seconds=1, cpu_s=1, peak_memory_bytes=3 * 2**30, oom_kills=oom_kills)
    shape = {"tile_px": 100, "shape": [12, 10, 500, 400]} if plan is None else plan
    return ChildOutcome(ending, {}, shape, learnt or {}, limit_bytes=4 * 2**30, now=0.0, wait_s=5.0)


def test_a_kill_that_the_kernel_owns_up_to_is_out_of_memory_at_once() -> None:
    verdict = judge(outcome(-signal.SIGKILL, oom_kills=1))
    assert isinstance(verdict, Retry)
    assert verdict.learnt["tile_px"] == 50
    assert "12 dates, 10 bands, 500 x 400 px" in verdict.reason["detail"]
    assert "3.0 GiB" in verdict.reason["detail"]
    assert "4.0 GiB" in verdict.reason["detail"]
    plain = judge(outcome(-signal.SIGKILL))
    assert isinstance(plain, Retry)
    assert "tile_px" not in plain.learnt


def test_memory_that_ran_out_where_tiles_cannot_be_smaller_is_not_tried_again() -> None:
    assert isinstance(judge(outcome(77, plan={"tile_px": 32, "shape": [2, 4, 32, 32]})), Failure)
    before_any_plan = judge(outcome(77, plan={}))
    assert isinstance(before_any_plan, Retry)
    assert isinstance(judge(outcome(77, plan={}, learnt=before_any_plan.learnt)), Failure)


def test_a_reader_that_was_killed_is_asked_once_more_and_what_is_wrong_with_a_file_is_said_at_once() -> None:
    def refused(code: str, learnt: dict[str, Any]) -> Retry | Failure:
        return judge(replace(outcome(BAD_INPUT, learnt=learnt), problem={"code": code, "detail": "S2/a.tif"}))

    once = refused(CRASHED, {})
    assert isinstance(once, Retry)
    assert refused(CRASHED, once.learnt) == Failure({"code": CRASHED, "detail": "S2/a.tif"})
    assert isinstance(refused("missing-data", {}), Failure)


@pytest.mark.parametrize("status", [70, 1, -signal.SIGSEGV, 120])
def test_whatever_nobody_planned_is_a_bug_of_ours_and_tried_once_more(status: int) -> None:
    once = judge(outcome(status))
    assert isinstance(once, Retry)
    assert isinstance(judge(outcome(status, learnt=once.learnt)), Failure)


def run_job(folder: Path, command: Sequence[str] = simulated.COMMAND, **settings: Any) -> subprocess.Popen[bytes]:
    params = simulated.inputs(**{"dates": 0, "seconds": 0.2, "steps": 4, **settings})
    Request(job_id="j", attempt=1, upload=None, params=params, retry={}, limits={}).write(folder)
    return subprocess.Popen([*command, str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_the_child_itself_refuses_the_simulated_method_in_production(tmp_path: Path) -> None:
    assert run_job(tmp_path, COMMAND).wait() == 2
    assert json.loads((tmp_path / "error.json").read_text())["code"] == "invalid-config"
    assert not (tmp_path / "out").exists()


def test_sigterm_ends_in_a_checkpoint_from_which_the_next_call_goes_on(tmp_path: Path) -> None:
    child = run_job(tmp_path, seconds=2, steps=100)
    until(lambda: list(tmp_path.glob("out.partial/.checkpoint/simulated.json")))
    child.terminate()
    assert child.wait(timeout=10) == 75
    assert not (tmp_path / "out").exists()
    assert run_job(tmp_path, steps=100).wait() == 0
    (_, _, kept), (_, again, end) = json.loads((tmp_path / "out/report.json").read_text())["config"]["ran"]
    assert kept == again
    assert end == 100


def test_sigterm_before_it_listens_leaves_nothing_half_done(tmp_path: Path) -> None:
    child = run_job(tmp_path)
    child.terminate()
    assert child.wait(timeout=10) in (75, -signal.SIGTERM)
    assert isinstance(judge(outcome(-signal.SIGTERM)), Retry)
    assert run_job(tmp_path).wait() == 0


def test_a_child_whose_supervisor_does_not_listen_waits_and_does_not_fall_over(tmp_path: Path) -> None:
    """A frozen supervisor reads nothing: the pipe fills, and empties when it thaws."""
    release, heard = threading.Event(), []

    def slow(line: dict[str, Any]) -> None:
        release.wait(10)
        heard.append(line)

    program = REPORT + "for i in range(20000): report(i=i)\n"
    with (tmp_path / "log").open("ab") as log:
        child = ChildProcess(
            [sys.executable, "-c", program],
            folder=tmp_path,
            environment=os.environ,
            output=log.fileno(),
            on_message=slow,
        )
    time.sleep(0.3)
    assert child.poll() is None
    release.set()
    assert ended(child).status == 0
    assert len(heard) == 20000
