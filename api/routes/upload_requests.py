"""Requests that send uploads, by PUT or by tus: their checks, and the rows and answers that follow from them."""

from typing import Any

from anyio import to_thread
from fastapi import Request

from api.deps import admit
from api.errors import Refusal
from api.http.addresses import upload_path
from api.http.answers import link, timestamp, without_nothing
from api.http.authentication import Caller
from api.receiving import tus
from api.receiving.reception import Sending
from api.services import Services
from worker.access import quotas
from worker.jobs import uploads
from worker.jobs.uploads import Upload


def check_body(request: Request) -> None:
    """Raises `Refusal` for bytes that are not the file's own."""
    headers = request.headers
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Refusal("unsupported-media-type", "Content-Encoding: send the file as it is")
    if headers.get("content-type", "").lower().startswith("multipart/"):
        raise Refusal("unsupported-media-type", "send the file itself as the body (curl -T FILE), not a form")
    if "content-range" in headers:
        raise Refusal("invalid-request", "Content-Range: to send a file in pieces, use tus (POST /uploads)")


def content_length(request: Request) -> int | None:
    """The bytes that the body is announced to have; None where nothing is announced."""
    text = request.headers.get("content-length")
    return None if text is None else tus.parse_number("Content-Length", text)


def sending_of(
    request: Request, caller: Caller, checksum: tuple[str, bytes] | None, *, single_shot: bool = False
) -> Sending:
    """The sender of a request's body, whose key is asked for again while it comes."""
    return Sending(caller.owner, caller.limits, lambda: admit(request), checksum, single_shot)


async def begin_upload(
    services: Services,
    caller: Caller,
    length: int | None,
    *,
    name: str | None,
    metadata: dict[str, str],
    concat: str | None = None,
) -> Upload:
    """A new upload, with room for its bytes. Raises what quotas and the disk raise, before a byte is read."""
    if length == 0 and concat is None:  # a part may be empty: who divides a small file makes such
        raise Refusal("invalid-request", "an empty file is no sequence")
    if length is not None:
        quotas.check_upload(caller.limits, length)
    services.incoming.check_room(length or 0)

    def create() -> Upload:
        return uploads.create(
            services.database,
            owner=caller.owner,
            length=length,
            limits=caller.limits,
            name=name or None,
            metadata=metadata,
            concat=concat,
        )

    return await to_thread.run_sync(create)


def upload_info(upload: Upload, base: str) -> dict[str, Any]:
    """The document of `GET /uploads/ID`."""
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
            "links": [link(base + upload_path(upload.id), "self", "This upload")],
        }
    )
