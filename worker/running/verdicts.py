"""From how a child ended to what becomes of its job: a table in code, without database, files or clock."""

import signal
from dataclasses import dataclass, field
from typing import Any

from worker.imports.importer import CRASHED
from worker.processes.child_process import ProcessExit
from worker.running.job_folder import BAD_INPUT, OUT_OF_MEMORY, SHORT, STOPPED
from worker.running.shortages import SPACE, Shortage

SMALLEST_TILE_PX = 32  # `ReconstructionConfig` allows no smaller ones
# A job waits this long for disk space, or for the storage to answer, before it fails; so long between two tries.
_LONGEST_WAIT_S = 24 * 3600.0
_LONGEST_PAUSE_S = 300.0
# What a later attempt that got further need not know of those before it.
_TRANSIENT = frozenset({"crashes", "kills", "import_crashes", "waiting_since", "waits"})


@dataclass(frozen=True)
class Retry:
    """Asks for another attempt. reason: code and detail, also of the failure when attempts are used up.

    learnt: for the next. free: the attempt does not count.
    """

    reason: dict[str, Any]
    delay_s: float = 0.0
    learnt: dict[str, Any] = field(default_factory=dict)
    free: bool = False


@dataclass(frozen=True)
class Failure:
    """Ends the job; `error` is for its owner."""

    error: dict[str, Any]


@dataclass(frozen=True)
class ChildOutcome:
    """Holds what is known when a child has ended badly. problem: its error.json. plan: its report of tile and shape.

    shortage: what the machine lacks. learnt: from earlier attempts. limit_bytes: of memory. now: seconds since 1970.
    wait_s: before looking again for what the machine lacked.
    """

    exit: ProcessExit
    problem: dict[str, Any]
    plan: dict[str, Any]
    learnt: dict[str, Any]
    limit_bytes: int
    now: float
    wait_s: float
    shortage: Shortage | None = None


def lasting(learnt: dict[str, Any]) -> dict[str, Any]:
    """Returns what still holds once an attempt has got further than those that taught it: the size of tiles."""
    return {name: value for name, value in learnt.items() if name not in _TRANSIENT}


def judge(outcome: ChildOutcome) -> Retry | Failure:
    """Decides about a child whose end is none of DONE, our own kill, or a stop we asked for."""
    status = outcome.exit.status
    killed = status == -signal.SIGKILL
    if status == BAD_INPUT and outcome.problem:
        return _bad_input(outcome)
    if status in (STOPPED, -signal.SIGTERM):  # the latter before it could listen
        return Retry({"code": "worker-stopped", "detail": "The job was stopped from outside and kept a checkpoint."})
    if status == SHORT or outcome.shortage is not None:
        return wait(_short_of(outcome), outcome.learnt, outcome.now, outcome.wait_s)
    if status == BAD_INPUT:
        return _bad_input(outcome)
    if status == OUT_OF_MEMORY or (killed and outcome.exit.oom_kills):
        return _smaller(outcome)
    if killed:
        return _killed(outcome)
    return crashed(outcome.learnt, f"The job's program ended unexpectedly (status {status}).")


def wait(reason: dict[str, Any], learnt: dict[str, Any], now: float, wait_s: float) -> Retry | Failure:
    """Waits for what passes by itself, such as a full disk: the attempt costs nothing, but the waiting has an end.

    wait_s: before the second try; before each further one twice as long as before the last.
    """
    since = min(learnt.get("waiting_since", now), now)
    if now - since > _LONGEST_WAIT_S:
        detail = f"{reason['detail']} The job has waited for {(now - since) / 3600:.0f} hours."
        return Failure({**reason, "detail": detail})
    waits = learnt.get("waits", 0)
    pause_s = min(wait_s * 2 ** min(waits, 10), _LONGEST_PAUSE_S)
    return Retry(reason, delay_s=pause_s, learnt={"waiting_since": since, "waits": waits + 1}, free=True)


def _short_of(outcome: ChildOutcome) -> dict[str, Any]:
    """A child that could not even write what it lacked most likely lacked space."""
    if outcome.problem:
        return outcome.problem
    nothing_known = {"code": SPACE, "detail": "There is no disk space left for this job."}
    return nothing_known if outcome.shortage is None else outcome.shortage.reason


def over_time(limit_s: float) -> Failure:
    """Fails a job that ran longer than any job may."""
    return Failure(
        {
            "code": "run-time-exceeded",
            "detail": f"The job ran for {limit_s:,.0f} s, which is as long as a job may run. "
            "Lower max_minutes or send a smaller area.",
            "limit_s": limit_s,
        }
    )


def _bad_input(outcome: ChildOutcome) -> Retry | Failure:
    """What the user has to mend is said at once. A reader that was killed is asked once more: it may not have been the
    file."""
    problem = outcome.problem or _internal("The job ended without saying what is wrong with its input.")
    if problem["code"] != CRASHED or outcome.learnt.get("import_crashes"):
        return Failure(problem)
    return Retry(problem, learnt={"import_crashes": 1})


def _smaller(outcome: ChildOutcome) -> Retry | Failure:
    """One retry with tiles of half the side, a quarter of the memory."""
    tried = [*outcome.learnt.get("tiles_out_of_memory", []), outcome.plan.get("tile_px")]
    error = _out_of_memory(outcome, tried)
    smaller = max(SMALLEST_TILE_PX, tried[-1] // 2) if tried[-1] else None
    if len(tried) > 1 or (smaller is not None and smaller == tried[-1]):
        return Failure(error)
    learnt = {"tiles_out_of_memory": tried, **({"tile_px": smaller} if smaller else {})}
    return Retry(error, learnt=learnt)


def _out_of_memory(outcome: ChildOutcome, tried: list[int | None]) -> dict[str, Any]:
    gib = 2**30
    tiles = " and ".join(f"{px} px" for px in tried if px)
    shape = outcome.plan.get("shape")
    of = " of {} dates, {} bands, {} x {} px".format(*shape) if shape else ""
    detail = outcome.problem.get("detail")
    return {
        "code": "worker-out-of-memory",
        "detail": f"The job{of} took more memory than there is"
        + (f" with tiles of {tiles}" if tiles else "")
        + f": {outcome.exit.peak_memory_bytes / gib:.1f} GiB, and the worker has {outcome.limit_bytes / gib:.1f} GiB."
        + (f" ({detail})" if detail else ""),
        "peak_memory_bytes": outcome.exit.peak_memory_bytes,
        "limit_bytes": outcome.limit_bytes,
        "tiles_px": [px for px in tried if px],
    }


def _killed(outcome: ChildOutcome) -> Retry | Failure:
    """Killed, and the kernel says not by it: first a mere retry, then as if memory were the cause.

    In a container the kernel may not tell.
    """
    kills = outcome.learnt.get("kills", 0) + 1
    if kills > 1:
        return _smaller(outcome)
    reason = {"code": "worker-killed", "detail": "The job's process was killed."}
    return Retry(reason, learnt={"kills": kills})


def crashed(learnt: dict[str, Any], what: str) -> Retry | Failure:
    """Has a bug of ours tried once more, for it may not come again."""
    crashes = learnt.get("crashes", 0) + 1
    return Failure(_internal(what)) if crashes > 1 else Retry(_internal(what), learnt={"crashes": crashes})


def _internal(detail: str) -> dict[str, Any]:
    return {"code": "internal-error", "detail": f"{detail} This is our fault; the operator's log has more."}
