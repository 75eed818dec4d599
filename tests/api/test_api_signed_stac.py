"""A signed STAC address opens over HTTP with everything that it links to, and nothing else."""

import hashlib
import io
import logging
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx
import pystac
import pytest
import rasterio
from service_api import Serve, ServedApi, User
from service_jobs import WallClock
from simulated_result import write_result
from tus_requests import code_of

from worker import logs

COLLECTION = "stac/collection.json"
SMALL = {COLLECTION: b"{}", "stac/2021-05-01.json": b"{}"}


@pytest.fixture(scope="module")
def user(api: ServedApi) -> User:
    return api.user()


@pytest.fixture(scope="module")
def done(user: User, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The id of a job whose result is as a worker writes it."""
    folder = tmp_path_factory.mktemp("result")
    write_result(folder, dates=3, config={})
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return finished(user, files)


def finished(user: User, files: dict[str, bytes]) -> str:
    job_id = user.submit()
    user.api.finish(job_id, files)
    return job_id


def collection_of(user: User, job_id: str, query: str = "signed=true") -> str:
    """The address of the STAC collection."""
    listed = user.get(f"/jobs/{job_id}/results?{query}").json()["stac"]
    return next(str(link["href"]) for link in listed if link["path"] == COLLECTION)


def test_pystac_walks_from_a_signed_address_to_every_item_and_asset(api: ServedApi, user: User, done: str) -> None:
    collection = pystac.Collection.from_file(collection_of(user, done))
    items = list(collection.get_items())
    assert [item.id for item in items] == ["2021-05-01", "2021-05-11", "2021-05-21"]
    listed = user.get(f"/jobs/{done}/results").json()
    sums = {link["path"]: link["sha256"] for link in listed["declouded"] + listed["uncertainty"] + listed["cloud_mask"]}
    seen = set()
    for item in items:
        assert item.get_collection().id == item.get_root().id == collection.id
        for asset in item.assets.values():
            address = asset.get_absolute_href()
            content = api.anybody().get(address).content
            path = urlsplit(address).path.partition("/results/")[2]
            assert hashlib.sha256(content).hexdigest() == sums[path]
            seen.add(path)
    assert seen == set(sums)


def test_gdal_reads_an_asset_of_a_signed_item_in_parts(user: User, done: str, monkeypatch: pytest.MonkeyPatch) -> None:
    item = next(iter(pystac.Collection.from_file(collection_of(user, done)).get_items()))
    with (
        rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR", GDAL_HTTP_PROXY="", CPL_VSIL_CURL_USE_HEAD="YES"),
        rasterio.open(f"/vsicurl/{item.assets['declouded'].get_absolute_href()}") as image,
    ):
        assert image.read(1, window=((0, 4), (0, 4))).shape == (4, 4)


def test_every_signed_document_leads_by_itself_to_the_others(api: ServedApi, user: User, done: str) -> None:
    nobody = api.anybody()
    links = user.get(f"/jobs/{done}/results?signed=true").json()["stac"]
    for link in links:
        answer = nobody.get(link["href"])
        assert (answer.status_code, len(answer.content)) == (200, link["size"])
        assert answer.headers["content-type"] == link["type"]
        assert nobody.head(link["href"]).headers["etag"] == answer.headers["etag"]
        for further in answer.json()["links"]:
            assert nobody.get(urljoin(link["href"], further["href"])).status_code == 200
    with_key = collection_of(user, done, "signed=false")
    assert "/signed/" not in with_key
    assert user.get(with_key).status_code == 200
    assert nobody.get(with_key).status_code == 401


@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=7-70"}, {"If-None-Match": "*"}, {"Range": "bytes=-0"}])
def test_a_signed_path_answers_as_the_address_with_a_key_does(user: User, done: str, headers: dict[str, str]) -> None:
    prefix = collection_of(user, done).removesuffix(COLLECTION)
    for path in ("declouded/2021-05-01.tif", "report.html", "no/such", "../../../../jobs"):
        answers = [
            user.get(f"/jobs/{done}/results/{path}", headers=headers),
            *(httpx.get(f"{prefix}{path}{query}", headers=headers, trust_env=False) for query in ("", "?f=json")),
        ]
        for answer in answers[1:]:
            if ".." not in path:
                assert (answer.status_code, answer.content) == (answers[0].status_code, answers[0].content)
            assert "authorization" not in answer.headers
    assert user.head(f"{prefix}report.html").headers["content-length"]


def test_the_signature_of_one_result_opens_no_other_and_no_longer_than_it_says(
    api: ServedApi, user: User, done: str, wall_clock: WallClock
) -> None:
    other = finished(user, SMALL)
    address = collection_of(user, done, "signed=true&expires_s=600")
    nobody = api.anybody()
    token = address.partition("/signed/")[2].partition("/")[0]
    expires, _, signature = token.partition("-")
    last = "4" if token.endswith("0") else "0"
    tampered = [
        address.replace(done, other),
        address.replace(token, f"{int(expires) + 1}-{signature}"),
        address.replace(token, token[:-1] + last),
        address.replace(token, "-"),
        address.replace(token, "x"),
        address.replace(token, "9" * 500),
        address.replace(token, f"{expires}-%C3%A9"),
    ]
    for changed in tampered:
        answer = nobody.get(changed)
        assert (answer.status_code, code_of(answer)) == (403, "invalid-signature"), changed
    one_file = user.get(f"/jobs/{done}/results?signed=true&expires_s=600").json()["declouded"][0]["href"]
    of_one = urlsplit(one_file).query.replace("expires=", "").replace("&signature=", "-")
    assert nobody.get(address.replace(token, of_one)).status_code == 403
    query = f"expires={expires}&signature={signature}"
    assert nobody.get(f"/jobs/{done}/results/{COLLECTION}?{query}").status_code == 403
    assert nobody.get(f"/jobs/{done}/results/?{query}").status_code == 403
    for method in ("DELETE", "PUT", "POST"):
        assert nobody.request(method, address).status_code == 405
    assert nobody.get(address).status_code == 200
    wall_clock.move(601)
    expired = nobody.get(address)
    assert (expired.status_code, code_of(expired), expired.json()["expired"]) == (403, "invalid-signature", True)


def test_what_is_signed_for_one_job_ends_with_it(api: ServedApi, user: User) -> None:
    job = finished(user, SMALL)
    address = collection_of(user, job)
    nobody = api.anybody()
    assert nobody.get(address).status_code == 200
    assert user.delete(f"/jobs/{job}").status_code == 200
    answer = nobody.get(address)
    assert (answer.status_code, code_of(answer)) == (404, "no-such-job")


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """The operator's log, as it is written at its most talkative."""
    stream, root = io.StringIO(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.configure("debug", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


def test_no_log_has_the_signature(serve: Serve, written: io.StringIO, tmp_path: Path) -> None:
    api = serve(log_level="debug")
    user = api.user()
    address = collection_of(user, finished(user, SMALL))
    signature = address.partition("/signed/")[2].partition("/")[0].partition("-")[2]
    for asked in (address, f"{address}x", address.replace(signature, signature[1:] + "0")):
        api.anybody().get(asked)
    assert "/signed/***/results/" in written.getvalue()
    assert signature[1:] not in written.getvalue()
