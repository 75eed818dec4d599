"""Figures for Prometheus: requests as they were counted here, jobs as the database has them."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily

from worker import clock
from worker.database.connections import Database
from worker.jobs import ENDED
from worker.jobs.counts import count_jobs
from worker.queue import workers
from worker.settings import Settings
from worker.storage.files import free_bytes

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0)
# All others are one: whoever asks may write what they like there, and each would be a series for ever.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_STATUSES = ("accepted", "running", *ENDED)


class Metrics:
    """Has a registry of its own, so that several applications in one process do not mix."""

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
        """Counts a request that has been answered."""
        self._requests.labels(method if method in _METHODS else "other", route, status).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self, database: Database) -> bytes:
        """All figures, in Prometheus' text format."""
        figures = CollectorRegistry()
        figures.register(_Figures(list(job_figures(database, self._settings))))
        return generate_latest(self.registry) + generate_latest(figures)


class _Figures:
    """The figures of one scrape, as `prometheus_client` asks for it."""

    def __init__(self, families: list[GaugeMetricFamily]) -> None:
        self._families = families

    def collect(self) -> list[GaugeMetricFamily]:
        return self._families


def job_figures(database: Database, settings: Settings) -> Iterator[GaugeMetricFamily]:
    """The figures of all jobs, from the database alone, so that every API process gives the same."""
    counts = count_jobs(database)
    statuses: dict[str, int] = {name: counts.statuses.get(name, 0) for name in _STATUSES}
    yield _family("decloud_jobs", "Jobs by status", "status", statuses)
    yield _family("decloud_jobs_waiting", "Accepted jobs by class", "resource_class", counts.waiting)
    yield _single("decloud_oldest_waiting_seconds", "Age of the oldest accepted job", counts.oldest_waiting_s)
    yield _single("decloud_leases_expired", "Running jobs whose worker is not heard", counts.unheard)
    yield _single("decloud_garbage_prefixes", "Stored files that wait for deletion", counts.garbage)
    yield _single("decloud_notices_waiting", "Webhook notices not delivered", counts.notices)
    yield _single("decloud_exports_waiting", "Results not where their owners want them", counts.exports)
    yield _family("decloud_workers", "Workers by class", "resource_class", serving(database, settings))
    yield _single("decloud_disk_free_bytes", "Free in the data folder", free_bytes(settings.data))


def serving(database: Database, settings: Settings) -> dict[str, int]:
    """The number of workers that are alive, by the class they serve."""
    counts: dict[str, int] = {}
    for worker in _alive(database, settings):
        for name in worker.classes:
            counts[name] = counts.get(name, 0) + 1
    return counts


def lacks(database: Database, settings: Settings) -> list[str]:
    """A sentence for each worker that is alive and lacks something."""
    return [f"{worker.host}: {worker.lacks}" for worker in _alive(database, settings) if worker.lacks]


def _alive(database: Database, settings: Settings) -> list[workers.Worker]:
    since = clock.now() - workers.HEARTBEATS * settings.heartbeat_s
    return [worker for worker in workers.listing(database) if worker.last_seen >= since]


def _family(name: str, about: str, label: str, values: dict[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, about, labels=[label])
    for key, value in sorted(values.items()):
        family.add_metric([key], value)
    return family


def _single(name: str, about: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, about, value=value)
