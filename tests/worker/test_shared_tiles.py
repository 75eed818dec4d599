"""Tiles on their way to another worker and back, with the engine: the very arrays of a run that nobody helps."""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seq2seq.bands import BAND_SETS
from seq2seq.config import ReconstructionConfig
from seq2seq.errors import ConfigError, Stopped
from seq2seq.nn.devices import choose_device
from seq2seq.nn.vgg import resolve_perceptual
from seq2seq.progress import Progress
from seq2seq.readers import open_sequence
from seq2seq.run.tile_arrays import ARRAYS
from seq2seq.run.tile_turns import Alone, TileRun
from seq2seq.run.tile_work import TileWork
from seq2seq.run.tiles import TileStore
from seq2seq.simulation.simulate import simulate, write_simulation
from seq2seq.workspace import Workspace
from worker.child import run_job, run_tile
from worker.child.run_tile import do_tile
from worker.child.shared_tiles import SharedTurns
from worker.running.job_folder import OUT, SHARED_TILES, Request, workspace_of
from worker.running.tile_folders import get_folder, put_folder
from worker.storage import Storage

CONFIG = ReconstructionConfig(method="median", perceptual="off", device="cpu", tile_px=32, overlap_px=8)


@pytest.fixture(scope="module")
def sequence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of four tiles."""
    folder = tmp_path_factory.mktemp("sequence")
    write_simulation(simulate(dates=4, size=48, bands=BAND_SETS["10m"], cloud=0.4), folder)
    return folder / "input"


@contextmanager
def opened(sequence: Path, folder: Path, said: list[Progress] | None = None, **changes: Any) -> Iterator[TileRun]:
    with open_sequence(sequence, CONFIG) as source:
        store = TileStore(source.info, CONFIG, workspace_of(folder))
        perceptual = resolve_perceptual(CONFIG, source.info.bands, choose_device("cpu"))
        values: dict[str, Any] = {
            "on_progress": (said if said is not None else []).append,
            "should_stop": lambda: False,
            **changes,
        }
        yield TileRun(source, store, TileWork(store, CONFIG), "key", perceptual, **values)


def arrays(workspace: Workspace, tile: int) -> dict[str, np.ndarray[Any, Any]]:
    return {name: np.load(workspace.tile(tile).array(name)) for name in ARRAYS}


class Supervisor:
    """Answers the child as the real one does: the last tiles are laid, and done elsewhere by `help_with`."""

    def __init__(self, folder: Path, help_with: Any) -> None:
        self.folder, self.help_with = folder, help_with
        self.open: list[int] = []
        self.helped: list[int] = []
        self.wishes: list[dict[str, Any]] = []
        self.laid = threading.Event()

    def report(self, kind: str, **values: Any) -> None:
        if kind == "tiles":
            self.open = list(values["to_do"])
            (self.folder / SHARED_TILES / f"lay-{self.open.pop()}").touch()
        elif kind == "laid":
            self.help_with(self.folder / SHARED_TILES / f"laid-{values['tile']}", values["tile"])
            self.helped.append(values["tile"])
            self.laid.set()
        elif kind == "turn":
            self.wishes.append(values)
            if not self.open:
                assert self.laid.wait(60)
            answer = self.folder / SHARED_TILES / f"turn-{values['number']}"
            new = answer.with_name(".new")
            new.write_text(str(self.open.pop(0)) if self.open else "")
            new.replace(answer)


def test_a_tile_done_elsewhere_is_the_one_done_here(
    sequence: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, storage: Storage
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    with opened(sequence, tmp_path / "alone") as alone:
        Alone().do(alone)
    here.mkdir()
    there.mkdir()
    monkeypatch.chdir(here)

    def help_with(laid: Path, tile: int) -> None:
        put_folder(storage, f"tiles/{tile}/in", laid)
        get_folder(storage, f"tiles/{tile}/in", there / SHARED_TILES)
        task = json.loads((there / SHARED_TILES / "task.json").read_text())
        monkeypatch.setattr(run_tile, "SHARED_TILES", str(there / SHARED_TILES))
        monkeypatch.setattr(run_tile, "workspace_of", lambda _: workspace_of(there))
        do_tile(task, lambda *_, **__: None, lambda: False)
        put_folder(storage, f"tiles/{tile}/1", workspace_of(there).tile(tile).path)
        get_folder(storage, f"tiles/{tile}/1", workspace_of(here).tile(tile).path)

    supervisor, said = Supervisor(here, help_with), list[Progress]()
    with opened(sequence, here, said) as shared:
        SharedTurns(supervisor.report, 4).do(shared)
        assert shared.to_do() == []
        facts = [shared.store.facts(tile) for tile in shared.store.tiles]
    assert supervisor.helped == [3]
    assert [wish["done"] for wish in supervisor.wishes] == [None, 0, 1, 2]
    for tile in range(4):
        expected = arrays(workspace_of(tmp_path / "alone"), tile)
        for name, array in arrays(workspace_of(here), tile).items():
            assert np.array_equal(array, expected[name]), (tile, name)
    assert [fact.assessment for fact in facts] == [alone.store.facts(tile).assessment for tile in alone.store.tiles]
    assert (said[-1].step, said[-1].of) == (4, 4)
    assert "All 4 tiles are done" in str(said[-1].message)


def test_of_few_tiles_nobody_is_asked(sequence: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said: list[str] = []
    with opened(sequence, tmp_path) as run:
        SharedTurns(lambda kind, **_: said.append(kind), 5).do(run)
        assert run.to_do() == []
    assert said == []
    request = Request("job", 1, None, {}, {}, {})
    assert run_job._turns(request, lambda *_, **__: None) is None, "0 is never"


def test_who_waits_for_a_tile_can_be_stopped_and_hears_what_goes_wrong_beside(
    sequence: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with opened(sequence, tmp_path, should_stop=lambda: True) as run, pytest.raises(Stopped):
        SharedTurns(lambda *_, **__: None, 2).do(run)

    def report(kind: str, **values: Any) -> None:
        if kind == "tiles":
            (Path(SHARED_TILES) / "lay-0").touch()

    monkeypatch.setattr(TileRun, "read", lambda *_: 1 / 0)
    with opened(sequence, tmp_path) as run, pytest.raises(ZeroDivisionError):
        SharedTurns(report, 2).do(run)


def test_a_tile_of_another_release_is_not_begun(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the tile is of decloud 0\.0\.0"):
        do_tile({"version": "0.0.0"}, lambda *_, **__: None, lambda: False)
    assert not (tmp_path / OUT).exists()
    assert os.listdir(tmp_path) == []
