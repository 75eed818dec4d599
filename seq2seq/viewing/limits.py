"""How much of a large scene a bundle holds: its pictures and values would grow with the area, a pack may not.

Finer pictures than the finest level, and values between those that are kept, are in the result's own files.
"""

import dataclasses

from seq2seq.viewing.pyramid import Levels

# Cells of all pictures: a service holds the contents of a pack in memory. 30 dates of 4096 px, 10 styles, are below it.
MOST_CELLS = 120_000
# Of all values before they are packed, which about halves them. 30 dates of 13 bands at 1024 px are below it.
MOST_VALUE_BYTES = 4_000_000_000
MOST_CHUNKS = 120_000
CHUNK_PX = 32
# Values of a cell fill a chunk of 8 px a side at least.
MOST_STEP = 32


def within_cells(levels: Levels, pictures: int, most: int = MOST_CELLS) -> Levels:
    """The same levels, of which only those from `finest` on have cells: at most so many of `pictures` pictures.

    The coarsest keeps its cells, so that a whole picture is never all there is.
    """
    counts = [rows * columns for rows, columns in map(levels.cells, range(levels.count))]
    finest = 0
    while finest < levels.count - 1 and sum(counts[finest:]) * pictures > most:
        finest += 1
    return dataclasses.replace(levels, finest=finest)


def sampling_step(pixels: int, bytes_per_pixel: int, arrays: int) -> int:
    """Of how many pixels a side one has its values kept: 1, 2, 4, ... `MOST_STEP`. bytes_per_pixel: of all arrays."""
    step = 1
    while step < MOST_STEP and (
        pixels * bytes_per_pixel > MOST_VALUE_BYTES * step**2 or pixels * arrays > MOST_CHUNKS * (CHUNK_PX * step) ** 2
    ):
        step *= 2
    return step
