"""The sensors: measurements of a simulated landscape by Sentinel-2 and Sentinel-1, before clouds.

Numbers from it are simulated. Reflectance is a linear mixture of endmember spectra; backscatter a water-cloud model
(Attema and Ulaby 1978) over moist soil.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from seq2seq.bands import S2_BANDS
from seq2seq.sequence import Float32
from seq2seq.simulation.covers import COVERS
from seq2seq.simulation.land import Landscape, State
from seq2seq.simulation.random_fields import power_law_field

# Endmember reflectance at the centres of B01 .. B12 (surface level; shapes after the USGS and ECOSTRESS libraries).
_WAVELENGTHS_NM = tuple(band.wavelength_nm for band in S2_BANDS.values())
_ENDMEMBERS: dict[str, tuple[float, ...]] = {
    "crop": (0.020, 0.027, 0.065, 0.030, 0.090, 0.300, 0.400, 0.430, 0.450, 0.440, 0.25, 0.210, 0.100),
    "grass": (0.026, 0.036, 0.080, 0.045, 0.115, 0.270, 0.340, 0.370, 0.390, 0.390, 0.28, 0.250, 0.130),
    "deciduous": (0.018, 0.023, 0.055, 0.025, 0.075, 0.260, 0.340, 0.370, 0.390, 0.380, 0.22, 0.170, 0.075),
    "conifer": (0.014, 0.019, 0.035, 0.021, 0.050, 0.140, 0.180, 0.200, 0.210, 0.210, 0.12, 0.090, 0.040),
    "dry": (0.070, 0.090, 0.140, 0.200, 0.230, 0.260, 0.280, 0.300, 0.320, 0.330, 0.30, 0.380, 0.290),
    "soil": (0.085, 0.105, 0.145, 0.195, 0.215, 0.235, 0.255, 0.270, 0.285, 0.300, 0.33, 0.380, 0.345),
    "wet soil": (0.045, 0.055, 0.080, 0.108, 0.120, 0.130, 0.140, 0.148, 0.155, 0.160, 0.13, 0.160, 0.130),
    "clear water": (0.050, 0.045, 0.046, 0.030, 0.025, 0.018, 0.017, 0.014, 0.012, 0.010, 0.004, 0.005, 0.003),
    "turbid water": (0.060, 0.075, 0.110, 0.105, 0.095, 0.062, 0.055, 0.046, 0.036, 0.025, 0.004, 0.012, 0.007),
    "built": (0.110, 0.130, 0.150, 0.170, 0.180, 0.195, 0.210, 0.220, 0.230, 0.235, 0.20, 0.250, 0.230),
    "char": (0.028, 0.033, 0.038, 0.045, 0.050, 0.058, 0.065, 0.072, 0.080, 0.090, 0.12, 0.145, 0.155),
}
_LEAVES = ("crop", "grass", "deciduous", "conifer")

# Equivalent number of looks of a Sentinel-1 IW GRDH pixel (ESA product specification: 4.4).
LOOKS = 4.4


@dataclass(frozen=True, eq=False)
class Air:
    """The atmosphere of one date: it shows in B01, B09 and B10, which surface products hardly correct."""

    haze: Float32  # (H, W) path reflectance at 443 nm
    vapour: Float32  # (H, W) transmission of water vapour at 945 nm


def draw_air(generator: np.random.Generator, shape: tuple[int, int]) -> Air:
    """Draws haze and vapour, which vary from date to date and smoothly over the scene."""
    haze_level, vapour_level = generator.uniform(0.005, 0.04), generator.uniform(0.3, 0.65)
    haze, vapour = (power_law_field(generator, shape, slope=4.0) for _ in range(2))
    return Air(
        haze=np.clip(haze_level * (1 + 0.1 * haze), 0, None), vapour=np.clip(vapour_level * (1 + 0.05 * vapour), 0, 1)
    )


def reflectance(land: Landscape, state: State, bands: tuple[str, ...]) -> Float32:
    """Computes (C, H, W) surface reflectance at 10 m, through a clear atmosphere; unitless, above 0.

    sum(fraction x endmember) (1 + brightness + slope (wavelength - 1000 nm) / 1000 nm).
    """
    leaf_of_cover = np.array([_LEAVES.index(cover.leaf) for cover in COVERS])
    leaf = leaf_of_cover[land.cover_map]
    wet = np.clip((state.moisture - 0.05) / 0.4, 0, 1)
    bare = np.clip(1 - state.green - state.dry - state.water - state.built - state.char, 0, 1)
    fractions = {name: state.green * (leaf == i) for i, name in enumerate(_LEAVES)}
    fractions |= {"dry": state.dry, "soil": bare * (1 - wet), "wet soil": bare * wet, "built": state.built}
    fractions |= {"clear water": state.water * (1 - state.turbid), "turbid water": state.water * state.turbid}
    fractions |= {"char": state.char}
    spectra = np.array([_ENDMEMBERS[name] for name in fractions], dtype=np.float32)[:, _indices(bands)]
    mixed = np.tensordot(spectra.T, np.stack(list(fractions.values())).astype(np.float32), 1)
    slope = (np.array(_WAVELENGTHS_NM, dtype=np.float32)[_indices(bands)] - 1000) / 1000
    lit: Float32 = mixed * (1 + land.brightness[0] + slope[:, None, None] * land.brightness[1])
    return np.maximum(lit, np.float32(1e-3))


def backscatter(land: Landscape, state: State, wind: float) -> Float32:
    """Computes (2, H, W) mean VV and VH, linear, before speckle. wind: in [0, 1], roughens open water.

    soil passed + plants (1 - passed), passed = exp(-1.1 volume) (Attema and Ulaby 1978); town and water are added.
    """
    soil_vv = _from_db(-16.5 + 18 * state.moisture + 2.0 * state.rough)
    soil_vh = _from_db(-25.0 + 16 * state.moisture + 2.5 * state.rough)
    # two-way attenuation of the soil's echo by the plants, and the plants' own echo
    passed = np.exp(-1.1 * state.volume)
    vv = soil_vv * passed + _from_db(-9.5) * (1 - passed)
    vh = soil_vh * passed + _from_db(-15.5) * (1 - passed)
    bright = 1 + 0.15 * land.texture
    built = state.built**2  # walls and streets echo together: dense town is far brighter than its share
    ground = np.stack([vv + built * 0.5 * bright, vh + built * 0.08 * bright])
    calm = np.array([_from_db(-21 + 6 * wind), _from_db(-28 + 4 * wind)], dtype=np.float32)[:, None, None]
    mixed = ground * (1 - state.water) + calm * state.water
    return np.maximum(mixed, 1e-4).astype(np.float32)


def through_air(ground: Float32, air: Air, bands: tuple[str, ...]) -> Float32:
    """Computes (C, H, W) what arrives at the sensor: blurred to each band's native GSD, atmospheric bands as they are.

    Between 1350 and 1400 nm vapour absorbs nearly all light: B10 shows almost nothing of the ground.
    """
    measured = np.empty_like(ground)
    for index, band in enumerate(bands):
        value = ground[index]
        if band == "B01":
            value = value + air.haze
        elif band == "B09":
            value = value * air.vapour
        elif band == "B10":
            value = 0.0012 + 0.004 * value + 0.02 * air.haze
        # a 20 m pixel brought to 10 m: a box of 2 px and the instrument's own blur, together about half the GSD
        sigma_px = 0.045 * S2_BANDS[band].gsd_m if S2_BANDS[band].gsd_m > 10 else 0.0
        measured[index] = gaussian_filter(value, sigma_px) if sigma_px else value
    return measured


def s2_noise(generator: np.random.Generator, signal: Float32) -> Float32:
    """Draws (C, H, W) noise, one sigma: 0.001 plus 0.5 % of the signal (MSI's specified SNR is near 150)."""
    noise = generator.standard_normal(signal.shape, dtype=np.float32)
    noise *= 0.001 + 0.005 * signal
    return noise


def speckled_db(generator: np.random.Generator, backscatter_linear: Float32, looks: float = LOOKS) -> Float32:
    """Computes (2, H, W) dB with full speckle: pixels times gamma variables of mean 1 and variance 1 / looks."""
    speckle = generator.standard_gamma(looks, backscatter_linear.shape, dtype=np.float32) / np.float32(looks)
    decibel: Float32 = 10 * np.log10(np.maximum(backscatter_linear * speckle, 1e-5))
    return decibel


def _indices(bands: tuple[str, ...]) -> list[int]:
    return [list(S2_BANDS).index(band) for band in bands]


def _from_db(decibel: Float32 | float) -> Float32:
    return np.asarray(10 ** (np.asarray(decibel, dtype=np.float32) / 10), dtype=np.float32)
