"""The application: routes, the services they work with, and tasks that run beside them."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from anyio import to_thread
from fastapi import Depends, FastAPI
from starlette.middleware import Middleware

from api import errors
from api.deps import admit_early, check_query
from api.http.cross_origin import across_origins
from api.http.fast_path import FastPath
from api.http.head_requests import HeadRequests
from api.http.request_guard import RequestGuard
from api.metrics import Metrics
from api.openapi import document, query_parameters
from api.routes import (
    events,
    groups,
    inspections,
    job_changes,
    jobs,
    landing,
    logins,
    page,
    pictures,
    processes,
    results,
    tus_uploads,
    uploads,
    usage,
    webhooks,
)
from api.routes.shortcuts import SHORTCUTS
from api.services import Resources, Services, open_services
from worker.database.connections import Database
from worker.database.migrate import migrate
from worker.exports.exporter import Exporter
from worker.notices.courier import Courier, open_signer
from worker.queue.doorbell import Doorbell, open_doorbell
from worker.queue.reaper import Reaper
from worker.settings import Settings
from worker.storage import Storage, open_storage

_log = logging.getLogger(__name__)

_SWEEP_S = 60.0
# The most frequent question first: routes are tried in this order, and `events` is no id of a job.
_MODULES = (
    job_changes, jobs, results, pictures, events, uploads, tus_uploads, inspections, groups, processes, usage, webhooks,
    landing, logins, page,
)  # fmt: skip
_ROUTERS = tuple(routes.router for routes in _MODULES)
_ROUTES: list[Any] = [route for router in _ROUTERS for route in router.routes]


def create_app(
    settings: Settings,
    *,
    database: Database | None = None,
    storage: Storage | None = None,
    doorbell: Doorbell | None = None,
    reaper: bool = True,
) -> FastAPI:
    """The ASGI application; its lifespan migrates the database, reaps, notifies, and sweeps.

    What is given is used and left open: embedded workers share database, storage and doorbell. What is not given is
    opened by the settings. A server that stops calls `begin_shutdown` first."""
    metrics = Metrics(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as opened:
            used = await _open(settings, database, storage, doorbell, opened)
            app.state.services = services = open_services(settings, metrics, used)
            await opened.enter_async_context(_beside(services, reaper=reaper))
            yield

    app = FastAPI(
        title="decloud",
        version=_version(),
        lifespan=lifespan,
        dependencies=[Depends(check_query)],
        middleware=_middleware(settings, metrics),
        # Their pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        # Ours has OpenAPI's media type.
        openapi_url=None,
        generate_unique_id_function=lambda route: route.name,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
    )
    _add_routes(app)
    errors.install(app)
    return app


def begin_shutdown(app: FastAPI) -> None:
    """Ends event streams, long polls and uploads, so that the server need not wait for them; readiness is over. It may
    be called from any thread, also from a signal's handler."""
    services: Services | None = getattr(app.state, "services", None)
    if services is not None and not services.loop.is_closed():
        services.loop.call_soon_threadsafe(services.stop)


def _middleware(settings: Settings, metrics: Metrics) -> list[Middleware]:
    """From the outside to the routes."""
    return [
        Middleware(RequestGuard, settings=settings, admit=admit_early, count=metrics.request),
        Middleware(across_origins, settings=settings),
        Middleware(HeadRequests, own=[route for route in _ROUTES if "HEAD" in route.methods]),
        Middleware(FastPath, shortcuts=SHORTCUTS),
    ]


def _add_routes(app: FastAPI) -> None:
    """All of them, and the document that describes them."""
    for router in _ROUTERS:
        app.include_router(router)
    app.state.routes = _ROUTES
    app.state.routes_by_path = {route.path: route for route in _ROUTES if "GET" in route.methods}
    app.state.queries = query_parameters(document(app))
    app.openapi = lambda: document(app)  # type: ignore[method-assign]


async def _open(
    settings: Settings,
    database: Database | None,
    storage: Storage | None,
    doorbell: Doorbell | None,
    opened: AsyncExitStack,
) -> Resources:
    """Opens what was not given, by the settings, to be closed with `opened`; the database is migrated."""
    if database is None:
        database = await to_thread.run_sync(Database, settings.database_url)
        opened.callback(database.close)
    await to_thread.run_sync(migrate, database)
    if doorbell is None:
        doorbell = await to_thread.run_sync(open_doorbell, settings)
        opened.push_async_callback(to_thread.run_sync, doorbell.close)
    if storage is None:
        storage = await to_thread.run_sync(open_storage, settings.storage_url, settings.storage_options)
    return Resources(database, storage, doorbell)


@asynccontextmanager
async def _beside(services: Services, *, reaper: bool) -> AsyncIterator[None]:
    """While the application serves."""
    sweeper = asyncio.create_task(_sweep(services))
    threads: list[Reaper | Courier | Exporter] = []
    if reaper:
        threads.append(Reaper(services.database, services.storage, services.settings, services.doorbell))
        signer = open_signer(services.settings, services.secret)
        threads.append(Courier(services.database, services.settings, signer))
        threads.append(Exporter(services.database, services.storage, services.settings))
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        services.stop()
        sweeper.cancel()
        with suppress(asyncio.CancelledError):
            await sweeper
        for thread in threads:
            await to_thread.run_sync(thread.stop)
        await services.watch.close()
        await services.watch_owners.close()
        services.lookup.close()
        services.threads.shutdown()


async def _sweep(services: Services) -> None:
    """Files of uploads that nobody will go on with."""
    while True:
        try:
            await services.intake.sweep()
        except Exception:
            _log.exception("sweeping failed")
        await asyncio.sleep(_SWEEP_S)


def _version() -> str:
    try:
        return version("decloud")
    except PackageNotFoundError:
        return "0"
