"""Jobs whose tiles several workers do: as if one had done them, whoever is killed."""

import os
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest
from locations import HELPERS
from service_workers import Workshop, alive, until

from worker import jobs
from worker.jobs import Job, tiles

TILE_S = 0.4


class Log:
    """Who began and ended which tile."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def lines(self, what: str) -> list[tuple[int, int]]:
        """(tile, process)."""
        if not self.path.exists():
            return []
        found = [line.split() for line in self.path.read_text().splitlines()]
        return [(int(tile), int(process)) for tile, process, _, word in found if word == what]

    def running(self) -> list[tuple[int, int]]:
        ended = self.lines("end")
        return [each for each in self.lines("begin") if each not in ended and alive(each[1])]

    def helped(self, lead_child: int) -> int:
        """How many tiles others than the lead's process began."""
        return sum(process != lead_child for _, process in self.lines("begin"))

    def processes(self) -> set[int]:
        return {process for _, process in self.lines("begin")}


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "tiles.log")


def submit(workshop: Workshop, log: Log, count: int = 6, seconds: float = TILE_S) -> Job:
    return workshop.submit(tiles=count, seconds=seconds, tile_log=str(log.path))


def lead_of(workshop: Workshop, job: Job) -> int:
    """The position of the process that leads it."""
    owner = until(lambda: workshop.get(job).lease_owner, "nobody leads")
    return int(str(owner).removeprefix("process-")) - 1


def kill(workshop: Workshop, number: int) -> None:
    """SIGKILL, of the supervisor; its child dies with it."""
    os.kill(workshop.processes[number].pid, signal.SIGKILL)


def helped(log: Log, lead_child: int) -> list[tuple[int, int]]:
    return [each for each in log.running() if each[1] != lead_child]


def ended(workshop: Workshop, job: Job) -> Job:
    until(lambda: workshop.get(job).ended, "it never ended", within_s=60)
    return workshop.get(job)


def check_result(workshop: Workshop, job: Job, count: int) -> None:
    assert workshop.get(job).status == "successful", workshop.get(job).error
    assert sorted(map(int, workshop.result(job)["tiles"])) == list(range(count))
    with workshop.database.read() as connection:
        assert not connection.execute(tiles.job_tiles.select()).all()


def test_two_workers_share_a_job_and_small_jobs_go_before_further_tiles(workshop: Workshop, log: Log) -> None:
    job = submit(workshop, log, count=10)
    workshop.start_worker()
    until(lambda: log.lines("begin"), "nobody leads")
    lead_child = log.lines("begin")[0][1]
    workshop.start_worker()
    until(lambda: len(log.processes()) > 1, "nobody helps")
    small = [workshop.submit() for _ in range(2)]
    helped_before = log.helped(lead_child)
    for each in small:
        until(lambda each=each: workshop.get(each).status != "accepted", "they wait behind the shared one")
    # Whoever helps ends the tile that it does, and looks for jobs before it takes a further one.
    assert log.helped(lead_child) - helped_before <= 1
    assert all(ended(workshop, each).status == "successful" for each in small)
    assert ended(workshop, job).attempt == 1
    check_result(workshop, job, 10)
    assert Counter(tile for tile, _ in log.lines("end")) == Counter(range(10)), "each once"
    assert len({process for _, process in log.lines("end")}) >= 2
    said = [message for message in workshop.messages(job) if message.startswith("Tile ")]
    assert said
    assert all(" by worker process-2." in message for message in said)
    assert not list(workshop.settings.work_dir.glob("*/tile-*"))


def test_a_helper_that_is_killed_costs_its_tile_alone(workshop: Workshop, log: Log) -> None:
    job = submit(workshop, log, seconds=1.0)
    workshop.start_worker()
    until(lambda: log.running(), "nobody leads")
    lead_child = log.running()[0][1]
    workshop.start_worker()
    lost = until(lambda: helped(log, lead_child), "nobody helps")[0]
    kill(workshop, 1)
    until(lambda: not alive(lost[1]), "the tile's process outlives its worker")
    assert ended(workshop, job).attempt == 1
    check_result(workshop, job, 6)
    assert Counter(tile for tile, _ in log.lines("end")) == Counter(range(6))
    assert Counter(tile for tile, _ in log.lines("begin")) == Counter([*range(6), lost[0]])


def test_a_lead_that_is_killed_is_followed_by_another_and_what_was_done_stays_done(
    workshop: Workshop, log: Log
) -> None:
    job = submit(workshop, log, count=7, seconds=0.8)
    for _ in range(2):
        workshop.start_worker()
    lead = lead_of(workshop, job)
    until(lambda: any("is done" in message for message in workshop.messages(job)), "nobody helped")
    done = {tile for tile, _ in log.lines("end")}
    kill(workshop, lead)
    reaper = workshop.reaper()
    until(lambda: reaper.reap().requeued or workshop.get(job).attempt > 1, "nobody took it back")
    assert ended(workshop, job).attempt == 2
    check_result(workshop, job, 7)
    begun = Counter(tile for tile, _ in log.lines("begin"))
    assert set(begun) == set(range(7))
    again = {tile for tile, times in begun.items() if times > 1}
    assert len(again - done) <= 1, "at most the tile that the lead was at"
    by_helper = {int(m.split()[1]) - 1 for m in workshop.messages(job) if m.startswith("Tile ")}
    assert not again & by_helper & done, "what lay in the storage was not done again"


def test_a_cancelled_job_frees_all_who_work_on_it(workshop: Workshop, log: Log) -> None:
    job = submit(workshop, log, seconds=60)
    for _ in range(2):
        workshop.start_worker()
    until(lambda: len(log.running()) == 2, "nobody helps")
    began = {process for _, process in log.running()}
    jobs.dismiss(workshop.database, job.id, "ann")
    assert ended(workshop, job).status == "dismissed"
    until(lambda: not any(map(alive, began)), "they go on")
    small = workshop.submit()
    assert ended(workshop, small).status == "successful"
    workshop.reaper().reap()
    assert not list(workshop.settings.work_dir.glob("*/tile-*"))


@pytest.mark.slow
def test_a_helper_that_is_asked_to_stop_gives_its_tile_back(workshop: Workshop, log: Log) -> None:
    job = submit(workshop, log, count=4, seconds=1.5)
    workshop.start_worker()
    until(lambda: log.running(), "nobody leads")
    lead_child = log.running()[0][1]
    workshop.start_worker()
    tile, _ = until(lambda: helped(log, lead_child), "nobody helps")[0]
    workshop.processes[1].send_signal(signal.SIGTERM)
    workshop.processes[1].wait(timeout=30)
    (state,) = [each for each in tiles.states(workshop.database, job) if each.tile == tile]
    assert state.is_open or state.owner == "process-1"
    ended(workshop, job)
    check_result(workshop, job, 4)


@pytest.mark.slow
def test_what_goes_wrong_with_a_helper_is_done_by_the_jobs_own_worker(workshop: Workshop, log: Log) -> None:
    job = submit(workshop, log, count=4, seconds=0.6)
    workshop.start_worker()
    until(lambda: log.running(), "nobody leads")
    broken = (sys.executable, str(HELPERS / "no_such_program.py"))
    helper = workshop.supervisor(worker_id="broken", tile_command=broken)
    until(helper.work_once, "nothing to help with")
    assert any("not done by worker broken" in message for message in workshop.messages(job))
    assert ended(workshop, job).attempt == 1
    check_result(workshop, job, 4)
    assert len({process for _, process in log.lines("end")}) == 1


def test_who_shares_no_tiles_helps_with_none(workshop: Workshop, log: Log) -> None:
    settings = workshop.settings.model_copy(update={"share_tiles_from": 0})
    job = submit(workshop, log, count=4, seconds=60)
    workshop.start_worker()
    until(lambda: any(state.laid for state in tiles.states(workshop.database, job)), "no input was laid")
    assert not workshop.supervisor(settings=settings).work_once()
