"""The API over PostgreSQL, which refuses what SQLite lets pass."""

import base64
import json

from event_streams import parsed
from service_api import Serve, User
from service_databases import MIGRATED, PostgresServer

from worker.database.connections import Database

NUL = "a%00b"
NULS = base64.b64encode(bytes(3)).decode()


def test_everything_works_on_postgresql(
    serve: Serve, postgresql_server: PostgresServer, postgresql_database: Database
) -> None:
    api = serve(database_url=postgresql_server.url(MIGRATED))
    user = api.user()
    upload = user.upload(b"bytes")
    first = user.submit(sequence={"href": f"/uploads/{upload}"})
    second = user.submit()
    assert [user.get(f"/jobs/{job}").json()["queue_position"] for job in (first, second)] == [1, 2]
    api.finish(first, {"report.json": b"{}"})
    assert user.get(f"/jobs/{first}/results/report.json").content == b"{}"
    assert user.get(f"/jobs/{first}/results.zip").status_code == 200
    with user.stream("GET", f"/jobs/{first}/events") as answer:
        assert list(parsed(answer.iter_lines()))[-1]["event"] == "end"
    assert [job["id"] for job in user.get("/jobs?status=successful").json()["jobs"]] == [first]
    assert user.get("/health/ready").status_code == user.get("/metrics").status_code == 200
    etag = user.get(f"/jobs/{second}").headers["etag"]
    assert user.get(f"/jobs/{second}?wait=0.3", headers={"If-None-Match": etag}).status_code == 304
    refuses_what_it_cannot_hold(user, first)


def refuses_what_it_cannot_hold(user: User, done: str) -> None:
    for path in ("jobs/{}", "jobs/{}/log", "jobs/{}?wait=1", "uploads/{}", f"jobs/{done}/results/{{}}"):
        assert user.get("/" + path.format(NUL)).status_code == 404
    assert user.get("/jobs?after=4611686018427387904&minDuration=1e9").status_code == 200
    assert user.put(f"/uploads/{NUL}", content=b"x").status_code == 201
    tus = {"Tus-Resumable": "1.0.0", "Upload-Length": "5", "Upload-Metadata": f"filename {NULS},other {NULS}"}
    assert user.post("/uploads", headers=tus).status_code == 201
    content = json.dumps({"inputs": {"sequence": user.sequence}, "name": "a\0b"})
    answer = user.post("/processes/decloud/execution", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 201, answer.text
