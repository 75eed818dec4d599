"""What a protocol hides of a sample: gone from what a method sees, whatever it is shown of clouds."""

from dataclasses import replace

import numpy as np

from seq2seq.datasets.base import Sample
from seq2seq.sequence import Bool


def hide(sample: Sample, hidden: Bool) -> Sample:
    """Returns the sample without the values of `hidden`, (T, H, W): 0 there, and not `valid`."""
    s2 = np.where(hidden[:, None], np.float32(0), sample.s2)
    return replace(sample, s2=s2, valid=sample.valid & ~hidden)
