"""`decloud fetch` as it is typed."""

import json
import re
from dataclasses import replace

import pytest
import rasterio
from stac_server import Fault, add_s1, add_s2, area_of

from api.commands import main as cli
from seq2seq.bands import L2A_10
from seq2seq.fetching import catalogs


@pytest.fixture
def fetch(server, monkeypatch, capsys):
    """Types a command against the test's catalogue, and gives exit code, output and errors."""
    monkeypatch.setitem(catalogs.CATALOGS, "planetary-computer", server.catalog)
    elsewhere = replace(catalogs.EARTH_SEARCH, url=server.url, s2=replace(server.catalog.s2, name="sentinel-2-c1-l2a"))
    monkeypatch.setitem(catalogs.CATALOGS, "earth-search", elsewhere)

    def run(*arguments, area=None):
        given = ["fetch", area or ",".join(map(str, area_of())), "2022-05-01/2022-06-30", *map(str, arguments)]
        with pytest.raises(SystemExit) as ended:
            cli.main(given)
        shown = capsys.readouterr()
        return ended.value.code, shown.out, shown.err

    return run


def test_the_sequence_is_fetched_and_the_next_command_is_named(server, fetch, tmp_path):
    for number in (1, 2):
        add_s2(server, f"S2A_{number}", f"2022-05-{5 * number:02d}T10:50:31Z", bands=L2A_10)
    add_s1(server, "S1A_1", "2022-05-02T17:25:00Z")
    out = tmp_path / "fields"
    code, shown, errors = fetch(out)
    assert (code, errors) == (0, "")
    assert f"Sequence {out}: 2 dates of S2, 1 of S1, 3 of them new" in shown
    assert f"Next     decloud run {out} OUT" in shown
    record = json.loads((out / "fetched.json").read_text())
    assert record["runs"][0]["command"].startswith("decloud")
    with rasterio.open(out / "S2/2022-05-05.tif") as dataset:
        assert dataset.descriptions == L2A_10
        assert dataset.profile["interleave"] in ("pixel", "band")


def test_a_dry_run_says_what_there_is_and_transfers_nothing(server, fetch, tmp_path):
    add_s2(server, "S2A_1", "2022-05-05T10:50:31Z", bands=("B04",), cloud=37)
    code, shown, _ = fetch(tmp_path / "fields", "--bands", "B04", "--dry-run", "--quiet")
    assert code == 0
    assert re.search(r"grid +EPSG:32631, 6\d x 6\d px of 10 m", shown)
    assert "1 dates, 1 scenes, B04 SCL, sentinel-2-l2a of loopback" in shown
    assert re.search(r"fetch +about \d+ MiB", shown)
    assert "S2 2022-05-05  S2A_1  37 % cloud" in shown
    assert "has no S1 in sentinel-1-rtc over this area" in shown
    assert not server.asked(".tif")
    assert not (tmp_path / "fields").exists()


def test_a_catalogue_without_radar_says_where_it_is_taken_from(server, fetch, tmp_path):
    add_s2(server, "S2A_1", "2022-05-05T10:50:31Z", bands=("B04",), collection="sentinel-2-c1-l2a")
    add_s1(server, "S1A_1", "2022-05-02T17:25:00Z")
    code, shown, _ = fetch(tmp_path / "fields", "--catalog", "earth-search", "--bands", "B04")
    assert code == 0
    assert "earth-search: its Sentinel-1 is GRD amplitude in radar geometry" in shown
    assert "Sentinel-1 comes from loopback" in shown
    assert (tmp_path / "fields/S1/2022-05-02.tif").exists()


def test_any_catalogue_is_named_by_its_address(server, fetch, tmp_path):
    add_s2(server, "S2A_1", "2022-05-05T10:50:31Z", bands=("B04",))
    code, _, errors = fetch(tmp_path / "fields", "--catalog", server.url, "--bands", "B04", "--no-s1", "--quiet")
    assert (code, errors) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--catalog", "planetary"], "did you mean planetary-computer"),
        (["--catalog", "http://example.org/stac"], "only https is fetched"),
        (["--s1-catalog", "earth-search"], "has no Sentinel-1 that can be used"),
        (["--bands", "B99"], "B99 is no band of Level-2A"),
        (["--gsd", "1"], "must lie within 10 and 1000 m"),
        (["--max-cloud", "101"], "must be a number from 0 to 100"),
        (["--jobs", "0"], "must be a whole number from 1 to 64"),
        (["--max-clouds", "5"], "did you mean --max-cloud?"),
        (["--s2-offset", "5"], "must be one of auto, 0, -1000"),
    ],
)
def test_what_is_typed_wrongly_is_one_line(server, fetch, tmp_path, arguments, words):
    code, shown, errors = fetch(tmp_path / "fields", *arguments)
    assert (code, shown) == (2, "")
    assert errors.startswith("decloud: error: ")
    assert errors.count("\n") == 1
    assert words in errors


def test_a_box_in_the_west_is_no_option(fetch, tmp_path):
    code, _, errors = fetch(tmp_path / "fields", area="-5.0,50.0,-5.1,50.1")
    assert code == 2
    assert "W -5 is not west of E -5.1" in errors


def test_a_failure_is_one_line_that_names_item_and_asset(server, fetch, tmp_path):
    add_s2(server, "S2A_1", "2022-05-05T10:50:31Z", bands=("B04",))
    server.always["B04.tif"] = Fault("status", 404)
    code, _, errors = fetch(tmp_path / "fields", "--bands", "B04", "--no-s1")
    assert code == 2
    assert "decloud: error: S2 2022-05-05: S2A_1, asset B04: 404 Not Found; 0 of 1 dates are in" in errors
