"""Pictures of a result for a viewer, piece by piece, and of one that is in the making."""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Generator
from functools import partial
from pathlib import PurePosixPath
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response

from api.deps import ReaderDep, ServicesDep, admit_holder, get_job
from api.http.sending import Content, send_content
from api.routes.documented import may_answer
from api.routes.results import Token, check_same, check_there
from api.services import Services
from seq2seq.products import ARCHIVE, PICTURES, REPORT
from worker.errors import NotFound
from worker.jobs import artifacts, events
from worker.storage.packed import Pack, PackedFile

router = APIRouter(tags=["results"])

_SCENE, _PICTURE = "scene.json", "picture"
_LIVE = re.compile(r"live/(\d{4}-\d{2}-\d{2})\.webp", re.ASCII)
_WEBP, _JSON, _BYTES = "image/webp", "application/json", "application/octet-stream"
_KINDS = {".webp": _WEBP, ".json": _JSON}
# Of a picture's address with its version, what is there never changes; of any other, it is asked for again.
_FOREVER = "private, max-age=31536000, immutable"
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_CONTENT: dict[str, Any] = {_WEBP: _BINARY, _BYTES: _BINARY, _JSON: {"schema": {"type": "object"}}}
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file.", "content": _CONTENT},
    206: {"description": "The part asked for by Range.", "content": dict.fromkeys(_CONTENT, _BINARY)},
}
Version = Annotated[
    str | None,
    Query(
        alias="v", max_length=64, description="As `scene.json` says under `v`: then the answer may be kept for ever."
    ),
]


@router.get(
    "/jobs/{job_id}/pictures/{path:path}",
    responses=_FILE | may_answer(304, 403, 404, 410, 416),
    response_class=Response,
    summary="A piece of what a viewer shows",
)
@router.head("/jobs/{job_id}/pictures/{path:path}", responses=may_answer(304, 403, 404, 410), include_in_schema=False)
async def picture(
    request: Request, job_id: str, path: str, services: ServicesDep, owner: ReaderDep, version: Version = None
) -> Response:
    """`scene.json` says what there is: pictures `STYLE/DATE.webp`, and the cube `cube/` (Zarr v3). Of a running job,
    `live/DATE.webp` is the latest one of what is in the making; events of kind `picture` tell of new ones."""
    content = await to_thread.run_sync(_content, services, job_id, path, owner, version)
    return await send_content(request, content, readers=services.readers, sent=services.metrics.sent.inc)


@router.get(
    "/jobs/{job_id}/signed/{token}/pictures/{path:path}",
    responses=_FILE | may_answer(304, 403, 404, 410, 416),
    response_class=Response,
    summary="A piece of what a viewer shows, by the signature of the whole result",
)
@router.head(
    "/jobs/{job_id}/signed/{token}/pictures/{path:path}",
    responses=may_answer(304, 403, 404, 410),
    include_in_schema=False,
)
async def signed_picture(
    request: Request, job_id: str, token: Token, path: str, services: ServicesDep, version: Version = None
) -> Response:
    """The same answers as with a key."""
    await admit_holder(request, job_id, token)
    return await picture(request, job_id, path, services, None, version)


def _content(services: Services, job_id: str, path: str, owner: str | None, version: str | None) -> Content:
    if live := _LIVE.fullmatch(path):
        return _live(services, job_id, live[1], owner)
    job = get_job(services.database, job_id, owner)
    prefix = check_there(job)
    try:
        artifact = artifacts.get(services.database, job.id, PICTURES.path)
    except NotFound:
        raise NotFound(f"the result of job {job_id} has no pictures") from None
    key, tag = f"{prefix}/{artifact.path}", artifact.sha256[:16]
    pack = services.packs.get(key)
    if pack is None:
        pack = Pack.open(services.storage, key, artifact.size)
        services.packs.put(key, pack)
    found = pack.find(path)
    if found is None:
        raise NotFound(f"the pictures of job {job_id} have no file {path[:200]}")
    check = partial(check_same, services, job_id, owner, prefix)
    headers = {"Cache-Control": _FOREVER} if version == tag else {}
    if path == _SCENE:
        return _at_hand(_scene(services, key, found, tag), _JSON, headers)
    return Content(
        lambda start, stop: services.storage.open_range(key, found.start + start, found.start + stop),
        lambda start, stop: services.storage.read_now(key, found.start + start, found.start + stop),
        found.size,
        check,
        f'"{tag}-{found.start:x}"',
        _KINDS.get(PurePosixPath(path).suffix, _BYTES),
        headers,
    )


def _scene(services: Services, key: str, found: PackedFile, tag: str) -> bytes:
    """With what only the service knows: the version, and where the whole result is, relative to the pictures."""
    stored = b"".join(services.storage.open_range(key, found.start, found.start + found.size))
    downloads = [
        {"title": "All files (ZIP)", "path": f"../{ARCHIVE.path}"},
        *({"title": f"{REPORT.title} ({file.media_type.partition(';')[0].rpartition('/')[2].upper()})",
           "path": f"../results/{file.path}"} for file in REPORT.files),
    ]  # fmt: skip
    return json.dumps({**json.loads(stored), "v": tag, "downloads": downloads}, ensure_ascii=False).encode()


def _live(services: Services, job_id: str, date: str, owner: str | None) -> Content:
    """The latest of this date."""
    job = get_job(services.database, job_id, owner)
    for event in events.latest(services.database, job.id, _PICTURE):
        if event.data.get("date") == date:
            try:
                image = base64.b64decode(event.data.get("image", ""), validate=True)
            except (ValueError, binascii.Error):
                break
            return _at_hand(image, _WEBP, {})
    raise NotFound(f"job {job_id} has shown no picture of {date} yet")


def _at_hand(content: bytes, media_type: str, headers: dict[str, str]) -> Content:
    """What is in memory already."""

    def pieces(start: int, stop: int) -> Generator[bytes, None, None]:
        yield content[start:stop]

    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    at_once = memoryview(content)
    return Content(
        pieces, lambda start, stop: at_once[start:stop], len(content), lambda: None, etag, media_type, headers
    )
