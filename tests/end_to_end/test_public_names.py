"""`import decloud`: what programs may rely on, typed, and loaded when it is used."""

import subprocess
import sys
from importlib.metadata import version

import pytest
from locations import ROOT

import api.client
import decloud
import seq2seq


@pytest.mark.parametrize("name", decloud.__all__)
def test_every_name_is_there_and_is_that_of_its_home(name: str) -> None:
    value = getattr(decloud, name)
    for home in (seq2seq, seq2seq.errors, api.client):
        if name in getattr(home, "__all__", vars(home)):
            assert getattr(home, name) is value


def test_it_has_whatever_the_library_has() -> None:
    assert set(seq2seq.__all__) <= set(decloud.__all__) == set(dir(decloud))


def test_the_version_is_that_of_the_installation() -> None:
    assert decloud.__version__ == version("decloud")


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'decloud' has no attribute 'recnostruct'"):
        decloud.recnostruct  # noqa: B018


def test_importing_it_loads_nothing_heavy_and_settings_and_errors_need_no_more() -> None:
    script = (
        "import sys, decloud\n"
        "decloud.ReconstructionConfig(seed=1), decloud.InputError, decloud.__version__\n"
        "print(*sorted({'torch', 'numpy', 'rasterio', 'httpx', 'fastapi', 'sqlalchemy'} & set(sys.modules)), '<-')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "<-\n"


def test_the_package_is_the_program_too() -> None:
    done = subprocess.run([sys.executable, "-m", "decloud", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"decloud {decloud.__version__}\n"


def test_the_types_are_for_others_too() -> None:
    assert all((ROOT / package / "py.typed").exists() for package in ("decloud", "seq2seq", "api", "worker"))
