"""All radar acquisitions beside those of the S2 dates: read where asked for, windows equal crops, orbits kept."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import rasterio
from rasterio.control import GroundControlPoint
from sequence_files import DATES, HEIGHT, WIDTH, s1_db, write_sequence, write_tif

from seq2seq.errors import InvalidPixelsError, MisalignedGridsError, UnreadableFileError
from seq2seq.radar_series import RadarSeries
from seq2seq.readers import open_contents, open_sequence, read_sequence
from seq2seq.sequence import ImageSequence
from seq2seq.shared_observations import SharedObservations
from seq2seq.validation.holdout import blank
from seq2seq.writers.working_copy import write_working_copy

# Two orbits, none of whose days but the first is one of S2's.
S1_DATES = np.datetime64("2020-08-01") + np.sort([*range(0, 42, 6), *range(1, 42, 6)])


def asynchronous(root, *, bands=("VV", "VH"), db=None, orbits=None):
    """S2 on five dates, S1 on fourteen others."""
    write_sequence(root)
    db = s1_db(len(S1_DATES)) if db is None else db
    for index, date in enumerate(S1_DATES):
        path = write_tif(root / "S1" / f"{date}.tif", db[index][: len(bands)], bands=bands)
        if orbits:
            with rasterio.open(path, "r+") as file:
                file.update_tags(ORBIT=orbits[index % len(orbits)])
    return root


def nearest_dates():
    """The acquisitions that dates of S2 get."""
    days = np.array(DATES, dtype="datetime64[D]")
    return S1_DATES[np.abs(days[:, None] - S1_DATES[None]).argmin(axis=1)]


@pytest.fixture
def source(tmp_path):
    with open_sequence(asynchronous(tmp_path / "in")) as opened:
        yield opened


def test_all_acquisitions_are_there_with_their_days_beside_the_nearest_of_each_date(source):
    observations = source.read()
    series = observations.s1_series.read()
    assert np.array_equal(series.dates, S1_DATES)
    assert series.bands == ("VV", "VH")
    assert np.allclose(series.pixels, s1_db(len(S1_DATES)))
    assert series.observed.all()
    nearest = [np.flatnonzero(day == S1_DATES)[0] for day in observations.s1_dates]
    assert np.array_equal(observations.s1.pixels, series.pixels[nearest])


def test_a_window_is_the_crop_of_the_whole_and_a_crop_reads_no_more_than_itself(source):
    rows, columns = slice(3, 17), slice(5, 30)
    whole, part = source.read().s1_series.read(), source.read(rows, columns).s1_series
    assert np.array_equal(part.read().pixels, whole.pixels[:, :, rows, columns])
    inner = part.crop(slice(2, 9), slice(1, 4))
    assert np.array_equal(inner.read().pixels, whole.pixels[:, :, 5:12, 6:9])
    assert inner.read().geobox == whole.geobox[5:12, 6:9]
    asked = []

    def load(rows, columns):
        asked.append((rows, columns))
        return part.load(rows, columns)

    cropped = replace(part, load=load).crop(slice(2, 9), slice(1, 4))
    assert not asked
    cropped.read()
    assert asked == [(slice(5, 12), slice(6, 9))]


def test_observations_crop_it_and_blanking_s2_leaves_it(source):
    observations = source.read()
    cropped = observations.crop(slice(0, 5), slice(0, 6))
    assert cropped.s1_series.read().pixels.shape == (len(S1_DATES), 2, 5, 6)
    hidden = blank(observations, np.zeros_like(observations.s2.observed))
    assert hidden.s1_series is observations.s1_series
    with pytest.raises(ValueError, match=r"s1_series is \(24, 32\), s2 is \(5, 6\)"):
        replace(cropped, s1_series=observations.s1_series)


def test_what_is_read_whole_outlives_the_files(tmp_path):
    root = asynchronous(tmp_path / "in")
    observations = read_sequence(root)
    (root / "S1" / f"{S1_DATES[3]}.tif").unlink()
    assert np.allclose(observations.s1_series.read().pixels, s1_db(len(S1_DATES)))
    assert "14 acquisitions of orbits day " in repr(observations)


def test_radar_of_the_s2_dates_alone_is_no_series(tmp_path):
    observations = read_sequence(write_sequence(tmp_path / "in", s1=s1_db()))
    assert observations.s1_series is None
    assert observations.loaded() is observations


def test_the_days_tell_the_orbits_and_how_old_each_is(source):
    series = source.read().s1_series
    first, second = series.classes[:2]
    assert {first, second} == {0, 1}
    assert set(series.classes[::2]) == {first}
    age = series.age_days(np.array(DATES[:2], dtype="datetime64[D]"))
    assert age[:, first].tolist() == [0, 2]
    assert age[:, second].tolist() == [1, 3]


def test_what_the_files_state_of_the_orbit_is_kept(tmp_path):
    root = asynchronous(tmp_path / "in", orbits=("A088", "D095"))
    assert set(read_sequence(root).s1_series.orbits[::2]) == {"A088"}


@pytest.mark.parametrize("orbits", [None, ("A088", "D095")])
def test_a_working_copy_gives_the_same_series(tmp_path, orbits):
    root, copy = asynchronous(tmp_path / "in", orbits=orbits), tmp_path / "copy"
    copy.mkdir()
    with open_contents(root) as contents:
        write_working_copy(contents, copy, origin="in", on_raster=lambda *_: None)
    ours, theirs = (read_sequence(path).s1_series for path in (copy, root))
    assert ours.orbits == theirs.orbits
    assert np.array_equal(ours.dates, theirs.dates)
    assert np.array_equal(ours.read().pixels, theirs.read().pixels)


def test_processes_share_it(tmp_path):
    observations = read_sequence(asynchronous(tmp_path / "in"))
    shared = pickle.loads(
        pickle.dumps(SharedObservations.write(observations, tmp_path, without=""))
    )  # as it is sent to a process
    ours, theirs = shared.read().s1_series, observations.s1_series
    assert ours.orbits == theirs.orbits
    assert np.array_equal(ours.dates, theirs.dates)
    assert np.array_equal(ours.read().pixels, theirs.read().pixels)
    without = replace(observations, s1_series=None)
    assert SharedObservations.write(without, tmp_path, without="").read().s1_series is None


@pytest.mark.parametrize("spoil", ["damaged", "impossible"])
def test_an_acquisition_of_no_s2_date_is_checked_before_anything_else_happens(tmp_path, spoil):
    root = asynchronous(tmp_path / "in")
    path = root / "S1" / f"{S1_DATES[5]}.tif"
    if spoil == "damaged":
        path.write_bytes(path.read_bytes()[:1500])
    else:
        write_tif(path, np.full((2, HEIGHT, WIDTH), -300, np.float32), bands=("VV", "VH"))
    assert S1_DATES[5] not in nearest_dates()
    with pytest.raises((UnreadableFileError, InvalidPixelsError), match=f"S1/{S1_DATES[5]}"):
        open_sequence(root)


def test_what_lies_long_before_and_after_s2_is_no_part_of_it(tmp_path):
    root = asynchronous(tmp_path / "in")
    far = write_tif(root / "S1" / "2019-08-01.tif", np.full((2, HEIGHT, WIDTH), -300, np.float32), bands=("VV", "VH"))
    assert np.array_equal(read_sequence(root).s1_series.dates, S1_DATES)
    assert far.exists()


@pytest.mark.parametrize("band", ["VV", "VH", "HH"])
def test_one_polarisation_is_enough(tmp_path, band):
    observations = read_sequence(asynchronous(tmp_path / "in", bands=(band,)))
    assert observations.s1.bands == observations.s1_series.bands == (band,)
    assert observations.s1_series.read().pixels.shape == (len(S1_DATES), 1, HEIGHT, WIDTH)


def test_power_and_db_of_gamma0_or_sigma0_are_read_as_the_same_db(tmp_path):
    db = s1_db(len(S1_DATES))
    linear = read_sequence(asynchronous(tmp_path / "power", db=(10 ** (db / 10)).astype(np.float32)))
    assert np.allclose(linear.s1_series.read().pixels, db, atol=1e-4)
    names = asynchronous(tmp_path / "named", bands=("Gamma0_VV_db", "Gamma0_VH_db"))
    assert read_sequence(names).s1_series.bands == ("VV", "VH")


def test_radar_that_is_not_terrain_corrected_is_refused_with_what_to_do(tmp_path):
    write_sequence(tmp_path)
    path = tmp_path / "S1" / "s1a-iw-grd-vv-20200801t173953-20200801t174018-039156-049f13-001.tiff"
    path.parent.mkdir()
    corners = [GroundControlPoint(row, col, 2 + col * 1e-4, 50 - row * 1e-4, 0) for row in (0, 23) for col in (0, 31)]
    shape = {"height": HEIGHT, "width": WIDTH, "count": 1, "dtype": "uint16"}
    with rasterio.open(path, "w", driver="GTiff", gcps=corners, crs="EPSG:4326", **shape) as file:
        file.write(np.full((1, HEIGHT, WIDTH), 200, np.uint16))
    with pytest.raises(MisalignedGridsError, match=r"s1a-iw-grd.*not terrain-corrected; get sigma0 or gamma0"):
        open_sequence(tmp_path)


def test_axes_that_disagree_are_named(source):
    series = source.read().s1_series
    with pytest.raises(ValueError, match="1 orbits for 14 dates"):
        replace(series, orbits=("A088",))
    with pytest.raises(ValueError, match="no window of 24 x 32 px"):
        replace(series, rows=slice(0, 3))


def test_a_series_in_memory_is_what_it_was_made_of(source):
    sequence = source.read().s1_series.read()
    made = RadarSeries.of(sequence, ("",) * len(sequence.dates))
    assert isinstance(made.read(), ImageSequence)
    assert np.array_equal(made.read().pixels, sequence.pixels)
    assert made.classes.tolist() == [0] * len(S1_DATES)
