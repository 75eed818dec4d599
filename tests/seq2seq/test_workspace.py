"""Where a run keeps what it has not finished, and what another start or another machine goes on from."""

import subprocess
import sys
from pathlib import Path

import pytest

from seq2seq.workspace import Baseline, Workspace, finished_files, state_file, unfinished


def write(*files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(file.name)


def test_it_lies_beside_the_result_and_a_publication_leaves_nothing_of_it_behind(tmp_path: Path) -> None:
    workspace = Workspace.of(tmp_path / "out")
    tile = workspace.tile(3)
    assert workspace.partial == tmp_path / "out.partial"
    inside = (workspace.key, tile.facts, tile.array("pixels"), state_file(tile.fit, "scored"))
    hidden = [file.relative_to(workspace.partial).parts[0] for file in inside]
    assert {name[0] for name in hidden} == {"."}, "`publish` removes names that begin with a dot"


def test_a_folder_is_ones_own_by_its_key_or_before_that_was_written(tmp_path: Path) -> None:
    workspace = Workspace.of(tmp_path / "out")
    assert not workspace.is_foreign()
    workspace.checkpoint.mkdir(parents=True)
    assert not workspace.is_foreign()
    write(workspace.partial / "notes.txt")
    assert workspace.is_foreign()
    write(workspace.key)
    assert not workspace.is_foreign()


def test_arrays_count_with_the_mark_of_their_tile_and_what_is_being_written_never(tmp_path: Path) -> None:
    workspace = Workspace.of(tmp_path / "out")
    done, begun = workspace.tile(0), workspace.tile(1)
    kept = [done.facts, done.array("pixels"), state_file(begun.fit, "scored"), workspace.key]
    write(*kept, begun.array("pixels"), unfinished(state_file(begun.fit, "delivered")))
    assert sorted(finished_files(workspace.partial)) == sorted(kept)


def test_a_state_that_was_written_again_is_no_advance_and_a_later_one_is(tmp_path: Path) -> None:
    workspace = Workspace.of(tmp_path / "out")
    state = state_file(workspace.tile(0).fit, "scored")
    write(state)
    baseline = Baseline(workspace)
    state.unlink()
    write(state)
    assert not baseline.is_surpassed()
    state.write_text("further")
    assert baseline.is_surpassed()


@pytest.mark.parametrize("name", ["numpy", "torch"])
def test_whoever_supervises_a_run_can_ask_without_loading_the_engine(name: str) -> None:
    code = f"import sys, seq2seq.workspace; print({name!r} in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
