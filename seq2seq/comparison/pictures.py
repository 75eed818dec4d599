"""What the page of a comparison shows of a case: one hidden date, and a few pixels over time.

The case alone decides the date, the pixels and the stretch, so that all methods are looked at in the same places.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seq2seq.comparison.case import Case
from seq2seq.report.method_pictures import CasePicture, MethodPicture, Predicted
from seq2seq.report.quicklook import AreaMean, Stretch, display_bands
from seq2seq.report.series import ndvi, ndvi_bands
from seq2seq.sequence import Bool, Float32, ImageSequence
from seq2seq.validation.metrics import rmse

# Cases of this seed are pictured: more of them would show the same again.
PICTURED_SEED = 0
# The longer side of a picture; larger scenes are reduced.
MAX_PX = 200
# Of the pixels that are scored on the date, by how much they change over the year.
CHANGES = (0.1, 0.5, 0.9)


def picture(case: Case, result: Float32, alone: Float32 | None) -> MethodPicture | None:
    """What is shown of the predictions, (T, C, H, W) each; None for a case that is not pictured."""
    if case.name.seed != PICTURED_SEED:
        return None
    shown = case_picture(case)
    own = None if alone is None else _predicted(case, shown, alone)
    return MethodPicture(shown, _predicted(case, shown, result), own)


def case_picture(case: Case) -> CasePicture:
    """The date, the pixels and the stretch that the case decides."""
    truth, t = case.truth, pictured_date(case)
    colours = display_bands(truth.bands)
    observed, visible = truth.observed[t], case.visible.s2.observed[t]
    image = truth.pixels[t, _indices(truth, colours)]  # (3 or 1, H, W)
    trusted = image[:, case.trusted[t]]
    stretch = Stretch.of(trusted)
    places = chosen_pixels(case, t)
    rows, columns = places.T
    seen = truth.observed[:, rows, columns].T  # (P, T)
    series = np.moveaxis(truth.pixels[:, :, rows, columns], -1, 0)  # (P, T, C)
    has_data = (np.nan_to_num(truth.pixels[t]) != 0).any(0)
    return CasePicture(
        t=np.asarray(t),
        dates=truth.dates.astype(str),
        bands=np.array(truth.bands),
        colours=np.array(colours),
        low=stretch.low,
        high=stretch.high,
        cell_px=np.asarray(-(-max(observed.shape) // MAX_PX)),
        hidden_share=np.asarray(case.hidden[t].mean(), dtype=np.float32),
        truth=stretch.apply(_reduced(image, has_data)),
        visible=stretch.apply(_reduced(image, visible)),
        places=places,
        series=np.where(seen[..., None], series, np.float32(np.nan)),
        shown=case.visible.s2.observed[:, rows, columns].T,
        scored=case.scored[:, rows, columns].T,
    )


def pictured_date(case: Case) -> int:
    """The date with most scored pixels, of those that were mostly clear where some were."""
    scored = case.scored.sum(axis=(1, 2))
    clear = case.truth.observed.mean(axis=(1, 2)) >= case.settings.mostly_clear
    among = np.where(clear, scored, 0)
    return int((among if among.any() else scored).argmax())


def chosen_pixels(case: Case, t: int) -> NDArray[np.int64]:
    """(P, 2) rows and columns of scored pixels of date `t`: of little, middling and much change over time."""
    rows, columns = np.nonzero(case.scored[t])
    order = np.argsort(_changes(case.truth, case.trusted, rows, columns), kind="stable")
    ranks = dict.fromkeys(round(share * (len(order) - 1)) for share in CHANGES)
    chosen = order[list(ranks)]
    return np.stack([rows[chosen], columns[chosen]], axis=1)


def _changes(truth: ImageSequence, trusted: Bool, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Float32:
    """(N,) standard deviation over trusted dates: of NDVI, or of the mean over bands where that cannot be had."""
    wanted = ndvi_bands(truth.bands)
    if wanted:
        red, infrared = (truth.pixels[:, band][:, rows, columns] for band in _indices(truth, wanted))
        values = ndvi(red, infrared)  # (T, N)
    else:
        values = np.stack([date[:, rows, columns].mean(axis=0) for date in truth.pixels])
    weights = trusted[:, rows, columns]
    count = np.maximum(weights.sum(axis=0), 1)
    mean = np.where(weights, values, 0).sum(axis=0) / count
    return np.asarray(np.sqrt(np.where(weights, (values - mean) ** 2, 0).sum(axis=0) / count), dtype=np.float32)


def _predicted(case: Case, shown: CasePicture, prediction: Float32) -> Predicted:
    t, truth = int(shown.t), case.truth
    rows, columns = shown.places.T
    image = prediction[t, _indices(truth, [str(band) for band in shown.colours])]
    error = np.abs(np.clip(prediction[t], 0, 1) - np.clip(truth.pixels[t], 0, 1)).mean(axis=0)  # (H, W)
    return Predicted(
        image=Stretch(shown.low, shown.high).apply(_reduced(image, np.ones(error.shape, bool))),
        error=_reduced(error[None], case.scored[t])[0].astype(np.float16),
        rmse=np.asarray(rmse(prediction[t : t + 1], truth.pixels[t : t + 1], where=case.scored[t : t + 1])),
        series=np.moveaxis(prediction[:, :, rows, columns], -1, 0).astype(np.float32),
    )


def _reduced(image: Float32, counted: Bool) -> Float32:
    """(C, H, W) -> (C, h, w), at most `MAX_PX` along a side; NaN where nothing is counted."""
    height, width = counted.shape
    cells = AreaMean(len(image), (height, width), MAX_PX)
    cells.add(slice(0, height), slice(0, width), image, counted)
    return cells.mean()


def _indices(truth: ImageSequence, bands: Sequence[str]) -> list[int]:
    return [truth.bands.index(band) for band in bands]
