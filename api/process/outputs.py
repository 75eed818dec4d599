"""A job's outputs as its results show them: links or values, in one document or raw (OGC API - Processes 1.0, 7.13)."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson
from starlette.responses import Response

from api.errors import Refusal
from api.http.addresses import Addresses, archive_path, result_path
from api.http.answers import json_answer
from api.http.composing import Part, in_base64, joined, literal
from api.http.sending import Content
from api.process.delivery import Mode, delivery_of
from api.process.processes import media_types, output_title
from seq2seq.products import ARCHIVE, STAC
from worker.jobs import Job
from worker.jobs.artifacts import Artifact
from worker.storage import Storage
from worker.storage.archive import Archive

# What clients and proxies take of a header without being asked: nginx 8 kB, Python's http.client 64 kB.
_LONGEST_LINKS = 6000
# A result's own page has styles and pictures inside, and nothing that runs.
_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data: 'self'; frame-ancestors 'self'; sandbox"


@dataclass(frozen=True)
class Result:
    """The files of a successful job, and where they are."""

    job: Job
    files: tuple[Artifact, ...]
    storage: Storage
    archive: Archive
    addresses: Addresses
    # Raises `ServiceError` where the result is no longer to be had.
    check: Callable[[], object]

    @property
    def kinds(self) -> Mapping[str, str]:
        """Media types by output."""
        return media_types(self.job.process)

    def of(self, output: str) -> tuple[Artifact, ...]:
        """The files of an output; none of `archive`, which is none."""
        return tuple(file for file in self.files if file.role == output)


@dataclass(frozen=True)
class _Value:
    """One file of an output, to be sent. path: within the result."""

    output: str
    path: str
    media_type: str
    part: Part
    href: str


def page_headers(media_type: str) -> dict[str, str]:
    """What a file's answer says besides where it is a page."""
    return {"Content-Security-Policy": _PAGE_POLICY} if media_type.startswith("text/html") else {}


def deliver(result: Result) -> Response | Content:
    """The answer to who asks for the results, as the submission wanted it. Raises `Refusal` where nothing is left."""
    wanted = delivery_of(result.job)
    there = {*(file.role for file in result.files), ARCHIVE.name}
    modes = {name: mode for name, mode in wanted.modes.items() if name in there}
    if not wanted.selected and wanted.by_reference and wanted.response == "document":
        return json_answer(_linked(result, [*dict.fromkeys(file.role for file in result.files), ARCHIVE.name]))
    if wanted.response == "document":
        return _document(result, modes) if "value" in modes.values() else json_answer(_linked(result, list(modes)))
    if not modes:
        raise Refusal("not-found", f"the result of job {result.job.id} has none of {', '.join(wanted.modes)}")
    return _raw(result, modes)


def _linked(result: Result, outputs: list[str]) -> dict[str, Any]:
    return {output: _links(result, output) for output in outputs}


def _links(result: Result, output: str) -> Any:
    """A link where an output is one file, a list of links where it is several."""
    if output == ARCHIVE.name:
        return {
            "href": result.addresses.of(archive_path(result.job.id)),
            "type": ARCHIVE.media_type,
            "title": ARCHIVE.title,
            "size": result.archive.size,
        }
    links = [_link(result, file) for file in result.of(output)]
    return links[0] if len(links) == 1 else links


def _link(result: Result, file: Artifact) -> dict[str, Any]:
    return {
        "href": _address(result, file),
        "type": file.media_type,
        "title": f"{output_title(file.role)}: {file.path}",
        "path": file.path,
        **({"date": file.date} if file.date else {}),
        "size": file.size,
        "sha256": file.sha256,
    }


def _address(result: Result, file: Artifact) -> str:
    """STAC is read along its links: so its address opens the result, and every other one its own file alone."""
    if file.role == STAC.name:
        return result.addresses.of_document(result.job.id, file.path)
    return result.addresses.of(result_path(result.job.id, file.path))


def _values(result: Result, output: str) -> list[_Value]:
    """What an output is by value: its files of the kind that the process description names."""
    if output == ARCHIVE.name:
        archive = result.archive
        part = Part(archive.size, archive.open_range, archive.etag)
        href = result.addresses.of(archive_path(result.job.id))
        return [_Value(output, ARCHIVE.path, ARCHIVE.media_type, part, href)]
    return [_stored(result, file) for file in result.of(output) if _is_of_kind(file.media_type, result.kinds[output])]


def _stored(result: Result, file: Artifact) -> _Value:
    key = f"{result.job.result_prefix}/{file.path}"
    part = Part(file.size, partial(result.storage.open_range, key), file.sha256)
    href = _address(result, file)
    return _Value(file.role, file.path, file.media_type, part, href)


def _is_of_kind(media_type: str, described: str) -> bool:
    """The report is JSON, and a page for people beside it; STAC is JSON and GeoJSON."""
    return media_type.partition(";")[0] == described.partition(";")[0] or (
        media_type.endswith("+json") and described.endswith("/json")
    )


def _document(result: Result, modes: Mapping[str, Mode]) -> Content:
    """JSON with values between the links. JSON stands in it as it is, anything else in Base64."""
    parts: list[Part] = []
    for output, mode in modes.items():
        parts.append(literal((b"," if parts else b"{") + orjson.dumps(output) + b":"))
        if mode == "reference":
            parts.append(literal(orjson.dumps(_links(result, output))))
        else:
            parts += _qualified_values(_values(result, output))
    return _content(result, joined([*parts, literal(b"}")]), "application/json")


def _qualified_values(values: list[_Value]) -> Iterator[Part]:
    single = len(values) == 1
    yield literal(b"" if single else b"[")
    for number, value in enumerate(values):
        yield literal(b"," if number else b"")
        yield from _qualified(value)
    yield literal(b"" if single else b"]")


def _qualified(value: _Value) -> Iterator[Part]:
    """`{"value": ..., "mediaType": ...}`."""
    media_type = orjson.dumps(value.media_type)
    if value.media_type.endswith(("/json", "+json")):
        yield from (literal(b'{"value":'), value.part, literal(b',"mediaType":' + media_type + b"}"))
    else:
        yield from (literal(b'{"value":"'), in_base64(value.part))
        yield literal(b'","encoding":"base64","mediaType":' + media_type + b"}")


def _raw(result: Result, modes: Mapping[str, Mode]) -> Response | Content:
    if set(modes.values()) == {"reference"}:
        return Response(status_code=204, headers={"Link": _link_header(result, list(modes))})
    values = {output: _values(result, output) for output, mode in modes.items() if mode == "value"}
    if len(modes) == 1:
        (several,) = values.values()
        if len(several) == 1:
            return _content(result, several[0].part, several[0].media_type, {"Content-Location": several[0].href})
    return _multipart(result, modes)


def _link_header(result: Result, outputs: list[str]) -> str:
    """RFC 8288. Where the files of an output are too many for a header, the archive, which has them all."""
    links = [_web_links(result, output) for output in outputs]
    if sum(map(len, links)) <= _LONGEST_LINKS:
        return ", ".join(links)
    archive = result.addresses.of(archive_path(result.job.id))
    many = [output for output in outputs if output != ARCHIVE.name and len(result.of(output)) > 1]
    return ", ".join(
        _web_link(archive, output, ARCHIVE.media_type) if output in many else links[number]
        for number, output in enumerate(outputs)
    )


def _web_links(result: Result, output: str) -> str:
    links = _links(result, output)
    return ", ".join(
        _web_link(each["href"], output, each["type"]) for each in (links if isinstance(links, list) else [links])
    )


def _web_link(href: str, output: str, media_type: str) -> str:
    return f'<{href}>; rel="related"; title="{output}"; type="{media_type}"'


def _multipart(result: Result, modes: Mapping[str, Mode]) -> Content:
    """RFC 2387: a part for each value, named by its output; an empty one with its address for each reference."""
    boundary = f"decloud-{result.job.id}"
    parts: list[Part] = []
    for output, mode in modes.items():
        for value in _values(result, output) if mode == "value" else ():
            parts += [_head(boundary, output, value.media_type, value.href), value.part, literal(b"\r\n")]
        links = _links(result, output) if mode == "reference" else []
        for each in links if isinstance(links, list) else [links]:
            parts += [_head(boundary, output, each["type"], each["href"]), literal(b"\r\n")]
    parts.append(literal(f"--{boundary}--\r\n".encode()))
    root = result.kinds[next(iter(modes))].partition(";")[0]
    return _content(result, joined(parts), f'multipart/related; boundary="{boundary}"; type="{root}"')


def _head(boundary: str, output: str, media_type: str, href: str) -> Part:
    lines = [f"--{boundary}", f"Content-Type: {media_type}", f"Content-ID: {output}", f"Content-Location: {href}"]
    return literal("\r\n".join([*lines, "", ""]).encode())


def _content(result: Result, part: Part, media_type: str, headers: dict[str, str] | None = None) -> Content:
    headers = {**(headers or {}), **page_headers(media_type)}
    etag = f'"{part.tag[:64]}"'
    return Content(part.open_range, lambda *_: None, part.size, result.check, etag, media_type, headers)
