"""Headers as OpenAPI describes them: those of answers, and which of a request go together."""

from typing import Any

_Headers = dict[str, tuple[bool, str, dict[str, Any]]]

_OFFSET: dict[str, Any] = {"type": "string", "pattern": "^[0-9]{1,16}$"}
_DATE: dict[str, Any] = {"type": "string", "examples": ["Sat, 21 Nov 2026 13:00:00 GMT"]}
_TAG: dict[str, Any] = {"type": "string", "pattern": '^(W/)?"[^"]*"$'}
_ADDRESS: dict[str, Any] = {"type": "string", "format": "uri"}

_LOCATION: _Headers = {"Location": (True, "Where it is.", _ADDRESS)}
_JOB: _Headers = {
    **_LOCATION,
    "Idempotent-Replayed": (False, "`true`: an earlier request with this key made it.", {"const": "true"}),
    "Preference-Applied": (False, "Where `Prefer` asked for it.", {"const": "respond-async"}),
}
_ENTITY: _Headers = {"ETag": (True, "For If-None-Match.", _TAG)}
_FILE: _Headers = {
    **_ENTITY,
    "Accept-Ranges": (True, "Range is understood.", {"const": "bytes"}),
    "Content-Disposition": (True, "The file's name.", {"type": "string"}),
}
_PART: _Headers = {
    **_FILE,
    "Content-Range": (True, "Which part this is.", {"type": "string", "pattern": "^bytes [0-9]+-[0-9]+/[0-9]+$"}),
}
_PIECE: _Headers = {**_ENTITY, "Accept-Ranges": _FILE["Accept-Ranges"]}
_STORED: _Headers = {
    "Upload-Offset": (False, "Bytes stored so far.", _OFFSET),
    "Upload-Expires": (True, "When what is stored is thrown away.", _DATE),
    "Upload-Length": (False, "Bytes of the whole, where they are known.", _OFFSET),
    "Upload-Defer-Length": (False, "The length is not known yet.", {"const": "1"}),
    "Upload-Metadata": (False, "As it was sent.", {"type": "string"}),
}
_CAPABILITIES: _Headers = {
    name: (True, about, {"type": "string"})
    for name, about in (
        ("Tus-Version", "Versions of tus."),
        ("Tus-Extension", "Its extensions."),
        ("Tus-Max-Size", "Bytes that one upload may have."),
        ("Tus-Checksum-Algorithm", "Of Upload-Checksum."),
    )
}
_OF_ANSWERS: dict[tuple[str, str, str], _Headers] = {
    ("post", "/processes/{process_id}/execution", "201"): _JOB,
    ("post", "/processes/benchmark/execution", "201"): _JOB,
    ("post", "/jobs/{job_id}/resubmit", "201"): _JOB,
    ("get", "/jobs/{job_id}", "200"): _ENTITY,
    ("get", "/jobs/{job_id}", "304"): _ENTITY,
    ("get", "/jobs/{job_id}/results", "204"): {"Link": (True, "To the outputs (RFC 8288).", {"type": "string"})},
    ("get", "/jobs/{job_id}/results.zip", "200"): _FILE,
    ("get", "/jobs/{job_id}/results.zip", "206"): _PART,
    ("get", "/jobs/{job_id}/results/{path}", "200"): _FILE,
    ("get", "/jobs/{job_id}/results/{path}", "206"): _PART,
    ("get", "/jobs/{job_id}/pictures/{path}", "200"): _PIECE,
    ("get", "/jobs/{job_id}/pictures/{path}", "206"): {**_PIECE, "Content-Range": _PART["Content-Range"]},
    ("put", "/uploads/{name}", "201"): _LOCATION,
    ("post", "/uploads", "201"): {**_LOCATION, "Upload-Expires": _STORED["Upload-Expires"]},
    ("options", "/uploads", "204"): _CAPABILITIES,
    ("head", "/uploads/{upload_id}", "200"): _STORED,
    ("patch", "/uploads/{upload_id}", "204"): _STORED,
}
_OF_PROBLEMS: dict[str, _Headers] = {
    "401": {"WWW-Authenticate": (True, "How to show a key.", {"const": "Bearer"})},
    "429": {"Retry-After": (True, "Seconds until another try may help.", _OFFSET)},
    "503": {"Retry-After": (True, "Seconds until another try may help.", _OFFSET)},
}
_BASE64 = "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"
_ENTRY = rf"[!-+\--~]+(?: {_BASE64})?"
# Schemas of request headers, where their parameters do not have them: by name.
OF_REQUESTS: dict[str, dict[str, Any]] = {
    "Upload-Metadata": {"pattern": f"^{_ENTRY}(?:,{_ENTRY}){{0,19}}$", "maxLength": 4096},
    "Upload-Checksum": {"pattern": "^(?:sha256 [A-Za-z0-9+/]{43}=|sha1 [A-Za-z0-9+/]{27}=)$"},
}
# A JSON Schema of the headers of a request, by operation: what the parameters, each for itself, cannot say.
_FINAL = {"required": ["Upload-Concat"], "properties": {"Upload-Concat": {"pattern": "^final;"}}}
EXACTLY_ONE: dict[tuple[str, str], dict[str, Any]] = {
    ("post", "/uploads"): {
        "oneOf": [{"required": ["Upload-Length"]}, {"required": ["Upload-Defer-Length"]}, _FINAL],
    },
}


def answered_headers(method: str, path: str, status: str) -> dict[str, Any]:
    """The `headers` of an answer in OpenAPI; empty where there are none."""
    headers = _OF_ANSWERS.get((method, path, status), _OF_PROBLEMS.get(status, {}))
    return {
        name: {"description": about, "required": required, "schema": {"type": "string", **schema}}
        for name, (required, about, schema) in headers.items()
    }
