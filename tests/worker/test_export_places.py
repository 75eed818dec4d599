"""Where results may be asked to go: what the operator names, and nothing else; what is refused says why in one line."""

import time
from typing import Any

import pytest
from webhook_receiver import Names

from worker.errors import InvalidRequest, InvalidSettings
from worker.exports import asking
from worker.settings import Settings, load_settings

HOSTS = ("storage.example.org:9000", "minio.inside", "*.s3.eu-central-1.amazonaws.com", "169.254.169.254")
SETTINGS = Settings(output_hosts=HOSTS, output_buckets={"fields": {}, "of-ann": {"owners": "ann, bea"}})
NOWHERE = Settings()
SIGNED = "X-Amz-Signature=hunter2"


def refused(asked: Any, *args: Any) -> str:
    with pytest.raises(InvalidRequest) as failed:
        asked(*args)
    assert "\n" not in failed.value.detail
    assert "hunter2" not in failed.value.detail
    return failed.value.detail


# -- addresses


@pytest.mark.parametrize(
    "url",
    [
        "https://storage.example.org:9000/a?b=c",
        "https://minio.inside/a",
        "https://minio.inside:9443/a",
        "https://bucket.s3.eu-central-1.amazonaws.com/a",
        "https://my.bucket.s3.eu-central-1.amazonaws.com/a",
        "https://STORAGE.example.org:9000/a",
    ],
)
def test_addresses_of_hosts_that_the_operator_names_are_taken(url: str, names: Names) -> None:
    destination = asking.to_addresses({"results.zip": f"{url}?{SIGNED}"}, SETTINGS)
    assert destination.target == {"put": {"results.zip": f"{url}?{SIGNED}"}}
    assert "hunter2" not in str(destination.shown) + repr(destination)
    assert "/a" not in destination.shown["put"]["results.zip"].removeprefix("https://")
    assert names.asked == [], "no name is looked up at submission"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://storage.example.org/a", "leads to storage.example.org, which is no host"),
        ("https://storage.example.org:9001/a", "leads to storage.example.org:9001, which is no host"),
        ("https://evil.example/a", "leads to evil.example, which is no host"),
        ("https://storage.example.org.evil.example:9000/a", "which is no host"),
        ("https://s3.eu-central-1.amazonaws.com/bucket/a", "which is no host"),
        ("https://evils3.eu-central-1.amazonaws.com/a", "which is no host"),
        ("https://bucket.s3.eu-central-1.amazonaws.com:8443/a", "which is no host"),
        ("http://minio.inside/a", "must begin with https://"),
        ("http://storage.example.org:9000/a", "must begin with https://"),
        ("https://ann:hunter2@storage.example.org:9000/a", "must hold no user name and no password"),
        ("https://evil.example\\@minio.inside/a", "must hold no user name|must be an address such as"),
        ("https://127.0.0.1/a", "must have a public address"),
        ("https://2130706433/a", "must have a public address"),
        ("https://[::1]/a", "must have a public address"),
        ("https://[::ffff:169.254.169.254]/a", "must have a public address"),
        ("https://localhost/a", "must have a public address"),
        ("https://metadata.google.internal/a", "must have a public address"),
        ("ftp://storage.example.org:9000/a", "must be an address such as https://"),
        ("file:///etc/passwd", "must be an address such as https://"),
        ("https://minio.inside/a b", "is no web address"),
        ("https://minio.inside/a\r\nX-Evil: 1", "is no web address"),
        ("https://[bad/a", "is no web address"),
        ("", "must be an address such as https://"),
    ],
)
def test_others_are_refused_in_one_line(url: str, said: str) -> None:
    import re

    detail = refused(asking.to_addresses, {"report.json": url}, SETTINGS)
    assert re.match(f"'report.json': .*({said})", detail), detail


def test_an_address_that_the_operator_names_by_number_is_taken_as_it_is_written_alone() -> None:
    """Whoever names it means it."""
    assert asking.to_addresses({"a": "https://169.254.169.254/a"}, SETTINGS).host == "169.254.169.254:443"
    assert "public" in refused(asking.to_addresses, {"a": "https://2852039166/a"}, SETTINGS)


@pytest.mark.parametrize("path", ["../a", "/a", "a//b", "a\\b", "a\0b", "", "x" * 300])
def test_a_path_that_no_result_can_have_is_refused(path: str) -> None:
    assert "is no key" in refused(asking.to_addresses, {path: "https://minio.inside/a"}, SETTINGS)


def test_where_the_operator_names_nothing_it_is_switched_off() -> None:
    said = refused(asking.to_addresses, {"results.zip": "https://minio.inside/a"}, NOWHERE)
    assert said == "this service delivers to no address: its operator has named no host (DECLOUD_OUTPUT_HOSTS)"
    said = refused(asking.to_bucket, "s3://fields/a", "ann", NOWHERE)
    assert said == "this service delivers to no bucket: its operator has named none (DECLOUD_OUTPUT_BUCKETS)"


def test_an_address_that_has_expired_is_refused_at_once() -> None:
    for age_s, taken in ((3500, True), (3700, False)):
        signed = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() - age_s))
        url = f"https://minio.inside/a?X-Amz-Date={signed}&X-Amz-Expires=3600&{SIGNED}"
        if taken:
            assert asking.to_addresses({"a": url}, SETTINGS).host == "minio.inside:443"
        else:
            assert "the address expired at 20" in refused(asking.to_addresses, {"a": url}, SETTINGS)


@pytest.mark.parametrize(
    ("query", "at"),
    [
        ("X-Amz-Date=20260102T030405Z&X-Amz-Expires=60", 1767323105.0),
        ("x-goog-date=20260102T030405Z&X-Goog-Expires=60", 1767323105.0),
        ("Expires=1767323105&Signature=x&AWSAccessKeyId=y", 1767323105.0),
        ("Expires=1767323105", None),
        ("X-Amz-Date=20269902T030405Z&X-Amz-Expires=60", None),
        ("X-Amz-Date=20260102T030405Z&X-Amz-Expires=9999999999999", None),
        ("X-Amz-Date=yesterday&X-Amz-Expires=60", None),
        ("", None),
    ],
)
def test_when_an_address_expires_is_read_from_it(query: str, at: float | None) -> None:
    assert asking.expires(f"https://h/a?{query}") == at


def test_what_a_real_signer_makes_is_understood() -> None:
    import datetime

    from obstore import sign
    from obstore.store import S3Store

    store = S3Store("bucket", config={"access_key_id": "a", "secret_access_key": "b", "region": "eu-central-1"})
    url = sign(store, "PUT", "a/b.zip", datetime.timedelta(hours=1))
    at = asking.expires(url)
    assert at is not None
    assert abs(at - time.time() - 3600) < 10
    assert not asking.signs_headers(url)
    assert asking.signs_headers("https://h/a?AWSAccessKeyId=x&Signature=y&Expires=1")
    assert asking.signs_headers("https://h/a?GoogleAccessId=x&Signature=y&Expires=1")


# -- buckets


@pytest.mark.parametrize(
    ("href", "owner", "kept"),
    [
        ("s3://fields", "ann", "s3://fields"),
        ("s3://fields/", "ann", "s3://fields"),
        ("s3://fields/a/b/", "bob", "s3://fields/a/b"),
        ("s3://of-ann/a", "ann", "s3://of-ann/a"),
        ("s3://of-ann/a", "bea", "s3://of-ann/a"),
    ],
)
def test_buckets_that_the_operator_names_are_taken(href: str, owner: str, kept: str) -> None:
    destination = asking.to_bucket(href, owner, SETTINGS)
    assert destination.shown == destination.target == {"href": kept}


@pytest.mark.parametrize(
    ("href", "said"),
    [
        ("s3://other/a", "other is no bucket that this service may deliver your results to"),
        ("s3://of-ann/a", "of-ann is no bucket that this service may deliver your results to"),
        ("s3://", "must be of the form s3://BUCKET/PREFIX"),
        ("fields/a", "must be of the form s3://BUCKET/PREFIX"),
        ("https://fields.s3.amazonaws.com/a", "must be of the form s3://BUCKET/PREFIX"),
        ("file:///etc", "must be of the form s3://BUCKET/PREFIX"),
        ("s3://key:hunter2@fields/a", "must be of the form s3://BUCKET/PREFIX"),
        ("s3://fields:9000/a", "must be of the form s3://BUCKET/PREFIX"),
        ("s3://fields/a?endpoint=http://evil.example", "must be of the form s3://BUCKET/PREFIX"),
        ("s3://fields/a#b", "must be of the form s3://BUCKET/PREFIX"),
        ("s3://fields/../other", "its prefix: "),
        ("s3://fields/a//b", "its prefix: "),
        ("s3://fields/a\nb", "must be of the form"),
        ("s3://[fields/a", "must be of the form"),
    ],
)
def test_other_buckets_are_refused_in_one_line(href: str, said: str) -> None:
    assert said in refused(asking.to_bucket, href, "cid", SETTINGS)


# -- settings


def test_buckets_come_from_the_environment_as_names_or_with_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DECLOUD_OUTPUT_BUCKETS", "fields, woods")
    monkeypatch.setenv("DECLOUD_OUTPUT_HOSTS", "minio.inside, *.example.org")
    settings = load_settings()
    assert settings.output_buckets == {"fields": {}, "woods": {}}
    assert settings.output_hosts == ("minio.inside", "*.example.org")
    monkeypatch.setenv(
        "DECLOUD_OUTPUT_BUCKETS", '{"fields": {"region": "eu-central-1", "secret_access_key": "hunter2"}}'
    )
    assert load_settings().output_buckets["fields"]["region"] == "eu-central-1"
    assert "hunter2" not in repr(load_settings())


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"output_buckets": '{"fields": '}, r"output_buckets \(DECLOUD_OUTPUT_BUCKETS\): is neither BUCKET,BUCKET nor"),
        ({"output_buckets": "Fields_of_Ann"}, "'Fields_of_Ann' is no bucket's name"),
        ({"output_buckets": "s3://fields"}, "is no bucket's name"),
        ({"output_buckets": '{"fields": "eu"}'}, r"output_buckets.fields \(DECLOUD_OUTPUT_BUCKETS\)"),
        ({"output_buckets": "ours", "storage_url": "s3://ours/decloud"}, "ours is the service's own storage"),
        ({"output_hosts": "https://minio.inside"}, "is no host such as"),
        ({"output_hosts": "*"}, "is no host such as"),
        ({"output_hosts": "*.com"}, "is no host such as"),
        ({"output_hosts": "minio.inside/bucket"}, "is no host such as"),
        ({"output_hosts": "minio.inside:0"}, "is no host such as"),
    ],
)
def test_what_can_be_no_place_is_refused_at_the_start(values: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidSettings, match=said) as failed:
        load_settings(**values)
    assert "\n" not in str(failed.value)


def test_a_bucket_of_the_same_name_in_another_store_is_another() -> None:
    options = {"ours": {"endpoint": "https://elsewhere.example.org"}}
    assert load_settings(output_buckets=options, storage_url="s3://ours/decloud").output_buckets == options
