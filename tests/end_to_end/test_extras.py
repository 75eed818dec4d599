"""An installation without some packages: what it cannot do, it says with the extra to install."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from locations import ROOT

from seq2seq.errors import DecloudError, MissingExtraError
from seq2seq.extras import CPU_TORCH, PACKAGES, check_extra, naming_extra

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OURS = ("decloud", "seq2seq", "api", "worker")


# Runs each command or program of `asked` in one process, since starting one is what takes time here.
RUNNER = """
import contextlib, io, json
def ending(what):
    try:
        if isinstance(what, str):
            exec(what, {})
        else:
            from api.commands.main import main
            main(what)
    except SystemExit as ended:
        return ended.code
    except Exception as error:
        return f"{type(error).__name__}: {error}"
found = []
for what in asked:
    with contextlib.redirect_stderr(io.StringIO()) as said, contextlib.redirect_stdout(io.StringIO()):
        code = ending(what)
    found.append((code, said.getvalue()))
print(json.dumps(found))
"""


def without(packages: Sequence[str], asked: Sequence[str | list[str]], folder: Path) -> list[tuple[int | str, str]]:
    """How commands (lists) and programs (text) end, and what they say on stderr, where `packages` are not installed."""
    hidden = f"import sys\nfor name in {tuple(packages)!r}: sys.modules[name] = None\nasked = {list(asked)!r}\n"
    command = [sys.executable, "-c", hidden + RUNNER]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=True)
    return [(code, said) for code, said in json.loads(done.stdout)]


def names_of(requirements: list[str]) -> set[str]:
    """Distributions, as `packages_distributions` calls them."""
    found = [re.match(r"[A-Za-z0-9_.-]+", requirement) for requirement in requirements]
    return {re.sub(r"[-_.]+", "-", match.group()).lower() for match in found if match}


def imported() -> set[str]:
    """The first names of all that our packages import, wherever it stands in a file."""
    found: set[str] = set()
    for file in (file for package in OURS for file in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(str(node.module).partition(".")[0])
    return found - set(sys.stdlib_module_names) - set(OURS)


def test_whatever_our_code_imports_every_installation_has_or_an_extra_is_known_for_it() -> None:
    always = names_of(PROJECT["dependencies"])
    homes = packages_distributions()
    known = {name for names in PACKAGES.values() for name in names}
    strange = {
        name
        for name in imported() - known
        if not {re.sub(r"[-_.]+", "-", home).lower() for home in homes.get(name, [])} & always
    }
    # What the plain dependencies bring themselves: pyproj and numpy's kin come with odc-geo, click with typer.
    # pydantic_core is pydantic's. IPython is used where it runs already (`notebook`).
    assert strange <= {"pyproj", "click", "pydantic_core", "IPython"}


@pytest.mark.parametrize("extra", sorted(PACKAGES))
def test_every_package_of_an_extra_is_known_by_the_name_it_is_imported_by(extra: str) -> None:
    named = names_of(PROJECT["optional-dependencies"][extra]) - {"decloud"}
    imports = {
        home: name
        for name, homes in packages_distributions().items()
        for home in (re.sub(r"[-_.]+", "-", each).lower() for each in homes)
        if not name.startswith("_") and (name in PACKAGES[extra] or name.lower() == home.replace("-", "_"))
    }
    assert {imports.get(name, name) for name in named} <= set(PACKAGES[extra])


def line(package: str, extra: str) -> str:
    """What a user reads."""
    cpu = f" (without a GPU, first: {CPU_TORCH})" if package == "torch" else ""
    return f"this needs {package}, which is not installed: pip install 'decloud[{extra}]'{cpu}"


@pytest.mark.parametrize(
    ("missing", "commands", "named"),
    [
        (("torch",), [["run", "nowhere", "out"], ["serve", "--port", "0"], ["demo"]], ("torch", "core")),
        (("lightgbm",), [["run", "nowhere", "out"], ["serve", "--port", "0"], ["demo"]], ("lightgbm", "core")),
        (
            ("httpx",),
            [["submit", "a"], ["watch"], ["jobs"], ["download", "5d8b1c0e", "out"], ["cancel", "5d8b1c0e"], ["demo"]],
            ("httpx", "client"),
        ),
        (("uvicorn",), [["serve"], ["demo"]], ("uvicorn", "service")),
        (  # httpx is missing as well, but the service brings it
            ("sqlalchemy", "httpx"),
            [["keys", "list"], ["keys", "create", "ann"], ["keys", "revoke", "a"]],
            ("sqlalchemy", "service"),
        ),
    ],
)
def test_a_command_says_which_extra_it_needs_before_it_does_anything(
    missing: tuple[str, ...], commands: list[list[str]], named: tuple[str, str], tmp_path: Path
) -> None:
    expected = (2, f"decloud: error: {line(*named)}\n")
    assert dict(zip(map(str, commands), without(missing, commands, tmp_path), strict=True)) == dict.fromkeys(
        map(str, commands), expected
    )
    assert list(tmp_path.iterdir()) == []


def test_what_needs_no_extra_works_without_any(tmp_path: Path) -> None:
    commands = [["--help"], ["--version"], ["simulate", "s", "--size", "16", "--dates", "2"], ["inspect", "s/input"]]
    packages = [name for names in PACKAGES.values() for name in names if name != "pydantic"]  # typer has it
    assert without(packages, commands, tmp_path) == [(0, "")] * len(commands)


def test_a_program_gets_an_import_error_that_names_the_extra(tmp_path: Path) -> None:
    programs = {
        "from decloud import reconstruct": ("torch", "core"),
        "from decloud import run": ("torch", "core"),
        "from seq2seq import reconstruct": ("torch", "core"),
        "from decloud import Client": ("httpx", "client"),
        "import api.client": ("httpx", "client"),
        "import worker.app": ("celery", "service"),
    }
    ended = without(("torch", "httpx", "celery"), list(programs), tmp_path)
    assert ended == [(f"MissingExtraError: {line(*named)}", "") for named in programs.values()]


def test_a_celery_worker_that_could_do_no_job_does_not_start(tmp_path: Path) -> None:
    script = (
        "from types import SimpleNamespace\n"
        "from celery import signals\n"
        "from worker.app import make_app\n"
        "from worker.settings import load_settings\n"
        "make_app(load_settings(broker_url='memory://'))\n"
        "pool = type('Pool', (), {'__module__': 'celery.concurrency.thread'})\n"
        "signals.celeryd_after_setup.send('w', instance=SimpleNamespace(pool_cls=pool))\n"
    )
    ((code, _),) = without(("lightgbm",), [script], tmp_path)
    assert code == f"decloud: error: {line('lightgbm', 'core')}"


def test_another_package_that_is_missing_is_a_bug_of_ours_and_passes() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_package"), naming_extra():
        import no_such_package  # type: ignore[import-not-found]  # noqa: F401


def test_both_kinds_of_programs_catch_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s2cloudless", None)
    with pytest.raises(ImportError) as caught:
        check_extra("clouds")
    assert isinstance(caught.value, DecloudError)
    assert isinstance(caught.value, MissingExtraError)
    assert caught.value.name == "s2cloudless"
