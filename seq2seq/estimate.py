"""The cost of a run, before it begins. Loads no torch, so that the service and `decloud inspect` can ask."""

import math
from dataclasses import dataclass

from seq2seq.config import ReconstructionConfig
from seq2seq.methods.base import Cost, Shape

# Larger tiles gain nothing (their networks see crops) and cost memory; smaller ones have too little to learn from.
_LARGEST_TILE_PX = 288
_SMALLEST_TILE_PX = 64


@dataclass(frozen=True)
class Estimate:
    """seconds on two CPU cores, memory_gb at the peak: right within a factor of two, no promise."""

    seconds: float
    memory_gb: float


def estimate(shape: Shape, config: ReconstructionConfig, processes: int = 1) -> Estimate:
    """Estimates from the `shape` (T, C, H, W) and the settings that matter: method, budget, tile and memory.

    processes: that do tiles at once; they need memory each, and share the cores.
    """
    dates, bands, height, width = shape
    tile_px = config.tile_px or tile_size(shape, config, processes)
    rows, columns = math.ceil(height / tile_px), math.ceil(width / tile_px)
    # Tiles share the scene, so their costs of each pixel add up to those of the scene.
    seconds = rows * columns * _cost((dates, bands, height / rows, width / columns), config).seconds
    if config.max_minutes is not None:
        seconds = min(seconds, 60 * config.max_minutes)
    tile = _cost((dates, bands, min(height, tile_px), min(width, tile_px)), config)
    memory_gb = tile.memory_gb * min(processes, rows * columns)
    return Estimate(seconds=seconds, memory_gb=min(memory_gb, config.max_memory_gb))


def tile_size(shape: Shape, config: ReconstructionConfig, processes: int = 1) -> int:
    """Returns the side, px, of the largest tile that fits into config.max_memory_gb; at most `_LARGEST_TILE_PX`.

    processes: that have a tile each, at once.
    """
    dates, bands, _, _ = shape
    low, high = _SMALLEST_TILE_PX, _LARGEST_TILE_PX
    while low < high:
        side = (low + high + 1) // 2
        if _cost((dates, bands, side, side), config).memory_gb * processes <= config.max_memory_gb:
            low = side
        else:
            high = side - 1
    return low


def _cost(shape: Shape, config: ReconstructionConfig) -> Cost:
    return config.info.cost(shape, config.resolved_settings)
