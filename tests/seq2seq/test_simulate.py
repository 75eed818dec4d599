"""The simulator: plausible land, sensors that follow it, the clouds asked for, files as a user uploads them."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from locations import SHARED

from seq2seq.bands import BAND_SETS, L1C, TEN_METRE
from seq2seq.errors import ConfigError, OutputError, UnknownBandsError
from seq2seq.interpolation import linear_interpolation
from seq2seq.sequence import days_since_first
from seq2seq.simulation.clouds import draw_clouds, draw_cover, paint, shadow_shift_px
from seq2seq.simulation.covers import COVERS
from seq2seq.simulation.land import make_landscape, state_on
from seq2seq.simulation.random_fields import power_law_field
from seq2seq.simulation.sensors import LOOKS, backscatter, reflectance, speckled_db
from seq2seq.simulation.simulate import Simulation, simulate, to_dn, write_simulation
from seq2seq.validation.metrics import score

JUDGE = SHARED / "bench" / "score.py"
YEAR = (np.datetime64("2021-02-01"), np.datetime64("2021-11-30"))


@pytest.fixture(scope="module")
def small() -> Simulation:
    return simulate(dates=8, size=64, bands=L1C, seed=3, interval_days=(25, 40))


def digest(simulation: Simulation) -> str:
    arrays = (simulation.truth.pixels, simulation.s2.pixels, simulation.user_mask, simulation.truth.dates)
    parts = [array.tobytes() for array in arrays]
    if simulation.s1 is not None:
        parts.append(simulation.s1.pixels.tobytes())
    return hashlib.sha256(b"".join(parts)).hexdigest()


def ndvi(pixels, bands):
    red, nir = pixels[..., bands.index("B04"), :, :], pixels[..., bands.index("B08"), :, :]
    return (nir - red) / (nir + red)


@pytest.mark.parametrize("name", BAND_SETS)
def test_every_product_can_be_simulated_at_a_small_size(name):
    simulation = simulate(dates=4, size=32, bands=BAND_SETS[name], seed=1, mask_errors=0.1)
    assert simulation.s2.shape == simulation.truth.shape == (4, len(BAND_SETS[name]), 32, 32)
    assert simulation.s2.bands == BAND_SETS[name]
    assert simulation.truth.observed.all()
    for sequence in (simulation.s2, simulation.truth, simulation.s1):
        assert np.isfinite(sequence.pixels).all()
        assert (sequence.pixels.std((0, 2, 3)) > 0).all(), "a constant band"
    assert simulation.truth.pixels.min() > 0
    assert simulation.truth.pixels.max() < 1


def test_the_same_seed_gives_the_same_sequence_and_another_seed_another():
    first, again, other = (digest(simulate(dates=3, size=32, bands=TEN_METRE, seed=seed)) for seed in (5, 5, 6))
    assert first == again
    assert first != other


def test_land_clouds_and_radar_do_not_depend_on_the_bands_asked_for(small):
    four = simulate(dates=8, size=64, bands=TEN_METRE, seed=3, interval_days=(25, 40))
    indices = [L1C.index(band) for band in TEN_METRE]
    np.testing.assert_allclose(four.truth.pixels, small.truth.pixels[:, indices], atol=1e-6)
    np.testing.assert_array_equal(four.cloud_mask, small.cloud_mask)
    np.testing.assert_array_equal(four.s1.pixels, small.s1.pixels)


def test_without_radar_everything_else_stays_the_same():
    with_s1, without = (simulate(dates=3, size=32, bands=TEN_METRE, seed=2, s1=s1) for s1 in (True, False))
    assert without.s1 is None
    np.testing.assert_array_equal(with_s1.s2.pixels, without.s2.pixels)


def test_size_may_be_height_and_width():
    assert simulate(dates=2, size=(24, 40), bands=TEN_METRE).s2.shape == (2, 4, 24, 40)


@given(cloud=st.floats(0.1, 0.9), seed=st.integers(0, 1000))
@settings(max_examples=8, deadline=None)
def test_the_cover_is_what_was_asked_for_and_ranges_from_clear_to_lost(cloud, seed):
    cover = draw_cover(np.random.default_rng(seed), 30, cloud)
    assert cover.mean() == pytest.approx(cloud, abs=0.03)
    assert cover.max() - cover.min() > 0.5
    simulation = simulate(dates=10, size=32, bands=("B02",), cloud=cloud, seed=seed, s1=False)
    assert simulation.cloud_mask.mean() == pytest.approx(cloud, abs=0.06)


def test_some_dates_are_clear_and_some_are_lost_whole():
    cover = draw_cover(np.random.default_rng(0), 30, 0.6)
    assert (cover == 0).any()
    assert (cover == 1).any()


@pytest.mark.parametrize(("cloud", "masked"), [(0.0, False), (1.0, True)])
def test_no_cloud_and_all_cloud_are_exact(cloud, masked):
    simulation = simulate(dates=3, size=32, bands=TEN_METRE, cloud=cloud, s1=False)
    assert (simulation.cloud_mask == masked).all()
    assert (simulation.s2.observed == (not masked)).all()


def test_clear_pixels_carry_the_truth_and_noise_only(small):
    error = small.s2.pixels - small.truth.pixels
    clear = np.broadcast_to(~small.cloud_mask[:, None], error.shape)
    assert 0.0008 < error[clear].std() < 0.004
    assert abs(error[clear].mean()) < 2e-4
    assert np.abs(error[~clear]).mean() > 0.1


def test_clouds_brighten_shadows_darken_and_neither_touches_the_rest():
    scene = np.full((13, 96, 96), 0.2, np.float32)
    clouds = draw_clouds(np.random.default_rng(1), (96, 96), cover=0.5, date=np.datetime64("2021-06-01"))
    painted = paint(scene, clouds, L1C)
    np.testing.assert_allclose(painted[:, ~clouds.cloud_mask], scene[:, ~clouds.cloud_mask], rtol=1e-6)
    blue = painted[L1C.index("B02")]
    assert (blue[clouds.opacity > 0.5] > 0.35).all()
    only_shadow = clouds.cloud_mask & (clouds.opacity == 0)
    assert only_shadow.any()
    assert (painted[:, only_shadow] <= 0.2).all()
    assert 0 < clouds.opacity[clouds.opacity > 0].min() < 0.3, "edges are thin"


def test_shadows_fall_to_the_north_west_and_are_longer_in_winter():
    summer, winter = (np.array(shadow_shift_px(np.datetime64(day), 300, 10)) for day in ("2021-06-21", "2021-12-21"))
    assert (summer < 0).all()  # rows count southwards: north and west are negative
    assert (winter < 0).all()
    assert np.hypot(*winter) > 1.5 * np.hypot(*summer)


@given(seed=st.integers(0, 100), share=st.floats(0.05, 0.4))
@settings(max_examples=5, deadline=None)
def test_mask_errors_miss_the_share_asked_for_and_flag_half_as_much(seed, share):
    simulation = simulate(
        dates=6, size=32, bands=("B02",), cloud=0.4, seed=seed, mask_errors=share, s1=False, interval_days=(5, 5)
    )
    cloudy = simulation.cloud_mask
    missed = (cloudy & ~simulation.user_mask).sum() / cloudy.sum()
    wrong = (~cloudy & simulation.user_mask).sum() / cloudy.sum()
    assert missed == pytest.approx(share, abs=0.01)
    assert 0 < wrong <= share / 2 + 0.01
    np.testing.assert_array_equal(simulation.s2.observed, ~simulation.user_mask)


def test_without_errors_the_users_mask_is_the_true_one(small):
    np.testing.assert_array_equal(small.user_mask, small.cloud_mask)


def test_radar_has_its_own_dates_every_six_to_twelve_days(small):
    s1_days, s2_days = small.s1.dates, small.s2.dates
    assert not np.isin(s1_days, s2_days).any()
    gaps = np.diff(s1_days).astype(int)
    assert ((gaps >= 5) & (gaps <= 13)).all()
    assert s1_days[0] < s2_days[0]
    assert s1_days[-1] > s2_days[-1]


def test_speckle_has_the_looks_of_a_grd_pixel_and_keeps_the_mean():
    level = np.full((2, 200, 200), 0.1, np.float32)
    linear = 10 ** (speckled_db(np.random.default_rng(0), level) / 10)
    assert linear.mean() == pytest.approx(0.1, rel=0.01)
    assert linear.mean() ** 2 / linear.var() == pytest.approx(LOOKS, rel=0.05)


def test_cirrus_band_is_dark_over_land(small):
    assert small.truth.pixels[:, L1C.index("B10")].max() < 0.01


def test_edges_are_sharper_at_ten_metres_than_at_sixty(small):
    def contrast(band):
        image = small.truth.pixels[4, L1C.index(band)]
        return np.abs(np.diff(image, axis=1)).max() / image.std()

    assert contrast("B02") > 1.3 * contrast("B05")
    assert contrast("B8A") > 1.3 * contrast("B09")


def event_case(kind, seed=11):
    land = make_landscape(np.random.default_rng(seed), (96, 96), *YEAR)
    from seq2seq.simulation.land import events_between

    events = [event for event in events_between(land, *YEAR) if event.kind == kind]
    assert events, f"no {kind} in the year"
    assert all(YEAR[0] < event.date <= YEAR[1] for event in events)
    return land, max(events, key=lambda event: event.pixels.sum())


def before_and_after(land, event, measure):
    """Mean of `measure(state)` over the event's pixels, two days before and one day after."""
    days = (event.date - np.timedelta64(2, "D"), event.date + np.timedelta64(1, "D"))
    return [measure(state_on(land, day))[..., event.rows, event.columns][..., event.pixels].mean() for day in days]


@pytest.mark.parametrize("kind", ["harvest", "burn", "mowing"])
def test_plants_go_when_they_are_cut_or_burnt_and_both_sensors_see_it(kind):
    land, event = event_case(kind)
    standing = before_and_after(land, event, lambda state: state.green + state.dry)
    assert standing[1] < 0.9 * standing[0]
    cross_polarised = before_and_after(land, event, lambda state: backscatter(land, state, 0.3)[1])
    assert cross_polarised[1] < cross_polarised[0]


def test_fire_darkens_the_near_infrared():
    land, event = event_case("burn")
    nir = before_and_after(land, event, lambda state: reflectance(land, state, ("B08",))[0])
    assert nir[1] < 0.6 * nir[0]


def test_flood_water_is_dark_to_radar_and_in_the_infrared():
    land, event = event_case("flood")
    vv = before_and_after(land, event, lambda state: 10 * np.log10(backscatter(land, state, 0.3)[0]))
    assert vv[1] < vv[0] - 4
    swir = before_and_after(land, event, lambda state: reflectance(land, state, ("B11",))[0])
    assert swir[1] < 0.3 * swir[0]


def test_ploughing_bares_rough_soil():
    land, event = event_case("ploughing")
    dry = before_and_after(land, event, lambda state: state.dry)
    rough = before_and_after(land, event, lambda state: state.rough)
    assert dry[1] < dry[0]
    assert rough[1] > 0.9 > rough[0]


def test_seasons_follow_the_crop():
    land = make_landscape(np.random.default_rng(2), (96, 96), *YEAR)
    names = [cover.name for cover in COVERS]

    def green(name, day):
        return state_on(land, np.datetime64(day)).green[land.cover_map == names.index(name)].mean()

    assert green("winter cereal", "2021-05-20") > 2 * green("winter cereal", "2021-02-10")
    assert green("winter cereal", "2021-05-20") > 3 * green("winter cereal", "2021-08-20")
    assert green("maize", "2021-08-01") > 0.7 > 0.1 > green("maize", "2021-05-01")
    assert green("water", "2021-08-01") == 0
    assert abs(green("coniferous forest", "2021-08-01") - green("coniferous forest", "2021-02-10")) < 0.15


@given(seed=st.integers(0, 1000), day=st.integers(0, 700))
@settings(max_examples=15, deadline=None)
def test_fractions_of_the_ground_stay_within_the_pixel_on_any_day(seed, day):
    land = make_landscape(np.random.default_rng(seed), (40, 40), *YEAR)
    state = state_on(land, YEAR[0] + np.timedelta64(day, "D"))
    parts = np.stack([state.green, state.dry, state.water, state.built, state.char])
    assert parts.min() >= 0
    assert (parts[:4].sum(0) <= 1 + 1e-5).all()
    assert state.volume.min() >= 0
    assert 0 <= state.turbid <= 1


def test_the_season_does_not_jump_at_new_year():
    land = make_landscape(np.random.default_rng(4), (64, 64), *YEAR)
    before, after = (reflectance(land, state_on(land, np.datetime64(d)), L1C) for d in ("2022-12-31", "2023-01-01"))
    assert np.abs(after - before).max() < 0.02


def test_every_cover_has_its_share_of_the_parcels():
    land = make_landscape(np.random.default_rng(0), (256, 256), *YEAR)
    shares = np.bincount(land.cover, minlength=len(COVERS)) / len(land.cover)
    np.testing.assert_allclose(shares, [cover.share for cover in COVERS], atol=0.02)


def test_a_steep_power_law_is_smoother_than_a_flat_one():
    def roughness(slope):
        field = power_law_field(np.random.default_rng(0), (64, 64), slope=slope)
        assert field.mean() == pytest.approx(0, abs=1e-5)
        assert field.std() == pytest.approx(1, abs=1e-4)
        return np.diff(field, axis=0).std()

    assert roughness(4.0) < 0.5 * roughness(2.0) < 0.5 * roughness(0.0)


def test_linear_interpolation_is_a_floor_that_leaves_room(small):
    days = days_since_first(small.truth.dates)
    predicted = linear_interpolation(small.s2.pixels, small.s2.observed, days)
    assert 15 < score(predicted, small.truth.pixels, ~small.s2.observed).psnr < 35


def test_files_are_what_a_user_would_upload(tmp_path, small):
    write_simulation(small, tmp_path / "case")
    for kind, sequence in (("S2", small.s2), ("S1", small.s1), ("MASK", small.s2)):
        names = sorted(path.name for path in (tmp_path / "case" / "input" / kind).iterdir())
        assert names == [f"{date}.tif" for date in sequence.dates]
    date = small.s2.dates[2]
    with rasterio.open(tmp_path / "case" / "input" / "S2" / f"{date}.tif") as s2:
        assert (s2.dtypes[0], s2.nodata, s2.descriptions) == ("uint16", 0, L1C)
        assert s2.tags()["SIMULATED"] == "YES", "reports must be able to say so"
        assert (s2.crs.to_epsg(), s2.transform) == (32631, small.s2.geobox.affine)
        assert s2.compression.name.lower() == "deflate"
        np.testing.assert_array_equal(s2.read(), to_dn(small.s2.pixels[2]))
    with rasterio.open(tmp_path / "case" / "input" / "S1" / f"{small.s1.dates[0]}.tif") as s1:
        assert s1.descriptions == ("VV", "VH")
        np.testing.assert_array_equal(s1.read(), small.s1.pixels[0])
    with rasterio.open(tmp_path / "case" / "input" / "MASK" / f"{date}.tif") as mask:
        np.testing.assert_array_equal(mask.read(1), small.user_mask[2])
    with rasterio.open(tmp_path / "case" / "truth" / f"{date}.tif") as truth:
        np.testing.assert_array_equal(truth.read(), to_dn(small.truth.pixels[2]))


def test_the_shared_judge_finds_the_truth_perfect(tmp_path, small):
    if not JUDGE.is_file():
        pytest.skip(f"the shared scorer is not at {JUDGE}")
    pytest.importorskip("skimage")
    tiny = simulate(dates=3, size=16, bands=TEN_METRE, seed=1, cloud=0.5)
    write_simulation(tiny, tmp_path / "case")
    command = [
        sys.executable,
        "-W",
        "ignore",
        str(JUDGE),
        str(tmp_path / "case"),
        str(tmp_path / "case" / "truth"),
        "--json",
    ]
    rows = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)
    assert rows["prediction"]["rmse"] == 0
    assert 0.001 < rows["linear"]["rmse"] < 0.5


def test_a_folder_that_holds_something_is_left_alone(tmp_path, small):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="not an empty folder"):
        write_simulation(small, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path, small):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written") as error:
        write_simulation(small, tmp_path / "file" / "case")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        ({"bands": ("B02", "B99")}, UnknownBandsError, "B99"),
        ({"bands": ()}, UnknownBandsError, "none"),
        ({"dates": 0}, ConfigError, "dates is 0"),
        ({"size": 4}, ConfigError, "4 x 4 px"),
        ({"cloud": 1.2}, ConfigError, "cloud is 1.2"),
        ({"mask_errors": 0.7}, ConfigError, "mask_errors is 0.7"),
        ({"interval_days": (9, 5)}, ConfigError, r"\(9, 5\)"),
    ],
)
def test_what_cannot_be_simulated_is_named(wrong, error, said):
    with pytest.raises(error, match=said):
        simulate(**({"dates": 2, "size": 16} | wrong))
