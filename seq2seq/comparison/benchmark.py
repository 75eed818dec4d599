"""Every method on the same hidden pixels of every input: checked first, run case by case, written as one table."""

import shlex
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from seq2seq.apart import check_apart
from seq2seq.comparison.at_once import AtOnce, at_once
from seq2seq.comparison.case import Case, CaseName, Outcome
from seq2seq.comparison.comparison import Comparison
from seq2seq.comparison.gaps import GAPS
from seq2seq.comparison.in_turn import InTurn
from seq2seq.comparison.output import check_folder, write_all
from seq2seq.comparison.parts import FOLDER, Parts
from seq2seq.comparison.running import check_memory
from seq2seq.comparison.table import table
from seq2seq.comparison.task import OpenInput, Task
from seq2seq.config import ReconstructionConfig
from seq2seq.errors import ConfigError, MissingDataError
from seq2seq.machine import auto_count
from seq2seq.methods import METHODS, find_method
from seq2seq.nn.devices import available_cores, available_devices, choose_device
from seq2seq.nn.vgg import resolve_perceptual
from seq2seq.progress import OnProgress, Progress, ShouldStop, ignore, never_stop
from seq2seq.readers import open_sequence
from seq2seq.sequence import Observations
from seq2seq.validation.holdout import LINEAR
from seq2seq.wording import not_one_of

ALL = "all"
_EXPLANATION = (
    "Clear pixels were hidden, the same ones for every method, and no method has seen them. A method's row is what a "
    "user gets: its predictions blended with linear interpolation, by held-out pixels of its own. The row `alone` is "
    "its own prediction without that. Differences are on the same pixels, above 0 is better; in brackets where 90 % of "
    "a bootstrap over dates lie."
)


@dataclass(frozen=True)
class Plan:
    """What is compared: methods in their order, kinds of gap, seeds; config: all other settings, the same for all.

    `method_settings` of the config are those of the method it names.
    """

    methods: tuple[str, ...]
    gaps: tuple[str, ...]
    seeds: tuple[int, ...]
    config: ReconstructionConfig

    def config_of(self, method: str, seed: int) -> ReconstructionConfig:
        """The settings with which `method` is run."""
        own = self.config.method_settings if method == self.config.method else {}
        return self.config.replace(method=method, seed=seed, method_settings=own, full_prediction=False, feather_px=0)


def make_plan(methods: str, gaps: str, seeds: int, config: ReconstructionConfig) -> Plan:
    """methods: names with commas between them, or `all`; gaps: likewise. Linear interpolation is always among them.

    Raises `ConfigError` for a name that is none.
    """
    names = [each.name for each in METHODS] if methods.strip() == ALL else _names(methods)
    kinds = list(GAPS) if gaps.strip() == ALL else _names(gaps)
    for name in names:
        find_method(name)
    for kind in kinds:
        if kind not in GAPS:
            raise ConfigError(not_one_of("gap", kind, GAPS))
    for what, given in (("methods", names), ("gaps", kinds)):
        if not given:
            raise ConfigError(f"{what}: names none")
    chosen = dict.fromkeys([*names, LINEAR])
    ordered = [each.name for each in METHODS if each.name in chosen]
    return Plan(tuple(ordered), tuple(dict.fromkeys(kinds)), tuple(range(seeds)), config)


def benchmark(
    inputs: Sequence[Path],
    out: Path,
    plan: Plan,
    *,
    jobs: int | None = 1,
    on_progress: OnProgress = ignore,
    should_stop: ShouldStop = never_stop,
) -> dict[str, Any]:
    """Compares, writes table.csv, table.md, report.html and results.json into `out`, and returns what the last holds.

    jobs: methods that run at once, each in a process of its own; 1: one after another in this one; None: as
    `machine.auto_count` says. What an earlier call has finished is not repeated. Raises `InputError`, `ConfigError` or
    `OutputError` before any method runs, `Stopped` where `should_stop` said so.
    """
    check_folder(out)
    for path in inputs:
        check_apart(path, out)
    device = choose_device(plan.config.device)
    jobs = jobs or auto_count(plan.config.device, available_devices(), available_cores())
    with ExitStack() as stack:
        opened = [_opened(path, plan, device, stack, on_progress) for path in dict.fromkeys(inputs)]
        tasks = {each: _tasks(each, plan) for each in opened}
        with _executor(jobs, out, plan, should_stop) as executor:
            outcomes = Comparison(tasks, Parts(out), executor, on_progress).run()
        results = _results(opened, plan, outcomes, jobs)
    write_all(out, results)
    return results


def _opened(path: Path, plan: Plan, device: torch.device, stack: ExitStack, on_progress: OnProgress) -> OpenInput:
    """An input, open until the stack closes, after everything was checked that needs no method to run."""
    on_progress(Progress("reading"))
    source = stack.enter_context(open_sequence(path, plan.config))
    name = str(source.info.path)  # of a working copy, what it was made of
    try:
        check_memory(source.info.shape, plan.config_of(LINEAR, 0))  # the least that any method takes
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}; give a part of it, or a larger max_memory_gb") from error
    _check_cases(name, source.read(), plan)
    perceptual = resolve_perceptual(plan.config, source.info.bands, device)
    for warning in (*source.info.warnings, *([perceptual.reason] if perceptual.dropped else [])):
        on_progress(Progress("reading", message=f"{name}: {warning}"))
    return OpenInput(name, source, perceptual)


def _executor(jobs: int, out: Path, plan: Plan, should_stop: ShouldStop) -> AbstractContextManager[InTurn | AtOnce]:
    if jobs == 1:
        return nullcontext(InTurn(should_stop))
    return at_once(jobs, out / FOLDER, plan.config, should_stop)


def _tasks(given: OpenInput, plan: Plan) -> list[Task]:
    return [_task(given, case, method, plan) for case in _cases(given.name, plan) for method in plan.methods]


def _task(given: OpenInput, case: CaseName, method: str, plan: Plan) -> Task:
    config = plan.config_of(method, case.seed)
    cost = config.info.cost(given.source.info.shape, config.resolved_settings)
    expected_s = cost.seconds if config.max_minutes is None else min(cost.seconds, 60 * config.max_minutes)
    return Task(case, config, expected_s, cost.memory_gb)


def _check_cases(name: str, observations: Observations, plan: Plan) -> None:
    """Raises `MissingDataError` where a kind of gap finds nothing to hide, or leaves nothing."""
    for each in _cases(name, plan):
        if not Case(each, observations, plan.config.validation).usable:
            others = [kind for kind in plan.gaps if kind != each.gap]
            advice = f"; leave it out: --gaps {','.join(others)}" if others else ""
            raise MissingDataError(
                f"{name}: no clear pixel to hide for gap {each.gap}, seed {each.seed}: too few dates are clear{advice}",
                file=name,
            )


def _cases(name: str, plan: Plan) -> list[CaseName]:
    return [CaseName(name, gap, seed) for gap in plan.gaps for seed in plan.seeds]


def _results(inputs: Sequence[OpenInput], plan: Plan, outcomes: Sequence[Outcome], asked: int) -> dict[str, Any]:
    references = dict.fromkeys([LINEAR, ReconstructionConfig.method])
    compared = [name for name in references if name in plan.methods]
    devices = sorted({each.device for each in outcomes if each.device})
    return {
        "version": version("decloud"),
        "created": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "inputs": [each.name for each in inputs],
        "simulated": any(each.source.info.simulated for each in inputs),
        "methods": {name: find_method(name).title for name in plan.methods},
        "gaps": list(plan.gaps),
        "seeds": list(plan.seeds),
        "max_minutes": plan.config.max_minutes,
        "device": ", ".join(devices),
        "jobs": max((each.jobs for each in outcomes), default=1),
        "command": _command(inputs, plan, asked),
        "explanation": _EXPLANATION,
        "rows": table(outcomes, plan.gaps, compared),
        "failures": [
            {"method": each.method, "case": str(each.case), "reason": each.reason} for each in outcomes if each.reason
        ],
        "config": {name: value for name, value in plan.config.to_dict().items() if name not in ("method", "seed")},
        "outcomes": list(outcomes),
    }


def _command(inputs: Sequence[OpenInput], plan: Plan, jobs: int) -> str:
    """What makes the same table; settings of a file are in `config`."""
    words = ["decloud", "benchmark", *(each.name for each in inputs), "--methods", ",".join(plan.methods)]
    words += ["--gaps", ",".join(plan.gaps), "--seeds", str(len(plan.seeds))]
    if plan.config.max_minutes is not None:
        words += ["--max-minutes", f"{plan.config.max_minutes:g}"]
    if jobs > 1:
        words += ["--jobs", str(jobs)]
    return shlex.join(words)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
