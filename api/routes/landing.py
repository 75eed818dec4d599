"""The way in: landing page, conformance, health, figures."""

from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from api.deps import AddressesDep, CallerDep, ServicesDep
from api.errors import Refusal
from api.http.answers import JSON, json_answer, link
from api.http.conditions import preferred
from api.http.login_cookies import offered
from api.metrics import lacks, serving
from api.routes.documented import answers_openly, may_answer
from api.routes.page import index, page_answer
from api.schemas.service import Conformance, Health, LandingPage, Workers
from worker.jobs.counts import count_jobs
from worker.jobs.health import check_writable
from worker.jobs.outbox import OGC_REL

router = APIRouter(tags=["service"])

_CONFORMANCE = (
    "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf/json",
    "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf/ogc-process-description",
    "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf/job-list",
    "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf/callback",
    "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf/dismiss",
)
_HTML = "text/html"
_EITHER: dict[int | str, dict[str, Any]] = {200: {"content": {_HTML: {"schema": {"type": "string"}}}}}
_OPENAPI = "application/vnd.oai.openapi+json;version=3.1"


@router.get("/", response_model=LandingPage, responses=_EITHER | answers_openly(304), summary="Landing page")
async def landing_page(request: Request, services: ServicesDep, addresses: AddressesDep) -> Response:
    """Where everything else is; for browsers, which ask for HTML, the page."""
    html = preferred(request.headers.get("accept"), (JSON, _HTML)) == _HTML
    if html and (page := index()) is not None:
        return page_answer(request, page, vary="Accept")
    base = addresses.base
    links = [
        link(f"{base}/", "self", "This document"),
        link(f"{base}/openapi.json", "service-desc", "The API in OpenAPI 3.1", _OPENAPI),
        link(f"{base}/conformance", f"{OGC_REL}conformance", "Standards it conforms to"),
        link(f"{base}/processes", f"{OGC_REL}processes", "What it can do"),
        link(f"{base}/jobs", f"{OGC_REL}job-list", "Your jobs"),
        link(f"{base}/uploads", "uploads", "Your uploads"),
    ]
    if offered(services.settings):
        links.append(link(f"{base}/login", "login", "Stay signed in on this browser"))
    about = "Upload a Sentinel-2 sequence, with Sentinel-1 if you have it; download it cloud-free."
    return json_answer({"title": "decloud", "description": about, "links": links}, headers={"Vary": "Accept"})


@router.get("/openapi.json", include_in_schema=False)
async def api_definition(request: Request) -> Response:
    """OpenAPI's own media type, or JSON where that is asked for."""
    media_type = preferred(request.headers.get("accept"), (_OPENAPI, JSON))
    return Response(orjson.dumps(request.app.openapi()), headers={"Vary": "Accept"}, media_type=media_type)


@router.get("/conformance", response_model=Conformance, responses=answers_openly(), summary="Conformance")
async def conformance() -> Response:
    """The requirements classes of OGC API that are met."""
    return json_answer({"conformsTo": _CONFORMANCE})


@router.get("/health/live", response_model=Health, responses=answers_openly(), summary="Is the process alive?")
async def live() -> Response:
    """Restart the process where this does not answer. It asks nothing of database, disk or workers."""
    return json_answer({"status": "ok"})


@router.get("/health/ready", response_model=Health, responses=answers_openly(503, 507), summary="Can it work?")
def ready(services: ServicesDep) -> Response:
    """Send requests elsewhere where this says 503 or 507: the database takes no writes, or the disk is full."""
    if services.stopping.is_set():
        raise Refusal("not-ready", "the server is stopping")
    check_writable(services.database)
    services.incoming.check_room(0)
    return json_answer({"status": "ok"})


@router.get("/health/workers", response_model=Workers, responses=may_answer(), summary="Do jobs get done?")
def worker_health(services: ServicesDep, _: CallerDep) -> Response:
    """By the leases in the database: `unserved` where jobs wait that no living worker takes, `unheard` where running
    jobs have lost theirs, `short` where a worker's machine lacks what jobs need, such as descriptors."""
    counts = count_jobs(services.database)
    alive = serving(services.database, services.settings)
    lacking = lacks(services.database, services.settings)
    found = {"unheard": counts.unheard, "short": lacking, "unserved": set(counts.waiting) - set(alive)}
    status = next((name for name, is_so in found.items() if is_so), "ok")
    figures = {"waiting": counts.waiting, "serving": alive, "unheard": counts.unheard, "lacking": lacking}
    return json_answer({"status": status, **figures})


@router.get(
    "/metrics",
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **may_answer()},
    response_class=Response,
    summary="Figures for Prometheus",
)
def metrics(request: Request, services: ServicesDep, _: CallerDep) -> Response:
    """Requests of this process; jobs, queue and workers of the whole service. Needs any key (`authorization` in
    Prometheus' scrape_config)."""
    return Response(services.metrics.text(services.database), media_type="text/plain; version=0.0.4; charset=utf-8")
