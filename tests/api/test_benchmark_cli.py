"""`decloud submit-benchmark`: what it sends, what it says is wrong before and after anything is sent."""

import json
from pathlib import Path
from typing import Any

import pytest
from served import Served

from api.client import Client
from api.commands import benchmark as commands
from api.commands import main as cli
from api.commands.benchmark import comparison_to_send
from seq2seq.errors import ConfigError
from seq2seq.methods import METHODS

NOTHING: dict[str, Any] = {"methods": None, "gaps": None, "seeds": None, "max_minutes": None}


@pytest.fixture
def nothing_is_uploaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something is uploaded")

    monkeypatch.setattr(Client, "upload", refuse)


def exit_code(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(["submit-benchmark", *arguments])
    return int(ended.value.code or 0)


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert exit_code(*arguments) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1, said
    return said.removeprefix("decloud: error: ").rstrip("\n")


def test_every_option_reaches_the_server(here: Path, shared_server: Served) -> None:
    options = ["--methods", "linear, nearest,linear", "--gaps", "cloud,run", "--seeds", "2", "--max-minutes", "1.5"]
    assert exit_code("fields", "--detach", "--quiet", "--name", "compared", "--priority", "3", *options) == 0
    client = shared_server.client()
    job = next(job for job in client.jobs() if job.name == "compared")
    client.cancel(job.id)
    assert (job.values["processID"], job.values["priority"]) == ("benchmark", 3)
    sent = {name: value for name, value in job.values["inputs"].items() if name != "sequence"}
    assert sent == {"methods": ["linear", "nearest"], "gaps": ["cloud", "run"], "seeds": 2, "max_minutes": 1.5}


def test_only_what_was_given_is_sent() -> None:
    assert comparison_to_send(None, **NOTHING) == {}
    assert comparison_to_send(None, **{**NOTHING, "methods": " all ", "gaps": "all"}) == {
        "methods": "all",
        "gaps": "all",
    }


@pytest.mark.parametrize("name", [info.name for info in METHODS])
def test_every_method_can_be_named(name: str) -> None:
    assert comparison_to_send(None, **{**NOTHING, "methods": name}) == {"methods": [name]}


def test_minutes_come_from_a_file_that_run_takes_and_options_win(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('max_minutes = 3\ndevice = "auto"\nmethod = "guided"\n')
    assert comparison_to_send(file, **NOTHING) == {"max_minutes": 3}
    assert comparison_to_send(file, **{**NOTHING, "max_minutes": 4.0}) == {"max_minutes": 4.0}


@pytest.mark.parametrize("line", ["seed = 5", 'device = "cpu"', "[method_settings]\nmlp_steps = 600"])
def test_a_setting_that_would_be_overlooked_is_refused_whatever_the_options(tmp_path: Path, line: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(f"max_minutes = 3\n{line}\n")
    name = line.strip("[").split("]")[0].split(" ")[0]
    for minutes in (None, 4.0):
        with pytest.raises(ConfigError, match=rf"settings\.toml: {name} cannot be sent"):
            comparison_to_send(file, **{**NOTHING, "max_minutes": minutes})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere: does not exist"),
        (["fields", "--methods", "linear,guidd"], "method is 'guidd', must be one of guided"),
        (["fields", "--methods", "linear,guidd"], "did you mean guided?"),
        (["fields", "--methods", ","], "methods: names none"),
        (["fields", "--gaps", "hail"], "gap is 'hail', must be one of cloud, date, run"),
        (["fields", "--seeds", "11"], "--seeds is 11, must be a whole number from 1 to 10"),
        (["fields", "--max-minutes", "61"], "max_minutes is 61.0, must be a number from 0.1 to 60.0"),
        (["fields", "--max-minutes", "nan"], "max_minutes is nan, must be a number from 0.1 to 60.0"),
        (["fields", "--config", "none.toml"], "none.toml: cannot be read"),
        (["fields", "out", "--detach"], "--detach does not wait"),
        (["fields", "fields/out"], "fields/out: lies inside the input fields"),
        (["fields", "full"], "full: is not empty (mine.txt)"),
    ],
)
def test_what_is_wrong_is_one_line_before_anything_is_sent(
    here: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    Path("full").mkdir()
    Path("full/mine.txt").write_text("mine")
    if arguments != ["nowhere"]:
        request.getfixturevalue("nothing_is_uploaded")
    assert said in error_of(capsys, *arguments)


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"methods": ["linear", "magic"]}, "inputs.methods.1: must be 'guided', "),
        ({"gaps": ["hail"]}, "inputs.gaps.0: must be 'cloud', 'date' or 'run'"),
    ],
)
def test_what_another_version_of_the_server_does_not_know_is_one_line_of_its_own(
    here: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    inputs: dict[str, Any],
    said: str,
) -> None:
    monkeypatch.setattr(commands, "comparison_to_send", lambda config, **given: inputs)
    assert error_of(capsys, "fields", "--detach", "--quiet").startswith(said)


def test_help_has_the_options_of_the_local_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("--help") == 0
    shown = capsys.readouterr().out
    assert all(f"--{name} " in shown for name in ("methods", "gaps", "seeds", "max-minutes", "config", "quiet"))
    assert "  decloud submit-benchmark fields comparison " in shown


def test_lists_of_jobs_say_which_process_each_is_of(
    here: Path, shared_server: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code("fields", "--detach", "--quiet", "--methods", "linear") == 0
    job = capsys.readouterr().out.strip()
    for as_json in (False, True):
        with pytest.raises(SystemExit):
            cli.main(["jobs", "--limit", "1", *["--json"] * as_json])
        listed = capsys.readouterr().out
        if as_json:
            assert json.loads(listed)[0]["processID"] == "benchmark"
        else:
            assert [job[:8], "benchmark"] == listed.splitlines()[-1].split()[:2]
    shared_server.client().cancel(job)
