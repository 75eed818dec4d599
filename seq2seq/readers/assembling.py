"""From what a format finds to `Contents`: bands stacked, pieces of a day put side by side, S2 on one grid.

A format names `Layer`s: files or parts of files with a date and bands, in any resolution, extent and CRS. What was done
to them is said in `Contents.warnings`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox

from seq2seq.bands import S2_BANDS
from seq2seq.errors import MisalignedGridsError, MissingDataError, UnknownBandsError
from seq2seq.readers.checks import check_resampled
from seq2seq.readers.composed import Converted, Mosaic, Stacked, alike, as_reflectance, on_grid, select
from seq2seq.readers.contents import Contents, Raster
from seq2seq.readers.gdal_file import MAX_PIXELS
from seq2seq.readers.layers import Layer, by_day, with_bands
from seq2seq.readers.optical_passes import passes_in_order
from seq2seq.readers.pairing import describe_grid, footprint, gsd_m, same_grid
from seq2seq.readers.radar_passes import one_pass_a_day
from seq2seq.wording import listed

# Of masks: cloud, shadow or no data where no piece of a mask lies.
_UNMASKED = 255
# Two pixel sizes within it are one: 10 m in degrees is 10 m at one latitude alone.
_GSD_TOLERANCE = 1.02
_SNAP_PX = 0.01


def assemble(
    layers: Sequence[Layer], *, name: str, fingerprint: str, warnings: Iterable[str] = (), grid: GeoBox | None = None
) -> Contents:
    """The contents of an input `name`. grid: of S2; by default the finest that its bands have, as far as they reach.

    Layers of a day are taken in their order, those of the more frequent orbit first (`optical_passes`): where two hold
    data at a pixel, the first counts. Raises `InputError`s
    where there is no S2, where a band lacks on some dates, and where the pieces lie too far apart.
    """
    said: list[str] = list(warnings)
    layers = passes_in_order(layers, said)
    s2 = [layer for layer in layers if layer.sensor == "S2"]
    if not s2:
        raise MissingDataError(f"{name}: holds no Sentinel-2 band that is understood", file=name)
    bands, more = _common_bands(s2)
    said += more
    chosen = _of_one_dtype(_finest(with_bands(s2, bands)))
    grid = grid or common_grid(chosen, name=name)
    said += _resampled(chosen, grid)
    return Contents(
        s2=[_optical(day, bands, grid) for day in by_day(chosen)],
        s1=[_radar(day) for day in by_day(one_pass_a_day(layers, said))],
        masks=[_mask(day, grid) for day in by_day([layer for layer in layers if layer.sensor == "MASK"])],
        scl=[_classes(day) for day in by_day(_finest([layer for layer in layers if layer.sensor == "SCL"]))],
        fingerprint=fingerprint,
        warnings=tuple(said),
    )


def common_grid(layers: Sequence[Layer], *, name: str) -> GeoBox:
    """One grid for all: of the finest layers' most frequent, grown until it covers all layers.

    Raises `MisalignedGridsError` where that takes more pixels than a scene may have.
    """
    boxes = [layer.raster.header.geobox for layer in layers]
    finest = min(gsd_m(box) for box in boxes)
    fine = [box for box in boxes if gsd_m(box) <= finest * _GSD_TOLERANCE]
    reference = max(fine, key=lambda box: sum(same_grid(box, other) for other in fine))
    grown = _covering(reference, boxes)
    if grown.shape[0] * grown.shape[1] > MAX_PIXELS:
        far = max(boxes, key=lambda box: float(np.prod(_covering(reference, [box]).shape)))
        raise MisalignedGridsError(
            f"{name}: S2 files lie too far apart for one scene: {describe_grid(reference)}; {describe_grid(far)}; "
            "give each place by itself",
            file=name,
        )
    return grown


def _covering(reference: GeoBox, boxes: Sequence[GeoBox]) -> GeoBox:
    """The pixels of `reference`, continued so far that they cover all boxes."""
    corners = [(0.0, 0.0, float(reference.shape[1]), float(reference.shape[0]))]
    for box in boxes:
        outline = footprint(box, reference.crs)
        if outline is None:
            raise MisalignedGridsError(f"{describe_grid(box)} has no place in the CRS of {describe_grid(reference)}")
        west, south, east, north = outline.boundingbox
        x, y = ~reference.affine @ (np.array([west, west, east, east]), np.array([south, north, south, north]))
        corners.append((float(x.min()), float(y.min()), float(x.max()), float(y.max())))
    left, top = (int(np.floor(min(corner[axis] for corner in corners) + _SNAP_PX)) for axis in (0, 1))
    right, bottom = (int(np.ceil(max(corner[axis] for corner in corners) - _SNAP_PX)) for axis in (2, 3))
    if (left, top, right, bottom) == (0, 0, reference.shape[1], reference.shape[0]):
        return reference
    return GeoBox((bottom - top, right - left), reference.affine * Affine.translation(left, top), reference.crs)


def _common_bands(layers: Sequence[Layer]) -> tuple[tuple[str, ...], list[str]]:
    """The bands of all dates, in Sentinel-2's order; what is left out.

    Raises `MissingDataError` for a band that most dates have and some do not.
    """
    there = defaultdict(set)
    for layer in layers:
        for band in layer.bands:
            there[band].add(layer.day)
    days = {layer.day for layer in layers}
    used = tuple(band for band in S2_BANDS if there.get(band) == days)
    partly = {band: found for band, found in there.items() if band in S2_BANDS and found != days}
    for band, found in partly.items():
        if 2 * len(found) > len(days):
            lacking = sorted(str(day) for day in days - found)
            raise MissingDataError(
                f"band {band} is there on {len(found)} of {len(days)} dates, and lacks on {listed(lacking)}; add it, "
                "or leave these dates out",
                date=lacking[0],
                band=band,
            )
    if not used:
        raise UnknownBandsError(f"no Sentinel-2 band is there on all {len(days)} dates")
    left_out = [f"{band} ({len(found)} of {len(days)} dates)" for band, found in partly.items()]
    return used, [f"bands left out, for most dates lack them: {', '.join(left_out)}"] if left_out else []


def _finest(layers: Sequence[Layer]) -> list[Layer]:
    """Of a band that a day holds in several resolutions, as SAFE products do, the finest."""
    finest: dict[tuple[object, str], float] = {}
    for layer in layers:
        size = gsd_m(layer.raster.header.geobox)
        for band in layer.bands:
            finest[layer.day, band] = min(size, finest.get((layer.day, band), size))
    kept = []
    for layer in layers:
        size = gsd_m(layer.raster.header.geobox)
        indexes = [index for index, band in enumerate(layer.bands) if size <= finest[layer.day, band] * _GSD_TOLERANCE]
        if indexes:
            kept.append(replace(layer, raster=select(layer.raster, indexes)))
    return kept


def _of_one_dtype(layers: Sequence[Layer]) -> list[Layer]:
    """S2 layers that a day's stack can hold: those of a day store alike, and all have one dtype."""
    stored = [
        replace(layer, raster=raster)
        for day in by_day(layers)
        for layer, raster in zip(day, alike([layer.raster for layer in day]), strict=True)
    ]
    if len({layer.raster.header.dtype for layer in stored}) == 1:
        return stored
    return [replace(layer, raster=as_reflectance(layer.raster)) for layer in layers]


def _optical(layers: Sequence[Layer], bands: Sequence[str], grid: GeoBox) -> Raster:
    """One date of S2: every band a mosaic of its pieces on `grid`, stacked in the order of `bands`."""
    rasters = [layer.raster for layer in layers]
    for raster in rasters:
        check_resampled(raster.header, grid, "S2", remedy="save it without that band")
    return _stacked([on_grid(raster, grid) for raster in rasters], bands)


def _stacked(pieces: Sequence[Raster], bands: Sequence[str]) -> Raster:
    """Every band a mosaic of the pieces that hold it, in the order of `bands`."""
    if all(piece.header.descriptions == tuple(bands) for piece in pieces):
        return _joined(pieces)
    return Stacked(tuple(_joined(_holding(pieces, band)) for band in bands))


def _holding(pieces: Sequence[Raster], band: str) -> list[Raster]:
    return [
        select(piece, [piece.header.descriptions.index(band)]) for piece in pieces if band in piece.header.descriptions
    ]


def _joined(rasters: Sequence[Raster]) -> Raster:
    return rasters[0] if len(rasters) == 1 else Mosaic(tuple(rasters))


def _radar(layers: Sequence[Layer]) -> Raster:
    """One date of S1, on its own grid: pieces of several grids on the first's, continued."""
    grid = common_grid(layers, name=layers[0].raster.header.name)
    return _stacked([on_grid(layer.raster, grid) for layer in layers], sorted(_names(layers), reverse=True))


def _names(layers: Sequence[Layer]) -> set[str]:
    return {band for layer in layers for band in layer.bands}


def _mask(layers: Sequence[Layer], grid: GeoBox) -> Raster:
    """One date's masks on `grid`: pieces side by side, several kinds joined by "or"."""
    on = []
    for layer in layers:
        header = replace(layer.raster.header, dtype="uint8", nodata=float(_UNMASKED), descriptions=(None,))
        flags = Converted(layer.raster, header, lambda values: values != 0)
        on.append(on_grid(flags, grid, nearest=True, fill=_UNMASKED))
    kinds: dict[str, list[Raster]] = defaultdict(list)
    for layer, raster in zip(layers, on, strict=True):
        kinds[layer.bands[0]].append(raster)
    joined = [_joined(rasters) for rasters in kinds.values()]
    return joined[0] if len(joined) == 1 else _either(joined)


def _either(masks: Sequence[Raster]) -> Raster:
    """1 where any of them is not 0."""
    stacked = Stacked(tuple(masks))
    header = replace(stacked.header, descriptions=(None,), scales=(1.0,), offsets=(0.0,))
    return Converted(stacked, header, lambda values: (values != 0).any(axis=0, keepdims=True))


def _classes(layers: Sequence[Layer]) -> Raster:
    """One date's scene classification on its own grid."""
    grid = common_grid(layers, name=layers[0].raster.header.name)
    return _joined([on_grid(layer.raster, grid, nearest=True, fill=0) for layer in layers])


def _resampled(layers: Sequence[Layer], grid: GeoBox) -> Iterator[str]:
    """What was resampled to `grid`, in words."""
    moved = [layer for layer in layers if not same_grid(layer.raster.header.geobox, grid)]
    sizes: dict[str, set[str]] = defaultdict(set)
    for layer in moved:
        size = gsd_m(layer.raster.header.geobox)
        if size > gsd_m(grid) * _GSD_TOLERANCE:
            sizes[f"{size:.3g} m"] |= set(layer.bands)
    for coarse, bands in sorted(sizes.items()):
        names = ", ".join(band for band in S2_BANDS if band in bands)
        yield f"bands of {coarse} resampled to {gsd_m(grid):.3g} m, bilinear: {names}"
    crss = sorted({_crs(layer.raster.header.geobox) for layer in moved} - {_crs(grid)})
    if crss:
        days = sorted({str(layer.day) for layer in moved if _crs(layer.raster.header.geobox) in crss})
        yield f"S2 of {listed(days)} warped from {', '.join(crss)} to {_crs(grid)}, bilinear"
    pieces = Counter((layer.day, layer.raster.header.orbit, band) for layer in layers for band in layer.bands)
    doubled = sorted({str(day) for (day, _, _), count in pieces.items() if count > 1})
    if doubled:
        yield f"several S2 files on {listed(doubled)} put together: where two hold data, the first counts"


def _crs(grid: GeoBox) -> str:
    return f"EPSG:{grid.crs.epsg}" if grid.crs.epsg else str(grid.crs)[:40]
