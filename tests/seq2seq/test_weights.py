"""Weights are fetched when somebody asks: whole, checked, gone on with after a break; nothing else is ever kept."""

import fcntl
import hashlib
import http.server
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from seq2seq.commands import weights as weight_commands
from seq2seq.commands.main import app
from seq2seq.errors import WeightsUnavailableError
from seq2seq.nn.weights import KNOWN, VGG16, Weights, fetch, folder, install_file, installed
from seq2seq.progress import Progress, ignore

CONTENT = bytes(range(256)) * 8000  # two megabytes


@dataclass
class Server:
    """What it answers with, and the ranges that it was asked for. cut: bytes after which it hangs up."""

    content: bytes = CONTENT
    status: int | None = None
    ranges: bool = True
    cut: int | None = None
    start_shift: int = 0
    asked: list[str | None] = field(default_factory=list)
    address: str = ""


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            server.asked.append(asked)
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and server.ranges else 0
            body = server.content[start:]
            self.send_response(server.status or (206 if start else 200))
            self.send_header("Content-Length", str(len(body)))
            if start:
                first = start + server.start_shift
                whole = len(server.content)
                self.send_header("Content-Range", f"bytes {first}-{whole - 1}/{whole}")
            self.end_headers()
            self.wfile.write(body[: server.cut])

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        server.address = f"http://127.0.0.1:{listening.server_address[1]}"
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(Server()) as running:
        yield running


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("TORCH_HOME", raising=False)
    return tmp_path / "decloud" / "weights"


def published(server: Server, content: bytes = CONTENT) -> Weights:
    digest = hashlib.sha256(content).hexdigest()
    return Weights("vgg16", "tests", f"{server.address}/vgg16-{digest[:8]}.pth", len(content), digest)


def copy(source: Path, kept: Path) -> None:
    kept.write_bytes(source.read_bytes()[:100])


def got(weights: Weights, **options: Any) -> Path:
    return fetch(weights, copy, on_progress=ignore, **options)


def files(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir() if not path.name.startswith(".lock"))


def test_what_is_published_is_fetched_once_and_kept_converted(server: Server, cache: Path) -> None:
    weights = published(server)
    said: list[Progress] = []
    path = fetch(weights, copy, on_progress=said.append)
    assert path == installed(weights) == cache / weights.kept
    assert path.read_bytes() == CONTENT[:100]
    assert files(cache) == [weights.kept]
    assert said[-1].step == 2
    assert got(weights) == path
    assert server.asked == [None]


@pytest.mark.parametrize("cut", [1, 1_000_000, len(CONTENT) - 1])
def test_a_transfer_that_breaks_off_goes_on_from_there(cut: int, server: Server, cache: Path) -> None:
    weights, server.cut = published(server), cut
    with pytest.raises(WeightsUnavailableError, match=f"{cut} of {len(CONTENT)} bytes are here, the same command"):
        got(weights)
    assert installed(weights) is None
    server.cut = None
    assert got(weights).read_bytes() == CONTENT[:100]
    assert server.asked == [None, f"bytes={cut}-"]
    assert files(cache) == [weights.kept]


def test_a_stop_keeps_what_has_come(server: Server) -> None:
    weights = published(server)
    with pytest.raises(WeightsUnavailableError, match="stopped"):
        got(weights, should_stop=lambda: True)
    assert got(weights).is_file()
    assert server.asked[1] not in (None, "bytes=0-")


def test_a_server_without_ranges_begins_anew(server: Server) -> None:
    weights, server.cut = published(server), 1000
    with pytest.raises(WeightsUnavailableError):
        got(weights)
    server.cut, server.ranges = None, False
    assert got(weights).is_file()


def test_another_range_than_was_asked_for_is_not_sewn_on(server: Server, cache: Path) -> None:
    weights, server.cut = published(server), 1000
    with pytest.raises(WeightsUnavailableError):
        got(weights)
    server.cut, server.start_shift = None, -10
    with pytest.raises(WeightsUnavailableError, match="another range"):
        got(weights)
    assert (cache / f"{weights.file}.part").stat().st_size == 1000


def test_wrong_bytes_are_thrown_away_and_never_opened(server: Server, cache: Path) -> None:
    weights = published(server)
    server.content = bytes(len(CONTENT))
    with pytest.raises(WeightsUnavailableError, match=r"is not vgg16-.*SHA-256"):
        fetch(weights, lambda *_: pytest.fail("opened what was not checked"), on_progress=ignore)
    assert files(cache) == []


def test_a_wrong_first_part_is_found_out_at_the_end(server: Server, cache: Path) -> None:
    weights = published(server)
    cache.mkdir(parents=True)
    (cache / f"{weights.file}.part").write_bytes(b"x" * 500)
    with pytest.raises(WeightsUnavailableError, match="SHA-256"):
        got(weights)
    assert got(weights).is_file()


@pytest.mark.parametrize("content", [CONTENT[:-1], CONTENT + b"x", b""])
def test_a_file_of_another_size_is_refused_before_it_is_fetched(content: bytes, server: Server, cache: Path) -> None:
    weights, server.content = published(server), content
    with pytest.raises(WeightsUnavailableError, match=f"offers {len(content)} bytes.*has {len(CONTENT)}"):
        got(weights)
    assert files(cache) == []


def test_a_server_that_is_not_there_and_one_that_has_it_not_are_one_line(server: Server) -> None:
    server.status = 404
    with pytest.raises(WeightsUnavailableError, match=r"Not Found.*--from FILE"):
        got(published(server))
    with socket.create_server(("127.0.0.1", 0)) as closed:
        server.address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(WeightsUnavailableError, match="refused") as caught:
        got(published(server))
    assert "\n" not in str(caught.value)


def test_a_silent_server_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seq2seq.nn.weights.SILENCE_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(WeightsUnavailableError, match="timed out"):
            got(published(Server(address=address)))


def test_two_at_a_time_do_not_write_one_file(server: Server, cache: Path) -> None:
    cache.mkdir(parents=True)
    with (cache / ".lock-vgg16").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(WeightsUnavailableError, match="another process"):
            got(published(server))
    assert server.asked == []


def test_a_copy_is_checked_like_a_download_and_stays(server: Server, cache: Path, tmp_path: Path) -> None:
    weights, file = published(server), tmp_path / "copy.pth"
    for wrong in (b"", bytes(len(CONTENT))):
        file.write_bytes(wrong)
        with pytest.raises(WeightsUnavailableError, match=r"copy\.pth"):
            install_file(weights, file, copy)
    file.write_bytes(CONTENT)
    assert install_file(weights, file, copy) == installed(weights)
    assert file.read_bytes() == CONTENT
    assert files(cache) == [weights.kept]
    assert server.asked == []


def test_a_conversion_that_fails_leaves_nothing_half_written(server: Server, cache: Path) -> None:
    def full(_: Path, kept: Path) -> None:
        kept.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(WeightsUnavailableError, match="No space left"):
        fetch(published(server), full, on_progress=ignore)
    assert not [name for name in files(cache) if name.endswith(".npz")]


def test_the_commands_list_fetch_and_say_size_source_and_place(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = published(server)
    monkeypatch.setitem(KNOWN, "vgg16", weights)
    monkeypatch.setattr("seq2seq.nn.vgg.keep_weights", copy)
    run = CliRunner().invoke
    listed = run(app, ["weights", "list"]).output
    assert "vgg16: not installed" in listed
    assert f"{weights.url}, 2 MB" in listed
    fetched = run(app, ["weights", "fetch", "vgg16"]).output
    assert f"{weights.url}, 2 MB, into {folder()}" in fetched
    assert f"vgg16: installed, {cache / weights.kept}" in run(app, ["weights", "list"]).output
    assert "is installed" in run(app, ["weights", "fetch", "vgg16"]).output
    assert server.asked == [None]


def test_an_unknown_name_is_said_with_those_that_are_known() -> None:
    outcome = CliRunner().invoke(weight_commands.app, ["fetch", "resnet"])
    assert "there are no weights 'resnet'; known are vgg16" in str(outcome.exception)


def test_the_published_file_is_named_by_its_digest() -> None:
    assert VGG16.sha256.startswith(VGG16.file.split("-")[1].split(".")[0])
    assert len(VGG16.sha256) == 64
