"""A checked sequence on disk, of which windows can be read: the way from rasters to `Observations`."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from seq2seq.config import ReconstructionConfig
from seq2seq.progress import OnProgress, ignore
from seq2seq.radar_series import RadarSeries
from seq2seq.radiometry import Radiometry
from seq2seq.readers.acquisitions import OpticalAcquisition, RadarAcquisition
from seq2seq.readers.checks import check_s2
from seq2seq.readers.clouds.recording import MaskedBy
from seq2seq.readers.contents import Contents, Window, dates_of
from seq2seq.readers.masking import MaskSource, choose_masking
from seq2seq.readers.offsets import settle_offsets
from seq2seq.readers.radar import RadarPairing, pair_radar
from seq2seq.readers.remarks import optical_remarks
from seq2seq.readers.requested import plan_timeline
from seq2seq.readers.scan import Scan, block_side, check_clear, scan
from seq2seq.sequence import Bool, Dates, Float32, ImageSequence, Observations

SCAN_SHARE = 8  # the pass over all pixels takes an eighth of the memory that the reconstruction may take


@dataclass(frozen=True, eq=False)
class SequenceInfo:
    """A sequence in short, known before a reconstruction begins.

    path: as given; of a working copy, what it was made of. dates: (T,) datetime64[D], those asked for among them.
    requested: (N,) asked for, never acquired. written: (M,) those that a result holds. bands: C names. geobox: grid of
    S2. radiometry: of the first S2 file, in which results are stored. s1_bands: empty without S1. s1_dates: (T,)
    acquisition paired to each date, NaT where none is near enough. s1_acquisitions: all S1 dates. s1_units: "db (from
    the values)", "linear (as set)", "" without S1. mask_source: user, scl or a detector. warnings: what the
    user should know, one line each. fingerprint: hex digest of names and bytes, the same wherever the input is stored
    and however it is packed. simulated: a file says that no satellite saw it. format: that it came
    in, in words, as far as known.
    """

    path: Path
    dates: Dates
    bands: tuple[str, ...]
    geobox: GeoBox
    radiometry: Radiometry
    s1_bands: tuple[str, ...]
    s1_dates: Dates
    s1_acquisitions: Dates
    s1_units: str
    mask_source: MaskSource
    warnings: tuple[str, ...]
    fingerprint: str
    simulated: bool
    requested: Dates
    written: Dates
    format: str | None = None

    @property
    def acquired(self) -> Bool:
        """(T,) False = asked for, never acquired."""
        return ~np.isin(self.dates, self.requested)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(T, C, H, W)."""
        height, width = self.geobox.shape
        return len(self.dates), len(self.bands), height, width


class SequenceSource:
    """An open sequence: `info`, and `read` for windows of it. Also a context manager, which closes its files."""

    def __init__(
        self,
        info: SequenceInfo,
        s2: Sequence[OpticalAcquisition],
        s1: RadarPairing,
        scanned: Scan,
        opened: AbstractContextManager[Contents],
    ) -> None:
        self.info = info
        self._s2, self._pairing, self._s1, self._scanned, self._opened = s2, s1, s1.acquisitions, scanned, opened

    @property
    def cloud_fractions(self) -> NDArray[np.float64]:
        """(T,) share of the scene that is cloud, shadow or no data, 0 to 1; 1 of what was never acquired."""
        return _of_all_dates(self._scanned.cloud_fractions, self.info.acquired)

    @property
    def no_data_fractions(self) -> NDArray[np.float64]:
        """(T,) share of the scene that holds no data, 0 to 1; 1 of what was never acquired."""
        return _of_all_dates(self._scanned.no_data_fractions, self.info.acquired)

    @property
    def masked_by(self) -> MaskedBy:
        """Who masked what, on all dates; nobody what was never acquired."""
        return self._scanned.masked_by.among(self.info.acquired)

    @property
    def s1_fractions(self) -> NDArray[np.float64]:
        """(T,) share of the scene in which the paired S1 acquisition has data, 0 to 1."""
        return self._scanned.s1_fractions.copy()

    def read(self, rows: slice | None = None, columns: slice | None = None) -> Observations:
        """All dates on a window, the whole scene by default. A window equals the crop of the whole.

        Pixels are finite everywhere, 0 where there is no data. Raises ValueError for an empty window or a step,
        `UnreadableFileError` if a file has changed since.
        """
        height, width = self.info.geobox.shape
        window = Window(*_bounds(rows, height), *_bounds(columns, width))
        cloud_mask = np.ones((len(self.info.dates), *window.shape), dtype=bool)
        cloud_mask[self.info.acquired] = self._scanned.cloud_mask.read(window)
        return Observations(
            s2=self._read_s2(window, cloud_mask),
            s1=self._read_s1(window) if self.info.s1_bands else None,
            cloud_mask=cloud_mask,
            s1_dates=self.info.s1_dates,
            requested=self.info.requested,
            s1_series=_series(self._pairing, self.info.geobox, window) if self._pairing.series else None,
        )

    def read_date(self, date: int, rows: slice, columns: slice) -> tuple[Float32, Bool]:
        """One acquired date, by its position, on a window: (C, h, w) reflectance, 0 without data; (h, w) True = has
        data.

        Raises as `read` does, and ValueError for a date that was never acquired.
        """
        if not self.info.acquired[date]:
            raise ValueError(f"date {self.info.dates[date]} was never acquired")
        height, width = self.info.geobox.shape
        acquisition = self._s2[int(self.info.acquired[:date].sum())]
        return acquisition.read(Window(*_bounds(rows, height), *_bounds(columns, width)))

    def close(self) -> None:
        """Removes what an archive was unpacked to. Reading is over."""
        self._opened.__exit__(None, None, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read_s2(self, window: Window, cloud_mask: Bool) -> ImageSequence:
        pixels: Float32 = np.zeros((len(self.info.dates), len(self.info.bands), *window.shape), dtype=np.float32)
        for index, acquisition in zip(np.flatnonzero(self.info.acquired), self._s2, strict=True):
            pixels[index], _ = acquisition.read(window)
        return _sequence(self.info, pixels, self.info.bands, ~cloud_mask, window)

    def _read_s1(self, window: Window) -> ImageSequence:
        pixels: Float32 = np.zeros((len(self._s1), len(self.info.s1_bands), *window.shape), dtype=np.float32)
        observed = np.zeros((len(self._s1), *window.shape), dtype=bool)
        for index, acquisition in enumerate(self._s1):
            if acquisition is not None:
                pixels[index], observed[index] = acquisition.read(window)
        return _sequence(self.info, pixels, self.info.s1_bands, observed, window)


def open_source(
    path: Path,
    opened: AbstractContextManager[Contents],
    config: ReconstructionConfig,
    on_progress: OnProgress = ignore,
) -> SequenceSource:
    """Checks everything there is to check, headers first, then all pixels, and gives the sequence back open.

    Whatever it raises, it closes `opened` again.
    """
    contents = opened.__enter__()
    try:
        return _checked(path, contents, opened, config, on_progress)
    except BaseException as error:
        opened.__exit__(type(error), error, error.__traceback__)
        raise


def _checked(
    path: Path,
    contents: Contents,
    opened: AbstractContextManager[Contents],
    config: ReconstructionConfig,
    on_progress: OnProgress,
) -> SequenceSource:
    s2, header = check_s2(contents.s2), contents.s2[0].header
    timeline, shape = plan_timeline(dates_of(contents.s2), dates_of(contents.s1), config), tuple(header.geobox.shape)
    pairing = pair_radar(contents.s1, timeline.dates, header.geobox, config)
    masking, mask_warnings = choose_masking(contents, s2[0].bands, config)
    s2, offset_remarks = settle_offsets(s2, masking.masks, config.s2_offset)
    side = block_side(shape, masking, budget_bytes=int(config.max_memory_gb * 2**30 / SCAN_SHARE))
    scanned = scan(s2, pairing, masking, shape=shape, side=side, on_progress=on_progress)
    check_clear(scanned, s2, masking.source)
    remarks = (*optical_remarks(s2), *offset_remarks, *timeline.remarks())
    info = SequenceInfo(
        path=contents.origin or path,
        dates=timeline.dates,
        bands=s2[0].bands,
        geobox=header.geobox,
        radiometry=s2[0].radiometry,
        s1_bands=pairing.bands,
        s1_dates=pairing.dates,
        s1_acquisitions=pairing.available,
        s1_units=pairing.units,
        mask_source=masking.source,
        warnings=(*contents.warnings, *remarks, *pairing.warnings, *mask_warnings),
        fingerprint=contents.fingerprint,
        simulated=any(raster.header.simulated for raster in contents.s2),
        requested=timeline.requested,
        written=timeline.dates[timeline.asked] if config.only_requested else timeline.dates,
        format=contents.format,
    )
    return SequenceSource(info, s2, pairing, scanned, opened)


def _sequence(
    info: SequenceInfo, pixels: Float32, bands: tuple[str, ...], observed: Bool, window: Window
) -> ImageSequence:
    return ImageSequence(pixels, info.dates, bands, info.geobox[window.slices], observed)


def _series(pairing: RadarPairing, geobox: GeoBox, window: Window) -> RadarSeries:
    """Of a window of the scene; its pixels are read when a method asks for them, and no sooner."""
    rows, columns = window.slices
    return RadarSeries(
        dates=dates_of([acquisition.raster for acquisition in pairing.series]),
        bands=pairing.bands,
        orbits=pairing.orbits,
        geobox=geobox[window.slices],
        load=partial(_read_radar, pairing.series),
        rows=rows,
        columns=columns,
    )


def _read_radar(acquisitions: Sequence[RadarAcquisition], rows: slice, columns: slice) -> tuple[Float32, Bool]:
    """(N, C, h, w) dB and (N, h, w) True = has data, of a window."""
    window = Window(rows.start, rows.stop, columns.start, columns.stop)
    pixels: Float32 = np.empty((len(acquisitions), len(acquisitions[0].bands), *window.shape), dtype=np.float32)
    observed = np.empty((len(acquisitions), *window.shape), dtype=bool)
    for index, acquisition in enumerate(acquisitions):
        pixels[index], observed[index] = acquisition.read(window)
    return pixels, observed


def _of_all_dates(fractions: NDArray[np.float64], acquired: Bool) -> NDArray[np.float64]:
    """(T,) of those of the acquisitions, 1 on other dates."""
    all_dates = np.ones(len(acquired))
    all_dates[acquired] = fractions
    return all_dates


def _bounds(part: slice | None, length: int) -> tuple[int, int]:
    start, stop, step = (part or slice(None)).indices(length)
    if step != 1 or stop <= start:
        raise ValueError(f"window {part} of {length} pixels is empty or has a step")
    return start, stop
