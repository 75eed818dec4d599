"""The Dockerfile against the files it copies, the dependencies it installs and the programs it starts."""

import fnmatch
import json
import re
import shlex
from importlib.metadata import distribution
from pathlib import Path

import pytest
from composed import OURS, PROJECT, ROOT, SERVICES, dockerfile, last, lineage, sources
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

STAGES = dockerfile()
TARGETS = {name: str(SERVICES[name]["build"]["target"]) for name in OURS}
LOCK = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
DEPENDENCIES: list[str] = PROJECT["project"]["dependencies"]
EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
# How setuptools finds our packages.
FOUND = PROJECT["tool"]["setuptools"]["packages"]["find"]


def pip_lines(target: str) -> list[str]:
    runs = [run for stage in sorted(sources(target)) for run in STAGES[stage].all("RUN")]
    return [run for run in runs if "pip install" in run]


def required(extras: list[str]) -> list[Requirement]:
    """By our own distribution with these extras."""
    found = [Requirement(text) for text in (*DEPENDENCIES, *(each for extra in extras for each in EXTRAS[extra]))]
    ours = [extra for each in found if each.name == "decloud" for extra in each.extras]
    return [each for each in found if each.name != "decloud"] + (required(ours) if ours else [])


def installed(target: str) -> set[str]:
    """Every distribution in the image, as the metadata of those installed here say."""
    (extras,) = {match for line in pip_lines(target) for match in re.findall(r"'\.\[([\w,]+)\]'", line)}
    waiting = required(extras.split(","))
    found: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        each = waiting.pop()
        key = (canonicalize_name(each.name), frozenset(each.extras))
        if key not in found:
            found.add(key)
            waiting += _needs(each)
    return {name for name, _ in found}


def _needs(requirement: Requirement) -> list[Requirement]:
    needed = [Requirement(text) for text in distribution(requirement.name).requires or ()]
    extras = requirement.extras or {""}
    return [each for each in needed if each.marker is None or any(each.marker.evaluate({"extra": x}) for x in extras)]


def ignored(path: str) -> bool:
    """Whether .dockerignore keeps it from the build; its last matching line decides."""
    verdict = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        pattern = line.removeprefix("!").removeprefix("**/")
        parts = Path(path).parts if line.startswith("**/") else Path(path).parts[:1]
        if any(fnmatch.fnmatch(part, pattern) for part in parts):
            verdict = not line.startswith("!")
    return verdict


def test_the_stages_that_compose_asks_for_exist() -> None:
    assert set(TARGETS.values()) == {"api", "worker"} <= set(STAGES)


def test_the_image_of_the_api_has_no_torch_and_that_of_a_worker_has() -> None:
    assert "fastapi" in installed("api")
    assert not {"torch", "lightgbm", "s2cloudless"} & installed("api")
    assert {"torch", "lightgbm", "s2cloudless", "celery"} <= installed("worker")


@pytest.mark.parametrize("target", sorted(set(TARGETS.values())))
def test_every_version_in_an_image_is_pinned(target: str) -> None:
    assert all("--constraint requirements.lock" in line for line in pip_lines(target))
    pinned = {canonicalize_name(name) for name in LOCK}
    # Whoever has torch for CUDA gets the libraries that this very version of torch names.
    assert {name for name in installed(target) if not name.startswith(("nvidia-", "cuda-", "triton"))} <= pinned


def test_the_lock_satisfies_every_dependency_and_names_neither_builds_nor_hosts() -> None:
    pinned = {canonicalize_name(name): version for name, version in LOCK.items()}
    for wanted in required(list(EXTRAS)):
        assert wanted.specifier.contains(pinned[canonicalize_name(wanted.name)]), wanted
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    assert all(line.startswith("#") or re.fullmatch(r"[\w.-]+==[\w.!]+", line) for line in lines)


def test_base_images_are_pinned_to_a_patch_of_the_oldest_python_that_is_promised() -> None:
    bases = [stage.image for stage in STAGES.values() if stage.image not in STAGES]
    oldest = PROJECT["project"]["requires-python"].removeprefix(">=")
    assert bases
    assert all(re.fullmatch(rf"python:{re.escape(oldest)}\.\d+-slim-\w+", image) for image in bases)


def test_everything_that_is_copied_is_there() -> None:
    copied = [rest for stage in STAGES.values() for rest in stage.all("COPY")]
    assert copied
    for rest in copied:
        *words, _ = shlex.split(rest)
        if words[0].startswith("--from="):
            assert words[0].removeprefix("--from=") in STAGES
            continue
        for word in words:
            assert (ROOT / word).exists(), word
            assert not ignored(word), word


def test_everything_that_the_distribution_is_made_of_is_copied() -> None:
    copied = {word for rest in STAGES["source"].all("COPY") for word in shlex.split(rest)}
    packages = {pattern.removesuffix("*") for pattern in FOUND["include"]}
    files = {PROJECT["project"]["readme"], *PROJECT["project"]["license-files"], "pyproject.toml"}
    assert packages | files <= copied


def test_every_package_is_installed_and_its_data_files_too() -> None:
    """An editable installation has them all the same; an image has not."""
    tops = [ROOT / pattern.removesuffix("*") for pattern in FOUND["include"]]
    files = [file for top in tops for file in top.rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    assert {top.name for top in tops} == {"decloud", "seq2seq", "worker", "api"}
    assert FOUND["namespaces"] is False
    data = PROJECT["tool"]["setuptools"]["package-data"]
    for file in files:
        inside = [folder for folder in file.parents if folder.is_relative_to(ROOT) and folder != ROOT]
        owner = next(folder for folder in inside if (folder / "__init__.py").exists())
        above = inside[inside.index(owner) :]
        assert all((folder / "__init__.py").exists() for folder in above), file
        if file.suffix == ".py":
            assert owner == file.parent, file
        else:
            package = ".".join(owner.relative_to(ROOT).parts)
            assert any(file in owner.glob(pattern) for pattern in data.get(package, ())), file


@pytest.mark.parametrize("path", [".env", ".git", ".venv", "decloud-data", "tests", "demo", "api/__pycache__"])
def test_what_no_image_needs_does_not_reach_the_build(path: str) -> None:
    assert ignored(path)


@pytest.mark.parametrize("target", sorted(set(TARGETS.values())))
def test_images_run_as_nobody_special_who_may_write_to_the_data_folder_alone(target: str) -> None:
    user, group = last(target, "USER").split(":")
    assert int(user) == int(group) >= 10_000
    made = " ".join(run for stage in lineage(target) for run in stage.all("RUN"))
    assert f"--uid {user}" in made
    assert f"--gid {group}" in made
    assert "install --directory --owner=decloud --group=decloud --mode=0700 /data" in made
    assert last(target, "WORKDIR") == "/opt/decloud"


@pytest.mark.parametrize("service", OURS)
def test_compose_and_image_agree_on_command_and_health_check(service: str) -> None:
    command = json.loads(last(TARGETS[service], "CMD"))
    assert command[:-1] == SERVICES[service]["command"][:-1]
    options, check = re.fullmatch(r"(.*?)\s*CMD (\[.*\])", last(TARGETS[service], "HEALTHCHECK")).groups()  # type: ignore[union-attr]
    assert ["CMD", *json.loads(check)] == SERVICES[service]["healthcheck"]["test"]
    stated = dict(re.findall(r"--([\w-]+)=(\S+)", options))
    expected = SERVICES[service]["healthcheck"]
    assert stated == {name.replace("_", "-"): str(expected[name]) for name in expected if name != "test"}
