"""Cloud-free Sentinel-2 sequences by internal learning on the sequence itself.

    from seq2seq import read_sequence, reconstruct, ReconstructionConfig

    observations = read_sequence("fields")
    result = reconstruct(observations, ReconstructionConfig(seed=0))

The names below are loaded when they are first used: torch takes seconds, and not everything needs it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from seq2seq.extras import naming_extra
from seq2seq.waiting import let_waiting_threads_sleep

if TYPE_CHECKING:
    from seq2seq.config import ReconstructionConfig
    from seq2seq.readers import open_sequence, read_sequence
    from seq2seq.run.reconstruction import Reconstruction, reconstruct
    from seq2seq.sequence import ImageSequence, Observations

# Before anything of ours can load torch or LightGBM, in whatever process.
let_waiting_threads_sleep()

__all__ = [
    "ImageSequence",
    "Observations",
    "Reconstruction",
    "ReconstructionConfig",
    "open_sequence",
    "read_sequence",
    "reconstruct",
]

_HOMES = {
    "ImageSequence": "sequence",
    "Observations": "sequence",
    "Reconstruction": "run.reconstruction",
    "ReconstructionConfig": "config",
    "open_sequence": "readers",
    "read_sequence": "readers",
    "reconstruct": "run.reconstruction",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with naming_extra():
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
