"""What you use of the service, and what is left."""

from typing import Any

from fastapi import APIRouter, Response

from api.deps import CallerDep, ServicesDep
from api.http.answers import json_answer
from api.routes.documented import may_answer
from api.schemas.service import UsageInfo
from worker.access import quotas
from worker.jobs.figures import figures_of

router = APIRouter(tags=["usage"])

_RECENT_S = 30 * 24 * 3600.0


@router.get("/usage", response_model=UsageInfo, responses=may_answer(), summary="Your quota, used and left")
def usage(services: ServicesDep, caller: CallerDep) -> Response:
    """Of all keys of yours together, held against what this key may. Inspections count for themselves."""
    used, limits = quotas.usage(services.database, caller.owner), caller.limits
    figures = figures_of(services.database, caller.owner, since_s=_RECENT_S)
    return json_answer(
        {
            "stored_bytes": _share(used.stored_bytes, limits.max_stored_bytes_per_owner),
            "queued": _share(used.queued, limits.max_queued_per_owner),
            "inspections": _share(used.inspections, limits.max_queued_per_owner),
            "running": _share(used.running, limits.max_running_per_owner),
            "uploads": figures.uploads,
            "limits": {
                "upload_bytes": limits.max_upload_bytes,
                "pixels_dates": limits.max_pixels_dates,
                "run_s": limits.max_run_s,
                "requests_per_minute": limits.requests_per_minute,
            },
            "last_30_days": {"jobs": figures.jobs, "run_s": round(figures.run_s, 1)},
        }
    )


def _share(used: int, limit: int) -> dict[str, Any]:
    return {"used": used, "limit": limit, "left": max(0, limit - used)}
