"""A small simulated sequence with clouds and radar, a result of it, and its bundle."""

from pathlib import Path

import pytest

from seq2seq.bands import BAND_SETS
from seq2seq.config import ReconstructionConfig
from seq2seq.looking.result import open_result
from seq2seq.simulation.simulate import simulate, write_simulation
from seq2seq.viewing.bundle import write_bundle
from seq2seq.viewing.places import in_folder


@pytest.fixture(scope="session")
def sequence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six dates of 41 x 70 px, all bands of L2A, with S1 and masks. Read only."""
    folder = tmp_path_factory.mktemp("viewed") / "meadows"
    write_simulation(simulate(dates=6, size=(41, 70), bands=BAND_SETS["L2A"], cloud=0.4, seed=3), folder)
    return folder / "input"


@pytest.fixture(scope="session")
def result(sequence: Path) -> Path:
    """The finished folder of a run on it. Read only."""
    from seq2seq.run import pipeline

    out = sequence.parent.parent / "cloud-free"
    return pipeline.run(sequence, out, ReconstructionConfig(method="linear", device="cpu"))


def bundle_into(result: Path, folder: Path, **options) -> Path:
    with open_result(result, source=None, max_memory_gb=1) as scene, in_folder(folder) as put:
        write_bundle(scene, put, **options)
    return folder


@pytest.fixture(scope="session")
def bundle(result: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read only."""
    return bundle_into(result, tmp_path_factory.mktemp("bundle") / "pictures")


@pytest.fixture(scope="session")
def make_bundle():
    return bundle_into
