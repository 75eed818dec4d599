"""The output folder: nothing of the user's is ever removed, and a result is there whole or not at all."""

import os
import shutil
from pathlib import Path

import pytest

from seq2seq.errors import OutputError
from seq2seq.writers import check_output, check_room, output, partial_of, publish, write_file


def result(folder: Path, text: str) -> Path:
    (folder / "declouded").mkdir(parents=True)
    (folder / "declouded" / "2021-01-01.tif").write_text(text)
    (folder / "report.json").write_text("{}")
    return folder


def test_the_partial_folder_is_a_sibling_and_ignores_a_trailing_slash(tmp_path: Path) -> None:
    assert partial_of(tmp_path / "out") == tmp_path / "out.partial"
    assert partial_of(Path(f"{tmp_path}/out/")) == tmp_path / "out.partial"
    assert partial_of(Path("out")) == Path.cwd() / "out.partial"


def test_a_new_folder_an_empty_one_and_missing_parents_are_fine_and_nothing_is_made(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for out in (tmp_path / "empty", tmp_path / "new", tmp_path / "deep" / "er"):
        check_output(out, False)
        check_output(out, True)
    assert [entry.name for entry in tmp_path.iterdir()] == ["empty"]


def test_an_earlier_result_needs_overwrite(tmp_path: Path) -> None:
    out = result(tmp_path / "out", "earlier")
    with pytest.raises(OutputError, match=r"out: is not empty \(declouded, report.json\)"):
        check_output(out, False)
    check_output(out, True)


def test_overwrite_never_takes_a_folder_with_anything_else_in_it(tmp_path: Path) -> None:
    out = result(tmp_path / "out", "earlier")
    (out / "thesis.doc").write_text("ten years")
    with pytest.raises(OutputError, match=r"holds thesis\.doc, which no run has written"):
        check_output(out, True)
    with pytest.raises(OutputError, match=r"thesis\.doc"):
        publish(result(tmp_path / "out.partial", "new"), out, True)
    assert (out / "thesis.doc").read_text() == "ten years"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_or_a_link_in_the_place_of_the_folder_is_refused(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path)
    for name in ("file", "link"):
        with pytest.raises(OutputError, match=f"{name}: is not a folder"):
            check_output(tmp_path / name, overwrite)


def test_a_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file is not a folder, so nothing can lie in it"):
        check_output(tmp_path / "file" / "out", False)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_refused_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(OutputError, match="no permission to write in"):
        check_output(tmp_path / "locked" / "out", False)


@pytest.mark.parametrize("there", ["nothing", "empty", "earlier"])
def test_publishing_moves_everything_in_one_piece(tmp_path: Path, there: str) -> None:
    out, partial = tmp_path / "out", result(tmp_path / "out.partial", "new")
    if there == "empty":
        out.mkdir()
    if there == "earlier":
        result(out, "earlier")
        (out / "preview.png").write_text("earlier")
    publish(partial, out, there == "earlier")
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]
    assert sorted(entry.name for entry in out.iterdir()) == ["declouded", "report.json"]
    assert (out / "declouded" / "2021-01-01.tif").read_text() == "new"


def test_publishing_leaves_no_checkpoints_and_no_remains_of_killed_writers(tmp_path: Path) -> None:
    partial = result(tmp_path / "out.partial", "new")
    (partial / ".checkpoint").mkdir()
    (partial / ".checkpoint" / "weights.pt").write_text("x")
    (partial / "declouded" / ".2021-01-01.tif.x7.tif").write_text("half")
    publish(partial, tmp_path / "out", False)
    assert list((tmp_path / "out").rglob(".*")) == []


def test_publishing_what_is_no_product_is_our_bug(tmp_path: Path) -> None:
    partial = result(tmp_path / "out.partial", "new")
    (partial / "scratch.npy").write_text("")
    with pytest.raises(ValueError, match=r"scratch\.npy, which is no product"):
        publish(partial, tmp_path / "out", False)
    assert not (tmp_path / "out").exists()


def test_a_rename_that_fails_puts_the_earlier_result_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, partial = result(tmp_path / "out", "earlier"), result(tmp_path / "out.partial", "new")
    rename = os.replace

    def failing(source: Path, target: Path) -> None:
        if source == partial:
            raise OSError(28, "No space left on device")
        rename(source, target)

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(OutputError, match="No space left on device"):
        publish(partial, out, True)
    assert (out / "declouded" / "2021-01-01.tif").read_text() == "earlier"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["out", "out.partial"]


def test_a_written_file_is_readable_by_others_as_the_umask_says(tmp_path: Path) -> None:
    earlier = os.umask(0o022)
    try:
        write_file(tmp_path / "a.json", b"{}")
    finally:
        os.umask(earlier)
    assert (tmp_path / "a.json").stat().st_mode & 0o777 == 0o644
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_the_umask_is_never_set_for_other_threads_make_files_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> int:
        raise AssertionError("the umask is set")

    monkeypatch.setattr(os, "umask", refuse)
    write_file(tmp_path / "a.json", b"{}")
    with output.temporary_beside(tmp_path / "b.tif", suffix=".part.tif") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".b.tif.")
        assert temporary.name.endswith(".part.tif")
        assert temporary.read_bytes() == b""


def test_a_file_that_cannot_be_written_gives_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"a\.json: cannot be written .* MiB free"):
        write_file(tmp_path / "file" / "a.json", b"{}")


def test_a_name_that_no_disk_takes_is_refused_in_one_line(tmp_path: Path) -> None:
    for name in ("x" * 300, "x" * 250):  # the second fits, but not with .partial
        with pytest.raises(OutputError, match=r"cannot be written .*File name too long"):
            check_output(tmp_path / name, False)


def test_what_permissions_do_not_tell_a_try_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read-only disk, one without free inodes, a folder of /proc: the first folder that is made says so."""

    def refuse(*_: object, **__: object) -> str:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(output.tempfile, "mkdtemp", refuse)
    with pytest.raises(OutputError, match=r"out: cannot be written \(Read-only file system; .* MiB free\)"):
        check_output(tmp_path / "out", False)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="there is no /proc here")
def test_a_place_where_even_root_makes_no_folder_is_found_before_anything_runs() -> None:
    with pytest.raises(OutputError, match="/proc/out: "):
        check_output(Path("/proc/out"), False)


def test_a_folder_that_is_a_disk_of_its_own_cannot_be_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `docker run -v HERE:/out` makes it: nothing can be moved over it, which must not be found at the end."""
    (tmp_path / "out").mkdir()
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path) == tmp_path / "out")
    with pytest.raises(OutputError, match=r"out: is where a disk is mounted.*give a folder inside it"):
        check_output(tmp_path / "out", True)
    check_output(tmp_path / "out" / "fields", False)


def test_what_is_in_the_way_of_the_growing_result_is_found_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "out.partial").write_text("mine")
    with pytest.raises(OutputError, match=r"out\.partial: is in the way and no run of decloud has made it"):
        check_output(tmp_path / "out", False)
    assert (tmp_path / "out.partial").read_text() == "mine"


def test_a_disk_that_is_too_small_is_said_with_both_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100 * 2**20))
    check_room(tmp_path / "deep" / "out", 100 * 2**20)
    with pytest.raises(OutputError, match=r"out: takes at least 101 MiB while it is made, and .* has 100 MiB free"):
        check_room(tmp_path / "deep" / "out", 101 * 2**20)


def test_what_an_earlier_run_left_is_room_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    (tmp_path / "out.partial").mkdir()
    (tmp_path / "out.partial" / "pixels.npy").write_bytes(bytes(2**20))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=0))
    check_room(tmp_path / "out", 2**20)
    with pytest.raises(OutputError, match="takes at least 2 MiB"):
        check_room(tmp_path / "out", 2**21)
