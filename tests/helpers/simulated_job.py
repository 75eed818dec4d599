"""A job's process for tests: the simulated method with the folders, checkpoints, progress and ends of a real one.

What it writes says that it is simulated. Jobs of other methods are done as ever.
"""

import json
import os
import signal
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from simulated import NAME, Simulation

from seq2seq.errors import MissingDataError, OutputError, Stopped
from seq2seq.products import REPORT
from seq2seq.progress import OnProgress, Progress, ShouldStop
from seq2seq.settings import from_mapping
from seq2seq.writers import check_output, partial_of, publish, write_file
from worker.child.ending import Report, leave
from worker.child.run_job import main, produce_result
from worker.running.job_folder import OUT, UPLOAD, Request, workspace_of

CHECKPOINT = Path(".checkpoint", "simulated.json")
# As the state of an optimiser: it says how far the work is, and not how often it was tried.
STEP = "step.pt"


@dataclass
class _State:
    """What a checkpoint holds. ran: for each attempt [attempt, first step, steps done at its end]."""

    step: int
    ran: list[list[int]]
    faults: int


def run(
    simulation: Simulation,
    out: Path,
    *,
    attempt: int,
    on_progress: OnProgress,
    should_stop: ShouldStop,
    collection_id: str,
) -> Path:
    """Into the folder `out`, as `pipeline.run` does, from the checkpoint of an earlier attempt where there is one.

    report.json holds under config.ran which attempt did which steps.
    """
    check_output(out, False)
    on_progress(Progress("reading"))
    file = partial_of(out) / CHECKPOINT
    state = _State(**json.loads(file.read_text())) if file.exists() else _State(0, [], 0)
    state.ran.append([attempt, state.step, state.step])
    while True:
        _maybe_fail(simulation, state, file)
        if state.step == simulation.steps:
            break
        if should_stop():
            raise Stopped(f"step {state.step} of {simulation.steps}")
        time.sleep(simulation.seconds / simulation.steps)
        state.step += 1
        state.ran[-1][2] = state.step
        _save(state, file)
        on_progress(_progress(simulation, state.step))
    on_progress(Progress("writing"))
    facts = {"steps": simulation.steps, "tile_px": simulation.tile_px, "ran": state.ran, "faults": state.faults}
    if simulation.dates:
        from simulated_result import write_result

        write_result(partial_of(out), dates=simulation.dates, config=facts, collection_id=collection_id)
    else:
        write_file(partial_of(out) / REPORT.path, json.dumps({"config": facts}).encode())
    publish(partial_of(out), out, False)
    return out


def _save(state: _State, file: Path) -> None:
    write_file(file, json.dumps(asdict(state)).encode())
    if state.step:
        write_file(file.with_name(STEP), str(state.step).encode())


def _progress(simulation: Simulation, step: int) -> Progress:
    left = simulation.seconds * (1 - step / simulation.steps)
    return Progress("fitting", step, simulation.steps, loss=1 / step, holdout_psnr=20.0, eta_s=left)


def _maybe_fail(simulation: Simulation, state: _State, file: Path) -> None:
    times, until = simulation.fault_times, simulation.fault_until
    if not _is_due(simulation, state) or (times is not None and state.faults >= times):
        return
    if simulation.fault == "memory" and simulation.tile_px <= simulation.fault_fits_px:
        return
    if until is not None and Path(until).exists():
        return
    state.faults += 1
    _save(state, file)
    _fail(simulation)


def _is_due(simulation: Simulation, state: _State) -> bool:
    _, first, done = state.ran[-1]
    due = done > first if simulation.fault_each_step else state.step == simulation.fault_at_step
    return due and simulation.fault is not None


def _fail(simulation: Simulation) -> None:
    if simulation.fault == "crash":
        raise RuntimeError("simulated crash")
    if simulation.fault == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if simulation.fault == "hang":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(3600)
    if simulation.fault == "memory":
        raise MemoryError(f"simulated: tiles of {simulation.tile_px} px do not fit")
    if simulation.fault == "disk-full":
        _fill_the_disk()
    if simulation.fault == "input":
        raise MissingDataError("S2: simulated absence of every file")


def _fill_the_disk() -> None:
    """The kernel's own refusal."""
    try:
        with open("/dev/full", "wb", buffering=0) as full:
            full.write(b"0")
    except OSError as error:
        raise OutputError(f"/dev/full: cannot be written ({error.strerror})") from error


def produce(request: Request, report: Report, should_stop: ShouldStop) -> None:
    """As `produce_result`, but nothing is imported: what is left behind by an attempt is its checkpoint alone."""
    if request.params.get("method") != NAME:
        produce_result(request, report, should_stop)
        return
    simulation = from_mapping(Simulation, request.params.get("method_settings", {}))
    simulation = replace(simulation, tile_px=request.retry.get("tile_px", simulation.tile_px))
    Path(UPLOAD).unlink(missing_ok=True)
    if simulation.tiles:
        from simulated_tiles import run_tiles

        facts = run_tiles(
            simulation, request.attempt, workspace_of(Path()), report, should_stop, request.share_tiles_from
        )
        write_file(partial_of(Path(OUT)) / REPORT.path, json.dumps({"config": {"tiles": facts}}).encode())
        publish(partial_of(Path(OUT)), Path(OUT), False)
        return
    report("plan", tile_px=simulation.tile_px, shape=[simulation.dates, 4, 256, 256])
    run(
        simulation,
        Path(OUT),
        attempt=request.attempt,
        on_progress=lambda progress: report("progress", **vars(progress)),
        should_stop=should_stop,
        collection_id=request.job_id,
    )


if __name__ == "__main__":
    leave(main(produce))
