"""One method on one case: fitted to what is visible, timed, scored on what is hidden. A failure is one line."""

import gc
import time
from collections.abc import Callable, Mapping

from seq2seq.comparison.case import Case, Outcome
from seq2seq.comparison.memory import peak_memory
from seq2seq.comparison.pictures import picture
from seq2seq.comparison.scoring import CaseScores, score_case
from seq2seq.config import ReconstructionConfig
from seq2seq.errors import ConfigError, DecloudError, Stopped
from seq2seq.extras import naming_extra
from seq2seq.methods.base import MethodInfo, Shape
from seq2seq.nn.devices import choose_device
from seq2seq.nn.vgg import Perceptual
from seq2seq.progress import OnProgress, ShouldStop, format_duration
from seq2seq.run.reconstruction import Reconstruction, reconstruct
from seq2seq.sequence import Float32
from seq2seq.wording import one_line

# A method plans by its budget, and is right within a factor; beyond this one it is stopped. Seconds: for a start.
OVERTIME, GRACE_S = 2.0, 30.0
_LONGEST_REASON = 200


class TimedOutError(DecloudError):
    """A method was far from done when its time was over."""

    code = "timed-out"


def own_candidate(info: MethodInfo) -> str | None:
    """The prediction that is the method's own: the followed one, else the one with the largest share of the blend."""
    blended = info.blended
    return info.followed or (max(blended, key=lambda name: blended[name]) if blended else None)


def run_method(
    case: Case,
    config: ReconstructionConfig,
    *,
    perceptual: Perceptual,
    on_progress: OnProgress,
    should_stop: ShouldStop,
) -> Outcome:
    """What the method of `config`, with the case's seed, makes of `case`. Raises `Stopped` where `should_stop` said so.

    All else that goes wrong is the outcome's `reason`, bugs of a method included: the other methods go on.
    """
    try:
        with naming_extra():
            return _run(case, config, perceptual, on_progress, should_stop)
    except Stopped:
        raise
    except Exception as error:  # a method may be anybody's
        return Outcome(case.name, config.method, reason=reason_of(error))


def reason_of(error: Exception) -> str:
    """One line on what went wrong; a bug is named by its type."""
    text = error if isinstance(error, DecloudError) else f"{type(error).__name__}: {error}"
    return one_line(text, _LONGEST_REASON)


def limit_s(config: ReconstructionConfig) -> float | None:
    """After so many seconds a method is stopped that is not done; None where it has no budget."""
    return None if config.max_minutes is None else OVERTIME * 60 * config.max_minutes + GRACE_S


def _run(
    case: Case, config: ReconstructionConfig, perceptual: Perceptual, on_progress: OnProgress, should_stop: ShouldStop
) -> Outcome:
    check_memory(case.truth.shape, config)
    info, device = config.info, choose_device(config.device)
    candidate = own_candidate(info)
    info.load()  # so that the first method to need torch is not charged for loading it
    predicted: dict[str, Float32] = {}

    def keep(candidates: Mapping[str, Float32]) -> None:
        predicted.update((name, image) for name, image in candidates.items() if name == candidate)

    gc.collect()
    with peak_memory(device) as peak:
        began = time.monotonic()
        result = _in_time(case, config, perceptual, on_progress, should_stop, keep)
        seconds = time.monotonic() - began
    alone = predicted[candidate] if candidate else None
    return Outcome(
        case=case.name,
        method=config.method,
        result=_scores(case, result.s2.pixels, "the result"),
        alone=None if alone is None else _scores(case, alone, f"candidate {candidate}"),
        candidate=candidate,
        seconds=seconds,
        memory_gb=peak.gb,
        device=result.device,
        steps_done=result.steps_done,
        steps_total=result.steps_total,
        picture=picture(case, result.s2.pixels, alone),
    )


def _in_time(
    case: Case,
    config: ReconstructionConfig,
    perceptual: Perceptual,
    on_progress: OnProgress,
    should_stop: ShouldStop,
    keep: Callable[[Mapping[str, Float32]], None],
) -> Reconstruction:
    """Raises `TimedOutError` where the method is not done long after its budget."""
    limit = limit_s(config)
    until = None if limit is None else time.monotonic() + limit
    try:
        return reconstruct(
            case.visible,
            config,
            on_progress=on_progress,
            should_stop=lambda: should_stop() or (until is not None and time.monotonic() > until),
            perceptual=perceptual,
            on_candidates=keep,
        )
    except Stopped as stopped:
        if should_stop() or limit is None:
            raise
        raise TimedOutError(overtime(config)) from stopped


def overtime(config: ReconstructionConfig) -> str:
    """Words that a method had to be stopped. Of a config with a budget."""
    limit, minutes = limit_s(config), config.max_minutes
    assert limit is not None, "no budget, no limit"
    assert minutes is not None
    return f"was not done after {format_duration(limit)}, with a budget of {format_duration(60 * minutes)}"


def check_memory(shape: Shape, config: ReconstructionConfig) -> None:
    """Raises `ConfigError` where the method could not hold the scene whole: a comparison cuts no tiles."""
    needed = config.info.cost(shape, config.resolved_settings).memory_gb
    if needed > config.max_memory_gb:
        raise ConfigError(
            f"takes about {needed:.1f} GB for the whole scene, more than max_memory_gb {config.max_memory_gb:g}, "
            "and a comparison cuts no tiles"
        )


def _scores(case: Case, prediction: Float32, what: str) -> CaseScores:
    try:
        return score_case(prediction, case.truth, case.scored, case.gap_days)
    except ValueError as error:
        raise ConfigError(f"{what} cannot be scored: {one_line(error)}") from error
