"""Cloud-free Sentinel-2 sequences from your own Sentinel-1/Sentinel-2 time series.

    from decloud import ReconstructionConfig, read_sequence, reconstruct

    observations = read_sequence("fields")
    result = reconstruct(observations, ReconstructionConfig(seed=0))

All that programs may rely on has its name here: the library, its errors, and `Client` for a server. A name is loaded
when it is first used, and says which extra to install where a package is missing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from seq2seq.extras import naming_extra

if TYPE_CHECKING:
    from api.client import Client, ClientError, RemoteJob
    from seq2seq.config import ReconstructionConfig
    from seq2seq.errors import (
        ConfigError,
        DecloudError,
        InputError,
        MissingExtraError,
        OutputError,
        Stopped,
        WeightsUnavailableError,
    )
    from seq2seq.progress import Progress
    from seq2seq.readers import open_sequence, read, read_sequence
    from seq2seq.results.opening import open
    from seq2seq.run.pipeline import run
    from seq2seq.run.reconstruction import Reconstruction, reconstruct
    from seq2seq.sequence import ImageSequence, Observations

    __version__: str

__all__ = [
    "Client",
    "ClientError",
    "ConfigError",
    "DecloudError",
    "ImageSequence",
    "InputError",
    "MissingExtraError",
    "Observations",
    "OutputError",
    "Progress",
    "Reconstruction",
    "ReconstructionConfig",
    "RemoteJob",
    "Stopped",
    "WeightsUnavailableError",
    "__version__",
    "open",
    "open_sequence",
    "read",
    "read_sequence",
    "reconstruct",
    "run",
]

_NAMES = {
    "api.client": ("Client", "ClientError", "RemoteJob"),
    "seq2seq.config": ("ReconstructionConfig",),
    "seq2seq.errors": (
        "ConfigError",
        "DecloudError",
        "InputError",
        "MissingExtraError",
        "OutputError",
        "Stopped",
        "WeightsUnavailableError",
    ),
    "seq2seq.run.pipeline": ("run",),
    "seq2seq.progress": ("Progress",),
    "seq2seq.readers": ("open_sequence", "read", "read_sequence"),
    "seq2seq.results.opening": ("open",),
    "seq2seq.run.reconstruction": ("Reconstruction", "reconstruct"),
    "seq2seq.sequence": ("ImageSequence", "Observations"),
}
_HOMES = {name: home for home, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("decloud")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with naming_extra():
        return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
