"""A schedule of seconds and sequences of a few pixels. Run as a program it is the command line with that schedule."""

import importlib
from dataclasses import field, fields, make_dataclass, replace
from typing import Any

import numpy as np
import pytest

from seq2seq.bands import BAND_SETS
from seq2seq.methods import METHODS as TABLE
from seq2seq.methods.guided import INFO as GUIDED
from seq2seq.sequence import ImageSequence, Observations
from seq2seq.simulation.simulate import simulate
from seq2seq.validation.settings import ValidationSettings

# The method `guided` with less of everything.
QUICK = {
    "guide_radius_px": 3,
    "mlp_steps": 20,
    "mlp_batch": 256,
    "mlps": 1,
    "tree_rounds": 6,
    "max_samples": 3000,
    "mask_samples": 3,
    "fewest_mask_samples": 2,
    "steps": 4,
    "refit_steps": 2,
}
# module, constant, value: each is read when it is used, so that replacing it is enough
SCHEDULE = (
    # threads that wait for each other cost more than they do here
    ("nn.devices", "available_cores", lambda: 1),
    ("run.reconstruction", "available_cores", lambda: 1),
)


def with_defaults(kind: type, **defaults: Any) -> type:
    """The same settings with other defaults."""
    declared = {each.name: each for each in fields(kind)}
    changed = [
        (name, declared[name].type, field(default=value, metadata=declared[name].metadata))
        for name, value in defaults.items()
    ]
    return make_dataclass("Quick", changed, bases=(kind,), frozen=True)


def use_schedule(patch: pytest.MonkeyPatch, **defaults: Any) -> None:
    """The same program, less of it, until `patch` is undone; defaults: of `guided`, beside or instead of `QUICK`."""
    for module, name, value in SCHEDULE:
        patch.setattr(importlib.import_module(f"seq2seq.{module}"), name, value)
    quick = replace(GUIDED, settings=with_defaults(GUIDED.settings, **{**QUICK, **defaults}))
    patch.setattr("seq2seq.methods.METHODS", tuple(quick if info is GUIDED else info for info in TABLE))
    patch.setattr("seq2seq.config.ValidationSettings", with_defaults(ValidationSettings, min_class_pixels=40))


def observations(
    dates: int = 6, size: int | tuple[int, int] = 32, *, bands: str = "10m", cloud: float = 0.4, seed: int = 0
) -> Observations:
    """A simulated sequence without its way through files; S1 is on the dates of S2."""
    simulation = simulate(dates=dates, size=size, bands=BAND_SETS[bands], cloud=cloud, seed=seed)
    s2, s1 = simulation.s2, simulation.s1
    assert s1 is not None
    nearest = [int(np.abs(s1.dates - date).argmin()) for date in s2.dates]
    paired = ImageSequence(s1.pixels[nearest], s2.dates, s1.bands, s2.geobox, np.ones_like(s2.observed))
    return Observations(s2=s2, s1=paired, cloud_mask=~s2.observed, s1_dates=s1.dates[nearest])


def with_hidden_values(given: Observations, value: float) -> Observations:
    """The same with another value in every pixel that is not observed."""
    return replace(given, s2=with_values(given.s2, ~given.s2.observed, value))


def with_values(s2: ImageSequence, where: np.ndarray, value: float) -> ImageSequence:
    """A copy with `value` in the pixels of (T, H, W) `where`."""
    return replace(s2, pixels=np.where(where[:, None], np.float32(value), s2.pixels))


def main() -> None:
    use_schedule(pytest.MonkeyPatch())
    from seq2seq.commands.main import main as command_line

    command_line()


if __name__ == "__main__":
    main()
