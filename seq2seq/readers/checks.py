"""Checks of headers, which must agree with each other, and of a sequence's values as a whole."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from odc.geo.geobox import GeoBox

from seq2seq.errors import InvalidPixelsError, MisalignedGridsError, MissingDataError, UnknownBandsError, concerning
from seq2seq.radiometry import S1_DTYPES, Radiometry, S1Units, detect_radiometry
from seq2seq.readers.acquisitions import FlagMask, OpticalAcquisition, sampled_s1_units
from seq2seq.readers.contents import Header, Raster
from seq2seq.readers.names import s1_bands, s2_bands
from seq2seq.readers.pairing import describe_grid, grids_overlap, same_grid
from seq2seq.sequence import Bool, Float32

# Clouds and snow reach 1, saturated pixels more; no date averages 2. Digital numbers average thousands.
HIGHEST_MEAN_REFLECTANCE = 2.0
# Deep water in the short-wave infrared still gives 20 DN somewhere in a sequence; 0 to 1 stored as integers does not.
LOWEST_MAXIMUM_REFLECTANCE = 0.002


def check_s2(rasters: Sequence[Raster]) -> list[OpticalAcquisition]:
    """The S2 acquisitions, after everything that headers can tell: dates, bands, grids, dtypes, scales."""
    if len(rasters) < 2:
        only = rasters[0].header
        raise MissingDataError(
            f"{only.name} is the only S2 date; a sequence needs at least 2", file=only.name, date=only.date
        )
    first = rasters[0].header
    with concerning(first.name, first.date):
        bands = s2_bands(first.descriptions, name=first.name)
    acquisitions = []
    for raster in rasters:
        header = raster.header
        with concerning(header.name, header.date):
            _check_same_grid(first, header)
            _check_same_bands(first, bands, header, s2_bands(header.descriptions, name=header.name))
            if header.dtype != first.dtype:
                raise InvalidPixelsError(
                    f"{first.name} is {first.dtype}, {header.name} is {header.dtype}",
                    file=first.name,
                    date=first.date,
                    others=(header.place,),
                )
            acquisitions.append(OpticalAcquisition(raster, _radiometry(header), bands))
    return acquisitions


def check_resampled(header: Header, grid: GeoBox, what: str, *, remedy: str) -> None:
    """Checks that a raster for S2's `grid` overlaps it, and has no mask or alpha band that resampling obeys: it takes
    the last band for transparency, which reading never does. what: S1, SCL. remedy: for such a band."""
    if not grids_overlap(grid, header.geobox):
        raise MisalignedGridsError(
            f"{header.name} does not overlap S2: {what} {describe_grid(header.geobox)}; S2 {describe_grid(grid)}"
        )
    if header.own_mask and not same_grid(header.geobox, grid):
        raise InvalidPixelsError(f"{header.name}: has a mask or alpha band and is not on the grid of S2; {remedy}")


def check_s1(rasters: Sequence[Raster], grid: GeoBox) -> tuple[str, ...]:
    """The bands of S1, after bands, dtypes and footprints against S2's `grid` have been checked."""
    first = rasters[0].header
    with concerning(first.name, first.date):
        bands = s1_bands(first.descriptions, name=first.name)
    remedy = "mark what holds no data by a declared no-data value, and save it without that band"
    for raster in rasters:
        header = raster.header
        with concerning(header.name, header.date):
            _check_same_bands(first, bands, header, s1_bands(header.descriptions, name=header.name))
            if header.dtype not in S1_DTYPES:
                raise InvalidPixelsError(f"{header.name}: dtype {header.dtype} cannot hold backscatter in dB or power")
            check_resampled(header, grid, "S1", remedy=remedy)
    return bands


def detect_sequence_s1_units(rasters: Sequence[Raster]) -> S1Units:
    """One unit for all acquisitions, from their values. Raises `InvalidPixelsError` naming two that disagree."""
    known = [(raster.header, units) for raster in rasters if (units := sampled_s1_units(raster))]
    for header, units in known:
        first, usual = known[0]
        if units != usual:
            raise InvalidPixelsError(
                f"{first.name} is in {usual}, {header.name} in {units} units",
                file=first.name,
                date=first.date,
                others=(header.place,),
            )
    return known[0][1] if known else "db"


def check_masks(rasters: Sequence[Raster], s2: Header) -> list[FlagMask]:
    """The user's masks, which must be one uint8 band on S2's grid."""
    for raster in rasters:
        header = raster.header
        with concerning(header.name, header.date):
            _check_same_grid(s2, header)
            if len(header.descriptions) != 1:
                raise UnknownBandsError(f"{header.name}: a mask has 1 band, this has {len(header.descriptions)}")
            if header.dtype != "uint8":
                raise InvalidPixelsError(f"{header.name}: a mask is uint8, this is {header.dtype}")
    return [FlagMask(raster) for raster in rasters]


class SequenceStatistics:
    """Extremes and means of a sequence, gathered block by block, and the verdict on them."""

    def __init__(self, s2: Sequence[OpticalAcquisition]) -> None:
        self._s2 = s2
        bands = len(s2[0].bands)
        self._lowest = np.full(bands, np.inf)
        self._highest = np.full(bands, -np.inf)
        self._totals = np.zeros((len(s2), bands))
        self._counts = np.zeros(len(s2), dtype=np.int64)

    def add(self, index: int, reflectance: Float32, has_data: Bool) -> None:
        """(C, h, w), (h, w) of the date at `index`."""
        values = reflectance if has_data.all() else reflectance[:, has_data]
        values = values.reshape(len(self._lowest), -1)  # (C, n)
        if not values.size:
            return
        self._lowest = np.minimum(self._lowest, values.min(axis=1))
        self._highest = np.maximum(self._highest, values.max(axis=1))
        self._totals[index] += values.sum(axis=1, dtype=np.float64)
        self._counts[index] += values.shape[1]

    def check(self) -> None:
        """Raises `MissingDataError` without any data, `InvalidPixelsError` for scales and bands that cannot be."""
        dates, (first, last) = len(self._s2), self._ends
        if not self._counts.any():
            raise MissingDataError(
                f"{first.name} to {last.name}: no S2 pixel holds data on any of {dates} dates",
                file=first.name,
                date=first.date,
                others=(last.place,),
            )
        self._check_scale()
        constant = np.flatnonzero(self._lowest == self._highest)
        if constant.size:
            band, value = self._s2[0].bands[constant[0]], self._lowest[constant[0]]
            raise InvalidPixelsError(
                f"{first.name} to {last.name}: band {band} has the same value {self._stored(value)} in all pixels of "
                f"all {dates} dates",
                file=first.name,
                date=first.date,
                band=band,
                others=(replace(last.place, band=band),),
            )

    def _check_scale(self) -> None:
        means = self._totals / np.maximum(self._counts, 1)[:, None]  # (T, C)
        date, band = np.unravel_index(int(means.argmax()), means.shape)
        if means[date, band] > HIGHEST_MEAN_REFLECTANCE:
            header, name = self._s2[int(date)].raster.header, self._s2[0].bands[band]
            raise InvalidPixelsError(
                f"{header.name}: band {name} averages reflectance {means[date, band]:.4g}, which "
                f"should be 0 to 1; state the scale in the file (0.0001 for DN of reflectance x 10000)",
                file=header.name,
                date=header.date,
                band=name,
            )
        highest = float(self._highest.max())
        if highest < LOWEST_MAXIMUM_REFLECTANCE:
            first, last = self._ends
            raise InvalidPixelsError(
                f"{first.name} to {last.name}: the largest value is {self._stored(highest)}, reflectance "
                f"{highest:.2g}; DN of reflectance x 10000 were expected, or state the scale in the files",
                file=first.name,
                date=first.date,
                others=(last.place,),
            )

    @property
    def _ends(self) -> tuple[Header, Header]:
        """Of the first and the last date."""
        return self._s2[0].raster.header, self._s2[-1].raster.header

    def _stored(self, reflectance: float) -> str:
        return f"{(reflectance - self._radiometry.offset) / self._radiometry.scale:g}"

    @property
    def _radiometry(self) -> Radiometry:
        return self._s2[0].radiometry


def _radiometry(header: Header) -> Radiometry:
    return detect_radiometry(
        header.name, dtype=header.dtype, scales=header.scales, offsets=header.offsets, nodata=header.nodata
    )


def _check_same_grid(first: Header, other: Header) -> None:
    if not same_grid(first.geobox, other.geobox):
        raise MisalignedGridsError(
            f"{first.name} and {other.name} are on different grids: {describe_grid(first.geobox)}; "
            f"{describe_grid(other.geobox)}",
            file=first.name,
            date=first.date,
            others=(other.place,),
        )


def _check_same_bands(first: Header, bands: tuple[str, ...], other: Header, other_bands: tuple[str, ...]) -> None:
    if bands != other_bands:
        raise UnknownBandsError(
            f"{first.name} has bands {', '.join(bands)}; {other.name} has {', '.join(other_bands)}; they must agree",
            file=first.name,
            date=first.date,
            others=(other.place,),
        )
