"""What a run will cost, before it begins. Loads no torch, so that the service and `decloud inspect` can ask."""

from dataclasses import dataclass

from seq2seq.config import ReconstructionConfig

# Seconds on two CPU cores for each date and pixel, all phases, and those that do not depend on the size. The recipe
# `paper`: one update costs this much for each date and pixel of its window (0.5 s for 5 x 128 x 128, float32).
_INTERNAL_S_PER_DATE_PX = 0.7e-3
_FIXED_S = 30.0
_PAPER_S_PER_STEP_DATE_PX = 0.5 / (5 * 128 * 128)
_PAPER_WINDOW = 5
_PAPER_STEPS_PER_WINDOW = 20 * 100

# Memory: what the program takes by itself with torch loaded, and bytes for each date, pixel and band of a tile.
_FIXED_GB = 0.9
_BYTES_PER_VALUE = 56
_BYTES_PER_DATE_PX = 600


@dataclass(frozen=True)
class Estimate:
    """seconds on two CPU cores, memory_gb at the peak: right within a factor of two, no promise."""

    seconds: float
    memory_gb: float


def estimate(shape: tuple[int, int, int, int], config: ReconstructionConfig) -> Estimate:
    """For a sequence of `shape` (T, C, H, W) and the settings that matter: recipe, budget, tile and memory."""
    dates, bands, height, width = shape
    seconds = _seconds(dates, height * width, config)
    if config.max_minutes is not None:
        seconds = min(seconds, 60 * config.max_minutes)
    tile_px = min(height * width, config.tile_px**2 if config.tile_px else height * width)
    memory_gb = _FIXED_GB + dates * tile_px * (_BYTES_PER_VALUE * bands + _BYTES_PER_DATE_PX) / 2**30
    return Estimate(seconds=seconds, memory_gb=min(memory_gb, config.max_memory_gb))


def _seconds(dates: int, pixels: int, config: ReconstructionConfig) -> float:
    if config.recipe == "internal":
        return _FIXED_S + _INTERNAL_S_PER_DATE_PX * dates * pixels
    window = min(_PAPER_WINDOW, dates)
    steps = (dates - window + 1) * _PAPER_STEPS_PER_WINDOW * config.schedule_factor
    return _FIXED_S + steps * _PAPER_S_PER_STEP_DATE_PX * window * pixels
