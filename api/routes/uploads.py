"""Uploads: in one shot by PUT, or in pieces that can be resumed, by tus 1.0."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi import Path as InPath

from api.deps import AddressesDep, CallerDep, ServicesDep, admit
from api.errors import Refusal
from api.http.addresses import upload_path
from api.http.answers import json_answer, link, timestamp, without_nothing
from api.http.callers import Caller
from api.receiving import tus
from api.receiving.intake import SINGLE_SHOT, Sending
from api.routes.documented import answers_openly, may_answer
from api.schemas import UploadInfo, UploadList
from api.services import Services
from worker.access import quotas
from worker.database.sql import storable
from worker.jobs import joining, uploads
from worker.jobs.uploads import Upload

router = APIRouter(tags=["uploads"])

_BYTES: dict[str, Any] = {"schema": {"type": "string", "format": "binary", "minLength": 1}}
_PUT_BODY = {"requestBody": {"required": True, "content": {"application/octet-stream": _BYTES}}}
_PATCH_BODY = {"requestBody": {"required": True, "content": {tus.CONTENT_TYPE: _BYTES}}}
# None, too: a part may be empty, and the first bytes may come later.
_ANY_BYTES = {"schema": {"type": "string", "format": "binary"}}
_POST_BODY = {"requestBody": {"required": False, "content": {tus.CONTENT_TYPE: _ANY_BYTES}}}
_LONGEST_NAME = 255
_CONCAT = r"^(partial|final;.*[^ ].*)$"

_VERSION = Header(description=f"tus: {tus.VERSION}.", json_schema_extra={"const": tus.VERSION})
TusResumable = Annotated[str | None, _VERSION]
TusRequired = Annotated[str, _VERSION]
_NUMBER = {"pattern": r"^[0-9]{1,16}$"}
_LENGTH = {"pattern": r"^0*[1-9][0-9]*$", "maxLength": 16}


@router.get("/uploads", response_model=UploadList, responses=may_answer(), summary="Your uploads, newest first")
def upload_list(
    services: ServicesDep,
    caller: CallerDep,
    addresses: AddressesDep,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """Those that have not expired."""
    found = uploads.listing(services.database, caller.owner, limit=limit)
    return json_answer({"uploads": [_info(upload, addresses.base) for upload in found]})


@router.options("/uploads", status_code=204, responses=answers_openly(), summary="tus: what the server can do")
@router.options("/uploads/{upload_id}", status_code=204, responses=answers_openly(), include_in_schema=False)
async def capabilities(services: ServicesDep) -> Response:
    """Version, extensions, the largest upload by default."""
    return Response(
        status_code=204,
        headers={
            "Tus-Version": tus.VERSION,
            "Tus-Extension": tus.EXTENSIONS,
            "Tus-Max-Size": str(services.settings.max_upload_bytes),
            "Tus-Checksum-Algorithm": ",".join(tus.CHECKSUMS),
        },
    )


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
    _check_body(request)
    checksum = tus.parse_digest(f"{repr_digest or ''} {content_digest or ''}")
    length = _content_length(request)
    sending = _sending(request, caller, checksum, single_shot=True)
    upload = await _create(services, caller, length, name=name, metadata=SINGLE_SHOT)
    stored = await services.intake.receive_whole(upload, request.stream(), sending)
    return json_answer(_info(stored, addresses.base), 201, {"Location": addresses.base + upload_path(stored.id)})


@router.post(
    "/uploads",
    status_code=201,
    responses=may_answer(408, 409, 410, 412, 413, 415, 460, 507),
    response_class=Response,
    openapi_extra=_POST_BODY,
    summary="tus: begin an upload",
)
async def create_upload(
    request: Request,
    services: ServicesDep,
    caller: CallerDep,
    addresses: AddressesDep,
    tus_resumable: TusRequired,
    upload_length: Annotated[str | None, Header(description="Bytes of the whole.", json_schema_extra=_LENGTH)] = None,
    upload_defer_length: Annotated[
        str | None, Header(description="1: the length comes later.", json_schema_extra={"const": "1"})
    ] = None,
    upload_metadata: Annotated[str | None, Header(description="`filename BASE64`", examples=["filename Zi56aXA="])] = (
        None
    ),
    upload_concat: Annotated[
        str | None,
        Header(description="`partial`, or `final;/uploads/ID /uploads/ID` to make one of those.", pattern=_CONCAT),
    ] = None,
    upload_checksum: Annotated[str | None, Header(description="Of the body, as with PATCH.")] = None,
) -> Response:
    """`Location` is where the pieces go. The first may come at once, as the body. A final upload has no length and no
    body of its own: it is complete with the answer."""
    tus.check_version(tus_resumable)
    metadata = tus.parse_metadata(upload_metadata or "")
    parts = tus.parse_concat(upload_concat, addresses.base)
    first = _first_piece(request, caller, upload_checksum)
    if parts:
        if first is not None or upload_length is not None or upload_defer_length is not None:
            raise Refusal("invalid-request", "Upload-Concat: a final upload has no body and no length of its own")
        upload = await _make_final(services, caller, parts, concat=str(upload_concat), metadata=metadata)
        return _created(upload, addresses.base)
    if upload_defer_length not in (None, "1") or (upload_length is None) == (upload_defer_length is None):
        raise Refusal("invalid-request", "either Upload-Length, or Upload-Defer-Length: 1, must be given")
    length = None if upload_length is None else tus.parse_number("Upload-Length", upload_length)
    _check_fits(services, length, 0, (_content_length(request) or 0) if first else 0)
    upload = await _create(services, caller, length, name=_name(metadata), metadata=metadata, concat=upload_concat)
    if first is None and length != 0:
        return _created(upload, addresses.base)
    pieces = request.stream() if first else _nothing()
    received = await services.intake.receive_first(upload, pieces, first or _sending(request, caller, None))
    return _created(received, addresses.base, {"Upload-Offset": str(received.offset)})


@router.head("/uploads/{upload_id}", responses=may_answer(404, 410, 412, 423), summary="tus: how much is stored")
async def upload_offset(
    upload_id: str, services: ServicesDep, caller: CallerDep, tus_resumable: TusResumable = None
) -> Response:
    """Interrupts whoever is sending it now, so that the offset is final."""
    tus.check_version(tus_resumable)
    await services.intake.run(uploads.get, services.database, upload_id, caller.owner)
    await services.intake.release(upload_id)
    upload = await services.intake.settle(upload_id, caller.owner)
    return Response(status_code=200, headers=_tus_headers(upload))


async def _nothing() -> AsyncIterator[bytes]:
    """The body of a part without bytes, which is complete when it begins."""
    none: tuple[bytes, ...] = ()
    for piece in none:
        yield piece


@router.patch(
    "/uploads/{upload_id}",
    status_code=204,
    responses=may_answer(403, 404, 408, 409, 410, 412, 413, 415, 423, 460, 507),
    openapi_extra=_PATCH_BODY,
    summary="tus: send a piece",
)
async def send_piece(
    request: Request,
    upload_id: str,
    services: ServicesDep,
    caller: CallerDep,
    tus_resumable: TusRequired,
    upload_offset: Annotated[str, Header(description="Where the piece begins.", json_schema_extra=_NUMBER)],
    upload_length: Annotated[str | None, Header(description="If it was deferred.", json_schema_extra=_LENGTH)] = None,
    upload_checksum: Annotated[str | None, Header(description="`sha256 BASE64` or `sha1 BASE64` of the piece.")] = None,
) -> Response:
    """What has come of a piece that breaks off stays, unless it has a checksum."""
    tus.check_version(tus_resumable)
    _check_body(request)
    if not tus.is_piece(request.headers.get("content-type", "")):
        raise Refusal("unsupported-media-type", f"Content-Type must be {tus.CONTENT_TYPE}")
    offset = tus.parse_number("Upload-Offset", upload_offset)
    checksum = tus.parse_checksum(upload_checksum) if upload_checksum is not None else None
    upload = await services.intake.run(uploads.get, services.database, upload_id, caller.owner)
    if upload.parts:
        raise Refusal("upload-is-final", f"upload {upload.id} is made of others and takes no bytes")
    if upload_length is not None and upload.length is None:
        upload = await _set_length(services, caller, upload, tus.parse_number("Upload-Length", upload_length))
    _check_fits(services, upload.length, offset, _content_length(request))
    sending = _sending(request, caller, checksum)
    stored = await services.intake.receive(upload, request.stream(), sending, offset=offset)
    return Response(status_code=204, headers=_tus_headers(stored))


@router.get(
    "/uploads/{upload_id}",
    response_model=UploadInfo,
    responses=may_answer(404, 410, 423),
    summary="How an upload is doing",
)
async def one_upload(upload_id: str, services: ServicesDep, caller: CallerDep, addresses: AddressesDep) -> Response:
    """Interrupts nobody."""
    return json_answer(_info(await services.intake.settle(upload_id, caller.owner), addresses.base))


@router.delete("/uploads/{upload_id}", status_code=204, responses=may_answer(404, 409, 412), summary="Remove an upload")
async def remove_upload(
    upload_id: str, services: ServicesDep, caller: CallerDep, tus_resumable: TusResumable = None
) -> Response:
    """Also while it is being sent; not while a job needs it."""
    tus.check_version(tus_resumable)
    await services.intake.discard(upload_id, caller.owner)
    return Response(status_code=204)


async def _create(
    services: Services,
    caller: Caller,
    length: int | None,
    *,
    name: str | None,
    metadata: dict[str, str],
    concat: str | None = None,
) -> Upload:
    """Room for it. Raises what quotas and the disk raise, before a byte is read."""
    if length == 0 and concat is None:  # a part may be empty: who divides a small file makes such
        raise Refusal("invalid-request", "an empty file is no sequence")
    if length is not None:
        quotas.check_upload(caller.limits, length)
    services.intake.check_room(length or 0)

    def create() -> Upload:
        return uploads.create(
            services.database,
            owner=caller.owner,
            length=length,
            limits=caller.limits,
            name=storable(name, _LONGEST_NAME) if name else None,
            metadata=metadata,
            concat=concat,
        )

    return await to_thread.run_sync(create)


async def _make_final(
    services: Services, caller: Caller, parts: list[str], *, concat: str, metadata: dict[str, str]
) -> Upload:
    """Complete. Who asks again after a lost answer gets the same."""

    def create() -> Upload:
        return joining.create_final(
            services.database,
            owner=caller.owner,
            concat=concat,
            parts=parts,
            limits=caller.limits,
            name=_name(metadata),
            metadata=metadata,
        )

    return await services.intake.join(await to_thread.run_sync(create))


def _created(upload: Upload, base: str, more: dict[str, str] | None = None) -> Response:
    headers = {"Location": base + upload_path(upload.id), "Upload-Expires": tus.expiry(upload.expires), **(more or {})}
    return Response(status_code=201, headers=headers)


def _name(metadata: dict[str, str]) -> str | None:
    return metadata.get("filename") or metadata.get("name")


def _first_piece(request: Request, caller: Caller, checksum: str | None) -> Sending | None:
    """How the bytes that come with the request that begins an upload are received; None: none come."""
    has_body = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
    if not tus.is_piece(request.headers.get("content-type", "")):
        if has_body:
            raise Refusal("unsupported-media-type", f"Content-Type of a first piece must be {tus.CONTENT_TYPE}")
        return None
    _check_body(request)
    return _sending(request, caller, tus.parse_checksum(checksum) if checksum is not None else None)


async def _set_length(services: Services, caller: Caller, upload: Upload, length: int) -> Upload:
    if length == 0:
        raise Refusal("invalid-request", "an empty file is no sequence")

    def set_length() -> Upload:
        return uploads.advance(
            services.database,
            upload.id,
            caller.owner,
            old=upload.offset,
            new=upload.offset,
            limits=caller.limits,
            length=length,
        )

    return await to_thread.run_sync(set_length)


def _sending(
    request: Request,
    caller: Caller,
    checksum: tuple[str, bytes] | None,
    *,
    single_shot: bool = False,
) -> Sending:
    return Sending(
        owner=caller.owner,
        limits=caller.limits,
        admit=lambda: admit(request),
        checksum=checksum,
        single_shot=single_shot,
    )


def _check_body(request: Request) -> None:
    """The bytes must be the file's own."""
    headers = request.headers
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Refusal("unsupported-media-type", "Content-Encoding: send the file as it is")
    if headers.get("content-type", "").lower().startswith("multipart/"):
        raise Refusal("unsupported-media-type", "send the file itself as the body (curl -T FILE), not a form")
    if "content-range" in headers:
        raise Refusal("invalid-request", "Content-Range: to send a file in pieces, use tus (POST /uploads)")


def _check_fits(services: Services, length: int | None, offset: int, more: int | None) -> None:
    """Before a byte is read."""
    if more is not None and length is not None and offset + more > length:
        raise Refusal("invalid-request", f"{more} bytes from {offset} are more than the {length} announced in all")
    services.intake.check_room(more or 0)


def _content_length(request: Request) -> int | None:
    text = request.headers.get("content-length")
    return None if text is None else tus.parse_number("Content-Length", text)


def _tus_headers(upload: Upload) -> dict[str, str]:
    length = {"Upload-Length": str(upload.length)} if upload.length is not None else {"Upload-Defer-Length": "1"}
    metadata = tus.format_metadata(upload.metadata)
    making = bool(upload.parts) and upload.state == "receiving"
    return {
        **({} if making else {"Upload-Offset": str(upload.offset)}),
        **({"Upload-Concat": upload.concat} if upload.concat else {}),
        "Upload-Expires": tus.expiry(upload.expires),
        **length,
        **({"Upload-Metadata": metadata} if metadata and upload.metadata != SINGLE_SHOT else {}),
    }


def _info(upload: Upload, base: str) -> dict[str, Any]:
    address = base + upload_path(upload.id)
    return without_nothing(
        {
            "id": upload.id,
            "href": upload_path(upload.id),
            "name": upload.name,
            "state": upload.state,
            "length": upload.length,
            "offset": upload.offset,
            "sha256": upload.sha256,
            "concat": None if upload.concat is None else "final" if upload.parts else "partial",
            "created": timestamp(upload.created),
            "expires": timestamp(upload.expires),
            "links": [link(address, "self", "This upload")],
        }
    )
