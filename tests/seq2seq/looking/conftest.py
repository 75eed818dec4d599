"""A small simulated sequence with clouds and radar, and a result of it."""

from pathlib import Path

import pytest

from seq2seq.bands import BAND_SETS
from seq2seq.config import ReconstructionConfig
from seq2seq.simulation.simulate import simulate, write_simulation


@pytest.fixture(scope="session")
def sequence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six dates of 32 x 40 px, four bands, with S1 and masks. Read only."""
    folder = tmp_path_factory.mktemp("looked-at") / "meadows"
    write_simulation(simulate(dates=6, size=(32, 40), bands=BAND_SETS["10m"], cloud=0.4, seed=3), folder)
    return folder / "input"


@pytest.fixture(scope="session")
def result(sequence: Path) -> Path:
    """The finished folder of a run on it. Read only."""
    from seq2seq.run import pipeline

    out = sequence.parent.parent / "cloud-free"
    return pipeline.run(sequence, out, ReconstructionConfig(method="linear", device="cpu"))
