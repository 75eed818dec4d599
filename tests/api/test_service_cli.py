"""The commands of the service: they teach, follow, download, say errors in one line, and start at once."""

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from served import Served
from service_workers import until
from simulated import inputs

from api.client import Client, calls
from api.commands import groups as group_commands
from api.commands import jobs as job_commands
from api.commands import main as cli
from api.commands.data_folder import KEY
from api.commands.whereabouts import key_for, server_url
from seq2seq.config import SETTINGS
from seq2seq.errors import ConfigError

COMMANDS = [
    "serve",
    "submit",
    "submit-benchmark",
    "submit-group",
    "watch",
    "jobs",
    "download",
    "cancel",
    "usage",
    "keys",
    "demo",
]
# The method of these tests, in place of the settings of a reconstruction.
SIMULATED = inputs(dates=1, steps=3, seconds=0.3)


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What jobs are asked to do instead."""
    asked: dict[str, Any] = dict(SIMULATED)
    monkeypatch.setattr(job_commands, "settings_to_send", lambda config, options: asked)
    return asked


def exit_code(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(list(arguments))
    return int(ended.value.code or 0)


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 2) -> str:
    capsys.readouterr()
    assert exit_code(*arguments) == code
    said = capsys.readouterr().err
    assert said.count("\n") == 1, said
    return said.removeprefix("decloud: ").rstrip("\n")


def cpu_s_of_children() -> float:
    """Of those that have ended: what they take on a machine that does nothing else."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


# -- help


def test_help_shows_the_service_at_once_and_loads_nothing_heavy() -> None:
    heavy = {"torch", "numpy", "rasterio", "httpx", "fastapi", "uvicorn", "sqlalchemy", "pydantic", "celery", "PIL"}
    script = (
        "import sys; from api.commands.main import main\n"
        "try: main(['--help'])\n"
        f"except SystemExit: print(*sorted({heavy} & set(sys.modules)), '<-')"
    )
    durations = []
    for _ in range(3):
        began = cpu_s_of_children()
        finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        durations.append(cpu_s_of_children() - began)
    assert finished.stdout.splitlines()[-1].strip() == "<-"
    shown = finished.stdout.partition("Service")[2]
    assert all(f"│ {command} " in shown for command in COMMANDS)
    assert min(durations) < 0.7, durations


@pytest.mark.parametrize("command", [*([name] for name in COMMANDS), ["keys", "create"], ["keys", "revoke"]])
def test_help_teaches_by_examples(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(*command, "--help") == 0
    example = f"  decloud {' '.join(command)} "
    assert example.rstrip() in capsys.readouterr().out or command == ["keys"]


def test_submit_has_the_options_of_run_word_for_word(capsys: pytest.CaptureFixture[str]) -> None:
    shown = []
    for command in ("run", "submit"):
        exit_code(command, "--help")
        lines = capsys.readouterr().out.splitlines()
        options = " ".join(line.strip("│ ") for line in lines)
        shown.append(options)
    assert {each.name for each in SETTINGS if each.local} == {"device", "vgg16_weights"}
    for each in SETTINGS:
        option = f"--{each.name.replace('_', '-')} "
        assert option in shown[0]
        assert (option in shown[1]) == (not each.local)
    assert all("--set " in options for options in shown)


def test_settings_come_from_file_and_options_and_nothing_else_is_sent(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('seed = 5\nmax_minutes = 3\ndevice = "auto"\n')
    options = {"seed": 9, "method": None, "full_prediction": True}
    sent = job_commands.settings_to_send(tmp_path / "settings.toml", options)
    assert sent == {"seed": 9, "max_minutes": 3, "full_prediction": True}


def test_a_file_that_a_method_would_open_is_not_sent_to_be_refused() -> None:
    with pytest.raises(ConfigError, match="weights is for decloud run"):
        job_commands.settings_to_send(None, {"method": "dsen2-cr", "set_of_method": ["weights=w.npz"]})


def test_every_method_option_reaches_the_server(here: Path, shared_server: Served) -> None:
    """The real settings, of a job that is cancelled before it could begin."""
    options = ["--seed", "7", "--max-minutes", "2.5", "--method", "ebel2021", "--full-prediction", "--tile-px", "128"]
    options += ["--set", "schedule_factor=0.5"]
    assert exit_code("submit", "fields", "--detach", "--name", "options", *options) == 0
    client = shared_server.client()
    job = next(job for job in client.jobs() if job.name == "options")
    client.cancel(job.id)
    sent = {name: value for name, value in job.values["inputs"].items() if name != "sequence"}
    assert sent == {
        "seed": 7,
        "max_minutes": 2.5,
        "method": "ebel2021",
        "full_prediction": True,
        "tile_px": 128,
        "method_settings": {"schedule_factor": 0.5},
    }


# -- the way of a job


def test_submit_follows_downloads_and_names_picture_and_report(
    here: Path, simulated: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code("submit", "fields", "out") == 0
    said = capsys.readouterr().out.splitlines()
    assert any(line.startswith("uploading megabytes") for line in said)
    assert any(line.startswith("Job ") for line in said)
    assert any(line.startswith("downloading megabytes") for line in said)
    assert said[-4:-1] == ["Images   out/declouded", "Picture  out/preview.png", "Report   out/report.html"]
    assert Path("out/manifest.json").exists()
    assert [path.name for path in here.iterdir() if "out" in path.name] == ["out"]


def test_a_group_is_uploaded_followed_and_downloaded_by_one_command(
    here: Path, simulated: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commands, "settings_to_send", lambda config, options: simulated)
    Path("south/S2").mkdir(parents=True)
    Path("south/S2/2021-05-01.tif").write_bytes(uuid.uuid4().bytes)
    word = uuid.uuid4().hex
    assert exit_code("submit-group", "fields", "south", "--out", "out", "--tag", word, "--tag", "2021") == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in said[-3:]] == ["successful", "successful", "Results"]
    for folder in ("01-fields", "02-south"):
        assert Path("out", folder, "manifest.json").exists()
    assert exit_code("jobs", "--tag", word, "--tag", "2021", "--json") == 0
    assert [job["name"] for job in json.loads(capsys.readouterr().out)] == ["south", "fields"]
    assert exit_code("jobs", "--tag", f"{word}-none") == 0
    assert capsys.readouterr().out.strip() == "No jobs."
    assert exit_code("submit-group", "fields", "--detach", "--out", "there") == 2


def test_detached_only_the_id_is_printed_and_every_other_command_takes_its_beginning(
    here: Path, simulated: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    simulated |= inputs(dates=0, steps=1, seconds=0)
    assert exit_code("submit", "fields", "--detach", "--quiet", "--name", "my fields") == 0
    job_id = capsys.readouterr().out.strip()
    assert uuid.UUID(job_id)
    assert exit_code("watch", job_id[:8]) == 0
    said = capsys.readouterr().out
    assert f"Job {job_id} (my fields)" in said
    assert said.endswith(f"Done. decloud download {job_id[:8]} OUT\n")
    assert exit_code("jobs") == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith(job_id[:8]))
    assert "successful" in row
    assert "my fields" in row
    assert exit_code("jobs", "--json", "--limit", "1") == 0
    assert [job["jobID"] for job in json.loads(capsys.readouterr().out)] == [job_id]
    assert exit_code("download", job_id[:8], "out", "--quiet") == 0
    assert capsys.readouterr().out == ""
    assert Path("out/report.json").exists()
    assert exit_code("watch", "--quiet") == 0  # the newest


def test_an_upload_is_sent_once(
    here: Path, simulated: dict[str, Any], capsys: pytest.CaptureFixture[str], shared_server: Served
) -> None:
    simulated |= inputs(dates=0, steps=1, seconds=0)
    ids = []
    for _ in range(2):
        exit_code("submit", "fields", "--detach", "--quiet")
        ids.append(capsys.readouterr().out.strip())
    client = shared_server.client()
    first, second = (client.job(job_id).values["inputs"]["sequence"] for job_id in ids)
    assert ids[0] != ids[1]
    assert first == second


def test_cancel_says_what_became_of_it(
    here: Path, simulated: dict[str, Any], capsys: pytest.CaptureFixture[str], shared_server: Served
) -> None:
    simulated |= inputs(dates=0, seconds=30, steps=300)
    exit_code("submit", "fields", "--detach", "--quiet")
    job_id = capsys.readouterr().out.strip()
    client = shared_server.client()
    until(lambda: client.job(job_id).status == "running")
    assert exit_code("cancel", job_id[:8]) == 0
    assert capsys.readouterr().out == f"{job_id}  Cancelling: the worker was asked to stop.\n"
    assert "was cancelled" in error_of(capsys, "watch", job_id)
    assert exit_code("cancel", job_id) == 0
    assert capsys.readouterr().out == f"{job_id}  Cancelled.\n"


def test_a_failed_job_is_one_line_and_exit_code_2(
    here: Path, simulated: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    simulated |= inputs(dates=0, fault={"kind": "input"})
    said = error_of(capsys, "submit", "fields", "out")
    assert said.startswith("error: job ")
    assert said.endswith("failed: S2: simulated absence of every file")
    assert not Path("out").exists()


def test_ctrl_c_leaves_the_job_running_and_says_how_to_come_back(
    here: Path, simulated: dict[str, Any], capsys: pytest.CaptureFixture[str], shared_server: Served
) -> None:
    simulated |= inputs(dates=0, seconds=20, steps=200)
    client = shared_server.client()
    before = {job.id for job in client.jobs()}

    def interrupt(other: Client) -> None:
        until(lambda: [job for job in other.jobs() if job.id not in before and job.status == "running"])
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, args=(shared_server.client(),), daemon=True).start()
    said = error_of(capsys, "submit", "fields", "out", code=130)
    job = next(job for job in client.jobs() if job.id not in before)
    assert said == f"job {job.id} goes on without you: decloud download {job.id[:8]} out"
    assert client.job(job.id).status == "running"
    client.cancel(job.id)


def test_ctrl_c_while_sending_says_that_the_same_command_goes_on(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def be_interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Client, "upload", be_interrupted)
    assert error_of(capsys, "submit", "fields", code=130) == "stopped; the same command goes on with the upload"


def test_a_key_that_others_can_read_on_its_way_is_pointed_out(
    here: Path, shared_server: Served, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = f"{shared_server.url} is not https: key and data can be read on their way"
    exit_code("watch", "nothing-like-it")
    assert said not in capsys.readouterr().out
    monkeypatch.setattr(calls, "is_here", lambda url: False)
    exit_code("watch", "nothing-like-it")
    assert said in capsys.readouterr().out


# -- what is wrong


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["submit", "nowhere"], "error: nowhere: does not exist"),
        (["submit", "full"], "error: full: has nothing like S2/2020-08-01.tif"),
        (["submit", "fields", "full"], "is not empty (mine.txt)"),
        (["submit", "fields", "--seed", "-1"], "error: seed is -1, must be from 0"),
        (["submit", "fields", "out", "--detach"], "error: --detach does not wait"),
        (["submit", "fields", "--config", "none.toml"], "error: none.toml: cannot be read"),
        (["submit", "fields", "--config", "cuda.json"], "error: device is for decloud run; a service chooses its own"),
        (["submit", "fields", "--server", "ftp://x"], "error: 'ftp://x' is no server's address"),
        (["watch", "nothing-like-it"], "error: none of your jobs begin with nothing-like-it"),
        (["watch", "abc"], "error: there is no job 'abc'"),
        (["download", str(uuid.UUID(int=0)), "out"], f"there is no job '{uuid.UUID(int=0)}'"),
        (["cancel", "nothing-like-it"], "error: none of your jobs begin with nothing-like-it"),
        (["jobs", "--key", "dcl_wrong"], "(set DECLOUD_KEY or --key)"),
        (["keys", "list", "--data", "empty"], "holds no service; decloud serve --data"),
    ],
)
def test_what_is_wrong_is_one_line(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    Path("full").mkdir()
    Path("full/mine.txt").write_text("mine")
    Path("cuda.json").write_text('{"device": "cuda"}') if "cuda.json" in arguments else None
    assert said in error_of(capsys, *arguments)


def test_without_httpx_a_command_says_what_to_install(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name == "httpx" or name.startswith("api.client")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "httpx", None)
    assert error_of(capsys, "jobs") == "error: this needs httpx, which is not installed: pip install 'decloud[client]'"


@pytest.mark.parametrize("arguments", [["serve"], ["keys", "list"], ["keys", "create", "ann"], ["keys", "revoke", "a"]])
def test_without_the_service_extra_a_command_says_what_to_install(tmp_path: Path, arguments: list[str]) -> None:
    """In a process of its own, from which the packages are hidden."""
    script = (
        "import sys\n"
        "for name in ('sqlalchemy', 'pydantic_settings', 'fastapi', 'uvicorn'): sys.modules[name] = None\n"
        f"from api.commands.main import main; main({arguments!r})"
    )
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert finished.returncode == 2
    assert finished.stderr.startswith("decloud: error: this needs ")
    assert finished.stderr.endswith(": pip install 'decloud[service]'\n")
    assert finished.stderr.count("\n") == 1


def test_on_the_servers_machine_neither_address_nor_key_need_be_told(
    here: Path, shared_server: Served, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DECLOUD_SERVER")
    monkeypatch.delenv("DECLOUD_KEY")
    monkeypatch.setenv("DECLOUD_DATA", str(shared_server.data))
    assert exit_code("jobs") == 0
    monkeypatch.setenv("DECLOUD_DATA", str(here / "elsewhere"))
    assert server_url() == "http://127.0.0.1:8000"
    assert key_for(server_url()) is None


def test_the_local_key_is_sent_to_no_other_machine(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("decloud-data").mkdir()
    Path("decloud-data", KEY).write_text("dcl_local\n")
    assert key_for("http://127.0.0.1:1") == key_for("http://localhost:1") == key_for("http://[::1]:1") == "dcl_local"
    assert key_for("http://192.168.0.2:1") is key_for("https://localhost.example.org") is None


# -- keys


def test_keys_are_made_listed_and_revoked(
    here: Path, shared_server: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--data", str(shared_server.data)]
    assert exit_code("keys", "create", "ann", "--name", "laptop", "--expires-days", "1", *data) == 0
    text = capsys.readouterr().out.strip()
    assert exit_code("jobs", "--key", text) == 0
    assert capsys.readouterr().out == "No jobs.\n"
    assert exit_code("keys", "list", *data) == 0
    listed = capsys.readouterr().out
    row = next(line for line in listed.splitlines() if "laptop" in line)
    assert "ann" in row
    assert "expires" in row
    assert text not in listed
    key_id = text.split("_")[1]
    assert exit_code("keys", "revoke", key_id, *data) == 0
    assert capsys.readouterr().out == f"Key {key_id} of ann is revoked; a server that runs knows within 5 s.\n"
    assert "no key 'nobody'" in error_of(capsys, "keys", "revoke", "nobody", *data)
    assert "owner 'an n'" in error_of(capsys, "keys", "create", "an n", *data)

    def is_refused() -> bool:
        return exit_code("jobs", "--key", text) == 2

    until(is_refused, within_s=5)


def test_a_key_may_have_figures_of_its_own(
    here: Path, shared_server: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    create = ("keys", "create", "guest", "--data", str(shared_server.data))
    assert exit_code(*create, "--quota", "max_upload_bytes=3", "--quota", "max_run_s=1800") == 0
    key = capsys.readouterr().out.strip()
    Path("large.zip").write_bytes(b"1234")
    assert "one upload may have 3" in error_of(capsys, "submit", "large.zip", "--detach", "--quiet", "--key", key)
    assert "known are max_upload_bytes" in error_of(capsys, *create, "--quota", "max_dogs=1")
    for wrong in ("max_run_s", "max_run_s=half", "max_run_s=1.5", "max_run_s=-1"):
        assert f"--quota {wrong}: must be NAME=N" in error_of(capsys, *create, "--quota", wrong)
