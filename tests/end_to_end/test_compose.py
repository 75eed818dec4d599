"""docker-compose.yml against what it starts: settings, commands, addresses. No engine is needed."""

import importlib
import json
import re
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
import redis
from celery.bin.worker import worker as celery_worker
from composed import (
    COMPOSE,
    FILLED_IN,
    OURS,
    PROJECT,
    ROOT,
    SERVICES,
    SETTINGS,
    WORKERS,
    MissingVariable,
    compose,
    environment,
    last,
    seconds,
    settings_of,
    variables_of,
)
from service_api import ServedApi
from service_databases import free_port
from service_workers import until

from worker.app import make_app
from worker.lanes import LIGHT


def celery_options(service: str) -> dict[str, Any]:
    """As Celery itself reads the command."""
    program, flag, _, subcommand, *options = SERVICES[service]["command"]
    assert (program, flag, subcommand) == ("celery", "-A", "worker")
    context = click.Context(celery_worker)
    read, left_over, _ = celery_worker.make_parser(context).parse_args(options)
    assert not left_over
    return read


def classes_of(service: str) -> set[str]:
    return set(celery_options(service)["queues"].split(","))


def targets_of(service: str) -> set[str]:
    """Where its volumes are."""
    return {volume.split(":")[1] for volume in SERVICES[service]["volumes"]}


def test_every_setting_that_is_named_exists() -> None:
    named = {
        name
        for file in ("docker-compose.yml", "Dockerfile", ".env.example")
        for name in re.findall(r"DECLOUD_[A-Z0-9_]+", (ROOT / file).read_text())
    }
    assert len(named) > 5
    assert named <= set(SETTINGS)


def test_every_variable_is_in_the_example_of_the_env_file() -> None:
    assert variables_of((ROOT / "docker-compose.yml").read_text()) <= set(
        re.findall(r"^#?(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    )


@pytest.mark.parametrize("name", ["POSTGRES_PASSWORD", "REDIS_PASSWORD"])
def test_nothing_starts_without_passwords(name: str) -> None:
    with pytest.raises(MissingVariable, match=f"{name} is not set, see .env.example"):
        compose({**FILLED_IN, name: ""})


def test_all_of_ours_share_database_broker_and_files() -> None:
    settings = [settings_of(name) for name in OURS]
    assert {each.database_url for each in settings} == {"postgresql://decloud:aaa111@postgres:5432/decloud"}
    assert {each.broker_url for each in settings} == {"redis://:bbb222@redis:6379/0"}
    assert {each.storage_url for each in settings} == {"file:///data/files"}


def test_database_broker_and_storage_of_ones_own_take_the_place_of_these() -> None:
    own = {"DECLOUD_DATABASE_URL": "postgresql://db/decloud", "DECLOUD_BROKER_URL": "redis://elsewhere/0"}
    for name in OURS:
        values = compose({**FILLED_IN, **own})["services"][name]["environment"]
        assert {variable: values[variable] for variable in own} == own
        assert "DECLOUD_STORAGE_URL" not in values  # else that of the env file would be lost


@pytest.mark.parametrize("service", OURS)
def test_what_is_written_is_on_a_volume_or_in_memory(service: str) -> None:
    settings = settings_of(service)
    for folder in (settings.data, settings.work_dir, Path(settings.storage_url.removeprefix("file://"))):
        assert any(folder.is_relative_to(target) for target in targets_of(service)), folder
    memory = {entry.split(":")[0] for entry in SERVICES[service]["tmpfs"]}
    assert "/tmp" in memory
    home = dict(pair.split("=", 1) for pair in last(SERVICES[service]["build"]["target"], "ENV").split() if "=" in pair)
    assert home.get("HOME", "/tmp") in memory


def test_the_api_is_published_for_this_machine_alone_and_asks_for_keys() -> None:
    settings = settings_of("api")
    assert (settings.host, settings.auth) == ("0.0.0.0", "keys")
    for variables in (FILLED_IN, {**FILLED_IN, "PUBLISH": ""}):
        assert compose(variables)["services"]["api"]["ports"] == [f"127.0.0.1:8000:{settings.port}"]
    assert not [name for name in SERVICES if name != "api" and SERVICES[name].get("ports")]


def test_the_api_is_started_by_a_command_that_exists() -> None:
    program, *arguments = SERVICES["api"]["command"]
    module, function = PROJECT["project"]["scripts"][program].split(":")
    main = getattr(importlib.import_module(module), function)
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--help"])
    assert ended.value.code == 0


@pytest.mark.parametrize("service", WORKERS)
def test_a_worker_is_started_by_a_command_that_celery_takes(service: str) -> None:
    options = celery_options(service)
    assert (options["pool"], options["concurrency"]) == ("threads", "1")
    assert SERVICES[service]["command"][2] == make_app.__module__
    assert make_app(settings_of(service)).conf.broker_read_url == settings_of(service).broker_url


def test_every_queue_of_the_api_has_a_worker_that_starts_by_itself() -> None:
    by_itself = [name for name in WORKERS if not SERVICES[name].get("profiles")]
    published = {*settings_of("api").resource_classes, LIGHT}
    assert len(published) > 1
    assert published <= set().union(*(classes_of(name) for name in by_itself))


def test_inspections_have_a_worker_that_does_nothing_else_and_takes_no_gpu() -> None:
    assert [name for name in WORKERS if LIGHT in classes_of(name)] == ["worker-light"]
    assert (classes_of("worker-light"), settings_of("worker-light").device) == ({LIGHT}, "cpu")
    assert not {"deploy", "profiles"} & set(SERVICES["worker-light"])


def test_without_a_gpu_one_word_in_the_env_file_is_enough() -> None:
    without = compose({**FILLED_IN, "DECLOUD_RESOURCE_CLASSES": "cpu"})["services"]["api"]["environment"]
    assert set(without["DECLOUD_RESOURCE_CLASSES"].split(",")) <= classes_of("worker-cpu")
    assert SERVICES["worker-cpu"]["profiles"] == ["cpu"]
    assert settings_of("worker-cpu").device == "cpu"
    assert "deploy" not in SERVICES["worker-cpu"]
    assert not any("worker-gpu" in SERVICES[name].get("depends_on", {}) for name in SERVICES)


def test_the_gpu_worker_has_a_gpu_reserved_and_uses_no_other_device() -> None:
    (reserved,) = SERVICES["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert reserved == {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}
    assert settings_of("worker-gpu").device == "cuda:0"


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_a_health_check_that_ends_in_time(service: str) -> None:
    check = SERVICES[service]["healthcheck"]
    assert check["test"][0] in ("CMD", "CMD-SHELL")
    assert seconds(check["timeout"]) <= seconds(check["interval"])
    assert check["retries"] >= 3


def test_the_health_check_of_the_api_asks_an_address_that_needs_no_key(api: ServedApi) -> None:
    (command,) = re.findall(r"http://\S+(?=')", " ".join(SERVICES["api"]["healthcheck"]["test"]))
    host, path = re.fullmatch(r"http://([^/]+)(/.*)", command).groups()  # type: ignore[union-attr]
    assert host == f"127.0.0.1:{settings_of('api').port}"
    assert api.anybody().get(path).status_code == 200


@pytest.mark.parametrize("service", WORKERS)
def test_the_health_check_of_a_worker_is_a_program_of_ours(service: str) -> None:
    kind, python, flag, module = SERVICES[service]["healthcheck"]["test"]
    assert (kind, python, flag) == ("CMD", "python", "-m")
    assert callable(importlib.import_module(module).main)


def test_the_api_migrates_before_workers_start_and_the_database_is_there_before_the_api() -> None:
    assert SERVICES["api"]["depends_on"]["postgres"] == {"condition": "service_healthy"}
    for name in WORKERS:
        assert SERVICES[name]["depends_on"]["api"] == {"condition": "service_healthy"}


@pytest.mark.parametrize("service", WORKERS)
def test_a_stopped_worker_has_time_to_give_its_job_back(service: str) -> None:
    # The grace of the job's process, then that of the database.
    assert seconds(SERVICES[service]["stop_grace_period"]) >= 2 * settings_of(service).cancel_grace_s + 15


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_is_hardened(service: str) -> None:
    has = SERVICES[service]
    assert has["read_only"] is True
    assert has["cap_drop"] == ["ALL"]
    assert has["security_opt"] == ["no-new-privileges:true"]
    assert has["pids_limit"] > 0
    assert {"max-size", "max-file"} <= set(has["logging"]["options"])
    assert not {"privileged", "cap_add", "devices", "network_mode", "pid", "ipc", "userns_mode"} & set(has)
    user = has["user"] if "user" in has else last(has["build"]["target"], "USER")
    assert user.split(":")[0] not in ("", "root", "0")


@pytest.mark.parametrize("service", SERVICES)
def test_only_named_volumes_are_mounted(service: str) -> None:
    for volume in SERVICES[service]["volumes"]:
        assert volume.split(":")[0] in COMPOSE["volumes"]


def test_database_and_broker_are_reached_by_ours_alone() -> None:
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    for name in ("postgres", "redis"):
        assert SERVICES[name]["networks"] == ["inside"]
    for name in OURS:
        assert "inside" in SERVICES[name]["networks"]


def test_the_database_is_the_one_that_ours_ask_for() -> None:
    has = SERVICES["postgres"]["environment"]
    url = f"postgresql://{has['POSTGRES_USER']}:{has['POSTGRES_PASSWORD']}@postgres:5432/{has['POSTGRES_DB']}"
    assert settings_of("api").database_url == url


@pytest.mark.parametrize("service", SERVICES)
def test_images_are_pinned_and_ours_bear_the_version_of_the_project(service: str) -> None:
    name, _, tag = SERVICES[service]["image"].partition(":")
    if service in OURS:
        assert (name, tag) == (f"decloud-{SERVICES[service]['build']['target']}", PROJECT["project"]["version"])
    else:
        assert re.fullmatch(r"\d+\.\d+(\.\d+)?-\w+", tag)


def test_the_example_holds_no_secret_and_the_real_file_is_neither_committed_nor_in_an_image() -> None:
    example = dict(re.findall(r"^(\w+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert {name: value for name, value in example.items() if re.search("PASSWORD|SECRET|KEY", name) and value} == {}
    assert "/.env" in (ROOT / ".gitignore").read_text().splitlines()
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*"


def test_redis_keeps_what_it_is_told_evicts_nothing_and_asks_for_the_password(tmp_path: Path) -> None:
    if shutil.which("redis-server") is None:
        pytest.skip("Redis is not installed: no redis-server on the PATH")
    shell, flag, command = SERVICES["redis"]["command"]
    port = free_port()
    process = subprocess.Popen(
        [shell, flag, f"{command} --port {port} --bind 127.0.0.1 --dir {tmp_path}"],
        env={"PATH": "/usr/bin:/bin", **SERVICES["redis"]["environment"]},
        stdout=subprocess.DEVNULL,
    )
    try:
        until(lambda: _answers(port), "Redis does not answer")
        with redis.Redis(port=port, password="bbb222") as client:
            kept = {name: client.config_get(name)[name] for name in ("appendonly", "maxmemory-policy")}
        assert kept == {"appendonly": "yes", "maxmemory-policy": "noeviction"}
        with socket.create_connection(("127.0.0.1", port)) as stranger:
            stranger.sendall(b"PING\r\n")
            assert stranger.recv(100).startswith(b"-NOAUTH")
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    try:
        with redis.Redis(port=port, password="bbb222") as client:
            return bool(client.ping())
    except redis.ConnectionError:
        return False


def test_docker_compose_takes_the_file(tmp_path: Path) -> None:
    """Needs its program, no engine."""
    command = next((each for each in (["docker", "compose"], ["docker-compose"]) if _is_compose(each)), None)
    if command is None:
        pytest.skip("Docker Compose is not installed")
    for name in ("docker-compose.yml", "Dockerfile"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in FILLED_IN.items()))
    options = ["--profile", "cpu", "config", "--format", "json"]
    done = subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    read = json.loads(done.stdout)["services"]
    assert set(read) == set(SERVICES)
    assert {name: str(value) for name, value in read["api"]["environment"].items()} == environment("api")


def _is_compose(command: list[str]) -> bool:
    if shutil.which(command[0]) is None:
        return False
    done = subprocess.run([*command, "version", "--short"], capture_output=True, text=True, timeout=30)
    return done.returncode == 0 and int(done.stdout.lstrip("v").split(".")[0]) >= 2
