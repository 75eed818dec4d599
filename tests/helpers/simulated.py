"""The method `simulated`, which only tests register: steps of known length, and faults on request, without torch.

`simulated_job` runs it; a program that serves for tests calls `use` before it imports the API.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

from locations import HELPERS

from seq2seq import methods
from seq2seq.methods.base import MethodInfo
from seq2seq.methods.closed_form import closed_form_cost
from seq2seq.settings import setting

NAME = "simulated"
# In place of the command of a job's process; jobs of other methods are done as ever.
COMMAND = (sys.executable, str(HELPERS / "simulated_job.py"))
TILE_COMMAND = (sys.executable, str(HELPERS / "simulated_tile.py"))


@dataclass(frozen=True)
class Simulation:
    """`steps` steps in `seconds`, a checkpoint after each, then images of `dates` dates.

    Without dates there is only a report.json, and no time is lost with GDAL. tile_px: what memory is wanted for.

    fault: what goes wrong when `fault_at_step` steps are done, `fault_times` times in all attempts together (None:
    always). crash: a bug. kill: SIGKILL from nowhere. hang: neither progress nor an ear for SIGTERM. memory: more than
    there is, unless tiles are `fault_fits_px` or smaller. disk-full: what the kernel says of /dev/full, while the file
    `fault_until` is missing, where one is named. input: the user's files are to blame. fault_each_step: not at
    `fault_at_step`, but whenever an attempt has done a step.

    tiles: in place of steps so many tiles, that workers share, each in `seconds`. tile_log: a file to which whoever
    does one appends a line, "TILE PROCESS ATTEMPT begin" or "... end".
    """

    seconds: float = setting(0.5, about="Of all steps together.", low=0, high=3600)
    steps: int = setting(10, about="How often a checkpoint is written.", low=1, high=100_000)
    dates: int = setting(2, about="Images of the result.", low=0, high=100)
    tile_px: int = setting(256, about="What memory is wanted for.", low=1, high=8192)
    fault: Literal["crash", "kill", "hang", "memory", "disk-full", "input"] | None = setting(None, about="What fails.")
    fault_at_step: int = setting(0, about="When it does.", low=0, high=100_000)
    fault_times: int | None = setting(1, about="How often it does.", low=1, high=100)
    fault_fits_px: int = setting(0, about="Tiles that memory is enough for.", low=0, high=8192)
    fault_each_step: bool = setting(False, about="After each attempt's first step.")
    fault_until: str | None = setting(None, about="A file that ends it.")
    tiles: int = setting(0, about="Tiles in place of steps.", low=0, high=10_000)
    tile_log: str | None = setting(None, about="A file that tells who did which.")


def _no_class() -> NoReturn:
    raise AssertionError("the engine does not run the simulated method, simulated_job does")


INFO = MethodInfo(
    name=NAME,
    title="Simulated",
    about="Nothing is reconstructed.",
    settings=Simulation,
    cost=closed_form_cost,
    load=_no_class,
    candidates={},
)


def inputs(*, fault: Mapping[str, Any] | None = None, **settings: Any) -> dict[str, Any]:
    """The inputs of a job that ask for the method; `fault` by short names: {"kind": "kill", "at_step": 3}."""
    names = {name: "fault" if name == "kind" else f"fault_{name}" for name in fault or {}}
    named = {names[name]: value for name, value in (fault or {}).items()}
    return {"method": NAME, "method_settings": {**settings, **named}}


def use() -> None:
    """Makes this process one that knows the method and starts jobs that can run it."""
    methods.METHODS += (INFO,)
    from worker.running import supervisor

    supervisor.COMMAND, supervisor.TILE_COMMAND = COMMAND, TILE_COMMAND
