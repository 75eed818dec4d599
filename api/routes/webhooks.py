"""The secret that receivers of notices need."""

from fastapi import APIRouter, Response

from api.deps import CallerDep, ServicesDep
from api.http.answers import json_answer
from api.routes.documented import may_answer
from api.schemas.service import WebhookSecret
from worker.notices.courier import open_signer

router = APIRouter(tags=["jobs"])


@router.get(
    "/webhook-secret", response_model=WebhookSecret, responses=may_answer(), summary="To verify our notices with"
)
def webhook_secret(services: ServicesDep, caller: CallerDep) -> Response:
    """Your own: every notice to a `subscriber` of your jobs is signed with it (HMAC-SHA256, Standard Webhooks 1.0)."""
    signer = open_signer(services.settings, services.secret)
    return json_answer({"secret": signer.secret_of(caller.owner)}, headers={"Cache-Control": "no-store"})
