"""Observed pixels pass through; the others are reconstructed."""

import numpy as np
from scipy.ndimage import distance_transform_edt

from seq2seq.config import ReconstructionConfig
from seq2seq.sequence import Bool, Float32, ImageSequence


def keep_observed(
    s2: ImageSequence, result: Float32, sigma: Float32, config: ReconstructionConfig
) -> tuple[Float32, Float32]:
    """Passes observed pixels through, with sigma 0; with feather_px the seam is mixed on the observed side.

    With full_prediction the reconstruction stands everywhere.
    """
    if config.full_prediction:
        return result, sigma
    share = s2.observed.astype(np.float32)
    if config.feather_px:
        share = np.stack([_feather(observed, config.feather_px) for observed in s2.observed])
    share = share[:, None]
    return share * s2.pixels + (1 - share) * result, (1 - share) * sigma


def replaced(s2: ImageSequence, config: ReconstructionConfig) -> Bool:
    """Finds (T, H, W) where `keep_observed` does not let the observation pass as it is."""
    if config.full_prediction:
        return np.ones_like(s2.observed)
    if not config.feather_px:
        return ~s2.observed
    return np.stack([_feather(observed, config.feather_px) < 1 for observed in s2.observed])


def _feather(observed: Bool, width_px: int) -> Float32:
    """(H, W) share of the observation: 0 where hidden, growing to 1 within `width_px` of the seam."""
    if observed.all():
        return np.ones(observed.shape, np.float32)
    distance = distance_transform_edt(observed)
    share: Float32 = np.minimum(distance / (width_px + 1), 1).astype(np.float32)
    return share
