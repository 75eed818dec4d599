"""From a catalogue to a sequence that is read: the whole way, on loopback."""

import numpy as np
from stac_server import QUICK, add_s1, add_s2, area_of

from seq2seq.config import ReconstructionConfig
from seq2seq.fetching.area import Box, parse_period
from seq2seq.fetching.plan import Request, plan
from seq2seq.fetching.transfer import fetch
from seq2seq.readers import read_sequence

PERIOD = parse_period("2022-05-01/2022-06-30")


def request_of(server, **settings):
    return Request(Box(*area_of()), PERIOD, server.catalog, server.catalog, **settings)


def fetched(server, out, *, jobs=2, **settings):
    return fetch(plan(request_of(server, **settings), retry=QUICK), out, jobs=jobs, retry=QUICK)


def test_what_is_fetched_is_read_with_the_reflectance_that_was_measured(server, tmp_path):
    add_s2(server, "S2A_1", "2022-05-03T10:50:31Z", dn=lambda band: 1300 + 100 * int(band.strip("BA")))
    add_s2(server, "S2B_2", "2022-05-08T10:50:31Z", dn=2650, baseline="04.00", platform="Sentinel-2B")
    add_s1(server, "S1A_1", "2022-05-02T17:25:00Z", power=0.1)
    result = fetched(server, tmp_path / "fields")
    observations = read_sequence(tmp_path / "fields", ReconstructionConfig())
    assert [str(day) for day in observations.s2.dates] == ["2022-05-03", "2022-05-08"]
    first = dict(zip(observations.s2.bands, observations.s2.pixels[0], strict=True))
    for band, number in (("B02", 2), ("B8A", 8), ("B12", 12)):
        assert np.allclose(first[band], 0.03 + 0.01 * number, atol=1e-6)
    assert np.allclose(observations.s2.pixels[1], 0.165, atol=1e-6)
    assert observations.s2.observed.all()
    assert np.allclose(observations.s1.pixels[:, 0], -10, atol=1e-3)
    assert len(result.new) == 3
