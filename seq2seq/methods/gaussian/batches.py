"""Pixels with like masks together: one batched Cholesky factor a mask pattern, of the observed points alone."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from seq2seq.methods.gaussian.model import Whitened

CheckStop = Callable[[], None]
CHUNK_VALUES = 4_000_000  # of factors that are held at a time: 32 MB


@dataclass(frozen=True, eq=False)
class Chunk:
    """pixels: (M,) which; pattern: (M,) of 0 .. P - 1; points, shown: (P, m) observed points first, and which are."""

    pixels: Tensor
    pattern: Tensor
    points: Tensor
    shown: Tensor


def chunks(observed: Tensor) -> Iterator[Chunk]:
    """All pixels of (N, n), those of like patterns together, patterns of few points first: small matrices."""
    packed = np.packbits(observed.numpy(), axis=1)
    _, first, inverse = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    patterns = observed[torch.from_numpy(first)]  # (P, n)
    rank = torch.argsort(torch.argsort(patterns.sum(1), stable=True))
    patterns = patterns[torch.argsort(rank)]
    pattern = rank[torch.from_numpy(inverse.reshape(-1))]
    order = torch.argsort(pattern, stable=True)
    for pixels in torch.split(order, max(1, CHUNK_VALUES // observed.shape[1] ** 2)):
        low, high = int(pattern[pixels[0]]), int(pattern[pixels[-1]]) + 1
        there = patterns[low:high]
        most = max(1, int(there.sum(1).max()))
        points = torch.argsort(~there, dim=1, stable=True)[:, :most]
        yield Chunk(pixels, pattern[pixels] - low, points, there.gather(1, points))


def _submatrices(prior: Tensor, chunk: Chunk) -> Tensor:
    """(P, m, m) covariance of the observed points with unit noise; the identity's rows for the others."""
    both = chunk.shown[:, :, None] & chunk.shown[:, None, :]
    inside = prior[chunk.points[:, :, None], chunk.points[:, None, :]] * both
    inside.diagonal(dim1=1, dim2=2).add_(1)
    return inside


def solve(prior: Tensor, data: Whitened, chunk: Chunk) -> tuple[Tensor, Tensor]:
    """(P, m, m) lower Cholesky factors of the patterns, and (M, n) K^-1 z of the pixels, 0 where not observed."""
    factor = torch.linalg.cholesky(_submatrices(prior, chunk))
    points = chunk.points[chunk.pattern]
    values = data.values[chunk.pixels[:, None], points] * chunk.shown[chunk.pattern]
    solved = torch.cholesky_solve(values[..., None], factor[chunk.pattern])[..., 0]
    return factor, torch.zeros(len(points), len(prior), dtype=prior.dtype).scatter_(1, points, solved)
