"""What is measured of the service, one generator a part: rows of plain values with a `key`, all repeats in them.

Ours and a peer's take turns, so that whatever else the machine does meets both; `load` is its load average before.
"""

import hashlib
import json
import os
import statistics
import subprocess
import sys
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from measuring import DECLOUD, measure
from sqlalchemy import insert

from api.client import Client
from service.loads import ClientAbsentError, Load, receive, send_file, wrk
from service.peers import PeerAbsentError, nginx, pygeoapi
from service.serving import OWNER, Memory, Server, decloud_serve
from worker import clock, jobs
from worker.database import tables
from worker.database.connections import Database
from worker.settings import Settings
from worker.storage import open_storage

Row = dict[str, Any]

MB = 10**6
CONNECTIONS = 32
PREPARING, FITTING = "preparing", "fitting"
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Plan:
    """Sizes and repeats. pygeoapi: the Python of an environment that has it, or None."""

    work: Path
    repeats: int = 3
    upload_bytes: int = 2_000 * MB
    download_bytes: int = 1_000 * MB
    seconds: float = 8.0  # of requests, each time
    jobs_listed: int = 10_000
    jobs_claimed: int = 1_000
    claimers: int = 8
    range_sizes: tuple[int, ...] = (16 << 10, 1 << 20)
    scene: tuple[int, int] = (8, 32)  # dates, pixels: of the job that waits for its first step
    trained: tuple[int, int] = (20, 128)  # of the job that trains beside requests
    pygeoapi: Path | None = None

    def folder(self, name: str) -> Path:
        """A new one."""
        return self.work / f"{name}-{uuid.uuid4().hex[:8]}"

    def file(self, size: int) -> Path:
        """Random bytes, made once: nothing on the way can compress them."""
        path = self.work / f"{size}.bin"
        if not path.exists() or path.stat().st_size != size:
            with path.open("wb") as out:
                for start in range(0, size, MB):
                    out.write(os.urandom(min(MB, size - start)))
        return path

    def sequence(self, dates: int, size: int) -> Path:
        """The input folder of a simulated sequence."""
        folder = self.work / f"simulated-{dates}-{size}"
        if not folder.exists():
            scene = ["--dates", str(dates), "--size", str(size), "--bands", "L2A_10"]
            measure([DECLOUD, "simulate", folder, *scene])
        return folder / "input"


def upload(plan: Plan) -> Iterator[Row]:
    """PUT of one large file: seconds of ours and of nginx's WebDAV, and what the API process grew by."""
    file = plan.file(plan.upload_bytes)
    ours, theirs, grown = [], [], []
    load = _load()
    with ExitStack() as stack:
        server = stack.enter_context(decloud_serve(plan.folder("serve")))
        peer, absent = _peer(stack, partial(nginx, plan.folder("nginx")))
        headers = {"Authorization": server.authorization, "Content-Type": "application/octet-stream"}
        send_file(plan.file(MB), f"{server.url}/uploads/first.bin", headers)  # what is loaded once is no growth
        for _ in range(plan.repeats):
            if peer:
                os.sync()
                theirs.append(send_file(file, f"{peer}/upload.bin", {})[0])
                httpx.delete(f"{peer}/upload.bin").raise_for_status()
            os.sync()
            with Memory(server.pid) as memory:
                seconds, answered = send_file(file, f"{server.url}/uploads/large.bin", headers)
            ours.append(seconds)
            grown.append(memory.grown)
            httpx.delete(answered["location"], headers=headers, timeout=60).raise_for_status()
    yield {
        "key": "upload",
        "bytes": plan.upload_bytes,
        "ours_s": ours,
        "nginx_s": theirs,
        "grown_bytes": grown,
        "absent": absent,
        "load": load,
    }


def status(plan: Plan) -> Iterator[Row]:
    """GET /jobs/ID with 32 connections: idle beside pygeoapi, then of a job while it trains."""
    with ExitStack() as stack:
        server = stack.enter_context(decloud_serve(plan.folder("serve")))
        client = stack.enter_context(Client(server.url, server.key))
        source = plan.sequence(*plan.trained)
        idle = client.submit(client.upload(source), {"method": "linear", "perceptual": "off"})
        assert client.wait(idle.id).status == "successful"
        yield from _status_idle(plan, stack, server, idle.id)
        trained = client.submit(client.upload(source), {"max_minutes": 30, "perceptual": "off"})
        _until(
            lambda: str(client.job(trained.id).values.get("phase")).startswith((PREPARING, FITTING)), "training", 120
        )
        load = _load()
        busy = [_asked(plan, server, trained.id) for _ in range(plan.repeats)]
        assert client.job(trained.id).status == "running", "it ended before the last request"
        yield {"key": "training", "ours": [_checked(one).to_dict() for one in busy], "load": load}
        client.cancel(trained.id)


def _status_idle(plan: Plan, stack: ExitStack, server: Server, job_id: str) -> Iterator[Row]:
    peer, absent = _peer(stack, partial(pygeoapi, plan.work / "pygeoapi", plan.pygeoapi))
    load, ours, theirs = _load(), [], []
    _asked(plan, server, job_id)  # both are warm
    for _ in range(plan.repeats):
        if peer:
            theirs.append(_checked(wrk(peer, connections=CONNECTIONS, seconds=plan.seconds, headers={})).to_dict())
        ours.append(_checked(_asked(plan, server, job_id)).to_dict())
    yield {"key": "idle", "ours": ours, "pygeoapi": theirs, "absent": absent, "load": load}


def _asked(plan: Plan, server: Server, job_id: str) -> Load:
    headers = {"Authorization": server.authorization}
    return wrk(f"{server.url}/jobs/{job_id}", connections=CONNECTIONS, seconds=plan.seconds, headers=headers)


def first_step(plan: Plan) -> Iterator[Row]:
    """From submission to the first update of a tiny sequence, and the same run without the service."""
    source = plan.sequence(*plan.scene)
    config = {"max_minutes": 2, "perceptual": "off"}
    load, served, alone, torch = _load(), [], [], []
    with ExitStack() as stack:
        server = stack.enter_context(decloud_serve(plan.folder("serve")))
        client = stack.enter_context(Client(server.url, server.key))
        for number in range(plan.repeats):
            torch.append(measure([sys.executable, "-c", "import torch"]).wall_s)
            alone.append(_first_step_alone(source, plan.folder(f"alone-{number}"), config))
            served.append(_first_step_served(client, client.upload(source).id, config))
    yield {
        "key": "first step",
        "scene": list(plan.scene),
        "served": served,
        "alone": alone,
        "torch_s": torch,
        "load": load,
    }


def _first_step_alone(source: Path, out: Path, config: Row) -> dict[str, float]:
    """Marks of `first_step.py`; `started` is what the process took before it."""
    command = [sys.executable, str(HERE / "first_step.py"), str(source), str(out), json.dumps(config)]
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    marks: dict[str, float] = json.loads(done.stdout)
    return marks | {"whole": time.perf_counter() - began}


def _first_step_served(client: Client, upload_id: str, config: Row) -> dict[str, float]:
    """Seconds after submission at which a client that asks without a pause sees the job claimed, each phase, a step."""
    began = time.perf_counter()
    job = client.submit(upload_id, config)
    marks = {"submitted": time.perf_counter() - began}
    deadline = began + 300
    while time.perf_counter() < deadline:
        values = client.job(job.id).values
        for mark in filter(None, (values["status"], values.get("phase"))):
            marks.setdefault(mark, time.perf_counter() - began)
        if values.get("phase") == PREPARING and (values.get("step") or 0) >= 2:  # samples, then the first band's trees
            marks.setdefault("learnt", time.perf_counter() - began)
        if values.get("phase") == FITTING and (values.get("step") or 0) >= 1:
            marks["first"] = time.perf_counter() - began
            break
        assert values["status"] in ("accepted", "running"), values
        time.sleep(0.02)
    client.cancel(job.id)
    client.wait(job.id)
    return marks


def listing(plan: Plan) -> Iterator[Row]:
    """GET /jobs with many jobs in the table: the first page, one in the middle, one that is filtered."""
    with decloud_serve(plan.folder("serve")) as server, httpx.Client(base_url=server.url) as http:
        http.headers["Authorization"] = server.authorization
        database = Database(server.database_url)
        _fill(database, plan.jobs_listed, status="successful")
        middle = jobs.listing(database, OWNER, limit=1).jobs[0].number - plan.jobs_listed // 2
        load = _load()
        for what, query in {
            "first page of 20": {},
            "first page of 100": {"limit": 100},
            "100 from the middle": {"limit": 100, "after": middle},
            "failed ones, of which there are none": {"status": "failed"},
        }.items():
            times = [
                _seconds(lambda query=query: http.get("/jobs", params=query).raise_for_status()) for _ in range(50)
            ]
            limit = int(query.get("limit", 20))
            filters = jobs.Filters(statuses=("failed",)) if "status" in query else jobs.Filters()
            page = partial(jobs.listing, database, OWNER, filters, limit=limit, after=query.get("after"))
            sql = [_seconds(page) for _ in range(50)]
            yield {"key": what, "jobs": plan.jobs_listed, "http_s": _spread(times), "sql_s": _spread(sql), "load": load}
        database.close()


def claiming(plan: Plan) -> Iterator[Row]:
    """Waiting jobs and processes that claim: that each is claimed once, and how long all take."""
    seconds, once, locked, load = [], [], [], _load()
    for _ in range(plan.repeats):
        folder = plan.folder("claiming")
        folder.mkdir()
        url = f"sqlite:///{folder / 'decloud.db'}"
        database = Database(url)
        _migrate(database)
        _fill(database, plan.jobs_claimed, status="accepted")
        database.close()
        command = [sys.executable, HERE / "claiming.py", url, str(plan.claimers)]
        measured = measure(command)
        said = [line.split()[1] for line in measured.output.splitlines()]
        claims = [job_id for job_id in said if job_id != "-"]
        locked.append(len(said) - len(claims))
        once.append(len(claims) == len(set(claims)) == plan.jobs_claimed)
        seconds.append(measured.wall_s)
    yield {
        "key": "claiming",
        "jobs": plan.jobs_claimed,
        "claimers": plan.claimers,
        "seconds": seconds,
        "once": all(once),
        "locked": locked,
        "load": load,
    }


def download(plan: Plan) -> Iterator[Row]:
    """A result's file, whole and in ranges, ours and nginx's from the same bytes."""
    file = plan.file(plan.download_bytes)
    with ExitStack() as stack:
        server = stack.enter_context(decloud_serve(plan.folder("serve")))
        address = f"{server.url}/jobs/{_published(server, file)}/results/declouded/large.tif"
        folder = plan.folder("nginx")
        (folder / "files").mkdir(parents=True)
        os.link(file, folder / "files" / "large.tif")
        file.chmod(0o644)
        peer, absent = _peer(stack, partial(nginx, folder))
        theirs = f"{peer}/large.tif" if peer else None
        key = {"Authorization": server.authorization}
        load = _load()
        rates = {"ours": [], "nginx": []}
        for _ in range(plan.repeats):
            for name, url, headers in (("nginx", theirs, {}), ("ours", address, key)):
                if url:
                    taken_s, received = receive(url, headers)
                    assert received == plan.download_bytes, f"{name}: {received} bytes"
                    rates[name].append(received / taken_s)
        yield {"key": "whole file", "bytes": plan.download_bytes, **rates, "absent": absent, "load": load}
        for size in plan.range_sizes:
            yield _ranges(plan, size, address, theirs, key) | {"absent": absent}


def _ranges(plan: Plan, size: int, address: str, theirs: str | None, key: dict[str, str]) -> Row:
    """Bytes a second of one range after the other on 8 connections."""
    start = plan.download_bytes // 2
    wanted = {"Range": f"bytes={start}-{start + size - 1}"}
    load, rates = _load(), {"ours": [], "nginx": []}
    for _ in range(plan.repeats):
        for name, url, headers in (("nginx", theirs, wanted), ("ours", address, wanted | key)):
            if url:
                found = _checked(wrk(url, connections=8, seconds=plan.seconds, headers=headers))
                rates[name].append(found.rate * size)
    return {"key": f"ranges of {size >> 10} KiB", "bytes": size, **rates, "load": load}


MEASURES: dict[str, Callable[[Plan], Iterator[Row]]] = {
    "upload": upload,
    "status": status,
    "first-step": first_step,
    "listing": listing,
    "claiming": claiming,
    "download": download,
}


def _peer(stack: ExitStack, start: Callable[[], Any]) -> tuple[str | None, str | None]:
    """Its address, or why there is none."""
    try:
        return stack.enter_context(start()), None
    except PeerAbsentError as reason:
        return None, str(reason)


def _checked(load: Load) -> Load:
    assert not load.failed, f"{load.failed} requests failed"
    return load


def _published(server: Server, file: Path) -> str:
    """A successful job whose one file is `file`; its id. By the worker's own functions, without a worker."""
    database = Database(server.database_url)
    settings = Settings(data=server.data, resource_classes=("bench",))
    storage = open_storage(settings.storage_url, settings.storage_options)
    asked = {"owner": OWNER, "input_id": None, "params": {}, "resource_class": "bench", "limits": settings}
    jobs.submit(database, **asked)
    job = jobs.claim(database, worker_id="benchmark", classes=("bench",), lease_s=600)
    assert job is not None
    digest, crc = hashlib.sha256(), 0
    with file.open("rb") as content:
        while piece := content.read(MB):
            digest.update(piece)
            crc = zlib.crc32(piece, crc)
    storage.put(f"{job.attempt_prefix}/declouded/large.tif", file)
    artifact = jobs.Artifact(
        "declouded/large.tif", "declouded", file.stat().st_size, digest.hexdigest(), crc, "image/tiff", "2021-05-01"
    )
    assert jobs.publish(database, job, result_prefix=job.attempt_prefix, artifacts=(artifact,), usage={"seconds": 1.0})
    database.close()
    return job.id


def _migrate(database: Database) -> None:
    from worker.database.migrate import migrate

    migrate(database)


def _fill(database: Database, count: int, *, status: str) -> None:
    """Many jobs at once, of seven owners where they wait, else of one."""
    owners = [f"owner-{number}" for number in range(7)] if status == "accepted" else [OWNER]
    moment = clock.now()
    ended = {} if status == "accepted" else {"started": moment, "finished": moment}
    rows = [
        {
            "id": str(uuid.uuid4()),
            "owner": owners[number % len(owners)],
            "status": status,
            "params": {"method": "guided", "seed": number},
            "priority": 0,
            "resource_class": "cpu",
            "request_sha256": "0" * 64,
            "max_attempts": 3,
            "max_running": count,
            "keep_s": 1e6,
            "created": moment,
            "updated": moment,
            **ended,
        }
        for number in range(count)
    ]
    with database.begin() as connection:
        known = set(connection.execute(tables.owners.select().with_only_columns(tables.owners.c.owner)).scalars())
        if new := [{"owner": name} for name in owners if name not in known]:
            connection.execute(insert(tables.owners), new)
        connection.execute(insert(tables.jobs), rows)


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _spread(values: list[float]) -> list[float]:
    """Median, smallest, largest."""
    return [statistics.median(values), min(values), max(values)]


def _load() -> float:
    return round(os.getloadavg()[0], 2)


def _until(true: Callable[[], Any], what: str, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        if time.monotonic() > deadline:
            raise ClientAbsentError(f"{what} did not begin within {within_s:g} s")
        time.sleep(0.1)
