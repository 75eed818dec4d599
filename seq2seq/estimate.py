"""What a run will cost, before it begins. Loads no torch, so that the service and `decloud inspect` can ask."""

import math
from dataclasses import dataclass

from seq2seq.config import ReconstructionConfig

# Seconds on two CPU cores: of each tile whatever its size (regressors see samples, the network crops), and of each date
# and pixel: 242 s together for 30 x 13 x 256 x 256, 92 s for 20 x 9 x 101 x 101. The recipe `paper`: one update costs
# this for each date and pixel of its window (0.5 s for 5 x 128 x 128, float32).
_INTERNAL_S_PER_DATE_PX = 0.085e-3
_FIXED_S = 75.0
_PAPER_S_PER_STEP_DATE_PX = 0.5 / (5 * 128 * 128)
_PAPER_WINDOW = 5
_PAPER_STEPS_PER_WINDOW = 20 * 100

# Memory: what the program takes by itself with torch loaded, and bytes for each date, pixel and band of a tile.
_FIXED_GB = 0.9
_BYTES_PER_VALUE = 56
_BYTES_PER_DATE_PX = 600
# Larger tiles gain nothing (their networks see crops) and cost memory; smaller ones have too little to learn from.
_LARGEST_TILE_PX = 288
_SMALLEST_TILE_PX = 64


@dataclass(frozen=True)
class Estimate:
    """seconds on two CPU cores, memory_gb at the peak: right within a factor of two, no promise."""

    seconds: float
    memory_gb: float


def estimate(shape: tuple[int, int, int, int], config: ReconstructionConfig) -> Estimate:
    """For a sequence of `shape` (T, C, H, W) and the settings that matter: recipe, budget, tile and memory."""
    dates, bands, height, width = shape
    tile_px = config.tile_px or tile_size(shape, config)
    tiles = math.ceil(height / tile_px) * math.ceil(width / tile_px)
    seconds = _seconds(dates, height * width, tiles, config)
    if config.max_minutes is not None:
        seconds = min(seconds, 60 * config.max_minutes)
    tile_area = min(height * width, tile_px**2)
    memory_gb = _FIXED_GB + dates * tile_area * (_BYTES_PER_VALUE * bands + _BYTES_PER_DATE_PX) / 2**30
    return Estimate(seconds=seconds, memory_gb=min(memory_gb, config.max_memory_gb))


def tile_size(shape: tuple[int, int, int, int], config: ReconstructionConfig) -> int:
    """Side in pixels of the largest tile that fits into config.max_memory_gb; at most `_LARGEST_TILE_PX`."""
    dates, bands, _, _ = shape
    room = max(config.max_memory_gb - _FIXED_GB, 0.05 * config.max_memory_gb) * 2**30
    fitting = int((room / (dates * (_BYTES_PER_VALUE * bands + _BYTES_PER_DATE_PX))) ** 0.5)
    return max(_SMALLEST_TILE_PX, min(_LARGEST_TILE_PX, fitting))


def _seconds(dates: int, pixels: int, tiles: int, config: ReconstructionConfig) -> float:
    if config.recipe == "internal":
        return _FIXED_S * tiles + _INTERNAL_S_PER_DATE_PX * dates * pixels
    window = min(_PAPER_WINDOW, dates)
    steps = (dates - window + 1) * _PAPER_STEPS_PER_WINDOW * config.schedule_factor
    return _FIXED_S + steps * _PAPER_S_PER_STEP_DATE_PX * window * pixels
