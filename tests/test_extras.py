"""An installation without some packages: what it cannot do, it says with the extra to install."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from seq2seq.errors import DecloudError, MissingExtraError
from seq2seq.extras import CPU_TORCH, PACKAGES, check_extra, naming_extra

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OURS = ("decloud", "seq2seq", "api", "worker")
LIBRARY = ("torch", "lightgbm")
SERVER = ("sqlalchemy", "pydantic_settings", "fastapi", "uvicorn", "celery", "alembic")


def without(packages: tuple[str, ...], script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The script in a process of its own, from which the packages are hidden."""
    hidden = f"import sys\nfor name in {packages!r}: sys.modules[name] = None\n"
    return subprocess.run([sys.executable, "-c", hidden + script], capture_output=True, text=True, cwd=folder)


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
    assert strange <= {"pyproj", "click"}


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


@pytest.mark.parametrize("missing", LIBRARY)
def test_a_run_says_it_before_it_reads_anything(missing: str, tmp_path: Path) -> None:
    done = without((missing,), "from api.cli import main; main(['run', 'nowhere', 'out'])", tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(
        f"decloud: error: this needs {missing}, which is not installed: pip install 'decloud[core]'"
    )
    assert done.stderr.count("\n") == 1
    assert (CPU_TORCH in done.stderr) == (missing == "torch")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "extra", "packages"),
    [
        (["submit", "fields"], "client", ("httpx",)),
        (["watch"], "client", ("httpx",)),
        (["jobs"], "client", ("httpx",)),
        (["download", "5d8b1c0e", "out"], "client", ("httpx",)),
        (["cancel", "5d8b1c0e"], "client", ("httpx",)),
        (["serve", "--port", "0"], "core", ("torch",)),
        (["serve", "--port", "0"], "core", ("lightgbm",)),
        (["serve"], "service", SERVER),
        (["demo"], "service", SERVER),
        (["keys", "list"], "service", SERVER),
        (["keys", "create", "ann"], "service", SERVER),
        (["keys", "revoke", "a"], "service", SERVER),
    ],
)
def test_a_command_says_which_extra_it_needs_in_one_line(
    arguments: list[str], extra: str, packages: tuple[str, ...], tmp_path: Path
) -> None:
    done = without(packages, f"from api.cli import main; main({arguments!r})", tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert re.match(
        rf"decloud: error: this needs \w+, which is not installed: pip install 'decloud\[{extra}\]'", done.stderr
    )


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["simulate", "s", "--size", "16", "--dates", "2"]])
def test_what_needs_no_extra_works_without_any(arguments: list[str], tmp_path: Path) -> None:
    done = without(
        (*LIBRARY, *SERVER, "httpx", "s2cloudless"), f"from api.cli import main; main({arguments!r})", tmp_path
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("script", "package", "extra"),
    [
        ("from decloud import reconstruct", "torch", "core"),
        ("from decloud import run", "lightgbm", "core"),
        ("from decloud import Client", "httpx", "client"),
        ("from seq2seq import reconstruct", "torch", "core"),
        ("import api.client", "httpx", "client"),
        ("import worker.app", "celery", "service"),
        ("import worker.app", "sqlalchemy", "service"),
    ],
)
def test_a_program_gets_an_import_error_that_names_the_extra(
    script: str, package: str, extra: str, tmp_path: Path
) -> None:
    done = without((package,), script, tmp_path)
    said = done.stderr.splitlines()[-1]
    assert said.startswith(f"seq2seq.errors.MissingExtraError: this needs {package}, which is not installed: ")
    assert f"pip install 'decloud[{extra}]'" in said


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
    done = without(("lightgbm",), script, tmp_path)
    assert done.returncode == 1
    assert done.stderr == ("decloud: error: this needs lightgbm, which is not installed: pip install 'decloud[core]'\n")


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
