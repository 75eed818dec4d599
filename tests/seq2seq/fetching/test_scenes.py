"""What catalogues state of scenes: times, tiles, orbits, offsets; and how scenes become days."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geom import box

from seq2seq.errors import ConfigError
from seq2seq.fetching.catalogs import CATALOGS, CDSE, EARTH_SEARCH, PLANETARY_COMPUTER, find_catalog
from seq2seq.fetching.failures import FetchError
from seq2seq.fetching.mosaic import Layer, image_of
from seq2seq.fetching.offsets import check_dark_share, offset_of
from seq2seq.fetching.passes import Overpass, days_of, overpasses
from seq2seq.fetching.plan import Request, parse_bands
from seq2seq.fetching.scenes import Asset, Scene, scene_of

NOON = datetime(2022, 5, 3, 10, 50, 31, tzinfo=UTC)
BANDS = ("B02", "B04")


def scene(name="S2A_1", *, minutes=0.0, days=0, offset=None, **facts):
    assets = {band: Asset(band, f"https://example.org/{band}.tif", offset) for band in BANDS}
    return Scene(
        name, NOON + timedelta(days=days, minutes=minutes), facts.pop("platform", "sentinel-2a"), assets, **facts
    )


def item(**properties):
    assets = {"B04": {"href": "https://example.org/B04.tif"}, "blue": {"href": "./B02.tif"}}
    name = "S2A_MSIL2A_20220503T105031_R051_T31UFS_20220503T150000"
    return {"id": name, "properties": {"datetime": "2022-05-03T10:50:31Z", **properties}, "assets": assets}


def read_item(found):
    return scene_of(found, {"B04": ("B04", "red"), "B02": ("B02", "blue")}, "https://example.org/items/1")


def test_facts_are_found_under_the_names_of_every_catalogue():
    planetary = read_item(item(**{"s2:processing_baseline": "05.09", "s2:mgrs_tile": "31UFS", "proj:epsg": 32631}))
    cdse = read_item(item(**{"processing:version": "05.09", "grid:code": "MGRS-31UFS", "proj:code": "EPSG:32631"}))
    for found in (planetary, cdse):
        assert (found.baseline, found.tile, found.epsg, found.orbit) == ("05.09", "31UFS", 32631, 51)
    assert planetary.assets["B02"].href == "https://example.org/items/B02.tif"
    assert planetary.assets["B02"].key == "blue"


def test_a_part_of_a_radar_products_name_is_no_tile():
    found = item() | {"id": "S1A_IW_GRDH_1SDV_20191215T004339_20191215T004404_030352_0378DC_rtc"}
    assert read_item(found).tile is None


@pytest.mark.parametrize(
    "stated",
    [
        {"raster:bands": [{"scale": 0.0001, "offset": -0.1}]},
        {"bands": [{"raster:offset": -0.1}]},
        {"raster:offset": -0.1},
    ],
)
def test_offsets_are_found_in_every_version_of_the_extension(stated):
    found = item()
    found["assets"]["B04"] |= stated
    assert read_item(found).assets["B04"].offset == -0.1


@pytest.mark.parametrize(
    ("facts", "dn"),
    [
        ({"baseline": "05.09"}, -1000),
        ({"baseline": "04.00"}, -1000),
        ({"baseline": "03.01"}, 0),
        ({"baseline": "02.12", "offset": 0.0}, 0),
        ({"baseline": "05.00", "offset": -0.1}, -1000),
        ({"baseline": "05.00", "offset": -1000.0}, -1000),
        ({"offset": -0.1}, -1000),
        ({"offset": 0.0}, 0),
        # Earth Search states -0.1 whether it was applied or not
        ({"baseline": "05.11", "offset": -0.1, "applied": True}, 0),
        ({"baseline": "05.11", "offset": -0.1, "applied": False}, -1000),
        ({"baseline": "02.11", "offset": 0.0, "applied": False}, 0),
    ],
)
def test_the_offset_is_what_the_metadata_state(facts, dn):
    assert offset_of(scene(**facts), BANDS).dn == dn


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, "states neither processing baseline nor offset"),
        ({"baseline": "99.99"}, "states neither processing baseline nor offset"),
        ({"baseline": "05.00", "offset": 0.0}, "05.00 has an offset of -1000 DN, its assets state 0"),
        ({"baseline": "03.01", "offset": -0.1}, "03.01 has no offset, its assets state -1000 DN"),
        ({"baseline": "05.00", "offset": -0.2}, "states an offset of -2000 DN, Sentinel-2 has 0 or -1000"),
    ],
)
def test_contradictions_name_the_item_and_can_be_decided(facts, words):
    with pytest.raises(FetchError) as caught:
        offset_of(scene(**facts), BANDS)
    assert str(caught.value).startswith("S2A_1: ")
    assert words in str(caught.value)
    assert "--s2-offset 0 or -1000" in str(caught.value)
    assert offset_of(scene(**facts), BANDS, "-1000").dn == -1000


def test_bands_of_one_scene_that_disagree_are_a_contradiction():
    one = scene(baseline="05.00", offset=-0.1)
    one = replace(one, assets={**one.assets, "B04": replace(one.assets["B04"], offset=0.0)})
    with pytest.raises(FetchError, match="-1000 DN for B02 and of 0 DN for B04"):
        offset_of(one, BANDS)


def test_an_offset_that_was_applied_before_shows_in_the_values():
    offset = offset_of(scene(baseline="05.00"), BANDS)
    check_dark_share(scene(), offset, dark=4, pixels=10_000)
    with pytest.raises(FetchError, match="63% of its pixels are darker than 600 DN: it was applied before"):
        check_dark_share(scene(), offset, dark=6300, pixels=10_000)


def test_tiles_of_one_overpass_are_one_and_the_next_orbit_is_another():
    found = overpasses(
        [scene("a", tile="31UFS"), scene("b", minutes=0.5, tile="31UFT"), scene("c", minutes=100, tile="31UFS"),
         scene("d", platform="sentinel-2b", tile="31UFS"), scene("e", days=5, tile="31UFS")],
        32631,
    )  # fmt: skip
    assert sorted(sorted(one.id for one in group.scenes) for group in found) == [["a", "b"], ["c"], ["d"], ["e"]]


def test_an_overpass_across_midnight_is_of_the_day_on_which_it_began():
    late = datetime(2022, 5, 3, 23, 59, 50, tzinfo=UTC)
    slices = [replace(scene(f"S1A_{n}"), time=late + timedelta(seconds=25 * n)) for n in range(3)]
    (day,) = days_of(overpasses(slices, 32631), "S1", box(4, 50, 5, 51, "EPSG:4326"))
    assert day.date == "2022-05-03"
    assert len(day.items) == 3


def test_the_newest_version_of_a_tile_is_taken_and_its_parts_are_kept():
    (one,) = overpasses(
        [scene("old", tile="31UFS", baseline="03.01"), scene("part1", tile="31UFS", baseline="05.10"),
         scene("part2", tile="31UFS", baseline="05.10"), scene("other", tile="31UFT", baseline="03.01")],
        32631,
    )  # fmt: skip
    assert sorted(each.id for each in one.scenes) == ["other", "part1", "part2"]


def test_scenes_of_the_grids_own_zone_lie_on_top():
    (one,) = overpasses(
        [scene("a", tile="32ULB", epsg=32632, made="2"), scene("b", tile="31UFS", epsg=32631, made="1")], 32631
    )
    assert [each.id for each in one.scenes] == ["b", "a"]


def outline(west, east):
    ring = [[west, 50], [east, 50], [east, 51], [west, 51], [west, 50]]
    return {"type": "Polygon", "coordinates": [ring]}


def test_of_two_radar_overpasses_the_one_that_covers_more_is_preferred_then_the_usual_orbit():
    area = box(4, 50, 5, 51, "EPSG:4326")
    half, whole = outline(4, 4.5), outline(4, 5)
    passes = [
        Overpass((scene("half", platform="a", footprint=half, orbit=37),)),
        Overpass((scene("whole", platform="b", footprint=whole, orbit=110, minutes=300),)),
        Overpass((scene("rare", days=1, platform="a", footprint=whole, orbit=161),)),
        Overpass((scene("usual", days=1, platform="b", footprint=whole, orbit=110, minutes=300),)),
    ]
    first, second = days_of(passes, "S1", area)
    assert first.items == ("whole", "half")
    assert second.items == ("usual", "rare")


pixels = st.lists(st.sampled_from([0, 4, 9]), min_size=4, max_size=4)


@settings(deadline=None)
@given(pixels, pixels)
def test_nothing_that_one_overpass_shows_is_lost_to_the_other(first, second):
    """4: clear, 9: cloud, 0: no data; the values tell which overpass a pixel is of."""
    classes = {"a": np.array([first], np.float32), "b": np.array([second], np.float32)}

    def read(one, _):
        found = classes[one.id]
        return Layer(np.where(found > 0, 1.0 if one.id == "a" else 2.0, np.nan)[None].astype(np.float32), found)

    passes = [Overpass((scene(name, platform=name, cloud=cloud),)) for name, cloud in (("a", 10), ("b", 20))]
    (day,) = days_of(passes, "S2", box(4, 50, 5, 51, "EPSG:4326"))
    layer = image_of(day, None, read)
    for pixel, (one, other) in enumerate(zip(first, second, strict=True)):
        expected = one if one == 4 or other == 0 or (one == 9 and other == 9) else other
        assert layer.classes[0, pixel] == expected
        assert layer.valid[0, pixel] == (one > 0 or other > 0)
        if layer.valid[0, pixel]:
            source = {1.0: first, 2.0: second}[float(layer.values[0, 0, pixel])]
            assert source[pixel] == expected


def test_catalogues_are_found_by_name_and_by_address():
    assert find_catalog("earth-search") is EARTH_SEARCH
    assert find_catalog(PLANETARY_COMPUTER.url + "/") == PLANETARY_COMPUTER
    own = find_catalog("https://stac.example.org/v1/")
    assert own.url == "https://stac.example.org/v1"
    assert own.s2.assets["B02"] == ("B02", "blue", "B02_10m")
    with pytest.raises(ConfigError, match="did you mean earth-search"):
        find_catalog("earthsearch")


def test_every_catalogue_names_all_bands_and_has_https():
    for known in CATALOGS.values():
        assert known.url.startswith("https://")
        assert set(known.s2.assets) >= {"B01", "B8A", "B12", "SCL"}
        assert (known.s1 is None) == bool(known.why_no_s1)
    assert CDSE.s2.assets["B05"] == ("B05_20m",)
    assert CDSE.s2.assets["B8A"] == ("B8A_20m",)
    assert CDSE.s2.assets["B01"] == ("B01_60m",)
    assert CDSE.s2.assets["B08"] == ("B08_10m",)


def test_radar_of_a_catalogue_that_has_none_is_refused_with_the_way_out():
    from seq2seq.fetching.area import Box, parse_period

    with pytest.raises(
        ConfigError, match=r"earth-search has no Sentinel-1 .* --s1-catalog planetary-computer, or --no-s1"
    ):
        Request(Box(4, 50, 5, 51), parse_period("2022-05-01"), EARTH_SEARCH, EARTH_SEARCH)


@pytest.mark.parametrize("text", ["B10", "B2", "L1C", "B02,B02", "", "SCL"])
def test_bands_that_level_2a_does_not_have_are_refused(text):
    with pytest.raises(ConfigError, match="--bands"):
        parse_bands(text)


def test_bands_are_named_one_by_one_or_as_a_set():
    assert parse_bands("b02, B8A") == ("B02", "B8A")
    assert len(parse_bands("L2A")) == 12
