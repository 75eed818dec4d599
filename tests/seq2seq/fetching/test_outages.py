"""What networks do: silence, resets, errors, half answers, expired signatures, and our own end in the middle of it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import rasterio
from stac_server import FEW, QUICK, Fault, add_s1, add_s2, area_of, stac_server

from seq2seq.errors import OutputError, Stopped
from seq2seq.fetching import day_files, fetching_day
from seq2seq.fetching.area import Box, parse_period
from seq2seq.fetching.failures import FetchError
from seq2seq.fetching.plan import Request, plan
from seq2seq.fetching.transfer import fetch

PERIOD = parse_period("2022-05-01/2022-06-30")


def planned(server, **settings):
    request = Request(Box(*area_of()), PERIOD, server.catalog, None, settings.pop("bands", FEW), **settings)
    return plan(request, retry=QUICK)


def fetched(server, out, **settings):
    return fetch(planned(server), out, retry=QUICK, **{"jobs": 2} | settings)


def add_dates(server, count=3):
    return [add_s2(server, f"S2A_{n}", f"2022-05-{3 * n:02d}T10:50:31Z", dn=1500 + n) for n in range(1, count + 1)]


def value(path):
    with rasterio.open(path) as dataset:
        (found,) = np.unique(dataset.read())
        return found


def left_behind(out):
    """All that is neither a finished file nor the record."""
    return [p for p in out.rglob("*") if p.is_file() and p.suffix != ".tif" and p.name != "fetched.json"]


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", 503),
        Fault("status", 429, headers={"Retry-After": "0"}),
        Fault("status", 500),
        Fault("reset"),
        Fault("cut"),
        Fault("lie"),
        Fault("whole"),
        Fault("slow", seconds=0.5),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
def test_what_passes_is_tried_again_and_changes_nothing(server, tmp_path, fault):
    add_dates(server, 1)
    server.faults["B02.tif"] = [fault, fault]
    result = fetched(server, tmp_path / "fields")
    assert value(tmp_path / "fields/S2/2022-05-03.tif") == 501
    assert result.spent.retries == (0 if fault.kind in ("slow", "whole") else 2)
    assert not left_behind(tmp_path / "fields")


def test_silence_is_not_waited_for_longer_than_allowed(server, tmp_path):
    add_dates(server, 1)
    server.faults["B02.tif"] = [Fault("slow", seconds=20)]
    began = time.monotonic()
    assert fetched(server, tmp_path / "fields").spent.retries == 1
    assert time.monotonic() - began < 15


def test_an_outage_of_the_search_recovers_too(server):
    add_dates(server)
    server.faults["/search"] = [Fault("status", 502), Fault("reset"), Fault("status", 504)]
    assert len(planned(server).days) == 3


def test_where_nobody_answers_little_is_tried(server):
    gone = server.catalog.url
    with stac_server() as other:
        gone = other.url
    request = Request(Box(*area_of()), PERIOD, replace(server.catalog, url=gone), None, FEW)
    began = time.monotonic()
    with pytest.raises(FetchError, match="connection refused, 4 times in a row"):
        plan(request, retry=replace(QUICK, attempts=100))
    assert time.monotonic() - began < 10


def test_what_does_not_pass_names_item_and_asset_in_one_line_and_keeps_the_rest(server, tmp_path):
    add_dates(server)
    server.always["S2A_2/B04.tif"] = Fault("status", 503)
    with pytest.raises(FetchError) as caught:
        fetched(server, tmp_path / "fields")
    text = str(caught.value)
    assert text.startswith(
        "S2 2022-05-06: S2A_2, asset B04: 503 Service Unavailable, 4 times in a row; 2 of 3 dates are in "
    )
    assert "\n" not in text
    assert sorted(path.name for path in (tmp_path / "fields/S2").iterdir()) == ["2022-05-03.tif", "2022-05-09.tif"]
    assert not (tmp_path / "fields/SCL/2022-05-06.tif").exists()
    assert not left_behind(tmp_path / "fields")
    server.always.clear()
    asked = len(server.asked("S2A_1/B04.tif"))
    assert [day.date for day in fetched(server, tmp_path / "fields").new] == ["2022-05-06"]
    assert len(server.asked("S2A_1/B04.tif")) == asked


def test_a_file_that_is_not_there_ends_at_once(server, tmp_path):
    add_dates(server, 1)
    del server.files["/s2/S2A_1/B04.tif"]
    with pytest.raises(FetchError, match="S2A_1, asset B04: 404 Not Found"):
        fetched(server, tmp_path / "fields")
    assert len(server.asked("S2A_1/B04.tif")) == 1
    # nothing is finished, but what was tried is on record
    assert json.loads((tmp_path / "fields/fetched.json").read_text())["runs"][0]["failed_days"] == 1


def test_when_nothing_comes_any_more_it_ends_without_trying_all_days(server, tmp_path):
    add_dates(server, 8)
    server.always[".tif"] = Fault("status", 404)
    with pytest.raises(FetchError, match="0 of 8 dates"):
        fetched(server, tmp_path / "fields", jobs=1)
    assert len(server.asked("B02.tif")) == 3


def test_a_signature_that_has_expired_is_asked_for_anew(server, tmp_path):
    server.signed = True
    add_dates(server)
    result = planned(server)

    class Expiring(list):
        """The token changes in the middle."""

        def append(self, request):
            super().append(request)
            if sum(one.path.partition("?")[0].endswith(".tif") for one in self) == 6:
                server.valid_token = "sig=2"

    server.requests = Expiring()
    fetch(result, tmp_path / "fields", retry=QUICK, jobs=2)
    assert len(list((tmp_path / "fields/S2").iterdir())) == 3
    assert server.tokens == 2
    assert any("sig=1" in one.path for one in server.asked(".tif"))
    assert any("sig=2" in one.path for one in server.asked(".tif"))


def test_one_token_serves_all_files_of_a_container(server, tmp_path):
    server.signed = True
    add_dates(server)
    fetched(server, tmp_path / "fields", jobs=4)
    assert server.tokens == 1


def test_a_signature_that_is_never_accepted_ends(server, tmp_path):
    server.signed = True
    add_dates(server, 1)
    server.always["B02.tif"] = Fault("status", 403)
    with pytest.raises(FetchError, match="S2A_1, asset B02: 403 Forbidden, 4 times in a row"):
        fetched(server, tmp_path / "fields")


def test_denied_without_signatures_is_final(server, tmp_path):
    add_dates(server, 1)
    server.always["B02.tif"] = Fault("status", 403)
    with pytest.raises(FetchError, match="S2A_1, asset B02: 403 Forbidden"):
        fetched(server, tmp_path / "fields")
    assert len(server.asked("B02.tif")) == 1


def test_a_file_that_changes_while_it_is_read_is_not_mixed(server, tmp_path):
    add_s2(
        server,
        "S2A_1",
        "2022-05-03T10:50:31Z",
        size=600,
        fill=lambda v, _: np.random.default_rng(0).integers(1200, 4000, v.shape).astype(v.dtype) if v.max() > 20 else v,
    )
    whole = server.files["/s2/S2A_1/B02.tif"]

    class Replaced(list):
        def append(self, request):
            super().append(request)
            if sum("B02.tif" in one.path for one in self) == 2:
                server.files["/s2/S2A_1/B02.tif"] = whole + b"another"

    server.requests = Replaced()
    with pytest.raises(FetchError, match="S2A_1, asset B02: changed while it was read"):
        fetched(server, tmp_path / "fields")


def test_a_stop_leaves_finished_days_and_nothing_else(server, tmp_path):
    add_dates(server, 4)
    server.always["S2A_3/B04.tif"] = Fault("slow", seconds=3)
    stop = threading.Event()

    def on_progress(progress):
        if progress.step == 2:
            stop.set()

    began = time.monotonic()
    with pytest.raises(Stopped, match="of 4 dates are there"):
        fetch(
            planned(server), tmp_path / "fields", jobs=1, on_progress=on_progress, should_stop=stop.is_set, retry=QUICK
        )
    assert time.monotonic() - began < 10
    assert len(list((tmp_path / "fields/S2").iterdir())) in (2, 3)
    assert not left_behind(tmp_path / "fields")
    server.always.clear()
    there = len(list((tmp_path / "fields/S2").iterdir()))
    assert len(fetched(server, tmp_path / "fields").new) == 4 - there
    assert len(list((tmp_path / "fields/S2").iterdir())) == 4


def test_a_pause_between_attempts_can_be_stopped(server, tmp_path):
    add_dates(server, 1)
    server.always["B02.tif"] = Fault("status", 503, headers={"Retry-After": "600"})
    result, began = planned(server), time.monotonic()
    with pytest.raises(Stopped):
        fetch(result, tmp_path / "fields", should_stop=lambda: time.monotonic() - began > 1)
    assert time.monotonic() - began < 5


PROGRAM = """
import sys
from pathlib import Path
from dataclasses import replace
from seq2seq.fetching.area import Box, parse_period
from seq2seq.fetching.catalogs import PLANETARY_COMPUTER
from seq2seq.fetching.plan import Request, plan
from seq2seq.fetching.transfer import fetch

catalog = replace(PLANETARY_COMPUTER, name="loopback", url=sys.argv[1], signing="none")
area = Box(*map(float, sys.argv[3].split(",")))
request = Request(area, parse_period("2022-05-01/2022-06-30"), catalog, None, ("B02", "B04", "B05"))
fetch(plan(request), Path(sys.argv[2]), jobs=1)
"""


def test_killed_in_the_middle_the_next_call_goes_on(server, tmp_path):
    add_dates(server, 3)
    server.always["S2A_2/B04.tif"] = Fault("slow", seconds=30)
    out, area = tmp_path / "fields", ",".join(map(str, area_of()))
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, server.url, str(out), area], stderr=subprocess.PIPE)
    with process:
        deadline = time.monotonic() + 60
        while not server.asked("S2A_2/B04.tif"):
            assert time.monotonic() < deadline
            assert process.poll() is None, process.stderr.read().decode()
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
    assert [path.name for path in (out / "S2").iterdir()] == ["2022-05-03.tif"]
    assert (out / ".fetching").exists()
    server.always.clear()
    asked = len(server.asked("S2A_1/B02.tif"))
    assert [day.date for day in fetched(server, out).new] == ["2022-05-06", "2022-05-09"]
    assert len(server.asked("S2A_1/B02.tif")) == asked
    assert not (out / ".fetching").exists()


def test_ctrl_c_ends_the_command_within_a_moment_and_says_how_to_go_on(server, tmp_path):
    add_dates(server, 3)
    server.always["S2A_2/B04.tif"] = Fault("slow", seconds=30)
    out, area = tmp_path / "fields", ",".join(map(str, area_of()))
    command = [sys.executable, "-m", "decloud", "fetch", area, "2022-05-01/2022-06-30", str(out), "--no-s1"]
    command += ["--catalog", server.url, "--bands", ",".join(FEW), "--jobs", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not server.asked("S2A_2/B04.tif"):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        _, errors = process.communicate(timeout=30)
    assert time.monotonic() - began < 15
    assert process.returncode == 130
    assert errors == "decloud: stopped (1 of 3 dates are there); the same command goes on from there\n"
    assert not left_behind(out)
    assert [path.name for path in (out / "S2").iterdir()] == ["2022-05-03.tif"]


def test_two_fetches_do_not_write_into_one_folder(server, tmp_path):
    add_dates(server, 1)
    server.faults["B02.tif"] = [Fault("slow", seconds=1.5)]
    result, out = planned(server), tmp_path / "fields"
    first = threading.Thread(target=lambda: fetch(result, out, retry=QUICK))
    first.start()
    while not (out / ".fetching/lock").exists():
        time.sleep(0.01)
    time.sleep(0.1)
    with pytest.raises(OutputError, match="another fetch is writing into it"):
        fetch(result, out, retry=QUICK)
    first.join()
    assert value(out / "S2/2022-05-03.tif") == 501


def test_a_full_disk_leaves_no_half_day(server, tmp_path, monkeypatch):
    add_dates(server, 2)
    made = []

    def full(folder, name, shape, dtype):
        made.append(name)
        if len(made) > 2:
            raise OSError(28, "No space left on device")
        return day_files.new_array(folder, name, shape, dtype)

    monkeypatch.setattr(fetching_day, "new_array", full)
    with pytest.raises(OutputError, match=r"cannot be written \(No space left on device"):
        fetched(server, tmp_path / "fields", jobs=1)
    assert [path.name for path in (tmp_path / "fields/S2").iterdir()] == ["2022-05-03.tif"]
    assert not left_behind(tmp_path / "fields")


def test_what_cannot_fit_is_refused_before_it_is_fetched(server, tmp_path, monkeypatch):
    add_dates(server, 2)
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 100})())
    with pytest.raises(OutputError, match="its disk has 0 MiB free"):
        fetched(server, tmp_path / "fields")
    assert not server.asked(".tif")
    assert not (tmp_path / "fields").exists()


def test_radar_fails_like_the_rest_and_optical_days_stay(server, tmp_path):
    add_dates(server, 1)
    add_s1(server, "S1A_1", "2022-05-02T17:25:00Z")
    del server.files["/s1/S1A_1/vh.tif"]
    request = Request(Box(*area_of()), PERIOD, server.catalog, server.catalog, FEW)
    with pytest.raises(FetchError, match="S1 2022-05-02: S1A_1, asset vh: 404 Not Found; 1 of 2 dates"):
        fetch(plan(request, retry=QUICK), tmp_path / "fields", retry=QUICK)
    assert (tmp_path / "fields/S2/2022-05-03.tif").exists()
