"""From a catalogue to a sequence that is read: the whole way, on loopback."""

import json
from dataclasses import replace

import numpy as np
import pytest
import rasterio
from rasterio.warp import transform_bounds
from stac_server import EPSG, FEW, NORTH, QUICK, WEST, add_s1, add_s2, area_of, cog

from seq2seq.bands import L2A_10
from seq2seq.config import ReconstructionConfig
from seq2seq.errors import OutputError
from seq2seq.fetching.area import Box, parse_period
from seq2seq.fetching.catalogs import CDSE, EARTH_SEARCH
from seq2seq.fetching.failures import FetchError
from seq2seq.fetching.plan import Request, plan
from seq2seq.fetching.transfer import fetch
from seq2seq.readers import open_sequence, read_sequence

PERIOD = parse_period("2022-05-01/2022-06-30")


def request_of(server, **settings):
    settings = {"s1_catalog": server.catalog, "area": Box(*area_of()), "bands": FEW} | settings
    return Request(period=PERIOD, catalog=server.catalog, **settings)


def planned(server, **settings):
    return plan(request_of(server, **settings), retry=QUICK)


def fetched(server, out, *, jobs=2, **settings):
    return fetch(planned(server, **settings), out, jobs=jobs, retry=QUICK)


def read(path):
    with rasterio.open(path) as dataset:
        return dataset.read(), dataset.tags(), dataset.descriptions


def by_band(values, gsd):
    """Pixels that all differ, so that a shift by one shows."""
    rows, columns = np.indices(values.shape)
    return (
        (1200 + 3 * rows * (gsd // 10) + 5 * columns * (gsd // 10)).astype(values.dtype)
        if values.max() > 20
        else values
    )


def test_what_is_fetched_is_read_with_the_reflectance_that_was_measured(server, tmp_path):
    measured = {"dn": lambda band: 1300 + 100 * int(band.strip("BA")), "bands": L2A_10}
    add_s2(server, "S2A_1", "2022-05-03T10:50:31Z", **measured)
    later = {"dn": 2650, "baseline": "04.00", "platform": "Sentinel-2B", "bands": L2A_10}
    add_s2(server, "S2B_2", "2022-05-08T10:50:31Z", **later)
    add_s1(server, "S1A_1", "2022-05-02T17:25:00Z", power=0.1)
    result = fetched(server, tmp_path / "fields", bands=L2A_10)
    observations = read_sequence(tmp_path / "fields", ReconstructionConfig())
    assert [str(day) for day in observations.s2.dates] == ["2022-05-03", "2022-05-08"]
    first = dict(zip(observations.s2.bands, observations.s2.pixels[0], strict=True))
    for band, number in (("B02", 2), ("B8A", 8), ("B12", 12)):
        assert np.allclose(first[band], 0.03 + 0.01 * number, atol=1e-6)
    assert np.allclose(observations.s2.pixels[1], 0.165, atol=1e-6)
    assert observations.s2.observed.all()
    assert np.allclose(observations.s1.pixels[:, 0], -10, atol=1e-3)
    assert len(result.new) == 3


def test_products_of_both_ages_are_one_scale_and_the_reader_finds_no_offset_to_apply(server, tmp_path):
    add_s2(server, "S2A_old", "2022-05-03T10:50:31Z", dn=lambda band: 300 + 10 * len(band), baseline="03.01")
    add_s2(server, "S2A_new", "2022-05-13T10:50:31Z", dn=lambda band: 1350 + 10 * len(band), baseline="05.00")
    fetched(server, tmp_path / "fields", s1_catalog=None)
    with open_sequence(tmp_path / "fields", ReconstructionConfig()) as source:
        assert not [warning for warning in source.info.warnings if "offset" in warning]
    old, old_tags, _ = read(tmp_path / "fields/S2/2022-05-03.tif")
    new, new_tags, bands = read(tmp_path / "fields/S2/2022-05-13.tif")
    assert (old == 330).all()
    assert (new == 380).all()
    assert old_tags["BOA_ADD_OFFSET"] == new_tags["BOA_ADD_OFFSET"] == "0"
    assert new_tags["PROCESSING_BASELINE"] == "05.00"
    assert new_tags["STAC_ITEMS"] == "S2A_new"
    assert bands[0] == "B02"


def test_pixels_lie_where_they_were_and_coarser_ones_are_repeated(server, tmp_path):
    add_s2(server, "S2A_1", "2022-05-03T10:50:31Z", fill=by_band, size=300)
    fetched(server, tmp_path / "fields", s1_catalog=None)
    with rasterio.open(tmp_path / "fields/S2/2022-05-03.tif") as dataset:
        values = dataset.read()
        column, row = (dataset.transform.c - WEST) / 10, (NORTH - dataset.transform.f) / 10
        assert dataset.crs.to_epsg() == EPSG
        assert dataset.transform.c % 10 == 0
    rows, columns = np.indices(values.shape[1:]) + np.array([row, column])[:, None, None].astype(int)
    assert np.array_equal(values[0], 200 + 3 * rows + 5 * columns)
    # B05: of 20 m
    assert np.array_equal(values[2], 200 + 3 * (rows // 2 * 2) + 5 * (columns // 2 * 2))


def test_two_tiles_of_one_overpass_are_one_image(server, tmp_path):
    middle = WEST + 600
    add_s2(server, "S2A_west", "2022-05-03T10:50:31Z", dn=1500, west=middle - 1920, tile="31UFS")
    add_s2(server, "S2A_east", "2022-05-03T10:50:45Z", dn=2500, west=middle, tile="31UGS")
    fetched(server, tmp_path / "fields", s1_catalog=None)
    values, tags, _ = read(tmp_path / "fields/S2/2022-05-03.tif")
    with rasterio.open(tmp_path / "fields/S2/2022-05-03.tif") as dataset:
        border = round((middle - dataset.transform.c) / 10)
    assert (values[:, :, :border] == 500).all()
    assert (values[:, :, border:] == 1500).all()
    assert set(tags["STAC_ITEMS"].split()) == {"S2A_west", "S2A_east"}
    assert json.loads((tmp_path / "fields/fetched.json").read_text())["days"]["S2"]["2022-05-03"]["with_data"] == 1


def test_a_pixel_has_all_its_bands_and_its_class_from_one_scene(server, tmp_path):
    def hole(values, gsd):
        values[:, : 90 * 10 // gsd] = 0
        return values

    add_s2(server, "S2A_top", "2022-05-03T10:50:31Z", dn=1500, scl=4, tile="31UFS", **{"s2:generation_time": "2"})
    add_s2(server, "S2A_low", "2022-05-03T10:50:31Z", dn=2500, scl=5, tile="31UGS", **{"s2:generation_time": "1"})
    add_s2(server, "other", "2022-05-03T10:50:31Z", dn=1500, fill=hole)
    server.items.pop()
    # one band alone has no data there
    server.files["/s2/S2A_top/B04.tif"] = server.files["/s2/other/B04.tif"]
    fetched(server, tmp_path / "fields", s1_catalog=None)
    values, _, _ = read(tmp_path / "fields/S2/2022-05-03.tif")
    classes, _, _ = read(tmp_path / "fields/SCL/2022-05-03.tif")
    assert set(np.unique(values)) == {500, 1500}
    assert ((values == 500).all(axis=0) == (classes[0] == 4)).all()
    assert ((values == 1500).all(axis=0) == (classes[0] == 5)).all()


def test_a_scene_of_the_neighbouring_zone_is_brought_to_the_grid(server, tmp_path):
    west, _, _, north = transform_bounds(f"EPSG:{EPSG}", "EPSG:32632", WEST, NORTH - 1920, WEST + 1920, NORTH)
    add_s2(
        server, "S2A_zone32", "2022-05-03T10:50:31Z", dn=1700, epsg=32632, tile="32ULB", size=400,
        west=round(west / 20) * 20 - 500, north=round(north / 20) * 20 + 500,
    )  # fmt: skip
    add_s2(server, "S2B_zone31", "2022-05-08T10:50:31Z", dn=1800)
    fetched(server, tmp_path / "fields", s1_catalog=None)
    values, _, _ = read(tmp_path / "fields/S2/2022-05-03.tif")
    assert (values == 700).all()
    with open_sequence(tmp_path / "fields", ReconstructionConfig()) as source:
        assert len(source.info.dates) == 2


def test_two_overpasses_of_one_day_lose_nothing_that_can_be_read(server, tmp_path):
    def cloud_in_the_west(values, gsd):
        if values.max() < 12:
            values[:, : values.shape[1] // 4] = 9
        return values

    add_s2(server, "S2A_first", "2022-05-03T10:50:31Z", dn=1500, cloud=20, fill=cloud_in_the_west)
    add_s2(server, "S2B_second", "2022-05-03T12:30:31Z", dn=1600, cloud=30, platform="Sentinel-2B", orbit=94)
    result = planned(server, s1_catalog=None)
    assert any("share the image of 2022-05-03" in note for note in result.notes)
    fetch(result, tmp_path / "fields", retry=QUICK)
    values, tags, _ = read(tmp_path / "fields/S2/2022-05-03.tif")
    classes, _, _ = read(tmp_path / "fields/SCL/2022-05-03.tif")
    assert set(np.unique(values)) == {500, 600}
    assert (classes == 4).all()
    assert tags["RELATIVE_ORBIT"] == "51, 94"


def test_a_reprocessed_tile_takes_the_place_of_its_earlier_version(server, tmp_path):
    add_s2(server, "S2A_N0301", "2022-05-03T10:50:31Z", dn=500, baseline="03.01")
    add_s2(server, "S2A_N0510", "2022-05-03T10:50:31Z", dn=1600, baseline="05.10")
    fetched(server, tmp_path / "fields", s1_catalog=None)
    values, tags, _ = read(tmp_path / "fields/S2/2022-05-03.tif")
    assert (values == 600).all()
    assert tags["STAC_ITEMS"] == "S2A_N0510"


def test_radar_keeps_its_values_its_no_data_and_its_orbit_and_has_all_its_dates(server, tmp_path):
    add_s2(server, "S2A_1", "2022-05-03T10:50:31Z")
    power = np.full((300, 300), 0.25)
    power[:, :100] = -32768
    add_s1(server, "S1A_1", "2022-05-02T17:25:00Z", power=power)
    add_s1(server, "S1A_2", "2022-05-09T05:50:00Z", direction="descending", orbit=110)
    add_s1(server, "S1B_3", "2022-05-14T17:25:00Z", platform="SENTINEL-1B")
    fetched(server, tmp_path / "fields")
    assert sorted(path.name for path in (tmp_path / "fields/S1").iterdir()) == [
        "2022-05-02.tif", "2022-05-09.tif", "2022-05-14.tif",
    ]  # fmt: skip
    values, tags, bands = read(tmp_path / "fields/S1/2022-05-02.tif")
    assert bands == ("VV", "VH")
    assert set(np.unique(values)) == {np.float32(-32768), np.float32(0.25), np.float32(0.05)}
    assert values.dtype == np.float32
    assert (tags["RELATIVE_ORBIT"], tags["ORBIT_DIRECTION"], tags["PLATFORM"]) == ("37", "ascending", "sentinel-1a")


def test_single_polarisation_is_left_out_and_said(server, tmp_path):
    add_s2(server, "S2A_1", "2022-05-03T10:50:31Z")
    add_s1(server, "S1A_1", "2022-05-02T17:25:00Z", polarisations=("vv",))
    result = planned(server)
    assert any("1 of 1 overpasses lack VV or VH" in note for note in result.notes)
    assert not result.days_of("S1")


def test_a_coarser_grid_averages_and_fewer_bands_are_fewer_requests(server, tmp_path):
    def stripes(values, gsd):
        if values.max() > 20:
            values[::2] += 400
        return values

    add_s2(server, "S2A_1", "2022-05-03T10:50:31Z", fill=stripes)
    fetched(server, tmp_path / "fields", s1_catalog=None, bands=("B04",), gsd_m=40)
    values, _, bands = read(tmp_path / "fields/S2/2022-05-03.tif")
    assert bands == ("B04",)
    assert np.abs(values.astype(int) - 700).max() <= 30
    assert not server.asked("B02.tif")


def test_scenes_without_data_here_are_no_image_and_not_asked_for_again(server, tmp_path):
    def nothing(values, gsd):
        values[:] = 0
        return values

    add_s2(server, "S2A_1", "2022-05-03T10:50:31Z")
    add_s2(server, "S2A_2", "2022-05-13T10:50:31Z", fill=nothing)
    result = fetched(server, tmp_path / "fields", s1_catalog=None)
    assert [day.date for day in result.empty] == ["2022-05-13"]
    assert [path.name for path in (tmp_path / "fields/S2").iterdir()] == ["2022-05-03.tif"]
    # of what has no data, only one band is asked for
    assert server.asked("S2A_2/B02.tif")
    assert not server.asked("S2A_2/B04.tif")
    asked = len(server.asked(".tif"))
    assert not fetched(server, tmp_path / "fields", s1_catalog=None).new
    assert len(server.asked(".tif")) == asked


def test_a_second_call_fetches_what_is_missing_alone(server, tmp_path):
    add_s2(server, "S2A_1", "2022-05-03T10:50:31Z")
    add_s2(server, "S2A_2", "2022-05-13T10:50:31Z")
    fetched(server, tmp_path / "fields", s1_catalog=None)
    before = (tmp_path / "fields/S2/2022-05-03.tif").stat().st_mtime_ns
    (tmp_path / "fields/S2/2022-05-13.tif").unlink()
    add_s2(server, "S2A_3", "2022-05-23T10:50:31Z")
    result = fetched(server, tmp_path / "fields", s1_catalog=None)
    assert [day.date for day in result.new] == ["2022-05-13", "2022-05-23"]
    assert (tmp_path / "fields/S2/2022-05-03.tif").stat().st_mtime_ns == before
    add_s1(server, "S1A_1", "2022-05-02T17:25:00Z")
    assert [day.sensor for day in fetched(server, tmp_path / "fields").new] == ["S1"]


def test_a_day_that_has_got_another_tile_since_is_fetched_anew(server, tmp_path):
    middle = WEST + 600
    add_s2(server, "S2A_west", "2022-05-03T10:50:31Z", west=middle - 1920, tile="31UFS")
    fetched(server, tmp_path / "fields", s1_catalog=None)
    add_s2(server, "S2A_east", "2022-05-03T10:50:45Z", west=middle, tile="31UGS")
    assert len(fetched(server, tmp_path / "fields", s1_catalog=None).new) == 1
    values, _, _ = read(tmp_path / "fields/S2/2022-05-03.tif")
    assert (values > 0).all()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"area": Box(*area_of(width=800))}, "was fetched for another grid"),
        ({"gsd_m": 20}, "was fetched for another grid"),
        ({"bands": ("B04",)}, "its S2 is"),
        ({"s2_offset": "-1000"}, "--s2-offset auto, now it is -1000"),
    ],
)
def test_another_request_does_not_go_into_the_same_folder(server, tmp_path, changed, words):
    add_s2(server, "S2A_1", "2022-05-03T10:50:31Z")
    fetched(server, tmp_path / "fields", s1_catalog=None)
    before = sorted(path.name for path in (tmp_path / "fields").rglob("*"))
    with pytest.raises(OutputError, match=words) as caught:
        fetched(server, tmp_path / "fields", s1_catalog=None, **changed)
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in (tmp_path / "fields").rglob("*")) == before


def test_a_folder_of_somebody_elses_is_left_alone(server, tmp_path):
    add_s2(server, "S2A_1", "2022-05-03T10:50:31Z")
    (tmp_path / "fields").mkdir()
    (tmp_path / "fields/notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"holds notes\.txt, which no fetch has written"):
        fetched(server, tmp_path / "fields", s1_catalog=None)
    assert [path.name for path in (tmp_path / "fields").iterdir()] == ["notes.txt"]


def test_the_record_states_items_sources_and_costs_and_no_signature(server, tmp_path):
    server.signed = True
    add_s2(server, "S2A_1", "2022-05-03T10:50:31Z")
    add_s1(server, "S1A_1", "2022-05-02T17:25:00Z")
    fetch(planned(server), tmp_path / "fields", retry=QUICK, command="decloud fetch ...")
    text = (tmp_path / "fields/fetched.json").read_text()
    record = json.loads(text)
    assert "sig=" not in text
    day = record["days"]["S2"]["2022-05-03"]
    assert day["items"] == ["S2A_1"]
    assert day["assets"] == ["B02", "B04", "B05", "SCL"]
    assert day["bytes"] > 0
    assert day["requests"] >= 4
    assert "05.09" in day["offsets"]["S2A_1"]
    assert record["sources"]["S1"] == {"catalog": server.url, "collection": "sentinel-1-rtc", "assets": ["VV", "VH"]}
    assert record["runs"][0]["command"] == "decloud fetch ..."
    assert record["days"]["S1"]["2022-05-02"]["passes"][0]["direction"] == "ascending"


def test_the_estimate_is_of_the_size_of_what_is_fetched(server, tmp_path):
    def noise(values, gsd):
        return (
            np.random.default_rng(gsd).integers(1100, 4000, values.shape).astype("uint16")
            if values.max() > 20
            else values
        )

    add_s2(server, "S2A_1", "2022-05-03T10:50:31Z", fill=noise, size=600)
    result = planned(server, s1_catalog=None, area=Box(*area_of(width=5000, height=5000)))
    fetched_bytes = fetch(result, tmp_path / "fields", retry=QUICK).spent.bytes
    assert 0.3 < result.estimate().bytes / fetched_bytes < 3


def test_an_offset_that_was_applied_before_ends_it_with_the_items_name(server, tmp_path):
    """The flag says no, the values say yes, as on some days of Earth Search."""
    add_s2(server, "S2A_1", "2022-05-03T10:50:31Z", dn=1500)
    add_s2(server, "S2A_2", "2022-05-13T10:50:31Z", dn=400, **{"earthsearch:boa_offset_applied": False})
    with pytest.raises(FetchError, match="S2A_2: its metadata state an offset of -1000 DN, but 100% of its pixels"):
        fetched(server, tmp_path / "fields", s1_catalog=None)
    assert [path.name for path in (tmp_path / "fields/S2").iterdir()] == ["2022-05-03.tif"]
    assert fetched(server, tmp_path / "fields", s1_catalog=None, skip=("S2A_2",)).kept


def test_an_offset_that_may_not_have_been_applied_is_said(server, tmp_path):
    applied = {"earthsearch:boa_offset_applied": True}
    add_s2(server, "S2A_dark", "2022-05-03T10:50:31Z", dn=400, **applied)
    add_s2(server, "S2A_bright", "2022-05-13T10:50:31Z", dn=1400, **applied)
    said = []
    fetch(
        planned(server, s1_catalog=None),
        tmp_path / "fields",
        retry=QUICK,
        on_progress=lambda progress: said.append(progress.message or ""),
    )
    (line,) = [line for line in said if "offset" in line]
    assert line.startswith("S2A_bright: states that its offset was applied, but no pixel here is darker than 1000 DN")
    assert (read(tmp_path / "fields/S2/2022-05-03.tif")[0] == 400).all()


def test_real_pixels_never_become_no_data(server, tmp_path):
    def dark(values, gsd):
        if values.max() > 20:
            values[:2] = 1000
        return values

    add_s2(server, "S2A_1", "2022-05-03T10:50:31Z", dn=1001, fill=dark)
    fetched(server, tmp_path / "fields", s1_catalog=None)
    values, _, _ = read(tmp_path / "fields/S2/2022-05-03.tif")
    assert (values == 1).all()


def test_clouds_of_a_whole_scene_leave_it_out_and_nothing_left_is_an_error(server):
    add_s2(server, "S2A_1", "2022-05-03T10:50:31Z", cloud=20)
    add_s2(server, "S2A_2", "2022-05-13T10:50:31Z", cloud=90)
    result = planned(server, s1_catalog=None, max_cloud=50)
    assert [day.date for day in result.days] == ["2022-05-03"]
    assert any("1 of 2 overpasses have more than 50 % cloud" in note for note in result.notes)
    with pytest.raises(FetchError, match="the clearest has 20 %"):
        planned(server, s1_catalog=None, max_cloud=10)


def test_nothing_found_is_one_clear_line(server):
    with pytest.raises(FetchError, match="has no S2 in sentinel-2-l2a over this area in 2022-05-01/2022-06-30"):
        planned(server)


def test_an_item_without_a_band_is_named_and_can_be_left_out(server):
    add_s2(server, "S2A_1", "2022-05-03T10:50:31Z")
    item = add_s2(server, "S2A_2", "2022-05-13T10:50:31Z")
    del item["assets"]["B05"]
    with pytest.raises(FetchError, match="S2A_2: has no asset B05 for B05; --skip S2A_2 leaves the item out"):
        planned(server, s1_catalog=None)
    assert len(planned(server, s1_catalog=None, skip=("S2A_2",)).days) == 1


@pytest.mark.parametrize("paging", ["merge", "body", "get"])
def test_all_pages_of_a_search_are_read(server, paging):
    server.page, server.paging = 2, paging
    for day in range(1, 8):
        add_s2(server, f"S2A_{day}", f"2022-05-{3 * day:02d}T10:50:31Z", bands=("B04",))
    assert len(planned(server, s1_catalog=None, bands=("B04",)).days) == 7


def test_a_catalogue_without_classes_gives_none(server, tmp_path):
    for number in (1, 2):
        item = add_s2(server, f"S2A_{number}", f"2022-05-{3 * number:02d}T10:50:31Z", dn=1500 + number)
        del item["assets"]["SCL"]
    fetched(server, tmp_path / "fields", s1_catalog=None)
    assert sorted(path.name for path in (tmp_path / "fields").iterdir()) == ["S2", "fetched.json"]


def test_jpeg2000_is_fetched_whole_and_read_alike(server, tmp_path):
    item = add_s2(server, "S2A_1", "2022-05-03T10:50:31Z", fill=by_band, bands=("B04",))
    with rasterio.MemoryFile(server.files["/s2/S2A_1/B04.tif"]) as memory, memory.open() as dataset:
        values = dataset.read(1)
    server.files["/s2/S2A_1/B04.jp2"] = cog(values, driver="JP2OpenJPEG")
    fetched(server, tmp_path / "plain", s1_catalog=None, bands=("B04",))
    item["assets"]["B04"]["href"] = f"{server.url}/s2/S2A_1/B04.jp2"
    with pytest.raises(FetchError, match="S2A_1, asset B04: is no image that is read"):
        fetched(server, tmp_path / "refused", s1_catalog=None, bands=("B04",))
    server.jpeg2000 = True
    fetched(server, tmp_path / "jp2", s1_catalog=None, bands=("B04",))
    assert np.array_equal(read(tmp_path / "plain/S2/2022-05-03.tif")[0], read(tmp_path / "jp2/S2/2022-05-03.tif")[0])


def test_jpeg2000_behind_keys_is_fetched_by_who_has_them(server, tmp_path, monkeypatch):
    """As CDSE has it: s3:// addresses, a key, whole files, an offset in the metadata of assets."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    server.keyed = True
    item = add_s2(server, "S2A_1", "2022-05-03T10:50:31Z", dn=1700, baseline=None, **{"processing:version": "05.10"})
    assets = {}
    for band, asset in item["assets"].items():
        with (
            rasterio.MemoryFile(server.files[asset["href"].removeprefix(server.url)]) as memory,
            memory.open() as found,
        ):
            values, gsd = found.read(1), int(found.transform.a)
        server.files[f"/eodata/{band}.jp2"] = cog(values, gsd=gsd, driver="JP2OpenJPEG")
        offset = {} if band == "SCL" else {"raster:offset": -0.1}
        assets[CDSE.s2.assets[band][0]] = {"href": f"s3://eodata/{band}.jp2", **offset}
    item["assets"] = assets
    catalog = replace(CDSE, url=server.url, signing_url=server.url)
    request = Request(Box(*area_of()), PERIOD, catalog, None, FEW)
    fetch(plan(request, retry=QUICK), tmp_path / "fields", retry=QUICK)
    assert (read(tmp_path / "fields/S2/2022-05-03.tif")[0] == 700).all()
    assert (read(tmp_path / "fields/SCL/2022-05-03.tif")[0] == 4).all()


def test_catalogues_with_other_names_of_assets_are_read_alike(server, tmp_path):
    item = add_s2(server, "S2A_1", "2022-05-03T10:50:31Z", collection="sentinel-2-c1-l2a", baseline="05.00")
    names = {band: keys[0] for band, keys in EARTH_SEARCH.s2.assets.items()}
    item["assets"] = {
        names[band]: asset | ({} if band == "SCL" else {"raster:bands": [{"scale": 0.0001, "offset": -0.1}]})
        for band, asset in item["assets"].items()
    }
    catalog = replace(EARTH_SEARCH, url=server.url)
    request = Request(Box(*area_of()), PERIOD, catalog, None, FEW)
    fetch(plan(request, retry=QUICK), tmp_path / "fields", retry=QUICK)
    assert (read(tmp_path / "fields/S2/2022-05-03.tif")[0] == 500).all()
