"""Quotas: what one owner uses is counted, also by two requests at once, and a refusal carries the numbers."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from service_jobs import LIMITS, WallClock, an_artifact, claim, complete_upload, publish, running, submit

from worker import jobs
from worker.access import keys, quotas
from worker.access.quotas import Usage
from worker.database.connections import Database
from worker.errors import QuotaExceeded, UploadTooLarge
from worker.jobs import uploads
from worker.settings import Settings


def test_what_an_owner_uses_is_counted(database: Database, wall_clock: WallClock) -> None:
    assert quotas.usage(database, "ann") == Usage(queued=0, running=0, stored_bytes=0)
    done = running(database)
    publish(database, done, an_artifact("a", size=7), an_artifact("b", size=8))
    running(database)
    submit(database)
    submit(database)
    complete_upload(database, length=100)
    uploads.create(database, owner="ann", length=1000, limits=LIMITS)
    unknown = uploads.create(database, owner="ann", length=None, limits=LIMITS)
    uploads.advance(database, unknown.id, "ann", old=0, new=30, limits=LIMITS)
    complete_upload(database, owner="bob", length=5)
    assert quotas.usage(database, "ann") == Usage(queued=2, running=1, stored_bytes=7 + 8 + 100 + 1000 + 30)
    assert quotas.usage(database, "bob") == Usage(queued=0, running=0, stored_bytes=5)
    jobs.remove(database, done.id, "ann")
    uploads.discard(database, unknown.id, "ann")
    assert quotas.usage(database, "ann").stored_bytes == 1100


def test_an_expired_result_no_longer_counts(database: Database, wall_clock: WallClock) -> None:
    publish(database, running(database, limits=Settings(artifact_expiry_s=10)), an_artifact(size=7))
    assert quotas.usage(database, "ann").stored_bytes == 7
    wall_clock.move(11)
    jobs.reap(database, LIMITS)
    assert quotas.usage(database, "ann").stored_bytes == 0


def test_more_waiting_jobs_than_allowed_are_refused_with_the_numbers(database: Database) -> None:
    limits = Settings(max_queued_per_owner=2)
    first, _ = submit(database, limits=limits, idempotency_key="k"), submit(database, limits=limits)
    with pytest.raises(QuotaExceeded, match="2 jobs are waiting, 2 may") as refused:
        submit(database, limits=limits)
    assert refused.value.extra == {"quota": "max_queued_per_owner", "limit": 2, "used": 2, "asked": 1}
    # Another owner is not concerned, nor is the repetition of a request that was accepted.
    submit(database, owner="bob", limits=limits)
    again, created = jobs.submit(database, owner="ann", input_id=None, params={}, limits=limits, idempotency_key="k")
    assert (again.id, created) == (first.id, False)
    assert claim(database) is not None
    submit(database, limits=limits)


def test_submissions_at_the_same_moment_do_not_exceed_the_quota(database: Database) -> None:
    limits = Settings(max_queued_per_owner=3)

    def try_submit(_: int) -> bool:
        try:
            submit(database, limits=limits)
        except QuotaExceeded:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(try_submit, range(16))) == 3
    assert quotas.usage(database, "ann").queued == 3


def test_an_upload_longer_than_uploads_may_be_is_refused_before_its_first_byte(database: Database) -> None:
    limits = Settings(max_upload_bytes=100)
    with pytest.raises(UploadTooLarge, match="101 bytes, one upload may have 100") as refused:
        uploads.create(database, owner="ann", length=101, limits=limits)
    assert refused.value.extra == {"quota": "max_upload_bytes", "limit": 100, "asked": 101}
    unknown = uploads.create(database, owner="ann", length=None, limits=limits)
    uploads.advance(database, unknown.id, "ann", old=0, new=100, limits=limits)
    with pytest.raises(UploadTooLarge):
        uploads.advance(database, unknown.id, "ann", old=100, new=101, limits=limits)
    assert uploads.get(database, unknown.id, "ann").offset == 100


def test_stored_bytes_are_counted_when_announced_and_refused_with_the_numbers(database: Database) -> None:
    limits = Settings(max_stored_bytes_per_owner=100)
    uploads.create(database, owner="ann", length=60, limits=limits)
    with pytest.raises(QuotaExceeded, match="60 bytes are stored and 41 more were asked for, 100 may be") as refused:
        uploads.create(database, owner="ann", length=41, limits=limits)
    assert refused.value.extra == {"quota": "max_stored_bytes_per_owner", "limit": 100, "used": 60, "asked": 41}
    uploads.create(database, owner="ann", length=40, limits=limits)
    with pytest.raises(QuotaExceeded):
        uploads.create(database, owner="ann", length=None, limits=limits)
    uploads.create(database, owner="bob", length=100, limits=limits)


def test_an_upload_of_unknown_length_is_stopped_at_the_quota(database: Database) -> None:
    limits = Settings(max_stored_bytes_per_owner=100)
    upload = uploads.create(database, owner="ann", length=None, limits=limits)
    uploads.advance(database, upload.id, "ann", old=0, new=90, limits=limits)
    with pytest.raises(QuotaExceeded) as refused:
        uploads.advance(database, upload.id, "ann", old=90, new=101, limits=limits)
    assert (refused.value.extra["used"], refused.value.extra["asked"]) == (90, 11)
    uploads.advance(database, upload.id, "ann", old=90, new=100, limits=limits)


def test_an_owner_over_the_stored_bytes_submits_nothing(database: Database) -> None:
    publish(database, running(database), an_artifact(size=101))
    with pytest.raises(QuotaExceeded, match="101 bytes are stored"):
        submit(database, limits=Settings(max_stored_bytes_per_owner=100))


def test_a_keys_own_figures_take_the_place_of_the_settings(database: Database) -> None:
    key, _ = keys.create(database, owner="ann", quota={"max_queued_per_owner": 1, "max_running_per_owner": 1})
    general = Settings(max_upload_bytes=123)
    limits = quotas.limits_for(general, key.quota)
    assert (limits.max_queued_per_owner, limits.max_upload_bytes) == (1, 123)
    assert quotas.limits_for(general, {}) == general
    submit(database, limits=limits)
    with pytest.raises(QuotaExceeded):
        submit(database, limits=limits)
    assert claim(database) is not None
    submit(database, limits=limits)
    assert claim(database) is None  # one runs, and one may
