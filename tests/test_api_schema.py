"""Requests made up from our own OpenAPI, valid and broken ones: no 5xx, and no answer that is not as described."""

import re
from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, CheckContext, GenerationMode, Response
from schemathesis.schemas import APIOperation, BaseSchema
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance
from service_api import ServedApi, User

MANY = 2**40
REJECTIONS = [400, 401, 403, 404, 405, 409, 410, 412, 413, 415, 422, 429, 460]
schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")


@pytest.fixture(scope="module")
def known(api: ServedApi) -> User:
    """Somebody whom no limit stops."""
    return api.user(requests_per_minute=MANY, max_queued_per_owner=MANY, max_stored_bytes_per_owner=MANY)


@pytest.fixture(scope="module")
def described(known: User) -> BaseSchema:
    checks = {"negative_data_rejection": {"expected-statuses": REJECTIONS}}
    config = schemathesis.Config.from_dict({"checks": checks})
    return schemathesis.openapi.from_url(f"{known.api.url}/openapi.json", config=config)


def operations(schema: BaseSchema) -> Iterator[APIOperation]:
    for found in schema.get_all_operations():
        yield found.ok()


# What OpenAPI cannot say of a request, by operation: how its refusal names it.
UNSAID = {
    "GET /jobs": "RFC 3339",
    "POST /uploads": "Upload-Length|Upload-Metadata|Tus-Resumable",
    "PUT /uploads/{name}": "empty file|body is empty|Digest",
    "HEAD /uploads/{upload_id}": "",
    "DELETE /uploads/{upload_id}": "Tus-Resumable",
    "PATCH /uploads/{upload_id}": "Upload-Checksum|Upload-Length|Upload-Offset|Tus-Resumable|announced",
    "POST /processes/{process_id}/execution": "more than half of tile_px|outputs|subscriber",
    "POST /jobs/{job_id}/resubmit": "more than half of tile_px|subscriber",
}
# A list's parameter that is one plain value is a list of one on the wire.
MISJUDGED = {"GET /jobs": [negative_data_rejection]}


def valid_requests_are_accepted(_: CheckContext, response: Response, case: Case) -> None:
    """Or there is nothing that they ask for; or what is wrong is among the few things that no schema can say."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code not in (400, 412):
        return
    reasons = UNSAID.get(case.operation.label)
    assert reasons is not None, response.text
    assert re.search(reasons, response.text), response.text


def ask(operation: APIOperation, mode: GenerationMode, user: User, examples: int, *, repeatable: bool) -> int:
    """How many requests were made."""
    made = []

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=repeatable,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(mode))
    def check(case: Case) -> None:
        case.call_and_validate(
            headers={"Authorization": f"Bearer {user.key}"},
            additional_checks=[valid_requests_are_accepted],
            excluded_checks=[positive_data_acceptance, *MISJUDGED.get(operation.label, ())],
        )
        made.append(1)

    try:
        check()
    except Unsatisfiable:  # nothing about it can be broken
        assert mode.is_negative
    return len(made)


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_a_few_requests_of_every_kind_are_answered_as_described(
    described: BaseSchema, known: User, mode: GenerationMode
) -> None:
    made = [ask(operation, mode, known, 2, repeatable=True) for operation in operations(described)]
    assert len(made) > 25
    assert sum(made) > 20


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_many_requests_of_every_kind_are_answered_as_described(
    described: BaseSchema, known: User, mode: GenerationMode
) -> None:
    for operation in operations(described):
        ask(operation, mode, known, 150, repeatable=False)
