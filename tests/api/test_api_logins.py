"""Staying signed in: the cookie, whom it lets in and for how long, and which pages may make use of it."""

import http.cookies

import httpx
import pytest
from service_api import Serve, User
from service_jobs import WallClock
from service_workers import until
from sqlalchemy import select
from tus_requests import code_of

from api import deps
from worker.access import keys, logins
from worker.database.connections import Database
from worker.database.tables import logins as table
from worker.errors import Unauthorized

DAY_S = 24 * 3600


def cookie_of(answer: httpx.Response) -> http.cookies.Morsel[str]:
    (cookie,) = http.cookies.SimpleCookie(answer.headers["set-cookie"]).values()
    return cookie


def browser(user: User, *, proof: bool = True) -> User:
    """Signed in as the user: it has the cookie, and no key. proof: it shows the page's own requests."""
    answer = user.post("/login")
    assert answer.status_code == 204, answer.text
    signed_in = user.api.anybody(user.owner)
    cookie = cookie_of(answer)
    signed_in.headers["Cookie"] = f"{cookie.key}={cookie.value}"
    if proof:
        signed_in.headers.update({"X-CSRF": "1", "Sec-Fetch-Site": "same-origin"})
    return signed_in


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, code_of(answer)


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites_and_is_not_the_key(user: User) -> None:
    cookie = cookie_of(user.post("/login"))
    assert (cookie.key, cookie["path"], cookie["domain"]) == ("decloud_login", "/", "")
    assert (cookie["httponly"], cookie["samesite"], cookie["secure"]) == (True, "strict", "")
    assert 13.9 * DAY_S < int(cookie["max-age"]) <= 14 * DAY_S
    assert user.key is not None
    assert not any(part in cookie.value for part in user.key.split("_")[1:])


def test_over_https_no_other_host_can_set_it_and_it_goes_over_https_alone(serve: Serve) -> None:
    user = serve(public_url="https://sat.example.org/decloud").user()
    cookie = cookie_of(user.post("/login"))
    assert (cookie.key, cookie["path"], cookie["secure"]) == ("__Host-decloud_login", "/", True)
    plain = user.api.anybody()
    plain.headers["Cookie"] = f"decloud_login={cookie.value}"
    assert plain.get("/jobs").status_code == 401
    plain.headers["Cookie"] = f"{cookie.key}={cookie.value}"
    assert plain.get("/jobs").status_code == 200


def test_it_does_what_the_key_does(user: User) -> None:
    signed_in = browser(user)
    upload = signed_in.upload()
    job = signed_in.submit(sequence={"href": f"/uploads/{upload}"})
    assert user.get(f"/jobs/{job}").json()["id"] == job
    user.api.finish(job, {"report.json": b"{}"})
    # As links and EventSource ask, with no header of ours.
    plain = browser(user, proof=False)
    for path in (f"/jobs/{job}", f"/jobs/{job}/results.zip", f"/jobs/{job}/results/report.json"):
        assert plain.get(path).status_code == 200
    with plain.stream("GET", f"/jobs/{job}/events") as events:
        assert events.headers["content-type"].startswith("text/event-stream")
    assert user.api.user().get(f"/jobs/{job}").status_code == 404
    # The header of a proxy's own password is no key.
    assert plain.get("/metrics", headers={"Authorization": "Basic dXNlcjpwYXNz"}).status_code == 200


def test_what_changes_something_needs_the_pages_proof(user: User) -> None:
    job = user.submit()
    signed_in = browser(user, proof=False)
    own = {"Origin": user.api.url}
    for headers in (
        {},
        own,
        {"Sec-Fetch-Site": "same-origin"},
        {"X-CSRF": "1"},
        {"X-CSRF": "1", "Sec-Fetch-Site": "same-site"},
        {"X-CSRF": "1", "Sec-Fetch-Site": "cross-site", **own},
        {"X-CSRF": "1", "Sec-Fetch-Site": "none"},
        {"X-CSRF": "1", "Origin": "https://evil.example"},
        {"X-CSRF": "1", "Origin": "null"},
        {"X-CSRF": "1", "Origin": f"http://127.0.0.1:{user.api.port + 1}"},
    ):
        for method, path in (("DELETE", f"/jobs/{job}"), ("PUT", "/uploads/x.zip"), ("POST", "/logout")):
            assert refusal(signed_in.request(method, path, headers=headers)) == (403, "foreign-page"), headers
        answer = signed_in.post(f"/jobs/{job}/resubmit", json={}, headers=headers)
        assert refusal(answer) == (403, "foreign-page"), headers
    assert user.get(f"/jobs/{job}").json()["status"] == "accepted"
    for headers in ({"X-CSRF": "1", **own}, {"X-CSRF": "1", "Sec-Fetch-Site": "same-origin"}):
        assert signed_in.post(f"/jobs/{job}/resubmit", json={}, headers=headers).status_code == 201
    # A key is no cookie: no browser sends it by itself.
    assert user.delete(f"/jobs/{job}", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_pages_of_other_origins_read_nothing_by_it(serve: Serve) -> None:
    user = serve(allowed_origins="https://maps.example.org").user()
    signed_in = browser(user, proof=False)
    assert signed_in.get("/jobs").status_code == 200
    for headers in (
        {"Origin": "https://maps.example.org"},
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        answer = signed_in.get("/jobs", headers=headers)
        assert answer.status_code == 401
        assert "access-control-allow-credentials" not in answer.headers
    preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-csrf"}
    asked = signed_in.options("/jobs", headers={"Origin": "https://maps.example.org", **preflight})
    assert asked.status_code == 400
    assert user.get("/jobs", headers={"Origin": "https://maps.example.org"}).status_code == 200
    assert refusal(user.post("/login", headers={"Origin": "https://maps.example.org"})) == (403, "foreign-page")


@pytest.mark.usefixtures("impatient")
def test_revoking_the_key_ends_its_logins(user: User) -> None:
    signed_in, other = browser(user), browser(user.api.user(user.owner))
    keys.revoke(user.api.database, str(user.key).split("_")[1])
    until(lambda: signed_in.get("/jobs").status_code == 401)
    assert other.get("/jobs").status_code == 200


def test_signing_out_ends_this_login_at_once(user: User) -> None:
    signed_in, other = browser(user), browser(user)
    assert signed_in.get("/jobs").status_code == 200
    cookie = cookie_of(signed_in.post("/logout"))
    assert (cookie.value, cookie["max-age"], cookie["path"]) == ("", "0", "/")
    assert signed_in.get("/jobs").status_code == 401
    assert other.get("/jobs").status_code == 200
    for nobody in (signed_in, user.api.anybody()):
        assert nobody.post("/logout").status_code == 204


def test_no_login_makes_another_and_a_wrong_key_none(user: User) -> None:
    signed_in = browser(user)
    for headers in ({}, {"Authorization": "Bearer dcl_000000000000_" + "0" * 48}):
        assert refusal(signed_in.post("/login", headers=headers)) == (401, "unauthorized")
        assert "set-cookie" not in signed_in.post("/login", headers=headers).headers
    token = signed_in.headers["Cookie"].partition("=")[2]
    assert user.api.anybody(key=token).get("/jobs").status_code == 401
    wrong = user.api.anybody(key="dcl_000000000000_" + "0" * 48)
    wrong.headers["Cookie"] = signed_in.headers["Cookie"]
    assert wrong.get("/jobs").status_code == 401  # what is shown counts
    for value in ("", "x", "é", user.key, "x" * 43):
        odd = user.api.anybody()
        assert odd.get("/jobs", headers=[(b"cookie", f"decloud_login={value}".encode())]).status_code == 401


def test_tries_from_one_address_are_counted(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deps, "_LOGINS_PER_MINUTE", 5)
    api = serve(proxies=())
    wrong = api.anybody(key="dcl_000000000000_" + "0" * 48)
    assert [wrong.post("/login").status_code for _ in range(7)] == [401] * 5 + [429] * 2
    assert refusal(api.user().post("/login")) == (429, "rate-limit-exceeded")


def test_an_operator_can_do_without(serve: Serve) -> None:
    on = serve()
    signed_in = browser(on.user())
    off = serve(beside=on, login_expiry_s=0).anybody()
    off.headers["Cookie"] = signed_in.headers["Cookie"]
    assert (signed_in.get("/jobs").status_code, off.get("/jobs").status_code) == (200, 401)
    for settings in ({"login_expiry_s": 0}, {"auth": "none"}):
        user = serve(**settings).user()
        assert refusal(user.post("/login")) == (404, "not-found")
        assert "login" not in [link["rel"] for link in user.get("/").json()["links"]]
        assert user.get("/login").json()["offered"] is False


def test_whether_it_is_offered_and_who_is_signed_in_can_be_asked(user: User) -> None:
    (link,) = [link for link in user.get("/").json()["links"] if link["rel"] == "login"]
    assert link["href"] == f"{user.api.url}/login"
    signed_in = browser(user)
    for asker in (user, signed_in):
        assert asker.get("/login").json() == {"offered": True, "owner": user.owner}
    signed_in.post("/logout")
    for asker in (signed_in, user.api.anybody(), user.api.anybody(key="x")):
        assert asker.get("/login").json() == {"offered": True}


def test_a_login_is_over_when_its_time_or_its_keys_is(database: Database, wall_clock: WallClock) -> None:
    key, _ = keys.create(database, owner="ann")
    short, _ = keys.create(database, owner="bob", expires_s=10)
    ann = logins.begin(database, key.id, keep_s=60)
    bob = logins.begin(database, short.id, keep_s=60)
    assert (ann.expires, bob.expires) == (wall_clock.time + 60, wall_clock.time + 10)
    assert [logins.authenticate(database, login.token).owner for login in (ann, bob)] == ["ann", "bob"]
    wall_clock.move(10)
    assert logins.authenticate(database, ann.token).id == key.id
    with pytest.raises(Unauthorized):
        logins.authenticate(database, bob.token)
    wall_clock.move(50)
    with pytest.raises(Unauthorized):
        logins.authenticate(database, ann.token)


def test_the_database_keeps_no_token_and_no_more_than_some(
    database: Database, wall_clock: WallClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logins, "_MOST", 3)
    key, _ = keys.create(database, owner="ann")
    logins.begin(database, keys.create(database, owner="bob")[0].id, keep_s=2)
    made = []
    for _ in range(5):
        made.append(logins.begin(database, key.id, keep_s=60))
        wall_clock.move(1)
    with database.read() as connection:
        rows = connection.execute(select(table)).all()
    assert len(rows) == 3
    assert not any(login.token in repr(rows) for login in made)
    for login in made[2:]:
        logins.authenticate(database, login.token)
    with pytest.raises(Unauthorized):
        logins.authenticate(database, made[1].token)
