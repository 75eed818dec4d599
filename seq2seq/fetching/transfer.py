"""The transfer: all days of a plan, several at a time; what is finished stays, and the next call goes on from it."""

import fcntl
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from seq2seq.errors import DecloudError, OutputError, Stopped
from seq2seq.fetching.day_files import DayFiles
from seq2seq.fetching.failures import FetchError
from seq2seq.fetching.fetching_day import FetchedDay, Service, fetch_day
from seq2seq.fetching.metering import Meter, Spent
from seq2seq.fetching.passes import Day, Sensor
from seq2seq.fetching.plan import Plan
from seq2seq.fetching.record import Record, now
from seq2seq.fetching.signing import signer_of
from seq2seq.fetching.stopping import stop_check
from seq2seq.fetching.transport import Retry, Transport
from seq2seq.progress import OnProgress, Progress, ShouldStop, ignore, never_stop
from seq2seq.wording import one_line
from seq2seq.writers.output import describe_failure

DEFAULT_JOBS = 8
MAX_JOBS = 64
# So many days in a row that fail, and none that does not: the catalogue is down, and the rest would fail as slowly.
_FAILURES_IN_A_ROW = 3
_WORK = ".fetching"
_POLL_S = 0.2


@dataclass(frozen=True)
class Fetched:
    """out: the sequence. new, kept: days that this call has fetched, and that were there. empty: days without data."""

    out: Path
    new: tuple[Day, ...]
    kept: tuple[Day, ...]
    empty: tuple[Day, ...]
    spent: Spent


def fetch(
    plan: Plan,
    out: Path,
    *,
    on_progress: OnProgress = ignore,
    should_stop: ShouldStop = never_stop,
    jobs: int = DEFAULT_JOBS,
    command: str = "",
    retry: Retry | None = None,
    on_spent: Callable[[Spent], None] = lambda _: None,
) -> Fetched:
    """Fetches what `out` lacks of the plan. jobs: days at a time. command: as it was typed, for the record.

    A day that cannot be had keeps no other from it. Raises `FetchError` at the end where some failed, naming item and
    asset of the first; `OutputError` where `out` is of another fetch or cannot be written; `Stopped`. What is finished
    stays in any case. on_spent: told after each day what this call took; what it raises ends it.
    """
    out, halt = out.absolute(), threading.Event()
    check = stop_check(lambda: halt.is_set() or should_stop())
    with _working_folder(out) as work:
        record = Record.open(out, plan)
        kept = [day for day in plan.days if record.holds(day, DayFiles.of(out, day, plan).all)]
        todo = [day for day in plan.days if day not in kept]
        _check_room(out, plan, share=len(todo) / max(1, len(plan.days)))
        state = _State(plan, record, on_progress, kept=kept, on_spent=on_spent)
        state.report_notes()
        with _services(plan, retry, check) as services, ThreadPoolExecutor(jobs, "fetch") as pool:

            def submit(day: Day) -> Future[FetchedDay]:
                return pool.submit(fetch_day, day, plan, out, work=work, service=services[day.sensor], check_stop=check)

            try:
                _collect(todo, submit, state, jobs=jobs, should_stop=should_stop)
            finally:
                halt.set()
                pool.shutdown(wait=True, cancel_futures=True)
                state.take_rest()
                state.record_run(command)
    state.check_failures(out)
    return state.result(out)


@contextmanager
def _services(plan: Plan, retry: Retry | None, check_stop: Callable[[], None]) -> Iterator[dict[Sensor, Service]]:
    """How the catalogue of each sensor is asked. Raises `ConfigError` for keys that are not there."""
    with ExitStack() as stack:
        services: dict[Sensor, Service] = {}
        for source in plan.sources:
            rules = source.catalog.address_rules
            transport = Transport(rules, retry=retry, check_stop=check_stop)
            stack.callback(transport.close)
            services[source.sensor] = Service(transport, signer_of(source.catalog, transport))
        yield services


@dataclass
class _State:
    """What has become of the days so far."""

    plan: Plan
    record: Record
    on_progress: OnProgress
    kept: Sequence[Day]
    on_spent: Callable[[Spent], None]
    new: list[Day] = field(default_factory=list)
    empty: list[Day] = field(default_factory=list)
    failed: list[tuple[Day, DecloudError]] = field(default_factory=list)
    running: dict[Future[FetchedDay], Day] = field(default_factory=dict)
    in_a_row: int = 0
    costs: Spent = field(default_factory=Spent)
    meter: Meter = field(default_factory=Meter)

    @property
    def spent(self) -> Spent:
        """What all days took, in the seconds of this call."""
        return Spent(self.costs.requests, self.costs.bytes, self.costs.retries, self.meter.spent.seconds)

    def report(self, message: str | None = None) -> None:
        """Tells how far it is."""
        done, of = len(self.kept) + len(self.new), len(self.plan.days)
        left = of - done - len(self.failed)
        eta_s = self.spent.seconds / len(self.new) * left if self.new else None
        self.on_progress(Progress("fetching", done, of, eta_s=eta_s, message=message))

    def report_notes(self) -> None:
        """Tells what the plan has to say."""
        for note in self.plan.notes:
            self.report(note)

    def take(self, day: Day, fetched: FetchedDay) -> None:
        """A day is finished."""
        self.record.add(day, {**fetched.facts, "fetched": now()})
        self.new.append(day)
        self.costs += fetched.spent
        self.on_spent(self.spent)
        self.in_a_row = 0
        if fetched.facts.get("empty"):
            self.empty.append(day)
        self.report(fetched.note or None)

    def settle(self, future: Future[FetchedDay]) -> bool:
        """A day has ended. True where it is no use to go on. Raises `Stopped`, and what is a bug of ours."""
        error = future.exception()
        if isinstance(error, Stopped) or not isinstance(error, DecloudError | None):
            raise error
        day = self.running.pop(future)
        if error is not None:
            return self.fail(day, error)
        self.take(day, future.result())
        return False

    def take_rest(self) -> None:
        """Takes what was finished while it was stopped: its files are there."""
        for future, day in self.running.items():
            if future.done() and not future.cancelled() and future.exception() is None:
                self.take(day, future.result())

    def fail(self, day: Day, error: DecloudError) -> bool:
        """A day cannot be had. True where it is no use to go on."""
        self.failed.append((day, error))
        self.in_a_row += 1
        self.report(f"{day.sensor} {day.date} cannot be fetched: {one_line(error)}")
        return isinstance(error, OutputError) or self.in_a_row >= _FAILURES_IN_A_ROW

    def record_run(self, command: str) -> None:
        """Records what this call has done, if it has done anything."""
        if self.new or self.failed:
            counts = {"new_days": len(self.new), "failed_days": len(self.failed)}
            self.record.add_run({"command": command, **counts, **self.spent.to_dict()})

    def result(self, out: Path) -> Fetched:
        """What the call has come to, in the order of the plan, whichever day came first."""
        new, empty = (tuple(day for day in self.plan.days if day in days) for days in (self.new, self.empty))
        return Fetched(out, new, tuple(self.kept), empty, self.spent)

    def check_failures(self, out: Path) -> None:
        """Raises the first failure, with what there is in spite of it."""
        if not self.failed:
            return
        day, error = next((each for each in self.failed if isinstance(each[1], OutputError)), self.failed[0])
        if isinstance(error, OutputError):
            raise error
        there, of = len(self.kept) + len(self.new), len(self.plan.days)
        raise FetchError(
            f"{day.sensor} {day.date}: {one_line(error)}; {there} of {of} dates are in {out}, the same command fetches "
            "the rest"
        ) from error


def _collect(
    todo: Sequence[Day],
    submit: Callable[[Day], Future[FetchedDay]],
    state: _State,
    *,
    jobs: int,
    should_stop: ShouldStop,
) -> None:
    """Takes what is finished as it comes, until all is, or it is no use to go on. Raises `Stopped`.

    No more days are begun than are fetched at a time, so that none begins once it is known to be of no use.
    """
    state.report()
    left, running = iter(todo), state.running
    while True:
        running |= {submit(day): day for day in islice(left, jobs - len(running))}
        if not running:
            return
        done, _ = wait(running, timeout=_POLL_S, return_when=FIRST_COMPLETED)
        useless = [state.settle(future) for future in done]
        if any(useless):
            return
        if should_stop():
            raise Stopped(f"{len(state.kept) + len(state.new)} of {len(state.plan.days)} dates are there")


@contextmanager
def _working_folder(out: Path) -> Iterator[Path]:
    """A folder for what is unfinished; what a killed fetch has left there is cleared. Raises `OutputError`."""
    work = out / _WORK
    try:
        work.mkdir(parents=True, exist_ok=True)
        with (work / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise OutputError(f"{out}: another fetch is writing into it") from None
            _clear(work)
            try:
                yield work
            finally:
                _clear(work)
                shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise OutputError(describe_failure(work, error.strerror or str(error))) from error
    finally:
        # Nothing was finished: the folder is as it was.
        if out.is_dir() and not any(out.iterdir()):
            out.rmdir()


def _clear(work: Path) -> None:
    for entry in work.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)


def _check_room(out: Path, plan: Plan, *, share: float) -> None:
    """Raises `OutputError` where the disk has no room for what is to be stored."""
    needed, free = plan.estimate().stored_bytes * share, shutil.disk_usage(out).free
    if free < needed / 4:  # clouds and no data take little: only what cannot be is refused
        raise OutputError(
            f"{out}: takes about {needed / 2**20:,.0f} MiB, and its disk has {free / 2**20:,.0f} MiB free; make room, "
            "or give a folder on another disk"
        )
