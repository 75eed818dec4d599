"""What may be asked to be fetched: checked at once, by the operator's list, without a look-up or a connection."""

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from service_api import ServedApi, User
from tus_requests import code_of
from webhook_receiver import Names

from worker.allowed_inputs import AllowList
from worker.errors import ForbiddenInput

BOX = [4.6, 50.6, 4.63, 50.62]
DATES = "2021-05-01/2021-10-31"
HOSTS = ("data.example.org", "*.tiles.example.org", "maps.example.org:8443", "s3://bucket/in", "S3.example.org")


@pytest.fixture(scope="module")
def allowing(migrated_sqlite_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedApi]:
    served = ServedApi(
        tmp_path_factory.mktemp("allowing"),
        migrated_sqlite_file,
        input_hosts=HOSTS,
        input_private_hosts=("files.internal:9000", "127.0.0.1:9000"),
        input_catalogs=("earth-search", "https://stac.example.org/v1"),
    )
    served.start()
    yield served
    served.stop()


@pytest.fixture
def ann(allowing: ServedApi) -> User:
    return allowing.user()


def ask(user: User, sequence: Any, **inputs: Any) -> httpx.Response:
    return user.post("/processes/decloud/execution", json={"inputs": {"sequence": sequence, **inputs}})


def said(answer: httpx.Response, field: str) -> str:
    """What is wrong with a field of the sequence."""
    assert answer.status_code == 400, answer.text
    assert code_of(answer) == "invalid-request"
    error = answer.json()["errors"][0]
    assert error["pointer"] == "#/inputs/sequence" + (f"/{field}" if field else ""), answer.text
    return str(error["detail"])


@pytest.mark.parametrize(
    "href",
    [
        "https://data.example.org/fields.zip", "https://DATA.example.org/a?sig=1", "https://a.tiles.example.org/x.tif",
        "https://maps.example.org:8443/x.nc", "s3://bucket/in/a.nc", "http://files.internal:9000/a.zip",
        "http://127.0.0.1:9000/a.zip",
    ],
)  # fmt: skip
def test_what_the_operator_has_named_may_be_asked_for(allowing: ServedApi, ann: User, href: str) -> None:
    answer = ask(ann, {"href": href})
    assert answer.status_code == 201, answer.text
    row = allowing.job(answer.json()["jobID"])
    assert row.source == {"href": href, "max_bytes": allowing.settings.max_upload_bytes}
    assert row.input_id is None
    assert answer.json()["inputs"]["sequence"] == {"href": href.partition("?")[0]}


HOSTILE = [
    "https://other.example.org/a", "https://example.org/a", "https://data.example.org.evil.org/a",
    "https://evil.org/data.example.org", "https://tiles.example.org/a", "https://xtiles.example.org/a",
    "https://maps.example.org/a", "https://maps.example.org:8444/a", "https://data.example.org@evil.org/",
    "https://evil.org#@data.example.org/", "https://evil.org\\@data.example.org/", "https://user@data.example.org/",
    "https://user:pw@data.example.org/", "http://data.example.org/a", "ftp://data.example.org/a", "file:///etc/passwd",
    "gopher://data.example.org/", "https://", "https:///a", "https://data.example.org:0/", "https://data.example.org:99999/",
    "https://data.example.org/ a", "https://data.example.org/\r\nHost: x", "https://exämple.org/", "https://[::1",
    "//x",
    "https://127.0.0.1/", "https://127.0.0.1:9001/", "https://2130706433:9000/", "https://0x7f.1:9000/",
    "https://127.1:9000/", "https://[::ffff:127.0.0.1]:9000/", "https://localhost:9000/", "https://[::1]:9000/",
    "https://169.254.169.254/latest", "https://metadata.google.internal/", "https://168.63.129.16/", "https://10.0.0.1/",
    "http://files.internal/", "http://files.internal:9001/", "https://data.example.org%2eevil.org/",
    "s3://bucket/other/a", "s3://bucket/inner/a", "s3://bucket/in/../a", "s3://bucket/in//a", "s3://bucket", "s3://bucket/",
    "s3://bucket-2/in/a", "s3://bucket@evil/in/a", "s3://bucket:80/in/a", "s3://bucket/in/a?x", "s3://bucket/in/%2e%2e/a",
    "S3://other/in/a", "s3:///in/a", "/vsicurl/https://data.example.org/a", "/etc/passwd", "data.example.org/a", "",
    "https://data.example.org./a", "https://data\u3002example.org/a", "https://data.example.org\x00/", "jar:https://x/",
]  # fmt: skip


@pytest.mark.parametrize("href", HOSTILE)
def test_nothing_else_may_be_asked_for_and_no_name_is_looked_up(ann: User, href: str) -> None:
    answer = ask(ann, {"href": href})
    assert "\n" not in said(answer, "href")


@pytest.mark.parametrize("href", HOSTILE)
def test_a_list_of_everything_is_everything_that_is_public(names: Names, href: str) -> None:
    """A name may lead anywhere: whoever connects looks."""
    allowed = AllowList(("*",))
    inside = (
        "127",
        "2130706433",
        "0x7f",
        "::",
        "localhost",
        "169.254",
        "internal",
        "168.63",
        "10.0",
        "http:",
        "s3:",
        "S3:",
    )
    if any(part in href for part in inside):
        with pytest.raises(ForbiddenInput):
            allowed.check_href(href)
    assert names.asked == []


def test_a_refusal_says_what_is_allowed(ann: User) -> None:
    detail = said(ask(ann, {"href": "https://other.example.org/a"}), "href")
    assert detail.startswith("is at no host that the operator has allowed; allowed: data.example.org, ")
    assert "s3://bucket/in" in said(ask(ann, {"href": "s3://other/a"}), "href")
    detail = said(ask(ann, {"area": BOX, "dates": DATES, "catalog": "cdse"}), "catalog")
    assert detail.endswith("that the operator has allowed; allowed: earth-search, https://stac.example.org/v1")


def test_by_default_nothing_is_fetched(user: User) -> None:
    detail = said(ask(user, {"href": "https://data.example.org/a"}), "href")
    assert detail.startswith("nothing is fetched by reference, the operator has not allowed it (DECLOUD_INPUT_HOSTS)")
    detail = said(ask(user, {"area": BOX, "dates": DATES}), "catalog")
    assert detail.startswith("no areas are fetched, the operator has not allowed it (DECLOUD_INPUT_CATALOGS)")


@pytest.mark.parametrize("dates", [DATES, "2021-05-01"])
def test_an_area_is_a_box_or_what_geojson_lies_in(allowing: ServedApi, ann: User, dates: str) -> None:
    ring = [[4.6, 50.6], [4.63, 50.6], [4.63, 50.62], [4.6, 50.6]]
    polygon = {"type": "Polygon", "coordinates": [ring]}
    feature = {"type": "Feature", "properties": {}, "geometry": polygon}
    for area in (BOX, polygon, feature, {"type": "FeatureCollection", "features": [feature]}):
        answer = ask(ann, {"area": area, "dates": dates})
        assert answer.status_code == 201, answer.text
        source = answer.json()["inputs"]["sequence"]
        assert source == {
            "area": BOX,
            "dates": dates if "/" in dates else f"{dates}/{dates}",
            "catalog": "earth-search",
        }
        assert {**source, "max_bytes": allowing.settings.max_upload_bytes} == allowing.job(
            answer.json()["jobID"]
        ).source


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"area": [4.63, 50.6, 4.6, 50.62]}, "area", "W 4.63 is not west of E 4.6; an area across the dateline"),
        ({"area": [4.6, 50.62, 4.63, 50.6]}, "area", "S 50.62 is not south of N 50.6; the order is W,S,E,N"),
        ({"area": [179.9, -17, -179.9, -16]}, "area", "across the dateline has to be fetched as two"),
        ({"area": [50.6, 4.6, 250, 4.63]}, "area", "longitudes must lie within -180 and 180"),
        ({"area": [4.6, 85, 4.63, 86]}, "area", "beyond there is no UTM"),
        ({"area": [4.6, 50.6, 4.63]}, "area", "must be [west, south, east, north] in degrees"),
        ({"area": ["4.6", 50.6, 4.63, 50.62]}, "area", "must be [west, south, east, north] in degrees"),
        ({"area": [True, 50.6, 4.63, 50.62]}, "area", "must be [west, south, east, north] in degrees"),
        ({"area": {"type": "Polygon"}}, "area", "holds no coordinates"),
        ({"area": {"type": "Point", "coordinates": [613000, 5607000]}}, "area", "are no longitudes and latitudes"),
        ({"area": [4, 50, 8, 52]}, "area", "at most 120,560,400 are fetched; give a smaller area"),
        ({"dates": "2021-10-31/2021-05-01"}, "dates", "2021-10-31 is after 2021-05-01"),
        ({"dates": "2021-13-01/2021-14-01"}, "dates", "must be FIRST/LAST"),
        ({"dates": "1990-01-01/2021-01-01"}, "dates", "at most 7320 are fetched at once"),
        ({"dates": 3}, "dates", "must be a valid string"),
        ({"catalog": "earth_search"}, "catalog", "earth_search is no catalogue that the operator has allowed"),
        ({"catalog": "http://127.0.0.1/stac"}, "catalog", "is no catalogue that the operator has allowed"),
        ({"href": "https://data.example.org/a"}, "href", "there is no such member"),
        ({"bands": "B02"}, "bands", "there is no such member"),
    ],
)  # fmt: skip
def test_an_area_that_cannot_be_is_refused_by_its_member(
    ann: User, changes: dict[str, Any], field: str, words: str
) -> None:
    assert words in said(ask(ann, {"area": BOX, "dates": DATES, **changes}), field)


def test_what_is_missing_is_named(ann: User) -> None:
    assert said(ask(ann, {"area": BOX}), "dates") == "is missing"
    assert said(ask(ann, {"dates": DATES}), "area") == "is missing"
    assert said(ask(ann, {"type": "application/zip"}), "href") == "is missing"
    assert said(ask(ann, "https://data.example.org/a"), "") == "must be an object"
    assert said(ask(ann, None), "").startswith("is missing")


def test_an_outline_may_have_hundreds_of_corners(ann: User) -> None:
    angles = [index * math.tau / 600 for index in range(601)]
    ring = [[4.6 + 0.01 * math.cos(angle), 50.6 + 0.01 * math.sin(angle)] for angle in angles]
    answer = ask(ann, {"area": {"type": "Polygon", "coordinates": [ring]}, "dates": DATES})
    assert answer.status_code == 201, answer.text


def test_an_area_is_held_against_the_quota_and_estimated_beforehand(allowing: ServedApi, ann: User) -> None:
    small = allowing.user(max_pixels_dates=1_000_000)
    answer = ask(small, {"area": BOX, "dates": DATES})
    assert (answer.status_code, code_of(answer)) == (429, "quota-exceeded")
    assert answer.json()["asked"] > 1_000_000
    body = {"inputs": {"sequence": {"area": BOX, "dates": DATES}}}
    validated = ann.post("/processes/decloud/execution?validate_only=true", json=body)
    assert validated.json()["estimate"]["seconds"] > 0


def test_a_job_is_asked_for_again_by_its_source_and_one_key_is_one_job(allowing: ServedApi, ann: User) -> None:
    sequence = {"href": "https://data.example.org/a.zip?sig=1"}
    first = ask(ann, sequence).json()["jobID"]
    again = ann.post(f"/jobs/{first}/resubmit", json={"inputs": {"seed": 1}})
    assert again.status_code == 201, again.text
    assert allowing.job(again.json()["jobID"]).source == allowing.job(first).source
    key = {"Idempotency-Key": f"k-{time.monotonic_ns()}"}
    bodies = [{"inputs": {"sequence": {"href": f"https://data.example.org/{name}"}}} for name in ("a", "a", "b")]
    found = [ann.post("/processes/decloud/execution", json=body, headers=key) for body in bodies]
    assert [answer.status_code for answer in found] == [201, 201, 422]
    assert found[0].json()["jobID"] == found[1].json()["jobID"]


def test_the_description_of_the_process_has_all_kinds_that_are_allowed(ann: User, user: User) -> None:
    """Forms are made from it: which catalogues there are to choose from, or that no area is fetched."""
    reference, area = (_kinds(ann)[name] for name in ("href", "area dates"))
    names = ["earth-search", "https://stac.example.org/v1"]
    assert area["properties"]["catalog"] == {"type": "string", "enum": names, "default": names[0]}
    sequence = {"area": BOX, "dates": DATES}
    for kind, wanted in ((area, True), (reference, False)):
        assert Draft202012Validator(kind).is_valid(sequence) is wanted
    assert _kinds(user)["sample"]["properties"]["sample"]["enum"] == ["fields"]
    assert "href" in _kinds(user)
    assert "area dates" not in _kinds(user)


def _kinds(user: User) -> dict[str, dict[str, Any]]:
    """By what each needs."""
    kinds = user.get("/processes/decloud").json()["inputs"]["sequence"]["schema"]["oneOf"]
    return {" ".join(kind["required"]): kind for kind in kinds}


def test_a_sample_needs_no_operators_word_and_is_held_against_the_quota(api: ServedApi, user: User) -> None:
    first = ask(user, {"sample": "fields"})
    assert first.status_code == 201, first.text
    assert first.json()["inputs"]["sequence"] == {"sample": "fields"}
    row = api.job(first.json()["jobID"])
    assert row.source == {"sample": "fields", "max_bytes": api.settings.max_upload_bytes}
    again = user.post(f"/jobs/{row.id}/resubmit", json={"inputs": {"seed": 1}})
    assert again.json()["inputs"] == {"sequence": {"sample": "fields"}, "seed": 1}
    assert said(ask(user, {"sample": "meadows"}), "sample") == "must be 'fields'"
    assert said(ask(user, {"sample": "fields", "href": "/uploads/x"}), "href") == "there is no such member"
    dry = user.post(
        "/processes/decloud/execution?validate_only=true", json={"inputs": {"sequence": {"sample": "fields"}}}
    )
    assert dry.json()["estimate"]["seconds"] > 0
    small = api.user(max_pixels_dates=1000)
    assert code_of(ask(small, {"sample": "fields"})) == "quota-exceeded"
