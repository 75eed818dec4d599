"""Which acquisitions are of one orbit: as stated, else by the satellites' cycle, else nobody can tell."""

import numpy as np
import pytest

from seq2seq.orbits import orbit_classes, orbit_names


def dates_of(first, days):
    return np.datetime64(first, "D") + np.asarray(days)


TWO_ORBITS = sorted([*range(0, 132, 6), *range(1, 132, 6)])


def test_stated_orbits_are_believed_whatever_the_days_say():
    dates = dates_of("2020-01-01", [0, 6, 12, 18])
    assert orbit_names(dates, ["A088", "D095", "A088", "D095"]) == ("A088", "D095", "A088", "D095")
    assert orbit_names(dates, ["A088", "088", "095", "D095"]) == ("A088", "A088", "D095", "D095")


def test_the_cycle_tells_two_orbits_apart_though_dates_are_missing():
    days = [day for day in TWO_ORBITS if day not in (18, 31, 60, 61, 67)]
    names = orbit_names(dates_of("2018-04-15", days), [""] * len(days))
    assert {name: {day % 6 for day, own in zip(days, names, strict=True) if own == name} for name in set(names)} == {
        names[0]: {0},
        names[1]: {1},
    }


def test_an_acquisition_out_of_turn_is_an_orbit_of_its_own_and_leaves_the_others_together():
    days = sorted([*TWO_ORBITS, 45])
    names = orbit_names(dates_of("2018-04-15", days), [""] * len(days))
    assert names.count(names[days.index(45)]) == 1
    assert len(set(names)) == 3


@pytest.mark.parametrize(
    ("first", "orbits"), [("2018-01-05", 1), ("2023-01-05", 2), ("2015-03-01", 2), ("2026-01-01", 1)]
)
def test_with_one_satellite_six_days_apart_are_two_orbits(first, orbits):
    dates = dates_of(first, range(0, 120, 6))
    assert len(set(orbit_names(dates, [""] * len(dates)))) == orbits


def test_directions_are_refined_by_the_cycle():
    dates = dates_of("2018-04-15", sorted([*range(0, 96, 6), *range(2, 96, 6), *range(4, 96, 6)]))
    stated = ["D" if (date - dates[0]).astype(int) % 6 == 4 else "A" for date in dates]
    names = orbit_names(dates, stated)
    assert len(set(names)) == 3
    assert {name[0] for name in names} == {"A", "D"}
    assert all(name[0] == direction for name, direction in zip(names, stated, strict=True))


def test_directions_that_some_lack_are_not_used():
    dates = dates_of("2018-04-15", range(0, 120, 6))
    names = orbit_names(dates, ["A", *[""] * 19])
    assert len(set(names)) == 1


@pytest.mark.parametrize("seed", range(20))
def test_days_without_a_cycle_tell_nothing(seed):
    days = np.sort(np.random.default_rng(seed).choice(400, 25, replace=False))
    assert set(orbit_names(dates_of("2018-01-01", days), [""] * 25)) == {""}


def test_months_and_a_handful_of_dates_tell_nothing():
    months = np.arange("2020-08", "2022-03", dtype="datetime64[M]").astype("datetime64[D]")
    assert set(orbit_names(months, [""] * len(months))) == {""}
    assert set(orbit_names(dates_of("2020-01-01", [0, 6]), ["", ""])) == {""}


def test_no_acquisition_has_no_orbit():
    nothing = np.array([], dtype="datetime64[D]")
    assert orbit_names(nothing, []) == ()
    assert orbit_classes(()).shape == (0,)


def test_classes_number_the_most_frequent_first():
    assert orbit_classes(("b", "a", "b", "c", "a", "b")).tolist() == [0, 1, 0, 2, 1, 0]


def test_one_name_for_each_date_is_wanted():
    with pytest.raises(ValueError, match="1 orbits are stated for 2 dates"):
        orbit_names(dates_of("2020-01-01", [0, 6]), [""])
