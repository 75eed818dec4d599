"""Signatures: tokens that end, and keys of the user's."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from stac_server import QUICK

from seq2seq.errors import ConfigError
from seq2seq.fetching.addresses import AddressRules
from seq2seq.fetching.catalogs import CDSE
from seq2seq.fetching.failures import FetchError
from seq2seq.fetching.signing import S3Keys, SasTokens, SignedAddress, signer_of, sigv4
from seq2seq.fetching.transport import Transport

BLOB = "https://account.blob.core.windows.net/container/a.tif"


@pytest.fixture
def tokens(server):
    """Tokens of the server's, with a clock that the test sets."""
    server.signed = True
    catalog = replace(server.catalog, signed_hosts=(".blob.core.windows.net",))
    transport = Transport(AddressRules.of(server.url), retry=QUICK)
    clock = [0.0]
    yield SasTokens(catalog, transport, clock=lambda: clock[0]), clock
    transport.close()


def test_a_token_is_asked_for_once_and_again_before_it_ends(server, tokens):
    signer, clock = tokens
    for _ in range(3):
        (url, headers), number = signer.sign(BLOB, 0)
        assert (url, dict(headers), number) == (f"{BLOB}?sig=1", {}, 1)
    assert server.tokens == 1
    assert server.asked("/sas/account/container")
    clock[0] = datetime(2198, 12, 31, 23, 59, tzinfo=UTC).timestamp()
    assert signer.sign(BLOB, 0)[1] == 2


def test_what_one_thread_has_renewed_serves_the_others(server, tokens):
    signer, _ = tokens
    one, other = SignedAddress(BLOB, signer), SignedAddress(BLOB, signer)
    one.signed()
    other.signed()
    server.valid_token = "sig=2"
    assert one.renew()
    assert one.signed()[0].endswith("sig=2")
    assert other.renew()
    assert other.signed()[0].endswith("sig=2")
    assert server.tokens == 2


def test_other_hosts_get_no_token(server, tokens):
    signer, _ = tokens
    for url in ("https://example.org/container/a.tif", "https://account.blob.core.windows.net.evil.org/c/a.tif"):
        assert signer.sign(url, 0)[0][0] == url
    assert server.tokens == 0


def test_a_token_that_is_none_is_one_line(server, tokens):
    signer, _ = tokens
    server.valid_token = "a b\r\nHost: other"
    with pytest.raises(FetchError, match="answers without a token"):
        signer.sign(BLOB, 0)


def test_requests_are_signed_as_s3_clients_sign_them():
    botocore = pytest.importorskip("botocore.auth")
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    url = "https://eodata.dataspace.copernicus.eu/eodata/Sentinel-2/MSI/L2A/2022/05/03/S2A.SAFE/B02_10m.jp2"
    request = AWSRequest("GET", url)
    signer = botocore.S3SigV4Auth(Credentials("key", "secret"), "s3", "default")
    signer.add_auth(request)
    theirs = dict(request.headers)
    now = datetime.strptime(theirs["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    ours = sigv4(url, "key", "secret", now)
    assert ours["x-amz-content-sha256"] == theirs["X-Amz-Content-SHA256"]
    assert ours["Authorization"] == theirs["Authorization"]


def test_keys_come_from_the_environment_and_go_to_their_endpoint_alone(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "CDSE_S3_ACCESS_KEY", "CDSE_S3_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to yours"):
        S3Keys(CDSE)
    monkeypatch.setenv("CDSE_S3_ACCESS_KEY", "key")
    monkeypatch.setenv("CDSE_S3_SECRET_KEY", "secret")
    signer = S3Keys(CDSE)
    url = signer.resolve("s3://eodata/Sentinel-2/x.jp2")
    assert url == "https://eodata.dataspace.copernicus.eu/eodata/Sentinel-2/x.jp2"
    assert "Authorization" in signer.sign(url, 0)[0][1]
    for other in ("https://example.org/x.jp2", "https://eodata.dataspace.copernicus.eu.evil.org/x.jp2"):
        assert not signer.sign(other, 0)[0][1]


def test_a_catalogue_without_signatures_needs_none(server):
    transport = Transport(AddressRules.of(server.url))
    signer = signer_of(server.catalog, transport)
    transport.close()
    assert signer.sign("https://example.org/x", 0) == (("https://example.org/x", {}), 0)
