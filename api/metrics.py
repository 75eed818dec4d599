"""Figures for Prometheus: requests as they were counted here, jobs as the database has them."""

from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import func, select

from worker import clock
from worker.database.connections import Database
from worker.database.tables import garbage, jobs, webhook_outbox
from worker.jobs.rows import ENDED
from worker.queue import workers
from worker.settings import Settings
from worker.storage.files import free_bytes

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0)
# All others are one: whoever asks may write what they like there, and each would be a series for ever.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_STATUSES = ("accepted", "running", *ENDED)


class Metrics:
    """A registry of its own for each application: several of them in one process do not mix."""

    def __init__(self, settings: Settings) -> None:
        self.registry = CollectorRegistry()
        self._settings = settings
        self._requests = Counter(
            "decloud_http_requests", "Requests answered", ["method", "route", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "decloud_http_request_seconds",
            "Time until the answer was complete",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.received = Counter("decloud_upload_bytes", "Bytes of uploads stored", registry=self.registry)
        self.sent = Counter("decloud_download_bytes", "Bytes of results sent", registry=self.registry)
        self.streams = Gauge("decloud_open_streams", "Event streams now", registry=self.registry)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request has been answered."""
        self._requests.labels(method if method in _METHODS else "other", route, status).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self, database: Database) -> bytes:
        """Everything, in Prometheus' text format."""
        figures = CollectorRegistry()
        figures.register(_Figures(list(job_figures(database, self._settings))))
        return generate_latest(self.registry) + generate_latest(figures)


class _Figures:
    """What was measured for one scrape, as `prometheus_client` asks for it."""

    def __init__(self, families: list[GaugeMetricFamily]) -> None:
        self._families = families

    def collect(self) -> list[GaugeMetricFamily]:
        return self._families


def job_figures(database: Database, settings: Settings) -> Iterator[GaugeMetricFamily]:
    """From the database alone, so that every API process says the same."""
    now = clock.now()
    with database.read() as connection:
        statuses = {row[0]: row[1] for row in connection.execute(_counted(jobs.c.status))}
        waiting = {row[0]: row[1] for row in connection.execute(_counted(jobs.c.resource_class, "accepted"))}
        oldest = connection.scalar(select(func.min(jobs.c.created)).where(jobs.c.status == "accepted"))
        expired = connection.scalar(_count(jobs).where(jobs.c.status == "running", jobs.c.lease_until < now))
        rubbish = connection.scalar(_count(garbage))
        notices = connection.scalar(_count(webhook_outbox))
    yield _family("decloud_jobs", "Jobs by status", "status", {name: statuses.get(name, 0) for name in _STATUSES})
    yield _family("decloud_jobs_waiting", "Accepted jobs by class", "resource_class", waiting)
    yield _single("decloud_oldest_waiting_seconds", "Age of the oldest accepted job", max(0, now - (oldest or now)))
    yield _single("decloud_leases_expired", "Running jobs whose worker is not heard", expired or 0)
    yield _single("decloud_garbage_prefixes", "Stored files that wait for deletion", rubbish or 0)
    yield _single("decloud_notices_waiting", "Webhook notices not delivered", notices or 0)
    yield _family("decloud_workers", "Workers by class", "resource_class", serving(database, settings))
    yield _single("decloud_disk_free_bytes", "Free in the data folder", free_bytes(settings.data))


def serving(database: Database, settings: Settings) -> dict[str, int]:
    """How many workers that are alive serve each class."""
    counts: dict[str, int] = {}
    for worker in _alive(database, settings):
        for name in worker.classes:
            counts[name] = counts.get(name, 0) + 1
    return counts


def lacks(database: Database, settings: Settings) -> list[str]:
    """What workers that are alive lack, a sentence each."""
    return [f"{worker.host}: {worker.lacks}" for worker in _alive(database, settings) if worker.lacks]


def _alive(database: Database, settings: Settings) -> list[workers.Worker]:
    since = clock.now() - workers.HEARTBEATS * settings.heartbeat_s
    return [worker for worker in workers.listing(database) if worker.last_seen >= since]


def _count(table: Any) -> Any:
    return select(func.count()).select_from(table)


def _counted(column: Any, status: str | None = None) -> Any:
    query = select(column, func.count()).group_by(column)
    return query if status is None else query.where(jobs.c.status == status)


def _family(name: str, about: str, label: str, values: dict[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, about, labels=[label])
    for key, value in sorted(values.items()):
        family.add_metric([key], value)
    return family


def _single(name: str, about: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, about, value=value)
