"""The interface of a method of reconstruction, and the context that the engine lends it. Loads neither torch nor numpy.

A method is one file or folder with a `MethodInfo` in the tuple `seq2seq.methods.METHODS`. The engine asks for nothing
else: it hides what is to prove the fit, fits, blends, calibrates, scores, keeps checkpoints and time.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import torch
    from numpy.random import Generator
    from numpy.typing import NDArray

    from seq2seq.datasets.base import Sample
    from seq2seq.nn.vgg import Perceptual
    from seq2seq.sequence import Float32, Observations

Arrays = Mapping[str, "NDArray[Any]"]
# The arrays of a stage of the work: those kept by an earlier attempt, else made now and kept.
Cached = Callable[[str, Callable[[], Arrays]], Arrays]
# (T, C, H, W): dates, bands, rows, columns. Sides of a mean tile need not be whole.
Shape = tuple[int, int, float, float]


def uncached(name: str, make: Callable[[], Arrays]) -> Arrays:
    """Makes the stage and keeps nothing: a `Cached`."""
    return make()


def nothing_expected(shares: Mapping[str, float]) -> None:
    """Ignores the stages: an `expect` that nobody listens to."""


@dataclass(frozen=True)
class CandidateInfo:
    """One reconstruction that a fit predicts.

    title: a word for heads of tables. share: of the blend without held-out pixels; shares of a method add
    up to 1, and 0 means: shown beside the result in the report, never blended. followed: its score is shown while the
    fit goes on. on_trial: blended only where the held-out dates, each predicted by weights that the others chose, err
    less with it.
    """

    title: str
    share: float = 0.0
    followed: bool = False
    on_trial: bool = False


@dataclass(frozen=True)
class Cost:
    """The cost of one tile on two CPU cores: seconds of the whole run, and the peak of memory, program included."""

    seconds: float
    memory_gb: float


@dataclass(frozen=True)
class RunContext:
    """The context that the engine lends a fit.

    threads: cores that this process may use. seconds: what `start` may take, None without a limit. check_stop: to be
    called between two stages or steps; raises `Stopped`. cached: keeps named stages of `start`, so that a run that was
    killed repeats one of them at most. expect: takes the names of the stages that `start` will ask `cached` for, in
    order, each with its share of the time of `start`. perceptual: the perceptual loss, with its weight.
    """

    seed: int
    device: "torch.device"
    threads: int
    perceptual: "Perceptual"
    perceptual_weight: float
    check_stop: Callable[[], None]
    seconds: float | None = None
    cached: Cached = uncached
    expect: Callable[[Mapping[str, float]], None] = nothing_expected


class Fit(Protocol):
    """A method fitted to what is visible, step by step; closed forms have no steps.

    Same observations, settings, seed and device: the same steps, also across `state_dict` and `load_state_dict`. It may
    have `notes`, sentences for the report on what it did.
    """

    @property
    def steps_total(self) -> int:
        """Steps of the whole schedule; 0: a closed form, or weights of others."""

    @property
    def steps_done(self) -> int:
        """Steps made so far, those before `load_state_dict` among them."""

    def step(self, elapsed_share: float | None = None) -> float:
        """Makes one update and returns its loss. elapsed_share: of the time for steps, None where there is no limit."""

    def predict(self, visible: "Observations") -> "dict[str, Float32]":
        """Predicts candidates by name, each (T, C, H, W) reflectance, for every date and pixel.

        One on trial that there was no time for is not a number; so it is not blended.
        visible: what may be looked at, blanked elsewhere; it may hold more pixels than the fit was made from.
        """

    def state_dict(self) -> dict[str, Any]:
        """Returns all that the next steps depend on: plain values and tensors."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from what `state_dict` has returned."""


class Method(Protocol):
    """A method with its settings, ready to be fitted to any number of tiles."""

    def __init__(self, settings: Any) -> None: ...

    def start(self, visible: "Observations", context: RunContext, warm: "Fit | None") -> Fit:
        """Does all that comes before the first step.

        visible: the engine has blanked every pixel that is cloudy or hidden: 0 in `s2.pixels`, False in `s2.observed`.
        warm: an earlier fit of the same method to fewer pixels of the same tile, to start from.
        """


@dataclass(frozen=True)
class Learner:
    """A network that learns, and what updates it. name: in a checkpoint; "" where a run reads its weights."""

    network: "torch.nn.Module"
    optimizer: "torch.optim.Optimizer"
    name: str = ""


# long: what the loop asks of a training, most of it one value
class Trainable(Protocol):
    """What learns from the samples of a data set. The loop draws, counts, adds up over processes and keeps the state.

    The same settings, bands, radar channels and seed: the same networks to begin with. Whatever a loss draws comes from
    torch's own generator, which the loop seeds.
    """

    def __init__(self, settings: Any, bands: tuple[str, ...], sar_channels: int, seed: int) -> None:
        """Raises `ConfigError` and `WeightsUnavailableError`, before any step."""

    @property
    def network(self) -> "torch.nn.Module":
        """Returns the network that a run uses; its arrays by name are the weights that it reads."""

    @property
    def sar_channels(self) -> int:
        """Channels of radar that the network sees."""

    @property
    def batch(self) -> int:
        """Examples of a step, by its settings."""

    @property
    def steps(self) -> int | None:
        """Steps, where its settings name them."""

    def learners(self, device: "torch.device") -> Sequence[Learner]:
        """Moves to the device all that learns, each network with its optimiser, in the order of a step's updates."""

    def prepare(self, learners: Sequence[Learner], step: int, of: int) -> None:
        """Sets what depends on the steps made so far, of how many: rates, and what is not to learn yet."""

    def case_of(self, sample: "Sample", rng: "Generator | None" = None) -> "Sample":
        """Returns the sample as it is learnt from and scored; of a whole series, one that asks for a date of it.

        rng: draws the date; None: always the same. Raises `MissingDataError` where it shows nothing to learn from.
        Called by several threads at once, as `example` is.
        """

    def example(self, sample: "Sample", rng: "Generator") -> Any:
        """Draws what a case adds to a batch, such as a crop."""

    def batch_of(self, examples: Sequence[Any]) -> Any:
        """Puts examples together."""

    def parts(self, batch: Any, device: "torch.device") -> Iterator[Any]:
        """Splits a batch into parts that fit into the memory of the device; their gradients are added up."""

    def known(self, batch: Any) -> int:
        """Counts what a loss is the mean of."""

    def losses(self, batch: Any, device: "torch.device") -> "Iterator[torch.Tensor]":
        """Yields the mean loss of each learner in turn. The next one is asked for when the one before is updated."""

    def predict(self, sample: "Sample", device: "torch.device") -> "Float32":
        """Predicts (N, C, H, W) reflectance of the dates that a case asks for."""


@dataclass(frozen=True)
class Training:
    """How a method learns from a data set.

    load: imports what it needs, torch included, and returns its class. passes: over all samples, as published.
    settings: what differs from the defaults of a fit.
    """

    load: Callable[[], type[Trainable]]
    passes: float
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class MethodInfo:
    """A method as everybody but the engine sees it.

    settings: a frozen dataclass of `setting(...)` fields. cost: of a tile of the given shape. load: imports what the
    method needs, torch included, and returns its class. candidates: what `Fit.predict` returns. preparing_share: of the
    time of a run, what one `start` takes. refits: whether a second fit is worth its time, which learns from the
    held-out pixels too and starts from the first; refit_share: its steps as a share of those of the first.
    error_scales: squared error of the result per variance of the candidates, on partly and on fully clouded dates of
    sequences whose truth is known (benchmarks/claims.py); None: not known. interval_factors: the factor from the raw
    std to one sigma there, see `calibrate`. training: how it learns from a data set, where it can.
    """

    name: str
    title: str
    about: str
    settings: type
    cost: Callable[[Shape, Any], Cost]
    load: Callable[[], type[Method]]
    candidates: Mapping[str, CandidateInfo]
    source: str = ""
    preparing_share: float = 0.0
    refits: bool = False
    refit_share: float = 1.0
    error_scales: tuple[float, float] | None = None
    interval_factors: tuple[float, float] | None = None
    needs_s1: bool = False
    training: Training | None = None

    @property
    def blended(self) -> dict[str, float]:
        """Shares of the candidates that the engine blends, by name."""
        return {name: candidate.share for name, candidate in self.candidates.items() if candidate.share}

    @property
    def on_trial(self) -> tuple[str, ...]:
        """Candidates that held-out dates have to ask for."""
        return tuple(name for name, candidate in self.candidates.items() if candidate.on_trial)

    @property
    def shown(self) -> tuple[str, ...]:
        """Candidates whose own scores the report shows: those followed, and those that are never blended."""
        return tuple(name for name, candidate in self.candidates.items() if candidate.followed or not candidate.share)

    @property
    def followed(self) -> str | None:
        """The candidate whose score is shown while the fit goes on."""
        return next((name for name, candidate in self.candidates.items() if candidate.followed), None)


@dataclass(frozen=True)
class NoSettings:
    """The settings of a method that has none."""
