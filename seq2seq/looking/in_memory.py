"""What a program holds in memory, as scenes: sequences, observations, results, and opened results of any size."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox

from seq2seq.bands import S1_BANDS
from seq2seq.looking.scene import Part, SceneInfo
from seq2seq.looking.views import View
from seq2seq.readers.contents import Window
from seq2seq.sequence import Bool, Dates, Float32, ImageSequence, Observations

# Of a window that is read: float32 as read and in copies.
_COPIES = 3


@dataclass(frozen=True, eq=False)
class MemoryScene:
    """Arrays as a scene. cloud_mask: (T, H, W). after, sigma: (T, C, H, W) in the bands of s2, of a result."""

    info: SceneInfo
    s2: ImageSequence | None
    s1: ImageSequence | None
    cloud_mask: Bool
    after: Float32 | None = None
    sigma: Float32 | None = None

    @property
    def bytes_per_pixel(self) -> int:
        """Of all bands of all dates."""
        return 4 * _COPIES * (len(self.info.bands) + len(self.info.s1_bands)) * len(self.info.dates)

    def read(self, area: Window, view: View) -> Part:
        """A window of all dates."""
        images = self.s1 if view.radar else self.s2
        assert images is not None, "the view was chosen among bands that are there"
        bands, rows, columns = [images.bands.index(band) for band in view.bands], *area.slices
        has_data = images.observed if view.radar else (images.pixels != 0).any(axis=1)
        pixels = images.pixels[:, bands, rows, columns]
        before = np.where(has_data[:, None, rows, columns], pixels, np.float32(np.nan))
        cloud_mask = self.cloud_mask[:, rows, columns]
        if self.after is None or self.sigma is None or view.radar:
            return Part(before, cloud_mask)
        before = np.where(cloud_mask[:, None], np.float32(np.nan), before)
        return Part(before, cloud_mask, self.after[:, bands, rows, columns], self.sigma[:, bands, rows, columns])


class DatasetScene:
    """A result that `decloud.open` has opened; its values are read window by window.

    Of a part of a result, without uncertainty, the images are shown alone.
    """

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        reference = dataset.spatial_ref.attrs
        affine = Affine.from_gdal(*map(float, str(reference["GeoTransform"]).split()))
        masks = dataset.cloud_mask if "cloud_mask" in dataset else None
        dates = range(dataset.sizes["time"])
        # A date at a time: of a large scene all masks together would fill the memory.
        share = [0.0 if masks is None else float((masks.isel(time=t).values > 0).mean()) for t in dates]
        self.info = _info(
            "result",
            dataset.time.values.astype("datetime64[D]"),
            tuple(map(str, dataset.band.values)),
            GeoBox((dataset.sizes["y"], dataset.sizes["x"]), affine, reference["crs_wkt"]),
            share,
            is_result=masks is not None and "uncertainty" in dataset,
        )

    @property
    def bytes_per_pixel(self) -> int:
        """Of all bands of all dates, of images and uncertainty."""
        return 2 * 4 * _COPIES * len(self.info.bands) * len(self.info.dates)

    def read(self, area: Window, view: View) -> Part:
        """A window of all dates."""
        rows, columns = area.slices
        window = self._dataset.isel(y=rows, x=columns).sel(band=list(view.bands))
        after = np.asarray(window.reflectance.values, dtype=np.float32)
        if not self.info.is_result:
            return Part(after, np.zeros((len(after), *area.shape), dtype=bool))
        cloud_mask = np.asarray(window.cloud_mask.values > 0)
        before = np.where(cloud_mask[:, None], np.float32(np.nan), after)
        return Part(before, cloud_mask, after, np.asarray(window.uncertainty.values, dtype=np.float32))


def sequence_scene(sequence: ImageSequence) -> MemoryScene:
    """One sensor's acquisitions: of Sentinel-1 where a band is one of its polarisations."""
    share = 1 - sequence.observed.mean(axis=(1, 2))
    if set(sequence.bands) & set(S1_BANDS):
        days = _days(sequence.dates)
        info = _info("sequence", sequence.dates, (), sequence.geobox, share, s1_bands=sequence.bands, s1_dates=days)
        return MemoryScene(info, None, sequence, ~sequence.observed)
    info = _info("sequence", sequence.dates, sequence.bands, sequence.geobox, share)
    return MemoryScene(info, sequence, None, ~sequence.observed)


def observations_scene(observations: Observations) -> MemoryScene:
    """The input of a reconstruction."""
    s2, s1 = observations.s2, observations.s1
    info = _info(
        "observations",
        s2.dates,
        s2.bands,
        s2.geobox,
        observations.cloud_mask.mean(axis=(1, 2)),
        s1_bands=s1.bands if s1 else (),
        s1_dates=_days(observations.s1_dates),
    )
    return MemoryScene(info, s2, s1, observations.cloud_mask)


def result_scene(s2: ImageSequence, sigma: Float32, reconstructed: Bool) -> MemoryScene:
    """A result. sigma: (T, C, H, W); reconstructed: (T, H, W), grey before the run, where nothing is known of it."""
    info = _info("reconstruction", s2.dates, s2.bands, s2.geobox, reconstructed.mean(axis=(1, 2)), is_result=True)
    return MemoryScene(info, s2, None, reconstructed, s2.pixels, sigma)


def _info(
    name: str,
    dates: Dates,
    bands: tuple[str, ...],
    geobox: GeoBox,
    share: Any,
    *,
    s1_bands: tuple[str, ...] = (),
    s1_dates: Sequence[str | None] = (),
    is_result: bool = False,
) -> SceneInfo:
    """Of arrays: nobody knows any more where masks come from, nor who saw what."""
    return SceneInfo(
        name=name,
        dates=tuple(map(str, dates)),
        bands=bands,
        s1_bands=s1_bands,
        s1_dates=tuple(s1_dates) or (None,) * len(dates),
        geobox=geobox,
        cloud=tuple(map(float, share)),
        mask_source=None,
        simulated=None,
        is_result=is_result,
    )


def _days(dates: Dates) -> list[str | None]:
    return [None if np.isnat(date) else str(date) for date in dates]
