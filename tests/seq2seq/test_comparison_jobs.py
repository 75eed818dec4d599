"""Methods at once: the same results as one after another, each in a process whose end is an outcome like another."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import ClassVar
from unittest import mock

import numpy as np
import pytest
import unruly_runners
from hypothesis import given as property_of
from hypothesis import settings
from hypothesis import strategies as st
from quick_engine import observations

from seq2seq.commands import main as cli
from seq2seq.comparison import at_once, in_turn, running, workers
from seq2seq.comparison.benchmark import benchmark, make_plan
from seq2seq.comparison.case import CaseName, Outcome
from seq2seq.comparison.jobs import describe_jobs, parse_jobs
from seq2seq.comparison.parts import FOLDER
from seq2seq.comparison.task import Task
from seq2seq.comparison.workers import Workers
from seq2seq.config import ReconstructionConfig
from seq2seq.errors import ConfigError, OutputError, Stopped
from seq2seq.machine import auto_count, share_devices, share_threads
from seq2seq.progress import never_stop
from seq2seq.shared_observations import SharedObservations, shared_folder
from seq2seq.subprocesses import NoProcessError, ending

PLAIN = ReconstructionConfig(perceptual="off", device="cpu")
# Of a process on a busy machine, to start or to end.
PATIENCE_S = 120


def simulated(out: Path, size: int) -> Path:
    with pytest.raises(SystemExit):
        cli.main(["simulate", str(out), "--dates", "12", "--size", str(size), "--bands", "10m", "--cloud", "0.3"])
    return out / "input"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return simulated(tmp_path_factory.mktemp("jobs") / "fields", 24)


@pytest.fixture(scope="module")
def other(tmp_path_factory) -> Path:
    return simulated(tmp_path_factory.mktemp("jobs") / "others", 20)


@pytest.fixture
def hangs(tmp_path, monkeypatch) -> Path:
    made = tmp_path / "hangs"
    made.mkdir()
    monkeypatch.setenv(unruly_runners.HANGS, str(made))
    return made


def without_costs(out: Path) -> list[dict[str, str]]:
    lines = list(csv.DictReader((out / "table.csv").read_text().splitlines()))
    return [{name: value for name, value in line.items() if name not in ("seconds", "memory_gb")} for line in lines]


def parts(out: Path) -> set[str]:
    return {path.name for path in (out / FOLDER).iterdir()}


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # nobody of ours has to wait for it any more
    return Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"


def until(condition, what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def test_methods_at_once_score_as_one_after_another_and_leave_the_same_parts(folder, other, tmp_path, monkeypatch):
    plan, inputs = make_plan("nearest,whittaker", "cloud", 2, PLAIN), [folder, other]
    turn, once = tmp_path / "turn", tmp_path / "once"
    first = benchmark(inputs, turn, plan)
    steps: list[tuple[int, int]] = []
    said: list[str] = []

    def on_progress(progress):
        steps.append((progress.step, progress.of))
        said.append(progress.message or "")

    second = benchmark(inputs, once, plan, jobs=2, on_progress=on_progress)
    assert without_costs(once) == without_costs(turn)
    assert parts(once) == parts(turn)
    assert [(o.case, o.method, o.result, o.alone) for o in first["outcomes"]] == [
        (o.case, o.method, o.result, o.alone) for o in second["outcomes"]
    ]
    assert [step for step, of in steps if of] == sorted(step for step, of in steps if of)
    assert steps[-1] == (12, 12)
    assert sum(" dB in " in line for line in said) == 12
    assert (first["jobs"], second["jobs"]) == (1, 2)
    for out, expected in ((turn, False), (once, True)):
        for name in ("table.md", "report.html"):
            assert ("Up to 2 methods ran at once" in (out / name).read_text()) == expected
    assert json.loads((once / "results.json").read_text())["jobs"] == 2
    assert "--jobs 2" in (once / "table.md").read_text()

    monkeypatch.setattr(in_turn, "run_method", lambda *_, **__: pytest.fail("a method ran"))
    assert benchmark(inputs, once, plan)["jobs"] == 2, "its seconds were measured so"


def test_a_process_that_dies_is_an_outcome_with_a_reason_and_the_others_go_on(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(at_once, "TaskRunner", unruly_runners.Dying)
    said: list[str] = []
    plan = make_plan("nearest,median,whittaker", "cloud", 1, PLAIN)
    results = benchmark([folder], tmp_path, plan, jobs=2, on_progress=lambda p: said.append(p.message or ""))
    assert {each["method"]: each["reason"] for each in results["failures"]} == {
        "nearest": "its process was ended by signal 9 (killed), most likely for lack of memory; fewer jobs, or a "
        "smaller max_memory_gb, need less",
        "median": "its process ended with exit code 3",
    }
    assert {row.method for row in results["rows"]} == {"linear", "whittaker"}
    assert f"{folder}, cloud, seed 0: median not finished: its process ended with exit code 3" in said
    for name in ("table.md", "report.html", "results.json"):
        assert "signal 9 (killed), most likely for lack of memory" in (tmp_path / name).read_text()
    assert not any(name.startswith(("nearest", "median", "shared")) for name in parts(tmp_path))


def test_a_stop_ends_the_processes_and_keeps_what_was_finished(folder, tmp_path, hangs, monkeypatch):
    monkeypatch.setattr(at_once, "TaskRunner", unruly_runners.Hanging)
    out = tmp_path / "out"
    plan = make_plan("median", "cloud", 1, PLAIN)
    with pytest.raises(Stopped):
        benchmark(
            [folder], out, plan, jobs=2, should_stop=lambda: any(hangs.iterdir()) and any(out.glob(".parts/linear*"))
        )
    (pid,) = (int(path.name) for path in hangs.iterdir())
    assert is_gone(pid)
    assert {name.partition("-")[0] for name in parts(out)} == {"linear", "case"}


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 130), (signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_however_the_program_ends_its_processes_end_and_the_next_one_goes_on(folder, tmp_path, hangs, number, code):
    out = tmp_path / "out"
    options = ["--methods", "median", "--gaps", "cloud", "--seeds", "1", "--device", "cpu", "--jobs", "2"]
    command = [sys.executable, unruly_runners.__file__, "benchmark", str(folder), "--out", str(out), *options]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, process_group=0
    ) as process:
        try:
            until(lambda: any(hangs.iterdir()) and any(out.glob(".parts/linear*.json")), "it never began")
            os.killpg(process.pid, number)  # as a terminal does
            said, _ = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
    assert process.returncode == code, said
    (pid,) = (int(path.name) for path in hangs.iterdir())
    until(lambda: is_gone(pid), "it outlives the program")
    if number != signal.SIGKILL:
        assert b"the same command goes on" in said
        assert not any(name.startswith("shared") for name in parts(out))
    results = benchmark([folder], out, make_plan("median", "cloud", 1, PLAIN), jobs=2)
    assert {row.method for row in results["rows"]} == {"linear", "median"}
    assert not any(name.startswith("shared") for name in parts(out))


def a_task(method="nearest", seed=0, memory_gb=1.0, **settings) -> Task:
    config = PLAIN.replace(method=method, seed=seed, **settings)
    return Task(CaseName("fields", "cloud", seed), config, expected_s=1.0, memory_gb=memory_gb)


def ran(tasks, runner, tmp_path, **settings) -> list[Outcome]:
    shared = SharedObservations.write(observations(), tmp_path, without="")
    arguments = {"threads": 1, "memory_gb": 8, "should_stop": never_stop, **settings}
    with Workers(["cpu", "cpu"], runner=runner, **arguments) as pool:
        return [outcome for _, outcome in pool.outcomes(tasks, shared, lambda task, progress: None)]


def test_a_process_has_its_share_of_the_threads(tmp_path):
    (outcome,) = ran([a_task()], unruly_runners.Telling, tmp_path)
    assert outcome.reason == "cpu, 1, 1"


def test_where_no_process_starts_the_comparison_says_so(tmp_path):
    with pytest.raises(NoProcessError, match=r"its process ended with exit code 7; jobs 1 needs none"):
        ran([a_task(), a_task("linear")], unruly_runners.NotStarting, tmp_path)
    with (
        mock.patch("subprocess.Popen", side_effect=OSError(12, "Cannot allocate memory")),
        pytest.raises(NoProcessError, match="Cannot allocate memory"),
    ):
        ran([a_task()], unruly_runners.Telling, tmp_path)


def test_a_method_that_never_stops_is_ended_after_its_time(tmp_path, hangs, monkeypatch):
    for module, name in ((running, "OVERTIME"), (running, "GRACE_S"), (workers, "UNRESPONSIVE_S")):
        monkeypatch.setattr(module, name, 0.0)
    (outcome,) = ran([a_task("median", max_minutes=0.1)], unruly_runners.Hanging, tmp_path)
    assert outcome.reason == "was not done after 0 s, with a budget of 6 s, and did not stop: its process was ended"


class Pretended:
    """A worker without a process, whose task ends after it was looked at twice. alive: all there are."""

    alive: ClassVar[list["Pretended"]] = []
    memory: ClassVar[list[tuple[int, float]]] = []

    def __init__(self, runner, device, threads):
        self.device, self.task, self.most, self.is_ready, self.hangs, self.connection = device, None, 1, True, False, 0
        self.alive.append(self)

    def begin(self, task, shared):
        self.task, self.looks = task, 0
        busy = [each.task.memory_gb for each in self.alive if each.task]
        self.memory.append((len(busy), sum(busy)))

    def received(self):
        self.looks = getattr(self, "looks", 0) + 1
        return [Outcome(self.task.case, self.task.method, reason="done")] if self.task and self.looks > 1 else []

    def end(self, *, within_s=0.0):
        return 0


@settings(deadline=None)  # a busy machine may take its time
@property_of(st.lists(st.floats(0.1, 9.0), min_size=1, max_size=12), st.integers(1, 5))
def test_tasks_at_once_stay_below_the_memory_and_each_ends_once(needs, count):
    Pretended.alive, Pretended.memory = [], []
    tasks = [a_task(seed=k, memory_gb=need) for k, need in enumerate(needs)]
    with (
        mock.patch.object(workers, "Worker", Pretended),
        mock.patch.object(workers, "wait"),
        Workers(["cpu"] * count, threads=1, memory_gb=8, should_stop=never_stop, runner=unruly_runners.Telling) as pool,
    ):
        ended = [task for task, _ in pool.outcomes(tasks, mock.sentinel.shared, mock.Mock())]
    assert sorted(map(id, ended)) == sorted(map(id, tasks))
    assert len(Pretended.alive) <= min(count, len(tasks))
    fitting = [(busy, gb) for busy, gb in Pretended.memory if busy > 1]
    refused = sum(need for need in needs if need > 8)
    assert all(gb <= 8 + refused for _, gb in fitting)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "its process ended with exit code 0"),
        (-11, "its process was ended by signal 11 (segmentation fault)"),
        (-9, "signal 9 (killed), most likely for lack of memory"),
        (-15, "signal 15 (terminated)"),
    ],
)
def test_an_end_is_worded_by_its_code_or_signal(code, words):
    assert words in ending(code, "fewer need less")


@pytest.mark.parametrize("radar", [True, False])
def test_shared_observations_are_what_was_written_and_writing_into_them_stays_here(tmp_path, radar):
    given = observations()
    given = given if radar else replace(given, s1=None)
    shared = SharedObservations.write(given, tmp_path, without="")
    got = shared.read()
    got.s2.pixels[:] += 1
    again = shared.read()
    for one, other in ((given.s2, again.s2), (given.s1, again.s1)):
        if one is None:
            assert other is None
            continue
        assert type(other.pixels) is np.ndarray
        for name in ("pixels", "dates", "observed"):
            assert np.array_equal(getattr(one, name), getattr(other, name))
        assert (one.bands, one.geobox) == (other.bands, other.geobox)
    assert np.array_equal(given.cloud_mask, again.cloud_mask)
    assert np.array_equal(given.s1_dates, again.s1_dates, equal_nan=True)
    shared.remove()
    assert not any(tmp_path.iterdir())


def test_what_a_killed_program_left_is_removed_and_what_another_uses_stays(tmp_path):
    (tmp_path / "shared-left").mkdir()
    (tmp_path / "shared-left" / "s2_pixels.npy").touch()
    with shared_folder(tmp_path) as one, shared_folder(tmp_path) as other:
        assert {path.name for path in tmp_path.iterdir()} == {one.name, other.name}
    assert not any(tmp_path.iterdir())


def test_no_room_for_the_sequence_is_one_line_with_a_way_out(tmp_path):
    with (
        mock.patch("numpy.save", side_effect=OSError(28, "No space left on device")),
        pytest.raises(OutputError, match="No space left on device; fewer need none"),
    ):
        SharedObservations.write(observations(), tmp_path, without="fewer need none")


GPUS = ["cuda:0", "cuda:1", "cpu"]


def test_jobs_by_themselves_are_as_many_as_there_are_gpus_or_pairs_of_cores():
    assert [auto_count("auto", ["cpu"], cores) for cores in (1, 2, 3, 8)] == [1, 1, 1, 4]
    assert auto_count("auto", GPUS, 16) == 2
    assert auto_count("cpu", GPUS, 16) == 8
    assert auto_count("cuda:1", GPUS, 16) == 1
    assert auto_count("auto", ["mps", "cpu"], 8) == 1


def test_gpus_are_given_out_in_turn_and_a_device_that_was_named_is_kept():
    assert share_devices("auto", GPUS, 3) == ["cuda:0", "cuda:1", "cuda:0"]
    assert share_devices("cuda:1", GPUS, 2) == ["cuda:1", "cuda:1"]
    assert share_devices("auto", ["cpu"], 2) == ["auto", "auto"]
    assert [share_threads(4, jobs) for jobs in (1, 2, 3, 9)] == [4, 2, 1, 1]


def test_a_reader_of_seconds_is_told_how_many_ran_at_once():
    assert describe_jobs(1, max_minutes=1) == ""
    assert "Up to 3 methods" in describe_jobs(3, max_minutes=None)
    assert "time budget" not in describe_jobs(3, max_minutes=None)
    assert "time budget" in describe_jobs(3, max_minutes=1)


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "257", ""])
def test_jobs_that_are_no_number_are_one_line(text, tmp_path, capsys):
    with pytest.raises(ConfigError, match="must be auto or a whole number from 1 to 256"):
        parse_jobs(text)
    with pytest.raises(SystemExit) as ended:
        cli.main(["benchmark", str(tmp_path), f"--jobs={text}"])
    assert ended.value.code == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert parse_jobs("auto") is None


def test_a_published_protocol_has_no_jobs(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["benchmark", str(tmp_path), "--protocol", "igarss2021", "--jobs", "2"])
    assert ended.value.code == 2
    assert "leave --jobs out" in capsys.readouterr().err
