"""Uploads: lists, one, its end; and a whole file in one shot by PUT."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi import Path as InPath

from api.deps import AddressesDep, CallerDep, ServicesDep
from api.http.addresses import upload_path
from api.http.answers import json_answer
from api.receiving import tus
from api.receiving.incoming import SINGLE_SHOT
from api.routes.documented import may_answer
from api.routes.upload_requests import begin_upload, check_body, content_length, sending_of, upload_info
from api.schemas.uploads import UploadInfo, UploadList
from worker.jobs import uploads

router = APIRouter(tags=["uploads"])

_BYTES: dict[str, Any] = {"schema": {"type": "string", "format": "binary", "minLength": 1}}
_PUT_BODY = {"requestBody": {"required": True, "content": {"application/octet-stream": _BYTES}}}
_LONGEST_NAME = 255

TusResumable = Annotated[
    str | None, Header(description=f"tus: {tus.VERSION}.", json_schema_extra={"const": tus.VERSION})
]


@router.get("/uploads", response_model=UploadList, responses=may_answer(), summary="Your uploads, newest first")
def upload_list(
    services: ServicesDep,
    caller: CallerDep,
    addresses: AddressesDep,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """Those that have not expired."""
    found = uploads.listing(services.database, caller.owner, limit=limit)
    return json_answer({"uploads": [upload_info(upload, addresses.base) for upload in found]})


@router.put(
    "/uploads/{name}",
    status_code=201,
    response_model=UploadInfo,
    responses=may_answer(408, 413, 415, 460, 507),
    openapi_extra=_PUT_BODY,
    summary="Upload a file in one shot",
)
async def put_upload(
    request: Request,
    services: ServicesDep,
    caller: CallerDep,
    addresses: AddressesDep,
    name: Annotated[str, InPath(max_length=_LONGEST_NAME, description="For you; shown in lists.")],
    repr_digest: Annotated[str | None, Header(description="`sha-256=:BASE64:` (RFC 9530) is verified.")] = None,
    content_digest: Annotated[str | None, Header(description="As Repr-Digest.")] = None,
) -> Response:
    """`curl -T fields.zip .../uploads/fields.zip`. What breaks off is thrown away; see tus for what can go on."""
    check_body(request)
    checksum = tus.parse_digest(f"{repr_digest or ''} {content_digest or ''}")
    length = content_length(request)
    sending = sending_of(request, caller, checksum, single_shot=True)
    upload = await begin_upload(services, caller, length, name=name, metadata=SINGLE_SHOT)
    stored = await services.intake.receive_whole(upload, request.stream(), sending)
    return json_answer(upload_info(stored, addresses.base), 201, {"Location": addresses.base + upload_path(stored.id)})


@router.get(
    "/uploads/{upload_id}",
    response_model=UploadInfo,
    responses=may_answer(404, 410, 423),
    summary="How an upload is doing",
)
async def one_upload(upload_id: str, services: ServicesDep, caller: CallerDep, addresses: AddressesDep) -> Response:
    """Interrupts nobody."""
    return json_answer(upload_info(await services.intake.settle(upload_id, caller.owner), addresses.base))


@router.delete("/uploads/{upload_id}", status_code=204, responses=may_answer(404, 409, 412), summary="Remove an upload")
async def remove_upload(
    upload_id: str, services: ServicesDep, caller: CallerDep, tus_resumable: TusResumable = None
) -> Response:
    """Also while it is being sent; not while a job needs it."""
    tus.check_version(tus_resumable)
    await services.intake.discard(upload_id, caller.owner)
    return Response(status_code=204)
