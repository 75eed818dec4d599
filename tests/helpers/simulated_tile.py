"""A tile's process for tests, of the simulated method."""

from pathlib import Path
from typing import Any

import numpy as np
from simulated_tiles import do

from seq2seq.shared_observations import SharedObservations
from worker.child.ending import Report, ShouldStop, leave
from worker.child.run_tile import main, tile_of
from worker.running.job_folder import SHARED_TILES, workspace_of


def do_tile(task: dict[str, Any], report: Report, should_stop: ShouldStop) -> None:
    """As the real one, of observations that say which tile they are of."""
    tile = tile_of(task)
    observations = SharedObservations.from_dict(Path(SHARED_TILES), task["observations"]).read()
    assert np.array_equal(np.unique(observations.s2.pixels), [tile.index])
    do(tile, task["config"], workspace_of(Path()), should_stop)


if __name__ == "__main__":
    leave(main(do_tile))
