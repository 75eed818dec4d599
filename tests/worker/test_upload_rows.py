"""Rows about uploads: offsets are fenced, bytes are counted, nothing that is needed goes."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from service_jobs import LIMITS, complete_upload, submit

from worker import jobs
from worker.access import quotas
from worker.database.connections import Database
from worker.errors import InvalidRequest, NotFound, OffsetConflict, UploadInUse, UploadNotReady
from worker.jobs import garbage, joining, uploads


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


def partial(database: Database, length: int = 10, *, owner: str = "ann") -> uploads.Upload:
    """A complete one."""
    upload = uploads.create(database, owner=owner, length=length, limits=LIMITS, concat="partial")
    if length:
        uploads.advance(database, upload.id, owner, old=0, new=length, limits=LIMITS)
    return uploads.complete(database, upload.id, owner, sha256="0" * 64, limits=LIMITS)


def final_of(database: Database, *parts: str, owner: str = "ann") -> uploads.Upload:
    return joining.create_final(database, owner=owner, concat="final;...", parts=parts, limits=LIMITS)


def test_bytes_of_parts_move_to_the_whole_in_one_moment(database: Database) -> None:
    first, second = partial(database), partial(database, 5)
    final = final_of(database, first.id, second.id)
    assert (final.state, final.offset, final.length, final.parts) == ("receiving", 0, 15, (first.id, second.id))
    assert quotas.usage(database, "ann").stored_bytes == 15
    assert final_of(database, first.id, second.id) == final
    assert garbage.due(database) == ()
    done = uploads.complete(database, final.id, "ann", sha256="s", limits=LIMITS)
    assert (done.state, done.offset) == ("complete", 15)
    assert quotas.usage(database, "ann").stored_bytes == 15
    assert set(garbage.due(database)) == {first.key, second.key}
    assert uploads.listing(database, "ann") == (done,)
    uploads.discard(database, final.id, "ann")
    assert quotas.usage(database, "ann").stored_bytes == 0
    with pytest.raises(NotFound):
        uploads.get(database, first.id, "ann")


def test_of_two_wholes_that_want_one_part_one_gets_it(database: Database) -> None:
    shared, others = partial(database), [partial(database) for _ in range(4)]

    def ask(other: uploads.Upload) -> bool:
        try:
            final_of(database, shared.id, other.id)
        except UploadInUse:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(ask, others)) == [False, False, False, True]
    assert quotas.usage(database, "ann").stored_bytes == 50


def test_who_asks_for_one_whole_many_times_at_once_gets_one(database: Database) -> None:
    parts = [partial(database).id for _ in range(3)]
    with ThreadPoolExecutor(4) as pool:
        finals = set(pool.map(lambda _: final_of(database, *parts).id, range(8)))
    assert len(finals) == len(uploads.listing(database, "ann")) == 1


def test_no_part_is_taken_from_another_owner_or_removed_under_its_whole(database: Database) -> None:
    mine, theirs = partial(database), partial(database, owner="bob")
    with pytest.raises(InvalidRequest, match="no partial upload of yours"):
        final_of(database, mine.id, theirs.id)
    final_of(database, mine.id)
    with pytest.raises(UploadInUse, match="remove that one"):
        uploads.discard(database, mine.id, "ann")
    with pytest.raises(UploadNotReady, match="is a part"):
        jobs.submit(database, owner="bob", input_id=theirs.id, params={}, limits=LIMITS)
