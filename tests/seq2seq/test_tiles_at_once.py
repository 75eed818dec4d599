"""Tiles done by several processes at once: the result of one process, whatever becomes of any of them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest
import unruly_tiles
from hypothesis import given, settings
from hypothesis import strategies as st
from quick_engine import observations

from seq2seq.bands import BAND_SETS
from seq2seq.commands import main as cli
from seq2seq.config import ReconstructionConfig
from seq2seq.errors import ConfigError, MissingDataError, OutputError, Stopped
from seq2seq.estimate import estimate, tile_size
from seq2seq.progress import Progress
from seq2seq.run import pipeline, tiles_at_once
from seq2seq.run.pipeline import run
from seq2seq.run.tile_child import TileDone, TileFailed, TileRunner
from seq2seq.run.tiles_at_once import TileProcessError, TilesAtOnce, choose_processes
from seq2seq.simulation.simulate import simulate, write_simulation
from seq2seq.subprocesses import NoProcessError
from seq2seq.tiling import plan_tiles
from seq2seq.workspace import Workspace
from seq2seq.writers import partial_of

CONFIG = ReconstructionConfig(method="linear", perceptual="off", device="cpu", tile_px=32, overlap_px=8)
# Of a process on a busy machine, to start or to end.
PATIENCE_S = 120


@pytest.fixture(scope="module")
def sequence(tmp_path_factory) -> Path:
    """Of four tiles."""
    folder = tmp_path_factory.mktemp("sequence")
    write_simulation(simulate(dates=4, size=48, bands=BAND_SETS["10m"], cloud=0.4), folder)
    return folder / "input"


@pytest.fixture
def notes(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    monkeypatch.setenv(unruly_tiles.BEGUN, str(folder))
    return folder


def files_of(out: Path) -> dict[str, bytes]:
    """Images, and the report without what differs from run to run."""
    report = json.loads((out / "report.json").read_text())
    kept = {name: value for name, value in report.items() if name not in ("created", "resources")}
    images = {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*.tif")}
    return {**images, "report": json.dumps(kept).encode()}


def test_two_processes_one_of_them_killed_make_the_result_of_one(sequence, tmp_path, notes, monkeypatch):
    alone = files_of(run(sequence, tmp_path / "alone", CONFIG))
    monkeypatch.setattr(pipeline, "TilesAtOnce", lambda count: TilesAtOnce(count, unruly_tiles.KilledOnce))
    said: list[Progress] = []
    out = run(sequence, tmp_path / "out", CONFIG, processes=2, on_progress=said.append)
    assert files_of(out) == alone
    begun = unruly_tiles.begun(notes)
    assert [tile for tile, _ in begun] == [0, 1, 1, 2, 3], "each once, and the one of the killed process again"
    (lost,) = [each.message for each in said if each.message and "signal 9" in each.message]
    assert lost.startswith("tile 2 of 4: its process was ended by signal 9 (killed)")
    assert lost.endswith("; another one goes on")
    steps = [(each.step, each.of) for each in said if each.phase == "tiles"]
    assert [step for step, _ in steps] == sorted(step for step, _ in steps)
    assert steps[-1] == (4, 4)
    assert all(each.eta_s is not None for each in said if each.phase == "tiles" and each.step > 0)
    helped = json.loads((out / "report.json").read_text())["resources"]["peak_memory_gb"]
    assert helped > json.loads((tmp_path / "alone" / "report.json").read_text())["resources"]["peak_memory_gb"]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, -15), (signal.SIGINT, None), (signal.SIGKILL, -9)])
def test_however_the_program_ends_its_processes_end_and_the_next_one_goes_on(sequence, tmp_path, notes, number, code):
    out = tmp_path / "out"
    options = ["--method", "linear", "--tile-px", "32", "--overlap-px", "8", "--device", "cpu", "--processes", "2"]
    command = [sys.executable, unruly_tiles.__file__, "run", str(sequence), str(out), "--perceptual", "off", *options]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    first = Workspace.of(out).tile(0).facts
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, process_group=0) as process:
        try:
            until(lambda: first.exists() and len(unruly_tiles.begun(notes)) >= 3, "it never began")
            os.killpg(process.pid, number)  # as a terminal does
            if number != signal.SIGKILL:
                time.sleep(1)
                os.killpg(process.pid, number)  # they do not listen: once more, to end at once
            process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
    assert process.returncode == code or code is None
    for _, pid in unruly_tiles.begun(notes):
        until(lambda pid=pid: is_gone(pid), "it outlives the program")
    done = first.stat().st_mtime_ns
    assert run(sequence, out, CONFIG, should_stop=lambda: first.exists() and first.stat().st_mtime_ns != done)
    assert not partial_of(out).exists()


def until(condition, what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"


class PretendedRun:
    """A run of `count` tiles without pixels; those in `empty` are filled when they are read."""

    def __init__(self, folder, count, *, empty=(), stop_after=None):
        tiles = plan_tiles(10, 10 * count, tile_px=10, overlap_px=0)
        self.store = SimpleNamespace(tiles=tiles, folder=folder)
        self.config, self.work, self.empty, self.stop_after = CONFIG, None, empty, stop_after
        self.said, self.done, self.read_tiles = [], [], []

    def to_do(self):
        return list(self.store.tiles)

    def read(self, tile):
        self.read_tiles.append(tile.index)
        return None if tile.index in self.empty else observations(dates=2, size=8)

    def budget_s(self, waiting, at_once=1):
        return waiting / at_once

    def name_of(self, tile):
        return f"tile {tile.index + 1} of {len(self.store.tiles)}"

    def on_progress(self, progress):
        self.said.append(progress)

    def should_stop(self):
        return self.stop_after is not None and len(self.done) >= self.stop_after


class Pretended:
    """A process that is none. ends: what its tiles come to, in their order; an int is the exit code of its end."""

    alive = 0

    def __init__(self, run, device, ends):
        self.run, self.device, self.ends = run, device, ends
        self.task, self.is_ready, self.connection = None, True, None
        self.eta_s, self.began, self.peak_gb, self.stopped, self.code = 1.0, 0.0, 0.0, False, 0

    def begin(self, task):
        assert task.shared.read().s2.pixels.shape[-1] == 8, "its observations are there"
        self.task, self.looks = task, 0

    def send(self, message):
        self.stopped = True

    def received(self):
        if self.task is None:
            return
        self.looks += 1
        if self.stopped:
            yield TileFailed(Stopped("between two steps"), "")
        elif self.looks > 1:
            end = self.ends.pop(0) if self.ends else None
            if isinstance(end, int):
                self.code = end
                raise EOFError
            if end is None:
                self.run.done.append(self.task.tile.index)
            yield end or TileDone(0.5)

    def end(self, *, within_s=0.0):
        return self.code


def watched(run, processes=2, ends=()):
    remaining = list(ends)

    def start(runner, run, device, threads):
        return Pretended(run, device, remaining)

    with (
        mock.patch.object(tiles_at_once, "_TileProcess", start),
        mock.patch.object(tiles_at_once, "wait"),
    ):
        return TilesAtOnce(processes).do(run)


@settings(deadline=None, max_examples=30)  # a busy machine may take its time
@given(
    count=st.integers(1, 7),
    processes=st.integers(1, 4),
    empty=st.sets(st.integers(0, 6)),
    ends=st.lists(st.sampled_from([None, -9]), max_size=3),
)
def test_each_tile_is_done_once_whoever_is_killed(count, processes, empty, ends, tmp_path_factory):
    empty = empty & set(range(count))
    run = PretendedRun(tmp_path_factory.mktemp("run"), count, empty=empty)
    try:
        watched(run, processes, ends)
    except TileProcessError:
        assert ends.count(-9) > 1, "the same tile twice"
        return
    assert sorted(run.done) == sorted(set(range(count)) - empty)
    assert sorted(run.read_tiles) == list(range(count)), "read once, also where it was begun twice"
    assert not any(run.store.folder.iterdir()), "what they shared is gone"
    steps = [progress.step for progress in run.said]
    assert steps == sorted(steps)
    assert steps[-1] == count


def test_a_tile_that_ends_two_processes_ends_the_run_and_says_which(tmp_path):
    with pytest.raises(TileProcessError, match=r"^tile 1 of 3: its process was ended by signal 9 .killed., most"):
        watched(PretendedRun(tmp_path, 3), 1, [-9, -9])
    assert not any(tmp_path.iterdir())


def test_a_stop_waits_for_the_checkpoints_of_all(tmp_path):
    run = PretendedRun(tmp_path, 5, stop_after=1)
    with pytest.raises(Stopped, match="of 5 tiles are done"):
        watched(run)
    assert sorted(run.done) in ([0], [0, 1]), "both were at work"


def test_an_error_of_a_tile_is_that_of_the_run(tmp_path):
    missing = MissingDataError("S2: no pixel", file="S2/a.tif")
    with pytest.raises(MissingDataError, match="no pixel") as caught:
        watched(PretendedRun(tmp_path, 3), ends=[TileFailed(missing, "")])
    assert caught.value.file == "S2/a.tif"
    with pytest.raises(ZeroDivisionError) as bug:
        watched(PretendedRun(tmp_path, 3), ends=[TileFailed(ZeroDivisionError("x"), "Traceback of it")])
    assert "tile 1 of 3, in its process:\nTraceback of it" in bug.value.__notes__


def test_what_goes_wrong_in_a_process_is_told_and_errors_of_libraries_can_be_sent():
    class OddError(RuntimeError):
        def __init__(self, one, two):
            super().__init__(one, two)

    def failing(error):
        runner = TileRunner.__new__(TileRunner)
        runner._work, runner._perceptual = mock.Mock(), None
        runner._work.do.side_effect = error
        return runner.run(mock.Mock(), mock.Mock(), mock.Mock())

    assert failing(OutputError("full")).trace == ""
    failed = failing(OddError("a", "b"))
    assert type(failed.error) is RuntimeError
    assert "OddError" in str(failed.error)
    assert "Traceback" in failed.trace
    assert type(failing(MemoryError("much")).error) is MemoryError


def test_where_no_process_starts_the_run_says_what_needs_none(tmp_path):
    with (
        mock.patch("subprocess.Popen", side_effect=OSError(12, "Cannot allocate memory")),
        pytest.raises(NoProcessError, match="no process for tiles has started: Cannot allocate memory; processes 1"),
    ):
        TilesAtOnce(2).do(PretendedRun(tmp_path, 2))


def test_processes_share_the_memory_and_the_estimate_counts_them():
    shape = (30, 13, 4000, 4000)
    config = ReconstructionConfig(max_memory_gb=2.0)
    assert tile_size(shape, config, 4) < tile_size(shape, config)
    whole = config.replace(tile_px=64, max_memory_gb=4096.0)
    assert estimate(shape, whole, 3).memory_gb == pytest.approx(3 * estimate(shape, whole).memory_gb)
    assert estimate((4, 4, 64, 64), whole, 3).memory_gb == estimate((4, 4, 64, 64), whole).memory_gb, "one tile"
    assert estimate(shape, config, 9).memory_gb <= 2.0
    assert estimate(shape, whole, 3).seconds == estimate(shape, whole).seconds, "the cores are the same"


def test_by_itself_memory_bounds_the_processes_before_it_shrinks_tiles(monkeypatch):
    monkeypatch.setattr(tiles_at_once, "available_cores", lambda: 16)
    shape = (30, 13, 4000, 4000)
    config = ReconstructionConfig(device="cpu", tile_px=256, max_memory_gb=4096.0)
    assert choose_processes(None, shape, config) == 8
    each = estimate(shape, config).memory_gb
    assert choose_processes(None, shape, config.replace(max_memory_gb=3.5 * each)) == 3
    assert choose_processes(None, shape, config.replace(max_memory_gb=each)) == 1
    assert choose_processes(5, shape, config) == 5


def test_the_inspection_knows_the_processes_of_a_run(sequence, capsys):
    memory = []
    for processes in ("1", "3"):
        options = ["--json", "--config", str(sequence.parent / "settings.json"), "--processes", processes]
        (sequence.parent / "settings.json").write_text(json.dumps({"tile_px": 32, "overlap_px": 8}))
        with pytest.raises(SystemExit):
            cli.main(["inspect", str(sequence), *options])
        memory.append(json.loads(capsys.readouterr().out)["estimate"]["memory_gb"])
    assert memory[1] == pytest.approx(3 * memory[0])


@pytest.mark.parametrize("text", ["0", "two", "257"])
def test_processes_that_are_no_number_are_one_line(text, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", str(tmp_path), str(tmp_path / "out"), f"--processes={text}"])
    assert ended.value.code == 2
    said = capsys.readouterr().err.strip()
    assert said == f"decloud: error: processes is '{text}', must be auto or a whole number from 1 to 256"


def test_other_tiles_are_another_run(sequence, tmp_path, monkeypatch):
    """Where memory decides their size, the number of processes does: tiles of two plans are never blended."""
    small, out = CONFIG.replace(tile_px=None, max_memory_gb=0.5), tmp_path / "out"
    monkeypatch.setattr("seq2seq.run.tiles.tile_size", lambda shape, config, processes: 48 // processes)
    with pytest.raises(Stopped):
        run(sequence, out, small, should_stop=lambda: Workspace.of(out).tile(0).facts.exists())
    key = Workspace.of(out).key.read_text()
    monkeypatch.setattr(TilesAtOnce, "do", mock.Mock(side_effect=ConfigError("here")))
    with pytest.raises(ConfigError, match="here"):
        run(sequence, out, small, processes=2)
    assert Workspace.of(out).key.read_text() != key
    assert not Workspace.of(out).tile(0).facts.exists()
