"""What counts as work that an attempt has added to what it began with."""

from pathlib import Path

import pytest

from worker.running.advance import Advance

TILE = "out.partial/.checkpoint/tile-0"


def write(folder: Path, name: str, content: str) -> None:
    """As the engine does: beside, then renamed."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    beside = (folder / name).with_name(".new")
    beside.write_text(content)
    beside.replace(folder / name)


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """The folder of an attempt that went on from another."""
    write(tmp_path, f"{TILE}/fit/scored-trees.npz", "trees")
    write(tmp_path, f"{TILE}/fit/scored.pt", "step 30")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (f"{TILE}/fit/scored-date.npz", "another piece of the prior"),
        (f"{TILE}/fit/scored.pt", "step 31"),
        (f"{TILE}/fit/delivered.pt", "step 1"),
        (f"{TILE}/facts.json", "a tile is done"),
        ("input/S2/2021-05-01.tif", "imported"),
        ("out/report.json", "finished"),
    ],
)
def test_a_new_piece_or_a_later_state_is_an_advance(begun: Path, name: str, content: str) -> None:
    advance = Advance(begun, whole=True)
    assert not advance.look()
    write(begun, name, content)
    assert advance.look()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (f"{TILE}/fit/scored.pt", "step 30"),  # written again on a stop before the first step
        (f"{TILE}/fit/scored-trees.npz", "trees"),
        (f"{TILE}/fit/.new-scored.pt", "half a state"),
        (f"{TILE}/pixels.npy", "of a tile that is not finished"),
        ("out.partial/.checkpoint/key", "of every run"),
        ("out.partial/declouded/2021-05-01.tif", "images are written again"),
        ("child.log", "words"),
        ("error.json", "words"),
    ],
)
def test_what_is_written_without_getting_further_is_none(begun: Path, name: str, content: str) -> None:
    advance = Advance(begun, whole=True)
    write(begun, name, content)
    assert not advance.look()


def test_what_reaches_no_other_machine_does_not_count_where_another_may_go_on(begun: Path) -> None:
    advance = Advance(begun, whole=False)
    write(begun, "input/S2/2021-05-01.tif", "imported")
    write(begun, "out/report.json", "finished")
    assert not advance.look()


def test_a_tile_that_is_finished_and_tidied_up_is_an_advance(begun: Path) -> None:
    advance = Advance(begun, whole=True)
    write(begun, f"{TILE}/facts.json", "done")
    for file in (begun / TILE / "fit").iterdir():
        file.unlink()
    assert advance.look()
