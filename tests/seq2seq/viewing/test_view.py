"""`decloud view`: a result, its bundle and the page, for this machine alone."""

import http.client
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from locations import ROOT
from typer.testing import CliRunner

from seq2seq.errors import OutputError, UnreadableFileError
from seq2seq.page import POLICY, Page
from seq2seq.viewing.kept import FolderBundle, PackedBundle, bundle_of, file_below
from seq2seq.viewing.server import Viewed, serving

INDEX = '<!doctype html><meta name="decloud" content="service"><title>x</title>'


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    (folder / "index.html").write_text(INDEX)
    (folder / "app.js").write_text("export {};\n" * 100)
    return folder


@pytest.fixture(scope="module")
def own(result, tmp_path_factory) -> Path:
    """A result of one's own, with what is not to be served."""
    folder = tmp_path_factory.mktemp("own")
    shutil.copytree(result, folder / "out")
    (folder / "secret").write_text("secret")
    (folder / "out" / "link").symlink_to(folder / "secret")
    (folder / "out" / "folder").symlink_to(folder)
    (folder / "out" / ".hidden").write_text("secret")
    return folder / "out"


@pytest.fixture(scope="module")
def address(page, bundle, own):
    with serving(Viewed(Page(page), FolderBundle(bundle), own)) as address:
        yield address


def ask(address: str, path: str, *, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
    port = int(address.rstrip("/").rpartition(":")[2])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in {"Host": f"127.0.0.1:{port}", **headers}.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    answer.content = answer.read()
    connection.close()
    return answer


def test_the_page_its_files_the_bundle_and_the_result_are_served(address, bundle, own):
    index = ask(address, "/")
    assert index.content.decode() == INDEX.replace("service", "view")
    assert index.headers["content-type"] == "text/html; charset=utf-8"
    assert ask(address, "/page/app.js").headers["content-type"] == "text/javascript; charset=utf-8"
    assert ask(address, "/page/app.js", **{"Accept-Encoding": "gzip"}).headers["content-encoding"] == "gzip"
    assert ask(address, "/pictures/scene.json").content == (bundle / "scene.json").read_bytes()
    chunk = ask(address, "/pictures/cube/after/c/0/0/0/1")
    assert chunk.content == (bundle / "cube/after/c/0/0/0/1").read_bytes()
    assert chunk.headers["content-type"] == "application/octet-stream"
    assert "content-encoding" not in chunk.headers
    first = sorted((own / "declouded").glob("*.tif"))[0]
    image = ask(address, f"/declouded/{first.name}")
    assert (image.status, image.content) == (200, first.read_bytes())
    assert image.headers["content-type"].startswith("image/tiff")
    assert ask(address, "/report.json").headers["content-type"] == "application/json"


def test_a_second_result_lies_beside_the_first(page, bundle, own, tmp_path):
    (tmp_path / "scene.json").write_text("other")
    viewed = Viewed(Page(page), FolderBundle(bundle), own, FolderBundle(tmp_path))
    assert viewed.fragment == "#/view?with=with/pictures"
    with serving(viewed) as address:
        assert ask(address, "/with/pictures/scene.json").content == b"other"
        assert ask(address, "/pictures/scene.json").content == (bundle / "scene.json").read_bytes()
        assert ask(address, "/with/pictures/../secret").status == 404


def test_a_second_result_that_is_none_is_refused_by_its_name(result, tmp_path):
    from seq2seq.commands.main import app

    said = CliRunner().invoke(app, ["view", str(result), "--no-browser", "--with", str(tmp_path)])
    assert said.exit_code != 0
    assert tmp_path.name in str(said.exception)


@pytest.mark.parametrize("path", ["/", "/page/app.js", "/pictures/scene.json", "/report.json", "/nothing"])
def test_every_answer_lets_nothing_run_or_load_from_elsewhere(address, path):
    answer = ask(address, path)
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    head = ask(address, path, method="HEAD")
    assert (head.status, head.content) == (answer.status, b"")
    assert head.headers["content-length"] == str(len(answer.content))


def test_a_report_is_shown_in_its_own_styles_and_runs_nothing(address):
    policy = ask(address, "/report.html").headers["content-security-policy"]
    assert "sandbox" in policy
    assert "script" not in policy


def test_what_was_sent_before_is_not_sent_again(address):
    for path in ("/", "/pictures/scene.json"):
        etag = ask(address, path).headers["etag"]
        again = ask(address, path, **{"If-None-Match": etag})
        assert (again.status, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path",
    ["/link", "/folder/secret", "/.hidden", "/../secret", "/%2e%2e/secret", "/..%2fsecret", "/declouded", "/etc/passwd",
     "//etc/passwd", "/pictures/../report.json", "/pictures/%2e%2e/x", "/page/../app.js", "/declouded/%00",
     "/%5c..%5cx"],
)  # fmt: skip
def test_nothing_else_of_the_machine_is_served(address, path):
    answer = ask(address, path)
    assert answer.status == 404, answer.content
    assert b"secret" not in answer.content.replace(path.lstrip("/").encode(), b"").replace(b"../secret", b"")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "localhost.evil:{port}", ""]
)
def test_a_name_that_leads_here_is_not_served(address, host):
    port = address.rstrip("/").rpartition(":")[2]
    answer = ask(address, "/pictures/scene.json", Host=host.format(port=port))
    assert answer.status == 421
    assert b"version" not in answer.content


def test_this_machine_has_three_names(address):
    port = address.rstrip("/").rpartition(":")[2]
    for name in ("localhost", "LOCALHOST", "127.0.0.1", "[::1]"):
        assert ask(address, "/", Host=f"{name}:{port}").status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_nothing_is_written(address, method):
    assert ask(address, "/report.json", method=method).status == 501


def test_a_port_that_is_taken_is_said(address, page, bundle, own):
    port = int(address.rstrip("/").rpartition(":")[2])
    with (
        pytest.raises(OutputError, match=f"--port {port}"),
        serving(Viewed(Page(page), FolderBundle(bundle), own), port),
    ):
        pass


def test_a_bundle_is_made_once_and_anew_for_another_result(own, bundle, tmp_path):
    out, built, told = tmp_path / "out", [], []
    shutil.copytree(own, out, symlinks=True)

    def build(path: Path) -> None:
        import zipfile

        built.append(path)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("scene.json", "{}")

    for _ in range(2):
        with bundle_of(out, build, told.append) as found:
            assert found.read("scene.json") == b"{}"
            assert found.read("../x") is None
    assert len(built) == 1
    assert str(built[0]) in told[0]
    assert {path.name for path in tmp_path.iterdir()} == {"out", built[0].name}
    (out / "report.json").write_text((out / "report.json").read_text() + " ")
    with bundle_of(out, build, told.append):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"out", built[1].name}
    shutil.copytree(bundle, out / "pictures")
    with bundle_of(out, build, told.append) as found:
        assert found.read("scene.json") == (bundle / "scene.json").read_bytes()
        assert found.read("../report.json") is None
    shutil.rmtree(out / "pictures")
    (out / "pictures.zip").write_bytes(b"no zip")
    with pytest.raises(UnreadableFileError, match="remove it"), bundle_of(out, build, told.append):
        pass
    assert len(built) == 2


def test_a_pack_without_a_manifest_is_none(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a", "b")
    with pytest.raises(UnreadableFileError, match=r"scene\.json"):
        PackedBundle(tmp_path / "x.zip")


def test_only_plain_files_lie_below_a_folder(own):
    assert file_below(own, "report.json") == own / "report.json"
    for path in ("link", "folder/secret", ".hidden", "", ".", "..", "declouded", "a/../report.json", "report.json/"):
        assert file_below(own, path) is None


def test_what_is_no_result_is_said_in_one_line(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-m", "decloud", "view", str(tmp_path), "--no-browser"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert f"{tmp_path}: is no result of decloud run" in ended.stderr.replace("\n", " ")


def test_the_command_serves_until_it_is_interrupted(result, page, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(result, out)
    program = (
        "import sys, seq2seq.page as page; from pathlib import Path; page.STATIC = Path(sys.argv.pop(1));"
        "page.Page.__init__.__defaults__ = (page.STATIC,); from seq2seq.commands.main import main; main(sys.argv[1:])"
    )
    command = [sys.executable, "-c", program, str(page), "view", str(out), "--no-browser"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        said, deadline = "", time.monotonic() + 120
        while "shown at" not in said and time.monotonic() < deadline and process.poll() is None:
            said += process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/", said)
        assert found, said
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        assert b"view" in opener.open(found[0], timeout=10).read()
        assert b'"version": 1' in opener.open(f"{found[0]}pictures/scene.json", timeout=10).read()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert "Pictures are kept in" in said
    assert "pictures" in said


def test_its_help_says_what_it_does():
    from seq2seq.commands.main import app

    shown = CliRunner().invoke(app, ["view", "--help"]).output
    assert "--no-browser" in shown
    assert ROOT.is_dir()
