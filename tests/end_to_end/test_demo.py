"""`decloud demo`: the whole way with the real engine, and however it ends, nothing of it runs on."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from service_workers import alive, until

from api.commands import main as cli
from api.commands.data_folder import server_of

TINY = ["--dates", "5", "--size", "24", "--bands", "10m", "--cloud", "0.4", "--max-minutes", "0.1"]


class Demo:
    """A demo in a process group of its own, as a terminal starts it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._output = folder, folder.with_name("output")
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "DECLOUD_SERVER": "http://127.0.0.1:9"}
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "api.commands.main", "demo", str(folder), *TINY],
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
def demo(tmp_path: Path) -> Iterator[Demo]:
    running = Demo(tmp_path / "demo")
    yield running
    running.end()


@pytest.mark.slow
def test_the_demo_ends_with_a_picture_and_a_report_and_leaves_no_server(demo: Demo) -> None:
    assert demo.process.wait(180) == 0, demo.said
    last = demo.said.splitlines()[-4:]
    picture, report = demo.folder / "cloud-free" / "preview.png", demo.folder / "cloud-free" / "report.html"
    assert last[1:3] == [f"Picture  {picture}", f"Report   {report}"]
    assert re.search(r"^Gain .* \(simulated data\)$", last[3])
    assert picture.exists()
    assert report.exists()
    assert re.findall(r"^\$ decloud (\w+)", demo.said, re.MULTILINE) == ["simulate", "serve", "submit"]
    assert sorted(path.name for path in demo.folder.iterdir()) == ["cloud-free", "fields"]


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
