"""The extras of decloud and their packages: an error names what is missing together with the way to get it.

An installation need not have everything: a client needs no torch, a laptop no database. Whatever is imported for a task
is imported inside `naming_extra`, and so no lack of it ends as a bare ModuleNotFoundError.
"""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from seq2seq.errors import MissingExtraError

# Names as they are imported, by the extra of pyproject.toml that brings them; of two, the smaller one.
PACKAGES: dict[str, tuple[str, ...]] = {
    "core": ("torch", "lightgbm", "safetensors", "threadpoolctl"),
    "clouds": ("s2cloudless",),
    "csmask": ("ukis_csmask",),
    "xarray": ("h5netcdf", "zarr", "h5py"),
    "cubes": ("h5py", "numcodecs"),
    "keras": ("h5py",),
    "inpainting": ("skimage",),
    "diffusion": ("diffusers", "transformers"),
    "client": ("httpx",),
    "service": (
        "alembic",
        "anyio",
        "celery",
        "fastapi",
        "httpcore",
        "kombu",
        "obstore",
        "orjson",
        "prometheus_client",
        "psycopg",
        "pydantic",
        "pydantic_settings",
        "redis",
        "sqlalchemy",
        "starlette",
        "uvicorn",
    ),
}
_EXTRAS = {package: extra for extra, packages in PACKAGES.items() for package in packages}
# torch's wheel for Linux on PyPI is built for CUDA and brings gigabytes of it.
CPU_TORCH = "pip install torch --index-url https://download.pytorch.org/whl/cpu"


@contextmanager
def naming_extra(extra: str | None = None) -> Iterator[None]:
    """Raises `MissingExtraError`, around imports, for a package that an extra would have brought. Others pass.

    extra: the one to name of several that bring the package.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _EXTRAS:
            raise
        raise MissingExtraError(how_to_install(package, extra), name=package) from error


def check_extra(extra: str) -> None:
    """Raises `MissingExtraError` where a package of `extra` is not installed. Imports none of them."""
    for package in PACKAGES[extra]:
        if not _is_installed(package):
            raise MissingExtraError(how_to_install(package), name=package)


def _is_installed(package: str) -> bool:
    if package in sys.modules:  # some of them have no spec once they are loaded
        return sys.modules[package] is not None
    return importlib.util.find_spec(package) is not None


def how_to_install(package: str, extra: str | None = None) -> str:
    """Returns one sentence on a package that is not there."""
    named = extra if extra and package in PACKAGES[extra] else _EXTRAS[package]
    without_gpu = f" (without a GPU, first: {CPU_TORCH})" if package == "torch" else ""
    return f"this needs {package}, which is not installed: pip install 'decloud[{named}]'{without_gpu}"
