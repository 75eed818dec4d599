"""Matrix completion: see `seq2seq.methods.courses`."""

from functools import partial

import numpy as np

from seq2seq.methods.courses import Courses, learn_courses
from seq2seq.methods.low_rank import LowRankSettings
from seq2seq.methods.series import Fill, Float64, SeriesMethod, flattened, some_of
from seq2seq.sequence import Bool, Float32, ImageSequence

_LEARNT_FROM = 2**22  # values, 20 000 pixels of 20 dates and 10 bands


class LowRank(SeriesMethod):
    """Courses of the scene, then each pixel's mixture of them; one that is never clear is the mean on each date."""

    candidate = "low-rank"
    needs_a_clear_date = False
    settings: LowRankSettings

    def prepare(self, s2: ImageSequence, seed: int) -> Fill:
        """Learns the courses."""
        rows, columns = some_of(np.asarray(s2.observed.any(axis=0)), s2, _LEARNT_FROM)
        values, observed = flattened(s2.pixels[:, :, rows, columns], s2.observed[:, rows, columns])
        courses = learn_courses(values, observed, s2.days, **vars(self.settings))
        return partial(mixtures, courses=courses, noise=self.settings.noise)


def mixtures(values: Float32, observed: Bool, *, courses: Courses, noise: float) -> Float64:
    """(T, C, N) the mixture that each pixel of (T, C, N) is, from where it is observed (T, N)."""
    return courses.mixed(courses.weights(values, observed, noise))
