"""A result never lies in its input, nor the input in what a result replaces."""

import os
from pathlib import Path

import pytest

from api.commands import main as cli
from seq2seq.apart import check_apart
from seq2seq.errors import OutputError


@pytest.fixture
def fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An input, and the folder it lies in is the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fields" / "S2").mkdir(parents=True)
    return tmp_path / "fields"


@pytest.mark.parametrize(
    ("source", "out", "why"),
    [
        ("fields", "fields", "is the input"),
        ("fields", "fields/.", "is the input"),
        ("fields/S2/..", "fields", "is the input"),
        ("fields", "fields/out", "lies inside the input fields"),
        ("fields", "fields/S2/deep/out", "lies inside the input fields"),
        ("fields", "link/out", "lies inside the input fields"),
        ("link", "fields/out", "lies inside the input link"),
        (".", "out", "lies inside the input ."),
        ("out/declouded", "out", "which a result replaces"),
        ("out/fields.zip", "out", "which a result replaces"),
        ("out.partial", "out", "which a result replaces"),
        ("out.partial/x", "out", "which a result replaces"),
    ],
)
def test_the_one_in_the_other_is_refused(fields: Path, source: str, out: str, why: str) -> None:
    Path("link").symlink_to("fields")
    Path("out/declouded").mkdir(parents=True)
    with pytest.raises(OutputError, match=why):
        check_apart(Path(source), Path(out), Path(f"{out}.partial"))


@pytest.mark.parametrize("out", ["out", "fields-out", "fields.partial", "deep/out", "../out"])
def test_beside_each_other_is_fine(fields: Path, out: str) -> None:
    check_apart(fields, Path(out), Path(f"{out}.partial"))


@pytest.mark.parametrize("command", ["run", "submit"])
def test_the_commands_refuse_it_before_they_read_or_send(
    fields: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    os.chdir(fields)
    with pytest.raises(SystemExit) as ended:
        cli.main([command, ".", "cloud-free"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        "decloud: error: cloud-free: lies inside the input .; give a folder outside it\n"
    )
    assert [entry.name for entry in fields.iterdir()] == ["S2"]


def test_the_library_refuses_it(fields: Path) -> None:
    from seq2seq.run.pipeline import run

    with pytest.raises(OutputError, match="lies inside the input"):
        run(fields, fields / "out")
    assert [entry.name for entry in fields.iterdir()] == ["S2"]
