"""The inpainters: biharmonic, or a diffusion model where there is one on this machine.

Each fills the hidden pixels of one date from its visible ones. Of dates that show next to nothing there is nothing to
spread: they are as their pixels were on the nearest clear date.
"""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
from scipy import ndimage

from seq2seq.errors import WeightsUnavailableError
from seq2seq.extras import naming_extra
from seq2seq.interpolation import nearest_date
from seq2seq.sequence import Bool, Float32, ImageSequence
from seq2seq.wording import one_line

# Share of a date that must be visible for an inpainter to begin from.
LEAST_VISIBLE = 0.02
# Hidden pixels of one linear system: their number decides its time. More of them, and a coarser grid is solved.
_MOST_UNKNOWNS = 3_000
_MULTIPLE_PX = 8  # of the sides of an image that a latent diffusion model takes
_CHANNELS = 3
_STRETCH = (1.0, 99.0)  # percentiles of visible reflectance that become black and white
_LONGEST_REASON = 160


class Inpainter(Protocol):
    """sentence: what it is, for the report."""

    sentence: str

    def fill(self, image: Float32, visible: Bool) -> Float32:
        """Fills (C, H, W) reflectance where not `visible`, (H, W); what is visible stays as it is."""


def inpaint_dates(s2: ImageSequence, visible: Bool, inpainter: Inpainter, check_stop: Callable[[], None]) -> Float32:
    """(T, C, H, W) with every date filled, from `visible` (T, H, W) alone."""
    pixels = np.where(visible[:, None], np.clip(s2.pixels, 0, 1), np.float32(0)).astype(np.float32)
    filled = np.where(visible[:, None], pixels, nearest_date(pixels, visible, s2.days)).astype(np.float32)
    for date, seen in enumerate(visible):
        check_stop()
        if LEAST_VISIBLE <= seen.mean() < 1:
            filled[date] = inpainter.fill(pixels[date], seen)
    return np.clip(filled, 0, 1)


class Biharmonic:
    """scikit-image's: the surface through the visible pixels that bends least, the bilaplacian being 0 where hidden.

    Large holes are solved on a coarser grid of means, and read off it bilinearly.
    """

    sentence = "hidden pixels were inpainted with scikit-image's biharmonic functions; no diffusion model was named"

    def __init__(self) -> None:
        with naming_extra():
            from skimage.restoration import inpaint_biharmonic
        self._inpaint = inpaint_biharmonic

    def fill(self, image: Float32, visible: Bool) -> Float32:
        """See `Inpainter`."""
        if np.count_nonzero(~visible) <= _MOST_UNKNOWNS or min(visible.shape) < 4:
            filled = self._inpaint(image.astype(np.float64), ~visible, channel_axis=0)
            # Between far sides of a hole the surface may swing beyond what was seen.
            low, high = (limit(image[:, visible], axis=1)[:, None, None] for limit in (np.min, np.max))
            return np.where(visible, image, np.clip(filled, low, high)).astype(np.float32)
        coarse, known = _halved(image, visible)
        below = self.fill(coarse, known)
        height, width = visible.shape
        finer = ndimage.zoom(below, (1, 2, 2), order=1, mode="nearest", grid_mode=True)[:, :height, :width]
        return np.where(visible, image, finer).astype(np.float32)


def _halved(image: Float32, visible: Bool) -> tuple[Float32, Bool]:
    """Means of the visible pixels of 2 x 2, and where there is one."""
    height, width = visible.shape
    around = [(0, height % 2), (0, width % 2)]
    seen = np.pad(visible, around).reshape((height + 1) // 2, 2, (width + 1) // 2, 2)
    values = np.pad(np.where(visible, image, 0), [(0, 0), *around]).reshape(len(image), *seen.shape)
    count = seen.sum(axis=(1, 3))
    return (values.sum(axis=(2, 4)) / np.maximum(count, 1)).astype(np.float32), count > 0


class Diffusion:
    """A latent diffusion model for inpainting, as `diffusers` keeps them, three bands at a time, without a prompt.

    Nothing is downloaded: `model` is a folder, or a name that the hub's cache on this machine has. safetensors alone.
    """

    def __init__(self, model: str, *, steps: int, seed: int, device: torch.device) -> None:
        with naming_extra():
            from diffusers import StableDiffusionInpaintPipeline
        try:
            pipeline: Any = StableDiffusionInpaintPipeline
            self._pipeline = pipeline.from_pretrained(
                model, local_files_only=True, use_safetensors=True, safety_checker=None, requires_safety_checker=False
            ).to(device)
        except Exception as error:  # foreign files: whatever is wrong is their fault
            raise WeightsUnavailableError(
                f"diffusion model {model}: cannot be loaded ({one_line(error, _LONGEST_REASON)}); give the folder "
                "of an inpainting model with safetensors, or leave diffusion out for biharmonic inpainting"
            ) from error
        self._pipeline.set_progress_bar_config(disable=True)
        self._steps, self._seed = steps, seed
        self.sentence = f"hidden pixels were inpainted with the diffusion model {model}, {steps} steps"

    def fill(self, image: Float32, visible: Bool) -> Float32:
        """See `Inpainter`."""
        low, high = np.percentile(image[:, visible], _STRETCH, axis=1)[..., None, None]
        span = np.maximum(high - low, 1e-4)
        stretched, filled = np.clip((image - low) / span, 0, 1), np.empty_like(image)
        for first in range(0, len(image), _CHANNELS):
            bands = [min(first + k, len(image) - 1) for k in range(_CHANNELS)]
            colours = self._fill_colours(stretched[bands], visible)
            for band, values in zip(bands, colours, strict=True):
                filled[band] = values * span[band] + low[band]
        return np.where(visible, image, filled).astype(np.float32)

    def _fill_colours(self, image: Float32, visible: Bool) -> Float32:
        """(3, H, W) in 0..1."""
        height, width = visible.shape
        around = [(0, -length % _MULTIPLE_PX) for length in (height, width)]
        padded = np.pad(np.where(visible, image, 0.5), [(0, 0), *around], mode="reflect")
        hidden = np.pad(~visible, around, mode="reflect")
        found = self._pipeline(
            prompt="",
            image=torch.from_numpy(padded[None]).float(),
            mask_image=torch.from_numpy(hidden[None, None]).float(),
            height=padded.shape[1],
            width=padded.shape[2],
            num_inference_steps=self._steps,
            guidance_scale=1.0,
            generator=torch.Generator().manual_seed(self._seed),
            output_type="np",
        ).images[0]
        return np.moveaxis(np.asarray(found, np.float32), -1, 0)[:, :height, :width]
