"""A sample in place of an input: a sequence that is simulated here, of nothing but its name."""

import shutil
from pathlib import Path

from seq2seq.errors import Stopped
from seq2seq.progress import OnProgress, Progress, ShouldStop
from seq2seq.samples import SAMPLES
from seq2seq.simulation.simulate import simulate, write_input
from worker.fetching.budget import Budget, InputTooLargeError

_BYTES_A_VALUE = 2


def make_sample(
    name: str, out: Path, *, budget: Budget, pixel_dates: int, on_progress: OnProgress, should_stop: ShouldStop
) -> None:
    """Makes the sequence in `out`, in place of what an earlier attempt has left there.

    Raises `InputTooLargeError` where an input may not have so much, `Stopped` and `OutputError`.
    """
    sample = SAMPLES[name]
    pixels = sample.dates * sample.size_px**2
    if pixels > pixel_dates:
        raise InputTooLargeError(
            f"the sample {name} has {pixels:,} pixels times dates, an input may have {pixel_dates:,}"
        )
    budget.check(pixels * len(sample.bands) * _BYTES_A_VALUE)
    on_progress(Progress("simulating", message=f"Simulating the sample {name!r}: {sample.dates} dates."))
    shutil.rmtree(out, ignore_errors=True)
    sequence = simulate(
        dates=sample.dates, size=sample.size_px, bands=sample.bands, cloud=sample.cloud, seed=sample.seed
    )
    if should_stop():
        raise Stopped("before the sample was written")
    write_input(sequence, out)
