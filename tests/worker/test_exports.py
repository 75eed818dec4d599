"""Results on their way: into buckets and by presigned addresses; tried again, given up, and never in a job's way."""

import io
import json
import logging
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
import zipfile
from typing import Any

import pytest
from exporting import FILES, Exporting
from locations import HELPERS
from put_server import NAME, SECRET, Manners, PutServer
from service_jobs import WallClock, submit
from service_storages import S3Server
from service_workers import until
from webhook_receiver import Names

from worker import jobs
from worker.database.connections import Database
from worker.errors import DatabaseUnavailable, IdempotencyConflict
from worker.exports import lease
from worker.jobs import exports, garbage
from worker.jobs.counts import count_jobs
from worker.storage import ObjectStorage

ORDER = ["declouded/2021-05-01.tif", "report.json", "zones/z.tif", "manifest.json"]
HOUR_S = 3600


def in_bucket(server: S3Server, url: str, path: str) -> bytes:
    return b"".join(ObjectStorage(url, server.options).open_range(path))


# -- into a bucket


def test_a_result_goes_into_its_owners_bucket_and_the_job_says_so(
    exporting_on_each: Exporting, s3_server: S3Server, bucket: str
) -> None:
    exporting_on_each.change(output_buckets={bucket: s3_server.options})
    job = exporting_on_each.running(exporting_on_each.to_bucket(f"s3://{bucket}/mine/fields/"))
    exporting_on_each.start()
    time.sleep(0.1)
    assert exporting_on_each.shown(job) == {"href": f"s3://{bucket}/mine/fields", "state": "waiting", "tries": 0}
    exporting_on_each.finish(job)
    until(lambda: exporting_on_each.is_over(job))
    shown = exporting_on_each.shown(job)
    for path, content in FILES.items():
        assert in_bucket(s3_server, f"s3://{bucket}/mine/fields", path) == content
    manifest = in_bucket(s3_server, f"s3://{bucket}/mine/fields", "manifest.json")
    sent = sum(map(len, FILES.values())) + len(manifest)
    assert shown.pop("delivered").endswith("Z")
    assert shown == {
        "href": f"s3://{bucket}/mine/fields",
        "state": "delivered",
        "tries": 1,
        "files": 4,
        "bytes": sent,
    }
    assert exporting_on_each.log(job) == [("info", f"Delivered to s3://{bucket}: 4 files, {sent:,} bytes.")]
    assert exporting_on_each.waiting() == []
    head = s3_server.head(f"{bucket}/mine/fields/declouded/2021-05-01.tif")
    assert head["content-type"].startswith("image/tiff")


def test_a_bucket_that_is_down_gets_the_rest_when_it_is_up(
    exporting: Exporting, s3_server: S3Server, wall_clock: WallClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "not-there-yet"
    exporting.change(output_buckets={name: s3_server.options})
    job = exporting.finished(exporting.to_bucket(f"s3://{name}"))
    exporting.start()
    until(lambda: "detail" in exporting.shown(job))
    shown = exporting.shown(job)
    assert "404 Not Found NoSuchBucket" in shown["detail"]
    assert count_jobs(exporting.database).exports == 1
    assert (shown["state"], shown["tries"]) == ("waiting", 1)
    assert shown["next_try"] > jobs_time(wall_clock)
    ((level, said),) = exporting.log(job)
    assert level == "warning"
    assert "It will be tried again in" in said
    s3_server.ask("PUT", name)
    wall_clock.move(60)
    until(lambda: exporting.is_over(job))
    assert exporting.shown(job)["state"] == "delivered"
    assert exporting.shown(job)["tries"] == 2
    assert "detail" not in exporting.shown(job)
    assert count_jobs(exporting.database).exports == 0


def jobs_time(wall_clock: WallClock) -> str:
    from worker.values import timestamp

    return timestamp(wall_clock.time)


def test_files_that_are_there_are_not_sent_again_and_tries_count_from_the_last_of_them(
    exporting: Exporting,
    s3_server: S3Server,
    bucket: str,
    wall_clock: WallClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exporting.change(output_buckets={bucket: s3_server.options}, output_max_attempts=2)
    job = exporting.finished(exporting.to_bucket(f"s3://{bucket}"))
    put, sent, broken = ObjectStorage.put, [], [True]

    def counted(self: ObjectStorage, key: str, source: Any, **values: Any) -> None:
        sent.append(key)
        if broken[0] and (key == "report.json" or len(sent) == 1):
            from worker.errors import StorageUnavailable

            raise StorageUnavailable("the object store said 503")
        put(self, key, source, **values)

    monkeypatch.setattr(ObjectStorage, "put", counted)
    exporting.start()
    until(lambda: len(exporting.log(job)) == 1)
    wall_clock.move(60)
    until(lambda: len(exporting.log(job)) == 2)
    assert exporting.shown(job)["files"] == 1
    assert not exporting.is_over(job), "the second try got further"
    broken[0] = False
    wall_clock.move(60)
    until(lambda: exporting.is_over(job))
    assert exporting.shown(job)["state"] == "delivered"
    assert sent == [ORDER[0], ORDER[0], ORDER[1], *ORDER[1:]]


def test_a_bucket_that_the_operator_names_no_longer_gets_nothing(
    exporting: Exporting, s3_server: S3Server, bucket: str
) -> None:
    exporting.change(output_buckets={bucket: s3_server.options})
    job = exporting.finished(exporting.to_bucket(f"s3://{bucket}"))
    exporting.change(output_buckets={"another": s3_server.options})
    exporting.start()
    until(lambda: exporting.is_over(job))
    assert exporting.shown(job)["state"] == "failed"
    assert "is no bucket that this service may deliver your results to any more" in exporting.shown(job)["detail"]


def test_what_is_damaged_in_storage_is_not_delivered(exporting: Exporting, s3_server: S3Server, bucket: str) -> None:
    exporting.change(output_buckets={bucket: s3_server.options}, output_max_attempts=1)
    job = exporting.running(exporting.to_bucket(f"s3://{bucket}"))
    exporting.finish(job)
    exporting.storage.put(f"{job.attempt_prefix}/{ORDER[0]}", b"x" * len(FILES[ORDER[0]]))
    exporting.start()
    until(lambda: exporting.is_over(job))
    assert exporting.shown(job)["detail"] == f"{ORDER[0]} is damaged in our storage"
    assert ORDER[0] not in s3_server.ask("GET", bucket)


def test_a_large_file_arrives_in_parts_and_whole(exporting: Exporting, s3_server: S3Server, bucket: str) -> None:
    exporting.change(output_buckets={bucket: s3_server.options})
    files = {"big.tif": os.urandom(20_000_001)}
    job = exporting.finished(exporting.to_bucket(f"s3://{bucket}/p"), files)
    exporting.start()
    until(lambda: exporting.is_over(job))
    assert exporting.shown(job)["state"] == "delivered"
    assert in_bucket(s3_server, f"s3://{bucket}/p", "big.tif") == files["big.tif"]


def test_a_file_whose_job_is_removed_meanwhile_is_not_in_the_bucket_nor_a_part_of_it(
    exporting: Exporting, s3_server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "_BEAT_S", 0.0)
    renew, calls = exports.renew, []

    def removed(database: Database, export: exports.Export, **values: Any) -> bool:
        calls.append(None)
        if len(calls) == 20:
            jobs.remove(database, export.job_id, export.owner)
        return renew(database, export, **values)

    monkeypatch.setattr(exports, "renew", removed)
    exporting.change(output_buckets={bucket: s3_server.options})
    files = {"a.tif": b"a", "big.tif": os.urandom(60_000_000)}
    exporting.finished(exporting.to_bucket(f"s3://{bucket}/p"), files)
    exporter = exporting.start()
    until(lambda: len(calls) >= 20 and not exporter._busy)
    listed = s3_server.ask("GET", bucket)
    assert "p/a.tif" in listed
    assert "big.tif" not in listed
    assert "big.tif" not in s3_server.ask("GET", f"{bucket}?uploads")
    assert exporting.waiting() == []


# -- by presigned addresses


def test_files_and_the_archive_are_put_to_their_addresses_with_their_sums(
    exporting: Exporting, put_server: PutServer
) -> None:
    exporting.change(output_hosts=(put_server.host,))
    addresses = {"results.zip": put_server.address("all.zip"), "report.json": put_server.address("r/report")}
    job = exporting.finished(exporting.to_addresses(addresses))
    exporting.start()
    until(lambda: exporting.is_over(job))
    archive, report = put_server.got
    assert [archive.path, report.path] == [url.partition(put_server.host)[2] for url in addresses.values()]
    with zipfile.ZipFile(io.BytesIO(archive.body)) as opened:
        assert opened.testzip() is None
        assert {name: opened.read(name) for name in FILES} == FILES
    for got, kind in ((archive, "application/zip"), (report, "application/json")):
        assert got.headers["content-type"] == kind
        assert got.headers["content-length"] == str(len(got.body))
        assert got.headers["content-md5"] == md5(got.body)
        assert "transfer-encoding" not in got.headers
        assert "authorization" not in got.headers
    shown = exporting.shown(job)
    assert shown["put"] == dict.fromkeys(addresses, f"https://{put_server.host}")
    assert (shown["state"], shown["files"]) == ("delivered", 2)
    assert shown["bytes"] == len(archive.body) + len(report.body)


def md5(body: bytes) -> str:
    import base64
    import hashlib

    return base64.b64encode(hashlib.md5(body).digest()).decode()


def test_an_old_signature_that_takes_in_headers_gets_none(exporting: Exporting, put_server: PutServer) -> None:
    exporting.change(output_hosts=(put_server.host,))
    url = f"https://{put_server.host}/a?AWSAccessKeyId=x&Signature=y&Expires={int(time.time()) + HOUR_S}"
    job = exporting.finished(exporting.to_addresses({"report.json": url}))
    exporting.start()
    until(lambda: exporting.is_over(job))
    (got,) = put_server.got
    assert not {"content-type", "content-md5"} & set(got.headers)


def test_an_outage_is_waited_for_and_then_it_is_delivered(
    exporting_on_each: Exporting, put_tls: ssl.SSLContext, wall_clock: WallClock
) -> None:
    before = PutServer(put_tls)
    before.close()
    exporting_on_each.change(output_hosts=(NAME,))
    job = exporting_on_each.finished(exporting_on_each.to_addresses({"report.json": before.address("a")}))
    exporting_on_each.start()
    for tries in (1, 2):
        until(lambda tries=tries: exporting_on_each.shown(job)["tries"] == tries)
        assert exporting_on_each.shown(job)["detail"] == "report.json: connection refused"
        wall_clock.move(60 if tries == 1 else 0)
    after = PutServer(put_tls, before.port)
    try:
        wall_clock.move(600)
        until(lambda: exporting_on_each.is_over(job))
    finally:
        after.close()
    assert [got.body for got in after.got] == [b"{}"]
    assert exporting_on_each.shown(job)["tries"] == 3


@pytest.mark.parametrize("early", [False, True])
def test_an_address_that_is_refused_is_not_tried_again(
    exporting: Exporting, put_server: PutServer, early: bool
) -> None:
    put_server.manners = Manners([(403, {})], early=early)
    exporting.change(output_hosts=(put_server.host,))
    files = {"big.tif": bytes(20_000_000)}
    job = exporting.finished(exporting.to_addresses({"big.tif": put_server.address("a")}), files)
    exporting.start()
    until(lambda: exporting.is_over(job))
    shown = exporting.shown(job)
    said = "big.tif: it answered 403: the address has expired, or does not allow this file"
    assert (shown["state"], shown["detail"], shown["tries"]) == ("failed", said, 1)
    message = f"The result could not be delivered to {put_server.host}: {said}. Given up after 1 try."
    assert exporting.log(job) == [("warning", message)]
    assert exporting.waiting() == [], "no secret stays"
    assert len(put_server.begun) == 1
    assert jobs.get(exporting.database, job.id, None).status == "successful"


def test_an_address_that_has_expired_meanwhile_is_named(
    exporting: Exporting, put_server: PutServer, wall_clock: WallClock
) -> None:
    put_server.manners = Manners([(403, {})])
    exporting.change(output_hosts=(put_server.host,))
    signed = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(wall_clock.time))
    url = f"https://{put_server.host}/a?X-Amz-Date={signed}&X-Amz-Expires=600&{SECRET}"
    job = exporting.finished(exporting.to_addresses({"report.json": url}))
    wall_clock.move(HOUR_S)
    exporting.start()
    until(lambda: exporting.is_over(job))
    assert "it answered 403: the address expired at 20" in exporting.shown(job)["detail"]
    assert "hunter2" not in str(exporting.shown(job)) + str(exporting.log(job))


@pytest.mark.parametrize(
    ("status", "state"),
    [(500, "waiting"), (503, "waiting"), (429, "waiting"), (400, "waiting"), (404, "failed"), (302, "failed")],
)
def test_what_passes_is_tried_again_and_what_does_not_is_not(
    exporting: Exporting, put_server: PutServer, status: int, state: str
) -> None:
    inside = {"Location": "https://169.254.169.254/latest"}
    put_server.manners = Manners([(status, inside if status == 302 else {"Retry-After": "7200"})])
    exporting.change(output_hosts=(put_server.host,))
    job = exporting.finished(exporting.to_addresses({"report.json": put_server.address("a")}))
    exporting.start()
    until(lambda: "detail" in exporting.shown(job))
    shown = exporting.shown(job)
    assert shown["state"] == state
    assert f"report.json: it answered {status}" in shown["detail"]
    if state == "waiting":
        (row,) = exporting.waiting()
        assert 7100 < row.next_try - time.time() < 7300
    if status == 302:
        assert "redirects are not followed" in shown["detail"]


def test_it_is_given_up_after_so_many_tries(exporting: Exporting, put_server: PutServer, wall_clock: WallClock) -> None:
    put_server.manners = Manners([(500, {})])
    exporting.change(output_hosts=(put_server.host,), output_max_attempts=3)
    job = exporting.finished(exporting.to_addresses({"report.json": put_server.address("a")}))
    exporting.start()
    for tries in (1, 2):
        until(lambda tries=tries: exporting.shown(job)["tries"] == tries)
        wall_clock.move(90_000)
    until(lambda: exporting.is_over(job))
    assert exporting.shown(job)["state"] == "failed"
    assert exporting.log(job)[-1][1].endswith("report.json: it answered 500. Given up after 3 tries.")
    assert len(put_server.got) == 3


def test_a_connection_that_is_cut_is_begun_anew(
    exporting: Exporting, put_server: PutServer, wall_clock: WallClock
) -> None:
    put_server.manners = Manners([(200, {})], cut_at=500_000)
    exporting.change(output_hosts=(put_server.host,))
    files = {"big.tif": os.urandom(5_000_000)}
    job = exporting.finished(exporting.to_addresses({"big.tif": put_server.address("a")}), files)
    exporting.start()
    until(lambda: "detail" in exporting.shown(job))
    assert not exporting.is_over(job)
    assert "connection" in exporting.shown(job)["detail"] or "closed" in exporting.shown(job)["detail"]
    put_server.manners.cut_at = None
    wall_clock.move(60)
    until(lambda: exporting.is_over(job))
    assert [got.body for got in put_server.got] == list(files.values())


def test_a_slow_server_keeps_its_export_and_holds_up_no_other_owners(
    exporting: Exporting, put_server: PutServer, put_tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "_BEAT_S", 0.05)
    renewed: list[bool] = []
    renew = exports.renew
    monkeypatch.setattr(exports, "renew", lambda *args, **values: renewed.append(renew(*args, **values)) or renewed[-1])
    slow, quick = put_server, PutServer(put_tls)
    try:
        slow.manners = Manners([(200, {})], pause_s=0.02)
        exporting.change(output_hosts=(slow.host, quick.host))
        files = {"big.tif": os.urandom(6_000_000)}
        first = exporting.finished(exporting.to_addresses({"big.tif": slow.address("a")}), files)
        second = exporting.finished(exporting.to_addresses({"big.tif": quick.address("a")}), files, owner="bob")
        exporting.start()
        until(lambda: exporting.is_over(second))
        assert not exporting.is_over(first)
        until(lambda: exporting.is_over(first))
        assert exporting.shown(first)["state"] == "delivered"
        assert renewed
        assert all(renewed)
        assert all(renewed)
        assert len(slow.begun) == 1
    finally:
        quick.close()


def test_a_server_that_takes_in_too_little_is_left(
    exporting: Exporting, put_server: PutServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from worker.exports import putting

    monkeypatch.setattr(putting, "_AT_LEAST_S", 0.1)
    monkeypatch.setattr(putting, "_SLOWEST", 100_000_000)
    put_server.manners = Manners([(200, {})], pause_s=0.05)
    exporting.change(output_hosts=(put_server.host,))
    files = {"big.tif": os.urandom(20_000_000)}
    job = exporting.finished(exporting.to_addresses({"big.tif": put_server.address("a")}), files)
    exporting.start()
    until(lambda: "detail" in exporting.shown(job))
    assert exporting.shown(job)["detail"] == "big.tif: it took in less than 100,000,000 bytes a second"


def test_a_server_that_says_nothing_has_had_its_try(
    exporting: Exporting, put_server: PutServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from worker.exports import putting

    monkeypatch.setattr(putting, "IDLE_S", 0.3)
    put_server.manners = Manners([(200, {})], at_half=lambda: time.sleep(3))
    exporting.change(output_hosts=(put_server.host,))
    job = exporting.finished(exporting.to_addresses({"report.json": put_server.address("a")}))
    exporting.start()
    until(lambda: "detail" in exporting.shown(job))
    assert exporting.shown(job)["detail"] == "report.json: no answer within 0.3 s"


def test_paths_that_the_result_does_not_have_are_named_and_the_others_are_sent(
    exporting: Exporting, put_server: PutServer
) -> None:
    exporting.change(output_hosts=(put_server.host,))
    addresses = {name: put_server.address(name) for name in ("declouded/1999-01-01.tif", "report.json", "x/y")}
    job = exporting.finished(exporting.to_addresses(addresses))
    exporting.start()
    until(lambda: exporting.is_over(job))
    shown = exporting.shown(job)
    said = "the result has no file declouded/1999-01-01.tif, nor 1 others that were asked for"
    assert (shown["state"], shown["detail"], shown["files"]) == ("failed", said, 1)
    assert [got.body for got in put_server.got] == [b"{}"]


# -- where they do not go


def test_a_certificate_for_another_name_gets_nothing(exporting: Exporting, put_server: PutServer, names: Names) -> None:
    names.answers["other.example"] = [["127.0.0.1"]]
    exporting.change(output_hosts=("other.example",))
    url = f"https://other.example:{put_server.port}/a"
    job = exporting.finished(exporting.to_addresses({"report.json": url}))
    exporting.start()
    until(lambda: "detail" in exporting.shown(job))
    assert "its certificate is not valid" in exporting.shown(job)["detail"]
    assert put_server.begun == []


@pytest.mark.parametrize("inside", ["127.0.0.1", "169.254.169.254", "10.0.0.1", "fd00:ec2::254"])
def test_a_name_below_a_domain_that_leads_inside_is_not_connected_to(
    exporting: Exporting, put_server: PutServer, names: Names, inside: str
) -> None:
    names.answers["rebound.put.example"] = [[inside]]
    exporting.change(output_hosts=(f"*.{NAME}:{put_server.port}",))
    url = f"https://rebound.put.example:{put_server.port}/a"
    job = exporting.finished(exporting.to_addresses({"report.json": url}))
    exporting.start()
    until(lambda: "detail" in exporting.shown(job))
    said = "report.json: its host's name leads to no address that results may go to"
    assert exporting.shown(job)["detail"] == said
    assert put_server.begun == []


def test_a_host_that_the_operator_names_no_longer_gets_nothing(exporting: Exporting, put_server: PutServer) -> None:
    exporting.change(output_hosts=(put_server.host,))
    job = exporting.finished(exporting.to_addresses({"report.json": put_server.address("a")}))
    exporting.change(output_hosts=("storage.example.org",))
    exporting.start()
    until(lambda: exporting.is_over(job))
    assert exporting.shown(job)["state"] == "failed"
    assert "which is no host that this service delivers to" in exporting.shown(job)["detail"]
    assert put_server.begun == []


# -- ends, crashes, several at once


@pytest.mark.parametrize("how", ["failed", "dismissed"])
def test_a_job_without_a_result_delivers_nothing_and_keeps_no_address(
    exporting_on_each: Exporting, put_server: PutServer, how: str
) -> None:
    exporting_on_each.change(output_hosts=(put_server.host,))
    job = exporting_on_each.running(exporting_on_each.to_addresses({"results.zip": put_server.address("a")}))
    if how == "failed":
        assert jobs.fail(exporting_on_each.database, job, {"code": "internal-error", "detail": "Crashed."})
    else:
        jobs.dismiss(exporting_on_each.database, job.id, job.owner)
        assert jobs.dismissed(exporting_on_each.database, job)
    assert exporting_on_each.waiting() == []
    shown = exporting_on_each.shown(job)
    assert (shown["state"], shown["detail"]) == ("failed", "the job has no result")


def test_an_attempt_that_is_tried_again_keeps_the_destination(exporting: Exporting, put_server: PutServer) -> None:
    exporting.change(output_hosts=(put_server.host,))
    job = exporting.running(exporting.to_addresses({"report.json": put_server.address("a")}))
    assert jobs.release(exporting.database, job)
    again = jobs.claim(exporting.database, worker_id="worker-2", classes=("cpu",), lease_s=60)
    assert again is not None
    exporting.start()
    exporting.finish(again)
    until(lambda: exporting.is_over(job))
    assert exporting.shown(job)["state"] == "delivered"


def test_a_job_that_its_owner_removes_meanwhile_is_sent_no_further(
    exporting_on_each: Exporting, put_server: PutServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "_BEAT_S", 0.0)
    half, removed = threading.Event(), threading.Event()

    def at_half() -> None:
        half.set()
        removed.wait(10)

    put_server.manners = Manners([(200, {})], at_half=at_half, pause_s=0.001)
    exporting_on_each.change(output_hosts=(put_server.host,))
    files = {"big.tif": os.urandom(60_000_000)}
    destination = exporting_on_each.to_addresses(
        {"big.tif": put_server.address("a"), "report": put_server.address("b")}
    )
    job = exporting_on_each.finished(destination, files)
    exporting_on_each.start()
    assert half.wait(20)
    gone = jobs.remove(exporting_on_each.database, job.id, job.owner)
    assert gone.result_prefix is not None
    garbage.collect(exporting_on_each.database, exporting_on_each.storage, gone.result_prefix)
    removed.set()
    until(lambda: not exporting_on_each.started[0]._busy)
    assert put_server.got == []
    assert exporting_on_each.waiting() == []


def test_an_exporter_that_is_killed_in_the_middle_costs_a_try_and_nothing_else(
    exporting: Exporting, put_server: PutServer, wall_clock: WallClock
) -> None:
    exporting.change(output_hosts=(put_server.host,))
    # more than what waits on its way: the server must not have all of it when the sender dies
    files = {"a.tif": b"a" * 1000, "big.tif": os.urandom(40_000_000)}
    addresses = {path: put_server.address(path) for path in files}
    job = exporting.finished(exporting.to_addresses(addresses), files)
    halves: list[None] = []

    def at_half() -> None:
        halves.append(None)
        if len(halves) == 2:
            os.kill(process.pid, signal.SIGKILL)

    put_server.manners.at_half = at_half
    values = json.loads(exporting.settings.model_dump_json(exclude_defaults=True))
    command = [sys.executable, HELPERS / "killed_exporter.py", json.dumps(values), NAME]
    process = subprocess.Popen(command)
    assert process.wait(30) == -signal.SIGKILL
    wall_clock.time = time.time()
    assert exporting.shown(job)["files"] == 1
    exporting.start()
    time.sleep(0.2)
    assert len(put_server.got) == 1, "it may still be on its way"
    wall_clock.move(lease.LEASE_S + 10)
    until(lambda: exporting.is_over(job))
    assert [got.path.partition("?")[0] for got in put_server.got] == ["/a.tif", "/big.tif"]
    assert put_server.got[1].body == files["big.tif"]
    assert exporting.shown(job)["tries"] == 2


def test_who_is_killed_with_it_each_time_tries_no_more(
    exporting: Exporting, put_server: PutServer, wall_clock: WallClock
) -> None:
    exporting.change(output_hosts=(put_server.host,), output_max_attempts=3)
    job = exporting.finished(exporting.to_addresses({"report.json": put_server.address("a")}))
    for _ in range(3):
        assert exports.take(exporting.database, job.owner, f"{put_server.host}", lease_s=60) is not None
        wall_clock.move(61)
    exporting.start()
    until(lambda: exporting.is_over(job))
    assert exporting.shown(job)["detail"] == "it was interrupted each time"
    assert put_server.begun == []


def test_an_exporter_that_stops_gives_back_what_it_has_begun(
    exporting: Exporting, put_server: PutServer, wall_clock: WallClock
) -> None:
    half = threading.Event()
    put_server.manners = Manners([(200, {})], at_half=half.set, pause_s=0.02)
    exporting.change(output_hosts=(put_server.host,))
    files = {"big.tif": os.urandom(20_000_000)}
    job = exporting.finished(exporting.to_addresses({"big.tif": put_server.address("a")}), files)
    first = exporting.start()
    assert half.wait(20)
    began = time.monotonic()
    first.stop()
    assert time.monotonic() - began < 3
    until(lambda: exporting.waiting()[0].next_try <= wall_clock.time)
    (row,) = exporting.waiting()
    assert (row.tries, row.attempt) == (0, 1)
    put_server.manners = Manners([(200, {})])
    exporting.start()
    until(lambda: exporting.is_over(job))
    assert [got.body for got in put_server.got] == list(files.values())


def test_several_exporters_send_each_result_once(exporting_on_each: Exporting, put_server: PutServer) -> None:
    exporting_on_each.change(output_hosts=(put_server.host,))
    made = [
        exporting_on_each.finished(
            exporting_on_each.to_addresses({"report.json": put_server.address(str(number))}),
            owner=f"owner-{number % 3}",
        )
        for number in range(9)
    ]
    for _ in range(3):
        exporting_on_each.start()
    until(lambda: all(exporting_on_each.is_over(job) for job in made))
    assert sorted(got.path[1] for got in put_server.got) == sorted(map(str, range(9)))


def test_a_result_that_has_expired_is_named(exporting: Exporting, put_server: PutServer, wall_clock: WallClock) -> None:
    exporting.change(output_hosts=(put_server.host,))
    job = exporting.finished(exporting.to_addresses({"report.json": put_server.address("a")}))
    wall_clock.move(30 * 86_400)
    jobs.reap(exporting.database, exporting.settings)
    exporting.start()
    until(lambda: exporting.is_over(job))
    assert exporting.shown(job)["detail"] == "the result has expired"


def test_a_bug_costs_a_try_and_the_loop_goes_on(
    exporting: Exporting, put_server: PutServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from worker.exports import delivery

    def broken(*_: Any, **__: Any) -> None:
        raise ValueError("a bug")

    exporting.change(output_hosts=(put_server.host,))
    job = exporting.finished(exporting.to_addresses({"report.json": put_server.address("a")}))
    monkeypatch.setattr(delivery, "put", broken)
    exporting.start()
    until(lambda: "detail" in exporting.shown(job))
    assert exporting.shown(job)["detail"] == "something went wrong on our side"
    assert "a bug" in caplog.text


def test_a_database_that_is_away_for_a_while_breaks_no_delivery_off(
    exporting: Exporting, put_server: PutServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "_BEAT_S", 0.0)
    monkeypatch.setattr(lease, "_AGAIN_S", 0.01)
    away = {"renew": 5, "advance": 3}

    def sometimes(name: str) -> Any:
        call = getattr(exports, name)

        def asked(*args: Any, **values: Any) -> Any:
            away[name] -= 1
            if away[name] >= 0:
                raise DatabaseUnavailable("away")
            return call(*args, **values)

        return asked

    for name in away:
        monkeypatch.setattr(exports, name, sometimes(name))
    exporting.change(output_hosts=(put_server.host,))
    files = {"big.tif": os.urandom(30_000_000)}
    job = exporting.finished(exporting.to_addresses({"big.tif": put_server.address("a")}), files)
    exporting.start()
    until(lambda: exporting.is_over(job))
    assert (exporting.shown(job)["state"], exporting.shown(job)["tries"]) == ("delivered", 1)
    assert len(put_server.begun) == 1
    assert all(count < 0 for count in away.values())


def test_addresses_show_in_no_log_no_error_and_no_value(
    exporting: Exporting, put_server: PutServer, caplog: pytest.LogCaptureFixture, wall_clock: WallClock
) -> None:
    caplog.set_level(logging.DEBUG)
    put_server.manners = Manners([(500, {}), (403, {})])
    exporting.change(output_hosts=(put_server.host,))
    destination = exporting.to_addresses({"report.json": put_server.address("secret-path")})
    job = exporting.finished(destination)
    exporting.start()
    until(lambda: "detail" in exporting.shown(job))
    (row,) = exporting.waiting()
    wall_clock.move(60)
    until(lambda: exporting.is_over(job))
    until(lambda: "export given up" in caplog.text)
    records = str([vars(record) for record in caplog.records])
    shown = str(exporting.shown(job)) + str(exporting.log(job)) + str(jobs.get(exporting.database, job.id, None))
    for secret in ("hunter2", "secret-path"):
        assert secret in str(row.target)
        assert secret not in caplog.text + records + shown + repr(destination)


def test_what_the_database_says_of_a_row_shows_no_address(sqlite_database: Database) -> None:
    from sqlalchemy import insert
    from sqlalchemy.exc import IntegrityError

    from worker.database.tables import exports as table

    row = {"job_id": "no such job", "owner": "ann", "host": "h", "target": {"put": {"a": "https://h/?hunter2"}}}
    with pytest.raises(IntegrityError) as failed, sqlite_database.begin() as connection:
        connection.execute(insert(table).values(row))
    assert "hunter2" not in str(failed.value)


def test_one_idempotency_key_is_for_one_destination(exporting: Exporting, put_server: PutServer) -> None:
    exporting.change(output_hosts=(put_server.host,))
    first, other = (exporting.to_addresses({"report.json": put_server.address(path)}) for path in ("a", "b"))
    job = submit(exporting.database, destination=first, idempotency_key="k")
    again, created = jobs.submit(
        exporting.database,
        owner="ann",
        input_id=None,
        params={},
        limits=exporting.settings,
        destination=first,
        idempotency_key="k",
    )
    assert (again, created) == (job, False)
    assert len(exporting.waiting()) == 1
    with pytest.raises(IdempotencyConflict):
        submit(exporting.database, destination=other, idempotency_key="k")
