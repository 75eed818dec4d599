"""API keys: who has one comes in, everybody else is told the same."""

import re

import pytest
from service_jobs import WallClock
from sqlalchemy import select

from worker.access import keys
from worker.database.connections import Database
from worker.database.tables import api_keys
from worker.errors import InvalidRequest, NotFound, Unauthorized


def test_a_key_lets_its_owner_in(database: Database) -> None:
    made, text = keys.create(database, owner="ann", name="laptop", quota={"max_queued_per_owner": 5})
    assert re.fullmatch(r"dcl_[0-9a-f]{12}_[0-9a-f]{48}", text)
    found = keys.authenticate(database, text)
    assert (found.id, found.owner, found.name, found.quota) == (made.id, "ann", "laptop", {"max_queued_per_owner": 5})


def test_the_database_does_not_hold_the_key(database: Database) -> None:
    _, text = keys.create(database, owner="ann")
    secret = text.rpartition("_")[2]
    with database.read() as connection:
        (row,) = connection.execute(select(api_keys))
    assert secret not in repr(tuple(row))
    assert len(row.hash) == 64


def test_every_wrong_key_is_refused_in_the_same_words(database: Database, wall_clock: WallClock) -> None:
    _, good = keys.create(database, owner="ann")
    expiring, expired = keys.create(database, owner="ann", expires_s=10)
    revoked_key, revoked = keys.create(database, owner="ann")
    assert expiring.expires == wall_clock.time + 10
    assert keys.authenticate(database, expired).owner == keys.authenticate(database, revoked).owner == "ann"
    keys.revoke(database, revoked_key.id)
    wall_clock.move(10)
    changed = good[:-1] + ("0" if good[-1] != "0" else "1")
    other_id = good.replace(good[4:16], "0" * 12)
    wrong = ["", "dcl_", changed, other_id, expired, revoked, good + "0", good.upper(), "\x00", good + "\n", "ü" * 65]
    said = set()
    for text in wrong:
        with pytest.raises(Unauthorized) as refused:
            keys.authenticate(database, text)
        said.add((str(refused.value), repr(refused.value.extra)))
    assert len(said) == 1
    assert keys.authenticate(database, good).owner == "ann"


def test_revoking_twice_keeps_the_first_time(database: Database, wall_clock: WallClock) -> None:
    key, _ = keys.create(database, owner="ann")
    first = keys.revoke(database, key.id)
    wall_clock.move(5)
    assert keys.revoke(database, key.id) == first
    for unknown in ("0" * 12, "\x00", ""):
        with pytest.raises(NotFound):
            keys.revoke(database, unknown)


def test_keys_are_listed_for_all_or_one_owner(database: Database, wall_clock: WallClock) -> None:
    made = []
    for owner in ("ann", "bob", "ann"):
        made.append(keys.create(database, owner=owner)[0])
        wall_clock.move(1)
    assert list(keys.listing(database)) == made
    assert list(keys.listing(database, "ann")) == [made[0], made[2]]


def test_use_is_noted_but_not_with_a_write_for_each_request(database: Database, wall_clock: WallClock) -> None:
    _, text = keys.create(database, owner="ann")

    def last_used() -> float | None:
        return keys.listing(database)[0].last_used

    assert last_used() is None
    keys.authenticate(database, text)
    first = last_used()
    assert first == wall_clock.time
    wall_clock.move(30)
    keys.authenticate(database, text)
    assert last_used() == first
    wall_clock.move(31)
    keys.authenticate(database, text)
    assert last_used() == wall_clock.time
    wall_clock.move(-3600)
    keys.authenticate(database, text)
    assert last_used() == wall_clock.time


@pytest.mark.parametrize("owner", ["", "-ann", "an n", "ann\n", "ann\x00", "a" * 101, "../ann"])
def test_an_owner_is_a_plain_name(database: Database, owner: str) -> None:
    with pytest.raises(InvalidRequest, match="owner"):
        keys.create(database, owner=owner)


@pytest.mark.parametrize("quota", [{"max_dogs": 1}, {"max_upload_bytes": 0}, {"max_run_s": 1.5}, {"max_run_s": True}])
def test_a_quota_is_a_known_name_and_a_whole_number(database: Database, quota: dict[str, int]) -> None:
    with pytest.raises(InvalidRequest, match=next(iter(quota))):
        keys.create(database, owner="ann", quota=quota)
    with pytest.raises(InvalidRequest):
        keys.create(database, owner="ann", expires_s=0)
    assert keys.listing(database) == ()
