"""Files with damage in them, by chance but the same each time."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from seq2seq.errors import DecloudError
from seq2seq.readers import open_sequence

TIMES = 60


def refusals_of_damage(path: Path, *, more_each_time: int, cut: Callable[[int], int] = lambda time: 0) -> list[str]:
    """What is said of the sequence `path`, each time with more bytes of it changed and `cut(time)` bytes less."""
    whole, rng, said = path.read_bytes(), np.random.default_rng(1), []
    for time in range(TIMES):
        damaged = bytearray(whole[: len(whole) - cut(time)])
        for at in rng.integers(0, len(damaged), 1 + more_each_time * time):
            damaged[at] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        try:
            with open_sequence(path) as source:
                source.read()
        except DecloudError as error:
            said.append(str(error))
    return said
