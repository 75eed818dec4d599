"""The data model checks its axes, says what it got, and survives the way through xarray."""

from dataclasses import replace

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from quick_engine import observations

from seq2seq.sequence import ImageSequence


@pytest.fixture(scope="module")
def given():
    return observations(dates=3, size=(9, 12))


@pytest.mark.parametrize("crs", ["EPSG:32631", "EPSG:3857", "EPSG:4326"])
def test_xarray_and_back_keeps_everything(given, crs):
    affine = Affine(0.1, 0, 3.25, 0, -0.1, 51.7)
    sequence = replace(given.s2, geobox=GeoBox(given.s2.shape[2:], affine, crs))
    back = ImageSequence.from_xarray(sequence.to_xarray())
    assert np.array_equal(back.pixels, sequence.pixels)
    assert np.array_equal(back.observed, sequence.observed)
    assert np.array_equal(back.dates, sequence.dates)
    assert back.dates.dtype == sequence.dates.dtype
    assert back.bands == sequence.bands
    assert back.geobox == sequence.geobox


def test_coordinates_are_pixel_centres(given):
    dataset, affine = given.s2.to_xarray(), given.s2.geobox.affine
    assert dict(dataset.sizes) == {"time": 3, "band": 4, "y": 9, "x": 12}
    assert (dataset["x"].values[0], dataset["y"].values[0]) == affine @ (0.5, 0.5)
    assert (dataset["x"].values[-1], dataset["y"].values[-1]) == affine @ (11.5, 8.5)


def test_axes_in_another_order_are_put_right(given):
    back = ImageSequence.from_xarray(given.s2.to_xarray().transpose("y", "x", "band", "time"))
    assert np.array_equal(back.pixels, given.s2.pixels)


def test_a_dataset_without_a_grid_is_refused_by_name(given):
    with pytest.raises(ValueError, match="lacks observed, spatial_ref"):
        ImageSequence.from_xarray(given.s2.to_xarray().drop_vars(["spatial_ref", "observed"]))


def change(**changes):
    return lambda s2: replace(s2, **{name: value(s2) for name, value in changes.items()})


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (change(pixels=lambda s: s.pixels.astype(np.float64)), "float64"),
        (change(pixels=lambda s: s.pixels[0]), "3 axes"),
        (change(dates=lambda s: s.dates[:2]), r"\(2,\).*T=3"),
        (change(dates=lambda s: s.dates.astype("datetime64[ns]")), "datetime64"),
        (change(dates=lambda s: s.dates[::-1]), "sorted"),
        (change(dates=lambda s: s.dates[[0, 0, 1]]), "unique"),
        (change(bands=lambda s: ("B02",) * 4), "C=4"),
        (change(bands=lambda s: s.bands[:3]), "C=4"),
        (change(geobox=lambda s: s.geobox[:5, :]), r"\(5, 12\).*\(9, 12\)"),
        (change(observed=lambda s: s.observed.astype(np.uint8)), "uint8"),
        (change(observed=lambda s: s.observed[:2]), r"\(2, 9, 12\)"),
    ],
)
def test_axes_that_disagree_are_refused_and_named(given, spoil, message):
    with pytest.raises(ValueError, match=message):
        spoil(given.s2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cloud_mask": lambda g: g.cloud_mask[:2]}, r"\(2, 9, 12\)"),
        ({"s1_dates": lambda g: g.s1_dates[:2]}, "T=3"),
        ({"s1": lambda g: replace(g.s1, dates=g.s1.dates + np.timedelta64(1, "D"))}, "pair them first"),
        ({"s1": lambda g: g.s1.crop(slice(0, 5), slice(0, 12))}, "one grid first"),
    ],
)
def test_observations_that_disagree_are_refused(given, changes, message):
    with pytest.raises(ValueError, match=message):
        replace(given, **{name: value(given) for name, value in changes.items()})


def test_a_crop_keeps_pixels_and_places_together(given):
    part = given.crop(slice(2, 7), slice(3, 12))
    assert np.array_equal(part.s2.pixels, given.s2.pixels[:, :, 2:7, 3:12])
    assert np.array_equal(part.s1.pixels, given.s1.pixels[:, :, 2:7, 3:12])
    corner = given.s2.geobox.affine
    assert part.s2.geobox.affine.c == corner.c + 3 * corner.a
    assert part.s2.geobox.affine.f == corner.f + 2 * corner.e


def test_days_count_from_the_first_date(given):
    assert given.s2.days[0] == 0
    assert (np.diff(given.s2.days) > 0).all()
