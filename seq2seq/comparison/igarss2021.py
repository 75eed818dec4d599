"""The evaluation of Ebel, Schmitt and Zhu (IGARSS 2021) on a user's own sequence, beside their table.

The clouds of the cloudiest date are blended onto a clear one: its pixels under them are hidden, and show the cloud.
A method is fitted to that, and what it predicts of the date is compared with the clear original.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq.apart import check_apart
from seq2seq.comparison.benchmark import Plan
from seq2seq.comparison.case import Case, CaseName
from seq2seq.comparison.output import check_folder
from seq2seq.comparison.protocol_table import Line, write_table
from seq2seq.comparison.running import check_memory, own_candidate
from seq2seq.errors import DecloudError, MissingDataError, Stopped
from seq2seq.nn.devices import choose_device
from seq2seq.nn.vgg import Perceptual, resolve_perceptual
from seq2seq.progress import OnProgress, Progress, ShouldStop, ignore, never_stop
from seq2seq.readers import read_sequence
from seq2seq.run.reconstruction import reconstruct
from seq2seq.sequence import Bool, Float32, Observations
from seq2seq.validation.assessment import EXACT
from seq2seq.validation.metrics import psnr_of, score
from seq2seq.wording import one_line

GAP = "igarss2021"
PHASE = "comparing"
SOURCE = "Ebel, Schmitt and Zhu, IGARSS 2021"
NOTES = (
    "Both are of S2 clipped to [0, 10000] and scaled to [0, 1]. Theirs are of one sequence, 30 dates of 384 x 768 px, "
    "13 bands; ours of another: what may be held against each other is the order of rows, not their values.",
    "Their PSNR of 11.59 and 11.43 dB are RMSE of 0.263 and 0.268 on that scale, beside NRMSE of 0.27 and 0.30: what "
    "theirs is divided by is not known to us. Here `NRMSE` is RMSE over the mean of the original.",
    "An RMSE of 0.26 is as large as a bright cloud: their values may be on a scale that was not stated.",
    "`whole date`: all pixels that were clear in the original, as theirs; `hidden`: those under the blended clouds. A "
    "blended result keeps the pixels that it has seen, so that only its `hidden` rows say something.",
    "Clouds are blended by their mask. The engine blanks what is masked before any method sees it, so that the values "
    "of the cloud reach no method of ours; in the paper S1 alone is input, and no loss is taken under clouds.",
)
_LONGEST_REASON = 200
_PUBLISHED = (
    Line("full model", "theirs", {"NRMSE": 0.27, "PSNR": 11.59, "SSIM": 0.51, "SAM": 27.73}, SOURCE),
    Line("noise input", "theirs", {"NRMSE": 0.30, "PSNR": 11.43, "SSIM": 0.49, "SAM": 28.13}, SOURCE),
)


class BlendedCase(Case):
    """A clear date under the clouds of the cloudiest one."""

    @property
    def date(self) -> int:
        """The position of the date that is hidden."""
        return int(np.argmax(self.hidden.any(axis=(1, 2))))

    @property
    def cloudiest(self) -> int:
        """The position of the date whose clouds cover it."""
        return int(np.argmin(self.truth.observed.mean(axis=(1, 2))))

    @cached_property
    def visible(self) -> Observations:
        """What a method sees: under the blended clouds their own values, not observed and under a cloud."""
        seen = super().visible
        cloud = self.truth.pixels[self.cloudiest]
        pixels = np.where(self.hidden[:, None], cloud[None], seen.s2.pixels)
        return replace(seen, s2=replace(seen.s2, pixels=pixels))

    def areas(self) -> dict[str, Bool]:
        """(T, H, W) scored pixels by the name of the area."""
        whole = np.zeros_like(self.hidden)
        whole[self.date] = self.truth.observed[self.date]
        return {"whole date": whole, "hidden": self.hidden}


@dataclass(frozen=True)
class Finished:
    """Scores by kind of prediction and area, of one method on one case; reason: why there are none."""

    method: str
    case: CaseName
    scores: Mapping[tuple[str, str], Mapping[str, float]]
    reason: str | None = None


def measure(prediction: Float32, case: BlendedCase) -> dict[str, dict[str, float]]:
    """Scores of a prediction (T, C, H, W) by area."""
    found = {}
    for area, where in case.areas().items():
        scores = score(prediction, case.truth.pixels, where)
        found[area] = {
            "RMSE": scores.rmse,
            "NRMSE": scores.nrmse,
            "PSNR": psnr_of(scores.rmse, least=EXACT),
            "SSIM": scores.ssim,
            "SAM": scores.sam,
        }
    return found


def benchmark_igarss2021(
    inputs: Sequence[Path],
    out: Path,
    plan: Plan,
    *,
    on_progress: OnProgress = ignore,
    should_stop: ShouldStop = never_stop,
) -> list[Line]:
    """Runs the protocol on every input, writes table.csv, table.md and results.json into `out`, returns the lines.

    A seed draws another clear date. Raises `InputError`, `ConfigError` or `OutputError` before any method runs.
    """
    check_folder(out)
    for path in inputs:
        check_apart(path, out)
    cases = [case for path in dict.fromkeys(inputs) for case in _cases(path, plan, on_progress)]
    finished: list[Finished] = []
    of = len(cases) * len(plan.methods)
    for case in cases:
        perceptual = resolve_perceptual(plan.config, case.truth.bands, choose_device(plan.config.device))
        for method in plan.methods:
            on_progress(Progress(PHASE, len(finished), of))
            finished.append(_finish(case, method, plan, perceptual, should_stop))
    on_progress(Progress(PHASE, of, of))
    lines = [*_lines(finished), *_PUBLISHED]
    failures = [(each.method, str(each.case), each.reason) for each in finished if each.reason]
    write_table(out, "The evaluation of IGARSS 2021", lines, NOTES, failures)
    return lines


def _cases(path: Path, plan: Plan, on_progress: OnProgress) -> list[BlendedCase]:
    on_progress(Progress("reading"))
    observations = read_sequence(path, plan.config)
    cases = [BlendedCase(CaseName(str(path), GAP, seed), observations, plan.config.validation) for seed in plan.seeds]
    for case in cases:
        if not case.hidden.any() or not (case.truth.observed & ~case.hidden).any():
            raise MissingDataError(
                f"{path}: no clear date can take the clouds of the cloudiest one: all dates are as clear as each other",
                file=str(path),
            )
    return cases


def _finish(case: BlendedCase, method: str, plan: Plan, perceptual: Perceptual, should_stop: ShouldStop) -> Finished:
    """Runs one method. Raises `Stopped`; all else that goes wrong is the reason."""
    config, predicted = plan.config_of(method, case.name.seed), {}
    try:
        check_memory(case.truth.shape, config)
        candidate = own_candidate(config.info)
        result = reconstruct(
            case.visible,
            config,
            on_progress=ignore,
            should_stop=should_stop,
            perceptual=perceptual,
            on_candidates=lambda found: predicted.update(found),
        )
        scores = {("blended", area): values for area, values in measure(result.s2.pixels, case).items()}
        if candidate is not None:
            own = measure(predicted[candidate], case)
            scores |= {("alone", area): values for area, values in own.items()}
        return Finished(method, case.name, scores)
    except Stopped:
        raise
    except DecloudError as error:
        reason = one_line(error, _LONGEST_REASON)
    except Exception as error:  # a method may be anybody's
        reason = one_line(f"{type(error).__name__}: {error}", _LONGEST_REASON)
    return Finished(method, case.name, {}, reason)


def _lines(finished: Sequence[Finished]) -> list[Line]:
    """Means over cases."""
    grouped: dict[tuple[str, str, str], list[Mapping[str, float]]] = {}
    for each in finished:
        for (prediction, area), values in each.scores.items():
            grouped.setdefault((each.method, prediction, area), []).append(values)
    return [
        Line(f"{method} {prediction}", area, _mean(values), "measured here", len(values))
        for (method, prediction, area), values in grouped.items()
    ]


def _mean(values: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    return {name: float(np.mean([each[name] for each in values])) for name in values[0]}
