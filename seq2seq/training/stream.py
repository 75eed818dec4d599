"""The samples of a training in their order: read ahead by threads, each when its turn is near, none kept.

Whatever is drawn goes by the seed and the position in the row alone, so that a training which goes on, or is shared by
several processes, meets the same examples.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
# Of one reader, examples that may wait for their step.
AHEAD_OF_EACH = 4
_ORDER, _EXAMPLE = 0, 1


@dataclass(frozen=True)
class Order:
    """An endless row of samples: one permutation of all `count` after the other, each pass another."""

    count: int
    seed: int

    def sample(self, position: int) -> int:
        """Returns the number of the sample at a position of the row."""
        turn, place = divmod(position, self.count)
        return int(_permutation(self.count, self.seed, turn)[place])

    def generator(self, position: int) -> np.random.Generator:
        """Makes the generator for what is drawn of that sample, such as its crop."""
        return np.random.default_rng((_EXAMPLE, self.seed, position))


@lru_cache(maxsize=4)
def _permutation(count: int, seed: int, turn: int) -> NDArray[np.int64]:
    return np.random.default_rng((_ORDER, seed, turn)).permutation(count)


def positions(first: int, last: int, *, batch: int, rank: int, processes: int) -> Iterator[int]:
    """Yields the positions of one process: of the batch of each step from `first` to before `last`, its share."""
    share = batch // processes
    for step in range(first, last):
        yield from range(step * batch + rank * share, step * batch + (rank + 1) * share)


def read_ahead(read: Callable[[int], T], row: Iterable[int], *, readers: int) -> Iterator[T]:
    """Yields `read(position)` in the order of `row`; threads read what comes next meanwhile. Errors of `read` pass."""
    with ThreadPoolExecutor(readers, thread_name_prefix="samples") as pool:
        waiting: deque[Future[T]] = deque()
        try:
            for position in row:
                waiting.append(pool.submit(read, position))
                if len(waiting) > AHEAD_OF_EACH * readers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for each in waiting:
                each.cancel()
