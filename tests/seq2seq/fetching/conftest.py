"""A catalogue of its own for each test."""

from collections.abc import Iterator

import pytest
from stac_server import StacServer, stac_server


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[StacServer]:
    """A STAC API on loopback, without scenes."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with stac_server() as running:
        yield running
