"""The application: routes, what they work with, and what runs beside them."""

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
from api.deps import check_query
from api.http.cross_origin import across_origins
from api.http.express import Express
from api.http.gate import Gate
from api.http.head_requests import HeadRequests
from api.metrics import Metrics
from api.openapi import document, query_parameters
from api.routes import events, jobs, landing, processes, results, uploads, webhooks
from api.services import Resources, Services, open_services
from worker.database.connections import Database
from worker.database.migrate import migrate
from worker.notices.courier import Courier, open_signer
from worker.queue.doorbell import Doorbell, open_doorbell
from worker.queue.reaper import Reaper
from worker.settings import Settings
from worker.storage import Storage, open_storage

_log = logging.getLogger(__name__)

_SWEEP_S = 60.0
# The most frequent question first: routes are tried in this order.
_ROUTERS = tuple(routes.router for routes in (jobs, results, events, uploads, processes, webhooks, landing))
_ROUTES: list[Any] = [route for router in _ROUTERS for route in router.routes]


def create_app(
    settings: Settings,
    *,
    database: Database | None = None,
    storage: Storage | None = None,
    doorbell: Doorbell | None = None,
    reaper: bool = True,
) -> FastAPI:
    """An ASGI application; its lifespan migrates the database, reaps, notifies, and sweeps.

    What is given is used and left open: embedded workers share database, storage and doorbell. What is not given is
    opened by the settings. A server that stops calls `begin_shutdown` first.
    """
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
        middleware=[
            Middleware(Gate, settings=settings, metrics=metrics),
            Middleware(across_origins, settings=settings),
            Middleware(HeadRequests, own=[route for route in _ROUTES if "HEAD" in route.methods]),
            Middleware(Express),
        ],
        # Their pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        # Ours says OpenAPI's media type.
        openapi_url=None,
        generate_unique_id_function=lambda route: route.name,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
    )
    for router in _ROUTERS:
        app.include_router(router)
    app.state.routes = _ROUTES
    app.state.routes_by_path = {route.path: route for route in app.state.routes if "GET" in route.methods}
    app.state.queries = query_parameters(document(app))
    app.openapi = lambda: document(app)  # type: ignore[method-assign]
    errors.install(app)
    return app


def begin_shutdown(app: FastAPI) -> None:
    """From any thread, also from a signal's handler: event streams, long polls and uploads end now, so that the server
    need not wait for them, and readiness says no."""
    services: Services | None = getattr(app.state, "services", None)
    if services is not None and not services.loop.is_closed():
        services.loop.call_soon_threadsafe(services.stop)


async def _open(
    settings: Settings,
    database: Database | None,
    storage: Storage | None,
    doorbell: Doorbell | None,
    opened: AsyncExitStack,
) -> Resources:
    """What was not given, by the settings, closed with `opened`; the database is migrated."""
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
    threads: list[Reaper | Courier] = []
    if reaper:
        threads.append(Reaper(services.database, services.storage, services.settings, services.doorbell))
        signer = open_signer(services.settings, services.secret)
        threads.append(Courier(services.database, services.settings, signer))
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
        services.glance.close()
        services.intake.threads.shutdown()


async def _sweep(services: Services) -> None:
    """Files of uploads that nobody will go on with."""
    while True:
        try:
            await services.intake.run(services.intake.sweep)
        except Exception:
            _log.exception("sweeping failed")
        await asyncio.sleep(_SWEEP_S)


def _version() -> str:
    try:
        return version("decloud")
    except PackageNotFoundError:
        return "0"
