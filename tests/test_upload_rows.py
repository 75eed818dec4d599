"""Rows about uploads: offsets are fenced, bytes are counted, nothing that is needed goes."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from service_jobs import LIMITS, complete_upload, submit

from worker import jobs
from worker.database.connections import Database
from worker.errors import InvalidRequest, NotFound, OffsetConflict, UploadInUse, UploadNotReady
from worker.jobs import garbage, uploads


def test_an_upload_grows_to_its_length_and_is_then_complete(database: Database) -> None:
    upload = uploads.create(database, owner="ann", length=10, limits=LIMITS, name="fields\x00.zip", metadata={"a": "b"})
    assert (upload.state, upload.offset, upload.metadata) == ("receiving", 0, {"a": "b"})
    assert upload.name == "fields\N{REPLACEMENT CHARACTER}.zip"
    uploads.advance(database, upload.id, "ann", old=0, new=4, limits=LIMITS)
    with pytest.raises(UploadNotReady, match="4 of 10"):
        uploads.complete(database, upload.id, "ann", sha256="s", limits=LIMITS)
    uploads.advance(database, upload.id, "ann", old=4, new=10, limits=LIMITS)
    done = uploads.complete(database, upload.id, "ann", sha256="s", limits=LIMITS)
    assert (done.state, done.sha256, done.length) == ("complete", "s", 10)
    assert uploads.complete(database, upload.id, "ann", sha256="s", limits=LIMITS) == done
    assert uploads.get(database, upload.id, "ann") == done
    assert uploads.listing(database, "ann") == (done,)


def test_a_length_may_be_said_later(database: Database) -> None:
    upload = uploads.create(database, owner="ann", length=None, limits=LIMITS)
    uploads.advance(database, upload.id, "ann", old=0, new=4, limits=LIMITS)
    said = uploads.advance(database, upload.id, "ann", old=4, new=4, limits=LIMITS, length=6)
    assert (said.offset, said.length) == (4, 6)
    with pytest.raises(InvalidRequest):
        uploads.advance(database, upload.id, "ann", old=4, new=7, limits=LIMITS)


def test_bytes_must_continue_where_the_stored_ones_end(database: Database) -> None:
    upload = uploads.create(database, owner="ann", length=10, limits=LIMITS)
    uploads.advance(database, upload.id, "ann", old=0, new=5, limits=LIMITS)
    for wrong in (0, 4, 6):
        with pytest.raises(OffsetConflict) as refused:
            uploads.advance(database, upload.id, "ann", old=wrong, new=10, limits=LIMITS)
        assert refused.value.extra == {"expected": 5, "got": wrong}
    with pytest.raises(InvalidRequest):
        uploads.advance(database, upload.id, "ann", old=5, new=4, limits=LIMITS)


def test_of_two_senders_of_the_same_bytes_one_is_refused(database: Database) -> None:
    upload = uploads.create(database, owner="ann", length=10, limits=LIMITS)

    def send(_: int) -> bool:
        try:
            uploads.advance(database, upload.id, "ann", old=0, new=10, limits=LIMITS)
        except OffsetConflict:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(send, range(4))) == [False, False, False, True]


def test_a_complete_upload_takes_no_more_bytes(database: Database) -> None:
    upload = complete_upload(database)
    with pytest.raises(OffsetConflict, match="complete"):
        uploads.advance(database, upload.id, "ann", old=10, new=10, limits=LIMITS)
    with pytest.raises(UploadNotReady):
        uploads.complete(database, upload.id, "ann", sha256="another", limits=LIMITS)


def test_another_owners_upload_is_not_found_by_any_call(database: Database) -> None:
    upload = uploads.create(database, owner="ann", length=10, limits=LIMITS)
    for upload_id, owner in ((upload.id, "bob"), ("no-such-id", "ann"), ("\x00", "ann")):
        with pytest.raises(NotFound):
            uploads.get(database, upload_id, owner)
        with pytest.raises(NotFound):
            uploads.advance(database, upload_id, owner, old=0, new=1, limits=LIMITS)
        with pytest.raises(NotFound):
            uploads.complete(database, upload_id, owner, sha256="s", limits=LIMITS)
        with pytest.raises(NotFound):
            uploads.discard(database, upload_id, owner)
    assert uploads.get(database, upload.id, "ann") == upload


def test_an_upload_is_discarded_in_any_state_but_not_under_a_job(database: Database) -> None:
    half, whole = uploads.create(database, owner="ann", length=10, limits=LIMITS), complete_upload(database)
    job, _ = jobs.submit(database, owner="ann", input_id=whole.id, params={}, limits=LIMITS)
    submit(database)
    uploads.discard(database, half.id, "ann")
    with pytest.raises(UploadInUse, match="1 jobs"):
        uploads.discard(database, whole.id, "ann")
    jobs.dismiss(database, job.id, "ann")
    uploads.discard(database, whole.id, "ann")
    assert uploads.listing(database, "ann") == ()
    assert set(garbage.due(database)) == {half.key, whole.key}
