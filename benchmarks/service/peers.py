"""What the service is compared with, each on a free port of this machine: nginx (WebDAV and static files), pygeoapi."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STARTS_WITHIN_S = 60.0
# pygeoapi's own container image serves with four gevent workers of gunicorn.
PYGEOAPI_WORKERS = 4
PYGEOAPI_PACKAGES = ("pygeoapi", "gunicorn", "gevent", "packaging", "tinydb")

NGINX = """
worker_processes auto;
{user}
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    sendfile on;
    client_max_body_size 0;
    client_body_temp_path {folder}/body;
    default_type application/octet-stream;
    server {{
        listen 127.0.0.1:{port};
        root {folder}/files;
        location / {{ dav_methods PUT DELETE; }}
    }}
}}
"""

# Whatever it does not need for a job's status is left out; JSON is both valid YAML and enough.
PYGEOAPI = {
    "logging": {"level": "ERROR"},
    "metadata": {
        "identification": {"title": "t", "description": "d", "keywords": ["k"], "terms_of_service": "-", "url": "-"},
        "license": {"name": "-", "url": "-"},
        "provider": {"name": "-", "url": "-"},
        "contact": {"name": "-"},
    },
    "resources": {"hello-world": {"type": "process", "processor": {"name": "HelloWorld"}}},
}


class PeerAbsentError(Exception):
    """A peer that this machine cannot run, and why: figures are then without a ratio."""


@contextmanager
def nginx(folder: Path) -> Iterator[str]:
    """Its address; what lies in folder/files is served, and PUT there is stored. Raises `PeerAbsentError`."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        raise PeerAbsentError("nginx is not installed (Debian: apt-get install nginx)")
    (folder / "files").mkdir(parents=True, exist_ok=True)
    _open_to_workers(folder)
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=port, user="user root;" if os.geteuid() == 0 else ""))
    with (folder / "nginx.log").open("wb") as log:
        command = [program, "-p", str(folder), "-c", str(config), "-g", "daemon off;"]
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    with _ended_at_exit(process):
        url = f"http://127.0.0.1:{port}"
        _wait_for(url, process, folder / "nginx.log")
        yield url


def nginx_version() -> str:
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        return "absent"
    said = subprocess.run([program, "-v"], capture_output=True, text=True, check=False).stderr
    return said.rpartition("/")[2].split()[0]


@contextmanager
def pygeoapi(folder: Path, python: Path | None) -> Iterator[str]:
    """The address of a job that has ended there. python: of an environment that has it. Raises `PeerAbsentError`."""
    if python is None:
        raise PeerAbsentError("pygeoapi could not be installed")
    folder.mkdir(parents=True, exist_ok=True)
    programs = python.parent
    port = free_port()
    environment = {**os.environ, **_pygeoapi_settings(folder, port), "PATH": f"{programs}:{os.environ['PATH']}"}
    document = str(folder / "openapi.yml")
    command = [programs / "pygeoapi", "openapi", "generate", folder / "config.yml", "--output-file", document]
    _checked(command, environment)
    command = [programs / "gunicorn", "--workers", str(PYGEOAPI_WORKERS), "--worker-class", "gevent"]
    command += ["--bind", f"127.0.0.1:{port}", "pygeoapi.flask_app:APP"]
    with (folder / "gunicorn.log").open("wb") as log:
        process = subprocess.Popen(
            [str(word) for word in command], env=environment, stdout=log, stderr=log, start_new_session=True
        )
    with _ended_at_exit(process):
        url = f"http://127.0.0.1:{port}"
        _wait_for(f"{url}/conformance?f=json", process, folder / "gunicorn.log")
        yield _hello(url)


def pygeoapi_environment(work: Path) -> Path | None:
    """The Python of an environment with pygeoapi, apart from ours as it pins what we do not; None where pip fails."""
    environment = work / "pygeoapi-environment"
    python = environment / "bin" / "python"
    try:
        if not (environment / "bin" / "gunicorn").exists():
            _checked([sys.executable, "-m", "venv", environment], None)
            _checked([python, "-m", "pip", "install", "--quiet", *PYGEOAPI_PACKAGES], None)
    except PeerAbsentError:
        return None
    return python


def pygeoapi_version(python: Path | None) -> str | None:
    """None where it is not to be had."""
    question = "from importlib.metadata import version; print(version('pygeoapi'))"
    if python is None or not python.exists():
        return None
    return subprocess.run([python, "-c", question], capture_output=True, text=True, check=False).stdout.strip() or None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _open_to_workers(folder: Path) -> None:
    """nginx's workers may be another user than we are."""
    folder.chmod(0o755)


def _pygeoapi_settings(folder: Path, port: int) -> dict[str, str]:
    manager = {"name": "TinyDB", "connection": str(folder / "jobs.db"), "output_dir": str(folder)}
    server = {
        "bind": {"host": "127.0.0.1", "port": port},
        "url": f"http://127.0.0.1:{port}",
        "mimetype": "application/json; charset=UTF-8",
        "encoding": "utf-8",
        "languages": ["en-US"],
        "limits": {"default_items": 10, "max_items": 10},
        "map": {"url": "https://example.org", "attribution": "-"},
        "manager": manager,
    }
    (folder / "config.yml").write_text(json.dumps({"server": server, **PYGEOAPI}))
    return {"PYGEOAPI_CONFIG": str(folder / "config.yml"), "PYGEOAPI_OPENAPI": str(folder / "openapi.yml")}


def _hello(url: str) -> str:
    """A job that has ended; its address."""
    body = json.dumps({"inputs": {"name": "World"}}).encode()
    headers = {"Content-Type": "application/json", "Prefer": "respond-async"}
    request = urllib.request.Request(f"{url}/processes/hello-world/execution", body, headers)
    with urllib.request.urlopen(request) as answer:
        job_id = re.split(r"[/?]", answer.headers["Location"].partition("/jobs/")[2])[0]
    address = f"{url}/jobs/{job_id}?f=json"
    deadline = time.monotonic() + STARTS_WITHIN_S
    while json.load(urllib.request.urlopen(address))["status"] != "successful":
        if time.monotonic() > deadline:
            raise PeerAbsentError("pygeoapi did not run its example")
        time.sleep(0.1)
    return address


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    raise PeerAbsentError(f"{log.stem} did not start: {log.read_text(errors='replace')[-300:]}")


@contextmanager
def _ended_at_exit(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _checked(command: list[str | Path], environment: dict[str, str] | None) -> None:
    words = [str(word) for word in command]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PeerAbsentError(f"{Path(words[0]).name} {words[1]}: {(done.stderr or done.stdout).strip()[-300:]}")
