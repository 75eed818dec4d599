"""Uploads in pieces that can be resumed, by tus 1.0."""

from collections.abc import AsyncIterator
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Header, Request, Response

from api.deps import AddressesDep, CallerDep, ServicesDep
from api.errors import Refusal
from api.http.addresses import upload_path
from api.http.authentication import Caller
from api.receiving import tus
from api.receiving.incoming import SINGLE_SHOT
from api.receiving.reception import Sending
from api.routes.documented import answers_openly, may_answer
from api.routes.upload_requests import begin_upload, check_body, content_length, sending_of
from api.routes.uploads import TusResumable
from api.services import Services
from worker.jobs import joining, uploads
from worker.jobs.uploads import Upload

router = APIRouter(tags=["uploads"])

_PATCH_BODY = {
    "requestBody": {
        "required": True,
        "content": {tus.CONTENT_TYPE: {"schema": {"type": "string", "format": "binary", "minLength": 1}}},
    }
}
# None, too: a part may be empty, and the first bytes may come later.
_POST_BODY = {
    "requestBody": {
        "required": False,
        "content": {tus.CONTENT_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    }
}
_CONCAT = r"^(partial|final;.*[^ ].*)$"
_NUMBER = {"pattern": r"^[0-9]{1,16}$"}
_LENGTH = {"pattern": r"^0*[1-9][0-9]*$", "maxLength": 16}

TusRequired = Annotated[str, Header(description=f"tus: {tus.VERSION}.", json_schema_extra={"const": tus.VERSION})]
UploadLength = Annotated[str | None, Header(description="Bytes of the whole.", json_schema_extra=_LENGTH)]
DeferLength = Annotated[str | None, Header(description="1: the length comes later.", json_schema_extra={"const": "1"})]
Metadata = Annotated[str | None, Header(description="`filename BASE64`", examples=["filename Zi56aXA="])]
Concat = Annotated[
    str | None,
    Header(description="`partial`, or `final;/uploads/ID /uploads/ID` to make one of those.", pattern=_CONCAT),
]


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
    upload_length: UploadLength = None,
    upload_defer_length: DeferLength = None,
    upload_metadata: Metadata = None,
    upload_concat: Concat = None,
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
    _check_fits(services, length, 0, (content_length(request) or 0) if first else 0)
    upload = await begin_upload(services, caller, length, name=_name(metadata), metadata=metadata, concat=upload_concat)
    if first is None and length != 0:
        return _created(upload, addresses.base)
    pieces = request.stream() if first else _nothing()
    received = await services.intake.receive_first(upload, pieces, first or sending_of(request, caller, None))
    return _created(received, addresses.base, {"Upload-Offset": str(received.offset)})


@router.head("/uploads/{upload_id}", responses=may_answer(404, 410, 412, 423), summary="tus: how much is stored")
async def upload_offset(
    upload_id: str, services: ServicesDep, caller: CallerDep, tus_resumable: TusResumable = None
) -> Response:
    """Interrupts whoever is sending it now, so that the offset is final."""
    tus.check_version(tus_resumable)
    await to_thread.run_sync(uploads.get, services.database, upload_id, caller.owner)
    await services.intake.release(upload_id)
    upload = await services.intake.settle(upload_id, caller.owner)
    return Response(status_code=200, headers=_tus_headers(upload))


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
    check_body(request)
    if not tus.is_piece(request.headers.get("content-type", "")):
        raise Refusal("unsupported-media-type", f"Content-Type must be {tus.CONTENT_TYPE}")
    offset = tus.parse_number("Upload-Offset", upload_offset)
    checksum = tus.parse_checksum(upload_checksum) if upload_checksum is not None else None
    upload = await to_thread.run_sync(uploads.get, services.database, upload_id, caller.owner)
    if upload.parts:
        raise Refusal("upload-is-final", f"upload {upload.id} is made of others and takes no bytes")
    if upload_length is not None and upload.length is None:
        upload = await _set_length(services, caller, upload, tus.parse_number("Upload-Length", upload_length))
    _check_fits(services, upload.length, offset, content_length(request))
    sending = sending_of(request, caller, checksum)
    stored = await services.intake.receive(upload, request.stream(), sending, offset=offset)
    return Response(status_code=204, headers=_tus_headers(stored))


async def _nothing() -> AsyncIterator[bytes]:
    """The body of a part without bytes, which is complete when it begins."""
    none: tuple[bytes, ...] = ()
    for piece in none:
        yield piece


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
    check_body(request)
    return sending_of(request, caller, tus.parse_checksum(checksum) if checksum is not None else None)


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


def _check_fits(services: Services, length: int | None, offset: int, more: int | None) -> None:
    """Before a byte is read."""
    if more is not None and length is not None and offset + more > length:
        raise Refusal("invalid-request", f"{more} bytes from {offset} are more than the {length} announced in all")
    services.incoming.check_room(more or 0)


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
