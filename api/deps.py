"""What routes ask for by their parameters."""

from typing import Annotated

from fastapi import Depends, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.addresses import Addresses, base_of
from api.callers import Caller
from api.errors import Refusal
from api.services import Services
from worker import clock, jobs, signing
from worker.database import Database
from worker.errors import NotFound, Unauthorized
from worker.jobs import Job

_bearer = HTTPBearer(auto_error=False, description="An API key: dcl_ID_SECRET.", scheme_name="key")
# Some of OGC's clients say so always.
_FORMAT = ("f", "json")
# Map viewers read an image in hundreds of pieces.
_READS_FOR_A_REQUEST = 20


async def check_query(request: Request) -> None:
    """Raises `Refusal` for a parameter that the address does not know: a filter with a typing error filters nothing."""
    if not request.scope["query_string"]:
        return
    method = "GET" if request.method == "HEAD" else request.method
    known = request.app.state.queries.get((method, request.scope["route"].path_format), frozenset())
    for name in request.query_params:
        if name not in known and (name, request.query_params[name]) != _FORMAT:
            raise Refusal(
                "invalid-request",
                f"{name[:100]!r} is no parameter here; known are {', '.join(sorted(known)) or 'none'}",
                errors=[{"in": "query", "field": name[:100], "detail": "there is no such parameter"}],
            )


async def the_services(request: Request) -> Services:
    """The application's."""
    services: Services = request.app.state.services
    return services


async def the_addresses(request: Request) -> Addresses:
    """As the one who asks must write them."""
    return Addresses(base_of(request, request.app.state.services.settings))


ServicesDep = Annotated[Services, Depends(the_services)]
AddressesDep = Annotated[Addresses, Depends(the_addresses)]
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


async def the_caller(services: ServicesDep, credentials: Credentials) -> Caller:
    """Who asks, within their rate."""
    caller = await services.doorkeeper.admit(None if credentials is None else credentials.credentials)
    services.rates.spend(caller.name, caller.limits.requests_per_minute)
    return caller


CallerDep = Annotated[Caller, Depends(the_caller)]

Expires = Annotated[str | None, Query(max_length=20, description="Of a signed address.")]
Signature = Annotated[str | None, Query(max_length=100, description="Of a signed address.")]


async def the_reader(
    request: Request,
    services: ServicesDep,
    credentials: Credentials,
    expires: Expires = None,
    signature: Signature = None,
) -> str | None:
    """Whose results may be read: the key's owner's; None: of any owner, the address is signed."""
    if signature is None and expires is None:
        caller = await services.doorkeeper.admit(None if credentials is None else credentials.credentials)
        services.rates.spend(f"{caller.name} reads", _READS_FOR_A_REQUEST * caller.limits.requests_per_minute)
        return caller.owner
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    signing.verify(path, expires=expires or "", signature=signature or "", secret=services.secret, now=clock.now())
    per_minute = services.settings.requests_per_minute
    services.rates.spend(f"{request.path_params['job_id']} reads", _READS_FOR_A_REQUEST * per_minute)
    return None


ReaderDep = Annotated[str | None, Depends(the_reader)]


def get_job(database: Database, job_id: str, owner: str | None) -> Job:
    """Raises `Refusal` by OGC's name for a job that is not there, or is another owner's."""
    try:
        return jobs.get(database, job_id, owner)
    except NotFound:
        raise Refusal("no-such-job", f"there is no job {job_id[:64]!r}") from None


def bearer_of(credentials: HTTPAuthorizationCredentials | None) -> str | None:
    """The key's text."""
    return None if credentials is None else credentials.credentials


async def still_admitted(services: Services, credentials: HTTPAuthorizationCredentials | None) -> bool:
    """Whether the key of a request that takes long is good still."""
    try:
        await services.doorkeeper.admit(bearer_of(credentials))
    except Unauthorized:
        return False
    return True
