"""The pictures of one date in the report: input, cloud mask, result and its uncertainty."""

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from seq2seq.report.quicklook import Pictures, UInt8
from seq2seq.sequence import Float32

if TYPE_CHECKING:
    from PIL.Image import Image

# From no uncertainty to the most: five steps of a scale that grows in lightness, so that all eyes can read it.
_SIGMA = np.array([(0, 34, 78), (66, 78, 107), (124, 123, 120), (186, 174, 108), (255, 234, 70)], dtype=np.float32)
_CLOUD = (128, 142, 160)


@dataclass(frozen=True)
class Thumbnail:
    """One date: JPEG of the input, PNG of its cloud mask (cloud opaque, clear transparent), JPEG of the result, and PNG
    of its uncertainty (transparent where observed), whose scale runs to `sigma_limit`, reflectance, on every date."""

    date: str
    before: bytes
    cloud_mask: bytes
    after: bytes
    sigma: bytes
    sigma_limit: float


def thumbnails(pictures: Pictures) -> list[Thumbnail]:
    """One for each date, in one stretch and one scale of uncertainty."""
    stretch = pictures.stretch
    return [
        Thumbnail(
            date=date,
            before=picture_jpeg(stretch.apply(pictures.before[t])),
            cloud_mask=_mask_png(pictures.cloud[t]),
            after=picture_jpeg(stretch.apply(pictures.after[t])),
            sigma=scale_png(np.where(pictures.sigma[t] > 0, pictures.sigma[t], np.nan), pictures.sigma_limit),
            sigma_limit=pictures.sigma_limit,
        )
        for t, date in enumerate(pictures.dates)
    ]


def picture_jpeg(image: UInt8) -> bytes:
    """(h, w, 3) as a JPEG of good quality."""
    from PIL import Image

    return encoded(Image.fromarray(image), "JPEG", quality=88, subsampling=0)


def sigma_colours() -> list[str]:
    """The scale of the uncertainty pictures, from none to the most, for a legend: #rrggbb."""
    return ["#" + "".join(f"{int(value):02x}" for value in colour) for colour in _SIGMA]


def encoded(image: "Image", kind: str, **options: Any) -> bytes:
    """The image as a file of this kind."""
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def scale_png(values: Float32, limit: float) -> bytes:
    """(h, w) reflectance from 0 to `limit` and more in the colours of `sigma_colours`; NaN is transparent."""
    from PIL import Image

    return encoded(Image.fromarray(scale_colours(values, limit), "RGBA"), "PNG", optimize=True)


def scale_colours(values: Float32, limit: float) -> UInt8:
    """(h, w) reflectance from 0 to `limit` and more -> (h, w, 4) in the colours of `sigma_colours`."""
    place = np.clip(np.nan_to_num(values / limit if limit else values), 0, 1) * (len(_SIGMA) - 1)
    steps = np.arange(len(_SIGMA))
    channels = [np.interp(place, steps, _SIGMA[:, channel]) for channel in range(3)]
    alpha = np.where(np.isfinite(values), 255.0, 0.0)
    return np.stack([*channels, alpha], axis=-1).round().astype(np.uint8)


def _mask_png(cloud: Float32) -> bytes:
    from PIL import Image

    colour = np.broadcast_to(np.array(_CLOUD, dtype=np.uint8), (*cloud.shape, 3))
    alpha = np.round(cloud * 255).astype(np.uint8)[..., None]
    return encoded(Image.fromarray(np.concatenate([colour, alpha], -1), "RGBA"), "PNG", optimize=True)
