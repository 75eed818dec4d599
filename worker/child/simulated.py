"""The simulated method: no training, but the same folders, checkpoints, progress and ends, and faults on request.

For tests of everything around the engine; `supervisor` and `run_job` refuse it outside `environment` "test". What it
writes says that it is simulated.
"""

import json
import os
import signal
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from seq2seq.errors import ConfigError, MissingDataError, OutputError, Stopped
from seq2seq.products import REPORT
from seq2seq.progress import OnProgress, Progress, ShouldStop
from seq2seq.writers import check_output, partial_of, publish, write_file

CHECKPOINT = Path(".checkpoint", "simulated.json")
# As the state of an optimiser: it says how far the work is, and not how often it was tried.
STEP = "step.pt"


@dataclass(frozen=True)
class Fault:
    """What goes wrong when `at_step` steps are done, `times` times in all attempts together (None: always).

    crash: a bug. kill: SIGKILL from nowhere. hang: neither progress nor an ear for SIGTERM. memory: more than there is,
    unless tiles are `fits_px` or smaller. disk-full: what the kernel says of /dev/full, while the file `until` is
    missing, where one is named. input: the user's files are to blame. each_step: not at `at_step`, but whenever
    an attempt has done a step.
    """

    kind: Literal["crash", "kill", "hang", "memory", "disk-full", "input"]
    at_step: int = 0
    times: int | None = 1
    fits_px: int = 0
    each_step: bool = False
    until: str | None = None


@dataclass(frozen=True)
class Simulation:
    """`steps` steps in `seconds`, a checkpoint after each, then images of `dates` dates.

    tile_px: what memory is wanted for. Without dates there is only a report.json, and no time is lost with GDAL.
    """

    seconds: float = 0.5
    steps: int = 10
    dates: int = 2
    tile_px: int = 256
    fault: Fault | None = None

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Simulation":
        """Raises `ConfigError` naming what is unknown."""
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        if unknown:
            raise ConfigError(f"the simulated method has no settings {', '.join(unknown)}")
        try:
            fault = Fault(**values["fault"]) if values.get("fault") else None
            return cls(**{**values, "fault": fault})
        except TypeError as error:
            raise ConfigError(f"settings of the simulated method: {error}") from None


@dataclass
class _State:
    """What a checkpoint holds. ran: for each attempt [attempt, first step, steps done at its end]."""

    step: int
    ran: list[list[int]]
    faults: int


def run(simulation: Simulation, out: Path, *, attempt: int, on_progress: OnProgress, should_stop: ShouldStop) -> Path:
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
        from worker.child.simulated_result import write_result

        write_result(partial_of(out), dates=simulation.dates, config=facts)
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
    fault = simulation.fault
    if fault is None or not _is_due(fault, state) or (fault.times is not None and state.faults >= fault.times):
        return
    if fault.kind == "memory" and simulation.tile_px <= fault.fits_px:
        return
    if fault.until is not None and Path(fault.until).exists():
        return
    state.faults += 1
    _save(state, file)
    _fail(fault, simulation)


def _is_due(fault: Fault, state: _State) -> bool:
    _, first, done = state.ran[-1]
    return done > first if fault.each_step else state.step == fault.at_step


def _fail(fault: Fault, simulation: Simulation) -> None:
    if fault.kind == "crash":
        raise RuntimeError("simulated crash")
    if fault.kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if fault.kind == "hang":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(3600)
    if fault.kind == "memory":
        raise MemoryError(f"simulated: tiles of {simulation.tile_px} px do not fit")
    if fault.kind == "disk-full":
        _fill_the_disk()
    if fault.kind == "input":
        raise MissingDataError("S2: simulated absence of every file")
    raise ConfigError(f"no simulated fault is called {fault.kind!r}")


def _fill_the_disk() -> None:
    """The kernel's own refusal."""
    try:
        with open("/dev/full", "wb", buffering=0) as full:
            full.write(b"0")
    except OSError as error:
        raise OutputError(f"/dev/full: cannot be written ({error.strerror})") from error
