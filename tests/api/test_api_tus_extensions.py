"""tus 1.0 beyond pieces in a row: uploads made of others, first bytes with the first request, other methods by POST."""

import asyncio
import hashlib
import threading
from itertools import pairwise
from typing import Any

import httpx
import pytest
from service_api import Serve, ServedApi, User
from service_jobs import WallClock
from service_storages import pattern
from service_workers import until
from tus_requests import PIECE, TUS, b64, begin, code_of, offset_of, send, staged, stored

from api.receiving import completion
from worker import jobs
from worker.access import quotas
from worker.errors import NotFound
from worker.jobs import uploads

CONTENT = pattern(1_000_003)
PARTIAL = {"Upload-Concat": "partial"}


def part(user: User, content: bytes) -> str:
    """The address of a complete partial upload."""
    address = begin(user, len(content), **PARTIAL)
    if content:
        assert send(user, address, 0, content).status_code == 204
    return address


def parts(user: User, *cuts: int, content: bytes = CONTENT) -> list[str]:
    """Addresses of the content's parts, in order."""
    ends = [0, *cuts, len(content)]
    return [part(user, content[start:stop]) for start, stop in pairwise(ends)]


def make_final(user: User, addresses: list[str], **headers: str) -> httpx.Response:
    return user.post("/uploads", headers={**TUS, "Upload-Concat": f"final;{' '.join(addresses)}", **headers})


def address_of(answer: httpx.Response, user: User) -> str:
    assert answer.status_code == 201, answer.text
    return str(answer.headers["location"].removeprefix(user.api.url))


def test_a_final_upload_is_its_parts_in_the_order_it_names_them(user: User) -> None:
    first, second, third = parts(user, 400_000, 400_001)
    assert user.head(first, headers=TUS).headers["upload-concat"] == "partial"
    named = [user.api.url + first, second, "uploads/" + third.rpartition("/")[2]]  # however an address may be written
    answer = make_final(user, named, **{"Upload-Metadata": f"filename {b64(b'fields.zip')}"})
    address = address_of(answer, user)
    told = user.get(address).json()
    assert (told["state"], told["name"], told["concat"]) == ("complete", "fields.zip", "final")
    assert told["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert stored(user, address) == CONTENT
    head = user.head(address, headers=TUS)
    assert head.headers["upload-concat"] == "final;" + " ".join(named)
    assert head.headers["upload-length"] == head.headers["upload-offset"] == str(len(CONTENT))
    assert user.submit(sequence={"href": address})


def test_the_order_of_the_parts_is_the_final_ones_not_that_of_their_beginning(user: User) -> None:
    first, second = parts(user, 10, content=b"0123456789abcdef")
    assert stored(user, address_of(make_final(user, [second, first]), user)) == b"abcdef0123456789"


def test_a_final_upload_takes_no_bytes(user: User) -> None:
    address = address_of(make_final(user, parts(user, 5)), user)
    for offset in (0, len(CONTENT)):
        answer = send(user, address, offset, b"x")
        assert (answer.status_code, code_of(answer)) == (403, "upload-is-final")
    for headers, body in (({"Upload-Length": "5"}, b""), ({"Content-Type": PIECE["Content-Type"]}, b"x")):
        answer = user.post("/uploads", headers={**TUS, "Upload-Concat": f"final;{address}", **headers}, content=body)
        assert (answer.status_code, code_of(answer)) == (400, "invalid-request")


def test_bytes_of_parts_are_counted_once_at_every_moment(api: ServedApi) -> None:
    user = api.user(max_stored_bytes_per_owner=len(CONTENT) + 10)
    addresses = parts(user, 500_000)
    address = address_of(make_final(user, addresses), user)
    assert quotas.usage(api.database, user.owner).stored_bytes == len(CONTENT)
    assert [upload["href"] for upload in user.get("/uploads").json()["uploads"]] == [address]
    assert user.put("/uploads/x.zip", content=b"x" * 11).status_code == 429
    assert user.put("/uploads/x.zip", content=b"x" * 10).status_code == 201
    assert user.delete(address, headers=TUS).status_code == 204
    assert quotas.usage(api.database, user.owner).stored_bytes == 10
    assert user.head(addresses[0], headers=TUS).status_code == 404


def test_a_whole_larger_than_one_upload_may_be_is_refused_and_its_parts_stay(api: ServedApi) -> None:
    user = api.user(max_upload_bytes=600_000)
    addresses = parts(user, 500_000)
    answer = make_final(user, addresses)
    assert (answer.status_code, code_of(answer), answer.json()["limit"]) == (413, "upload-too-large", 600_000)
    assert [offset_of(user, address) for address in addresses] == [500_000, 500_003]
    assert make_final(user, addresses[:1]).status_code == 201


def test_who_missed_the_answer_asks_again_and_gets_the_same_upload(user: User) -> None:
    addresses = parts(user, 300_000)
    address = address_of(make_final(user, addresses), user)
    assert [offset_of(user, each) for each in addresses] == [300_000, 700_003]  # nothing is sent once more
    assert address_of(make_final(user, addresses), user) == address
    assert len(user.get("/uploads").json()["uploads"]) == 1


def test_a_part_belongs_to_one_whole(user: User) -> None:
    first, second = parts(user, 300_000)
    make_final(user, [first, second])
    answer = make_final(user, [second])
    assert (answer.status_code, code_of(answer)) == (409, "upload-in-use")
    assert make_final(user, [first, first]).status_code == 400


def test_what_is_no_part_of_ones_own_is_refused_alike_whether_it_exists_or_not(api: ServedApi, user: User) -> None:
    theirs, mine = part(api.user(), b"theirs"), part(user, b"mine")
    nowhere = "/uploads/00000000-0000-0000-0000-000000000000"
    ordinary = f"/uploads/{user.upload()}"
    said = set()
    for other in (theirs, nowhere, ordinary):
        answer = make_final(user, [mine, other])
        assert (answer.status_code, code_of(answer)) == (400, "invalid-request")
        said.add(answer.json()["detail"].replace(other.rpartition("/")[2], "ID"))
    assert len(said) == 1
    assert offset_of(user, mine) == 4
    assert make_final(user, [mine]).status_code == 201


def test_a_part_that_is_not_complete_is_waited_for(user: User) -> None:
    whole, half = part(user, b"whole"), begin(user, 10, **PARTIAL)
    send(user, half, 0, b"12345")
    answer = make_final(user, [whole, half])
    assert (answer.status_code, code_of(answer), answer.json()["offset"]) == (409, "upload-not-ready", 5)
    send(user, half, 5, b"67890")
    assert stored(user, address_of(make_final(user, [whole, half]), user)) == b"whole1234567890"


@pytest.mark.parametrize(
    "said",
    [
        "final",
        "final;",
        "whole",
        "partial;/uploads/x",
        "final;https://elsewhere.example/uploads/00000000-0000-0000-0000-000000000000",
        "final;/jobs/00000000-0000-0000-0000-000000000000",
        "final;/uploads/../jobs",
        "final;/uploads/%2e%2e",
        "final;http://[",
    ],
)
def test_malformed_concatenations_are_refused(user: User, said: str) -> None:
    answer = user.post("/uploads", headers={**TUS, "Upload-Concat": said})
    assert (answer.status_code, code_of(answer)) == (400, "invalid-request")
    assert user.get("/uploads").json()["uploads"] == []


def test_a_part_is_no_input_of_a_job(user: User) -> None:
    body = {"inputs": {"sequence": {"href": part(user, b"a part")}}}
    for query in ("", "?validate_only=true"):
        answer = user.post(f"/processes/decloud/execution{query}", json=body)
        assert (answer.status_code, code_of(answer)) == (409, "upload-not-ready")
        assert "part" in answer.json()["detail"]


def test_parts_without_bytes_are_complete_when_they_begin_and_a_whole_has_some(user: User) -> None:
    empty, also_empty, some = part(user, b""), part(user, b""), part(user, b"some")
    assert user.get(empty).json()["state"] == "complete"
    assert make_final(user, [empty, also_empty]).status_code == 400
    assert stored(user, address_of(make_final(user, [empty, some, also_empty]), user)) == b"some"


def test_parts_that_nobody_joins_expire_like_every_upload(serve: Serve, wall_clock: WallClock) -> None:
    api = serve()
    user = api.user()
    lonely, (joined, other) = part(user, b"lonely"), parts(user, 5)
    wall_clock.move(api.settings.upload_expiry_s / 2)
    address = address_of(make_final(user, [joined, other]), user)
    wall_clock.move(api.settings.upload_expiry_s / 2 + 1)
    jobs.reap(api.database, api.settings, take_leases=False)
    assert user.head(lonely, headers=TUS).status_code == 404
    assert offset_of(user, address) == len(CONTENT)
    wall_clock.move(api.settings.upload_expiry_s)
    jobs.reap(api.database, api.settings, take_leases=False)
    for gone in (address, joined, other):
        assert user.head(gone, headers=TUS).status_code == 404
    assert quotas.usage(api.database, user.owner).stored_bytes == 0


def test_the_bytes_of_parts_go_when_they_are_in_the_whole(serve: Serve) -> None:
    api = serve()
    user = api.user()
    addresses = parts(user, 5)
    address = address_of(make_final(user, addresses), user)
    for prefix in jobs.reap(api.database, api.settings, take_leases=False).garbage:
        api.storage.delete_prefix(prefix)
    for gone in addresses:
        with pytest.raises(NotFound):
            stored(user, gone)
    assert stored(user, address) == CONTENT
    assert address_of(make_final(user, addresses), user) == address


@pytest.mark.parametrize("step", ["storage.put", "uploads.complete"])
def test_a_crash_while_parts_are_joined_is_made_good(user: User, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = parts(user, 300_000)
    with monkeypatch.context() as broken:
        target: Any = user.api.app.state.services.storage if step == "storage.put" else uploads
        broken.setattr(target, step.partition(".")[2], _crash)
        assert make_final(user, addresses).status_code == 500
    answer = user.delete(addresses[0], headers=TUS)
    assert (answer.status_code, code_of(answer)) == (409, "upload-in-use")
    address = address_of(make_final(user, addresses), user)
    assert stored(user, address) == CONTENT
    assert user.get(address).json()["sha256"] == hashlib.sha256(CONTENT).hexdigest()


def _crash(*_: Any, **__: Any) -> None:
    raise RuntimeError("killed here")


def test_looking_at_a_whole_that_a_crash_left_goes_on_with_it_and_waits_for_nothing(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = parts(user, 300_000)
    with monkeypatch.context() as broken:
        broken.setattr(uploads, "complete", _crash)
        assert make_final(user, addresses).status_code == 500
    (left,) = [upload for upload in user.get("/uploads").json()["uploads"] if upload.get("concat") == "final"]
    go_on, join = threading.Event(), completion.join

    def slow_join(*arguments: Any) -> str:
        go_on.wait(10)
        return join(*arguments)

    monkeypatch.setattr(completion, "join", slow_join)
    head = user.head(left["href"], headers=TUS)
    assert (head.status_code, head.headers["upload-length"]) == (200, str(len(CONTENT)))
    assert "upload-offset" not in head.headers
    answer = user.post("/processes/decloud/execution", json={"inputs": {"sequence": {"href": left["href"]}}})
    assert code_of(answer) == "upload-not-ready"
    go_on.set()
    until(lambda: user.get(left["href"]).json()["state"] == "complete")
    assert stored(user, left["href"]) == CONTENT


def test_many_requests_for_one_whole_make_it_once(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    addresses, joined, join = parts(user, 300_000), [], completion.join

    def counted(*arguments: Any) -> str:
        joined.append(1)
        return join(*arguments)

    monkeypatch.setattr(completion, "join", counted)

    async def ask_many() -> list[httpx.Response]:
        headers = {**TUS, "Authorization": f"Bearer {user.key}", "Upload-Concat": f"final;{' '.join(addresses)}"}
        async with httpx.AsyncClient(base_url=user.api.url, headers=headers, trust_env=False) as client:
            return await asyncio.gather(*(client.post("/uploads") for _ in range(8)))

    answers = asyncio.run(ask_many())
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.headers["location"] for answer in answers}) == len(joined) == 1


def test_a_server_that_stops_does_not_wait_for_a_whole_and_the_next_makes_it(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = serve()
    user = api.user()
    addresses = parts(user, 300_000)
    join, receiving = completion.join, api.app.state.services.intake

    def join_and_stop(*arguments: Any) -> str:
        receiving.interrupt_all()
        return join(*arguments)

    with monkeypatch.context() as stopping:
        stopping.setattr(completion, "join", join_and_stop)
        answer = make_final(user, addresses)
    assert (answer.status_code, code_of(answer)) == (503, "not-ready")
    receiving._completion._stopping.clear()  # as a new process
    assert stored(user, address_of(make_final(user, addresses), user)) == CONTENT


def test_a_full_disk_leaves_the_parts_as_they_are(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = parts(user, 300_000)
    with monkeypatch.context() as full:
        incoming = user.api.app.state.services.incoming
        full.setattr(incoming, "settings", incoming.settings.model_copy(update={"disk_floor_bytes": 2**60}))
        answer = make_final(user, addresses)
        assert (answer.status_code, code_of(answer)) == (507, "storage-full")
    assert stored(user, address_of(make_final(user, addresses), user)) == CONTENT


def test_an_upload_may_begin_with_its_first_bytes(user: User) -> None:
    def begin_with(content: Any, length: int, **headers: str) -> httpx.Response:
        return user.post("/uploads", headers={**PIECE, "Upload-Length": str(length), **headers}, content=content)

    answer = begin_with(CONTENT[:700_000], len(CONTENT))
    address = address_of(answer, user)
    assert answer.headers["upload-offset"] == "700000"
    assert send(user, address, 700_000, CONTENT[700_000:]).status_code == 204
    assert stored(user, address) == CONTENT
    large = pattern(3_000_000)  # more than another request's body may have
    whole = begin_with(iter([large]), len(large), **{"Upload-Checksum": f"sha1 {b64(hashlib.sha1(large).digest())}"})
    assert whole.headers["upload-offset"] == str(len(large))
    assert user.get(address_of(whole, user)).json()["state"] == "complete"
    assert address_of(begin_with(b"", 5), user)
    assert begin_with(b"abc", 3, **PARTIAL).headers["upload-offset"] == "3"


def test_first_bytes_that_are_refused_leave_nothing(api: ServedApi, user: User) -> None:
    before = staged(api)
    for status, content, headers in (
        (400, b"x" * 11, {}),
        (400, iter([b"x" * 11]), {}),
        (460, b"x" * 10, {"Upload-Checksum": f"sha1 {b64(bytes(20))}"}),
        (400, b"x" * 10, {"Upload-Checksum": "md5 AAAA"}),
        (415, b"x" * 10, {"Content-Type": "text/plain"}),
        (415, b"x" * 10, {"Content-Encoding": "gzip"}),
    ):
        answer = user.post("/uploads", headers={**PIECE, "Upload-Length": "10", **headers}, content=content)
        assert answer.status_code == status, answer.text
    assert user.get("/uploads").json()["uploads"] == []
    assert staged(api) == before


def test_a_first_piece_that_breaks_off_leaves_nothing(api: ServedApi, user: User) -> None:
    before = staged(api)
    head = ["POST /uploads HTTP/1.1", *(f"{name}: {value}" for name, value in PIECE.items())]
    connection = user.raw("\r\n".join([*head, "Upload-Length: 100000", "Content-Length: 100000"]))
    connection.sendall(b"x" * 50_000)
    until(lambda: user.get("/uploads").json()["uploads"])
    connection.close()
    until(lambda: not user.get("/uploads").json()["uploads"])
    assert staged(api) == before


def by_post(user: User, address: str, method: str, **headers: str) -> httpx.Response:
    content = headers.pop("content", "").encode()
    return user.post(address, headers={**TUS, "X-HTTP-Method-Override": method, **headers}, content=content)


def test_a_post_that_says_to_be_another_method_is_that(user: User) -> None:
    address = begin(user, 2_000_000)
    large = pattern(1_999_999)  # more than another request's body may have
    sent = user.post(address, headers={**PIECE, "X-HTTP-Method-Override": "PATCH", "Upload-Offset": "0"}, content=large)
    assert (sent.status_code, sent.headers["upload-offset"]) == (204, "1999999")
    head = by_post(user, address, "HEAD")
    assert (head.status_code, head.content, head.headers["upload-offset"]) == (200, b"", "1999999")
    assert by_post(user, address, "DELETE").status_code == 204
    assert by_post(user, address, "HEAD").status_code == 404


def test_no_other_method_and_no_other_address_is_overridden(api: ServedApi, user: User) -> None:
    address = begin(user, 10)
    for method in ("PUT", "GET", "TRACE", "delete", "DELETE, PATCH"):
        answer = by_post(user, address, method)
        assert (answer.status_code, code_of(answer)) == (400, "invalid-request")
    override = {"X-HTTP-Method-Override": "DELETE"}
    assert user.get(address, headers=override).status_code == 200  # a GET changes nothing, whatever it says
    job = user.submit()
    assert user.post(f"/jobs/{job}", headers=override).status_code == 405
    assert user.get(f"/jobs/{job}").json()["status"] == "accepted"
    assert api.anybody().post(address, headers={**TUS, **override}).status_code == 401
    assert offset_of(user, address) == 0
