"""`decloud demo`: the whole way with the real engine, and however it ends, nothing of it runs on."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from service_workers import alive, until
from small_result import small_result

from api.commands import main as cli
from api.commands.data_folder import server_of

TINY = ["--dates", "5", "--size", "24", "--bands", "10m", "--cloud", "0.4", "--max-minutes", "0.1"]


class Demo:
    """A demo in a process group of its own, as a terminal starts it; what it prints goes into a file."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self._output = folder, folder.with_name("output")
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "DECLOUD_SERVER": "http://127.0.0.1:9"}
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "api.commands.main", "demo", str(folder), *TINY, *options],
                stdout=output,
                stderr=output,
                env=environment,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self._output.read_text()

    def server(self) -> int | None:
        """The number of the server's process."""
        for data in self.folder.glob("service-*"):
            if served := server_of(data):
                return int(served["pid"])
        return None

    def until_job_runs(self) -> int:
        until(lambda: "Started." in self.said or self.process.poll() is not None, within_s=90)
        assert self.process.poll() is None, self.said
        server = self.server()
        assert server is not None
        return server

    def end(self) -> None:
        server = self.server()
        for pid in (self.process.pid, server):
            if pid is not None and alive(pid):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def demo(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Demo]:
    """Of further options, where a test is parametrised with them."""
    running = Demo(tmp_path / "demo", *getattr(request, "param", ()))
    yield running
    running.end()


@pytest.mark.slow
@pytest.mark.parametrize("demo", [["--wait"]], indirect=True)
def test_the_demo_shows_its_result_until_ctrl_c_and_leaves_no_server(demo: Demo) -> None:
    until(lambda: "is shown at" in demo.said or demo.process.poll() is not None, within_s=180)
    picture, report = demo.folder / "cloud-free" / "preview.png", demo.folder / "cloud-free" / "report.html"
    last = demo.said.splitlines()[-5:]
    assert last[:2] == [f"Picture  {picture}", f"Report   {report}"], demo.said
    assert re.search(r"^Gain .* \(simulated data\)$", last[2])
    assert last[3] == f"$ decloud view {demo.folder / 'cloud-free'} --no-browser"
    assert re.findall(r"^\$ decloud (\w+)", demo.said, re.MULTILINE) == ["simulate", "serve", "submit", "view"]
    assert sorted(path.name for path in demo.folder.iterdir()) == ["cloud-free", "fields"]
    address = re.search(r"http://127\.0\.0\.1:\d+/", last[4])
    assert address is not None
    with urlopen(f"{address[0]}pictures/scene.json", timeout=10) as scene:
        assert scene.status == 200
    os.killpg(demo.process.pid, signal.SIGINT)
    assert demo.process.wait(30) == 0, demo.said


def test_without_a_terminal_the_demo_leaves_a_file_to_swipe_and_says_how_to_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "a demo"
    small_result(folder, dates=2, size=(16, 16))
    monkeypatch.setattr("api.commands.demo.demo", lambda *_, **__: 0)
    for _ in range(2):  # the second one replaces what the first has left
        cli.library.app(["demo", str(folder)], standalone_mode=False)
    swipe, viewer = capsys.readouterr().out.splitlines()[-2:]
    file = folder / "cloud-free.html"
    assert swipe == f"Swipe    {file.as_uri()}"
    assert viewer == f"Viewer   decloud view '{folder / 'cloud-free'}'"
    assert '<meta name="decloud" content="file">' in file.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_stops_its_server_and_removes_its_data(demo: Demo, number: int) -> None:
    server = demo.until_job_runs()
    if number == signal.SIGINT:
        os.killpg(demo.process.pid, number)  # as a terminal does
    else:
        demo.process.send_signal(number)
    assert demo.process.wait(60) == 130, demo.said
    assert not alive(server)
    assert demo.said.splitlines()[-1] == "decloud: stopped, and the server with it"
    assert sorted(path.name for path in demo.folder.iterdir()) == ["fields"]


@pytest.mark.slow
def test_a_killed_demo_leaves_no_server_running(demo: Demo) -> None:
    server = demo.until_job_runs()
    demo.process.kill()
    until(lambda: not alive(server), "the server runs on")


def test_a_folder_that_cannot_be_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "demo").write_text("")
    with pytest.raises(SystemExit) as ended:
        cli.main(["demo", str(tmp_path / "demo")])
    assert ended.value.code == 2
    said = f"decloud: error: {tmp_path / 'demo'}: cannot be the demo's folder (File exists)\n"
    assert capsys.readouterr().err == said
