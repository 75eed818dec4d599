"""The published method and the default one on the same held-out pixels: RMSE over time, as JSON.

    python against_paper.py INPUT RESULT.json [--seed 0] [--minutes 4] [--every 20]

The published method runs twice, each time for `--minutes`: the beginning of its schedule as published, and the whole of
a schedule scaled down to that time. Its clock counts steps only. The clock of the default method counts everything.
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seq2seq import ReconstructionConfig, read_sequence, reconstruct
from seq2seq.interpolation import linear_interpolation
from seq2seq.methods.base import RunContext
from seq2seq.methods.ebel2021.fit import Ebel2021, Ebel2021Fit
from seq2seq.methods.ebel2021.settings import Ebel2021Settings
from seq2seq.nn.devices import available_cores, choose_device
from seq2seq.nn.vgg import resolve_perceptual
from seq2seq.progress import Progress
from seq2seq.run.fitting import PREPARING, REFIT
from seq2seq.sequence import Observations
from seq2seq.validation.holdout import blank, choose_holdout
from seq2seq.validation.metrics import rmse

WARM_UP_STEPS = 2
TIMED_STEPS = 10


def main() -> None:
    options = _options()
    config = ReconstructionConfig(seed=options.seed, max_minutes=options.max_minutes)
    observations = read_sequence(options.input)
    result = {
        "ebel2021": _published(observations, config, 60 * options.minutes, options.every),
        "guided": _guided(observations, config),
        "linear_rmse": _linear_rmse(observations, config),
    }
    options.result.write_text(json.dumps(result))


def _published(
    observations: Observations, config: ReconstructionConfig, seconds: float, every_s: float
) -> dict[str, Any]:
    """Step time, length of the published schedule, and both curves."""
    s2, device = observations.s2, choose_device(config.device)
    perceptual = resolve_perceptual(config, s2.bands, device)
    held_out = choose_holdout(s2.observed, config.seed)
    visible = blank(observations, s2.observed & ~held_out)
    context = RunContext(
        seed=config.seed,
        device=device,
        threads=available_cores(),
        perceptual=perceptual,
        perceptual_weight=config.perceptual_weight,
        check_stop=lambda: None,
    )

    def new_fit(factor: float) -> Ebel2021Fit:
        return Ebel2021(Ebel2021Settings(schedule_factor=factor)).start(visible, context, None)

    def error(fit: Ebel2021Fit) -> float:
        return rmse(fit.predict(visible)["network"], s2.pixels, where=held_out)

    def curve(fit: Ebel2021Fit) -> list[dict[str, float]]:
        looks = _looks(fit, seconds, every_s)
        return [{"step": fit.steps_done, "seconds": spent, "rmse": error(fit)} for spent in looks]

    published = new_fit(1.0)
    step_s = _step_seconds(new_fit(1.0))
    scaled = new_fit(max(1e-6, min(1.0, seconds / (step_s * published.steps_total))))
    return {
        "step_s": step_s,
        "windows": published.windows,
        "steps_total": published.steps_total,
        "perceptual": perceptual.used,
        "device": str(device),
        "published": {"curve": curve(published), "complete": published.steps_done == published.steps_total},
        "scaled": {
            "curve": curve(scaled),
            "complete": scaled.steps_done == scaled.steps_total,
            "passes": scaled.schedule.passes,
            "iterations": scaled.schedule.iterations,
        },
    }


def _step_seconds(fit: Ebel2021Fit) -> float:
    """Median of a few steps on one window, after a warm-up."""
    for _ in range(WARM_UP_STEPS):
        fit.step()
    return statistics.median(_timed_step(fit) for _ in range(TIMED_STEPS))


def _timed_step(fit: Ebel2021Fit) -> float:
    """Seconds of one step; on a GPU the returned loss waits for its end."""
    began = time.perf_counter()
    fit.step()
    return time.perf_counter() - began


def _looks(fit: Ebel2021Fit, seconds: float, every_s: float) -> Iterator[float]:
    """Steps until the time or the schedule is over; yields the seconds spent in steps whenever a look is due."""
    spent, looked = 0.0, 0.0
    while fit.steps_done < fit.steps_total and spent < seconds:
        spent += _timed_step(fit)
        if spent - looked >= every_s:
            looked = spent
            yield spent
    if spent > looked:
        yield spent


def _guided(observations: Observations, config: ReconstructionConfig) -> dict[str, Any]:
    """When what was known: prior, network, blended result, each with its held-out RMSE; and the end of the run."""
    times: dict[str, float] = {}
    began = time.monotonic()

    def note(progress: Progress) -> None:
        phase = "first step" if progress.loss is not None else progress.phase
        times.setdefault(phase, time.monotonic() - began)

    result = reconstruct(observations, config, on_progress=note)
    whole_s = time.monotonic() - began
    assert result.assessment is not None, "a sequence without held-out pixels cannot be compared"
    methods = result.assessment.methods
    # The first step is told when it is over. A budget that leaves no time for steps goes from the prior to scoring.
    steps_begin = times["first step"] - result.curve[0].seconds if result.curve else times["scoring"]
    known_s = next(times[phase] for phase in (PREPARING + REFIT, "blending") if phase in times)
    looks = [
        {"what": f"network, step {p.step}", "seconds": steps_begin + p.seconds, "rmse": 10 ** (-p.holdout_psnr / 20)}
        for p in result.curve
        if p.holdout_psnr is not None
    ]
    return {
        "curve": [
            {"what": "prior", "seconds": steps_begin, "rmse": methods["prior"].rmse},
            *looks,
            {"what": "result", "seconds": known_s, "rmse": methods["result"].rmse},
        ],
        "whole_s": whole_s,
        "phases": result.seconds,
    }


def _linear_rmse(observations: Observations, config: ReconstructionConfig) -> float:
    s2 = observations.s2
    held_out = choose_holdout(s2.observed, config.seed)
    return rmse(linear_interpolation(s2.pixels, s2.observed & ~held_out, s2.days), s2.pixels, where=held_out)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=4.0, help="of steps, for each of the two schedules")
    parser.add_argument("--every", type=float, default=20.0, help="seconds of steps between two looks")
    parser.add_argument("--max-minutes", type=float, help="budget of the default method; default none")
    return parser.parse_args()


if __name__ == "__main__":
    main()
