"""Random textures with the spatial correlation of nature: terrain, soil, clouds."""

import numpy as np
from scipy.fft import irfft2, next_fast_len, rfft2

from seq2seq.sequence import Float32


def power_law_field(
    generator: np.random.Generator, shape: tuple[int, int], *, slope: float, outer_px: float = 128.0
) -> Float32:
    """Draws (H, W) a Gaussian field, mean 0, std 1, with power spectrum (f^2 + 1/outer_px^2)^(-slope / 2).

    slope: 0 is white noise, 11/3 Kolmogorov turbulence, more is smoother. outer_px: beyond this distance pixels are
    independent. The field is periodic on a larger grid than it is cut from, so opposite edges do not match.
    """
    rows, columns = (next_fast_len(n + n // 4, real=True) for n in shape)
    frequency_squared = np.fft.fftfreq(rows)[:, None] ** 2 + np.fft.rfftfreq(columns)[None] ** 2
    gain = ((frequency_squared + outer_px**-2.0) ** (-slope / 4)).astype(np.float32)
    gain[0, 0] = 0
    white = generator.standard_normal((rows, columns), dtype=np.float32)
    field: Float32 = irfft2(rfft2(white) * gain, s=(rows, columns))[: shape[0], : shape[1]]
    field -= field.mean()
    field /= max(float(field.std()), 1e-6)
    return field
