"""Parameters of routes: the caller, services, addresses."""

from typing import Annotated

from fastapi import Depends, Query, Request
from fastapi.security import HTTPBearer

from api.errors import Refusal
from api.http.addresses import Addresses, base_of, results_prefix
from api.http.authentication import Caller
from api.http.connections import network_of
from api.http.login_cookies import token_of
from api.services import Services
from worker import clock, jobs
from worker.database.connections import Database
from worker.errors import NotFound, Unauthorized
from worker.jobs import Job
from worker.signing.addresses import verify, verify_below

# Some of OGC's clients always ask so.
_FORMAT = ("f", "json")
# Map viewers read an image in hundreds of pieces.
_READS_FOR_A_REQUEST = 20
# Wrong keys, too, from one address: the page asks for one once in a while.
_LOGINS_PER_MINUTE = 30
# Of a request's scope: its `Caller`, admitted and counted already.
_ADMITTED = "decloud.caller"


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


def services_of(request: Request) -> Services:
    """The application's services."""
    services: Services = request.app.state.services
    return services


async def the_services(request: Request) -> Services:
    """The same as `services_of`, by parameter."""
    return services_of(request)


async def the_addresses(request: Request) -> Addresses:
    """The addresses as the one who asks must write them."""
    return Addresses(base_of(request, services_of(request).settings))


def _shown_key(request: Request) -> str | None:
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    return text.strip() if scheme.lower() == "bearer" else None


async def admit(request: Request) -> Caller:
    """The caller, by their key, or by the cookie of a login where no key is shown; the request is not counted.

    Raises `Unauthorized`, and `Refusal` for a cookie that another page makes use of.
    """
    services = services_of(request)
    key = _shown_key(request)
    if key is None and (token := token_of(request, services.settings)) is not None:
        return await services.authenticator.authenticate_login(token)
    return await services.authenticator.authenticate(key)


def count(request: Request, caller: Caller) -> None:
    """Counts one request of theirs. Raises `Refusal` where it is one too many."""
    services_of(request).rates.spend(caller.name, caller.limits.requests_per_minute)


async def admit_early(request: Request) -> None:
    """Admits and counts a request before its body is read; `CallerDep` counts it no more. Raises as that would."""
    caller = await admit(request)
    count(request, caller)
    request.scope[_ADMITTED] = caller


class _ByKey(HTTPBearer):
    """The scheme that OpenAPI shows; as a dependency it gives the caller, within their rate."""

    async def __call__(self, request: Request) -> Caller:  # type: ignore[override]
        if _ADMITTED not in request.scope:
            await admit_early(request)
        caller: Caller = request.scope[_ADMITTED]
        return caller


_by_key = _ByKey(scheme_name="key", description="An API key: dcl_ID_SECRET.")


class _ByKeyAlone(HTTPBearer):
    """The key itself and nothing in its place: no login makes another."""

    async def __call__(self, request: Request) -> Caller:  # type: ignore[override]
        services = services_of(request)
        address = request.client.host if request.client else ""
        if address not in services.settings.proxies:  # from where everybody comes
            services.rates.spend(f"{network_of(address)} logins", _LOGINS_PER_MINUTE)
        caller = await services.authenticator.authenticate(_shown_key(request))
        count(request, caller)
        return caller


ServicesDep = Annotated[Services, Depends(the_services)]
AddressesDep = Annotated[Addresses, Depends(the_addresses)]
CallerDep = Annotated[Caller, Depends(_by_key)]
KeyDep = Annotated[Caller, Depends(_ByKeyAlone(scheme_name="key", description=_by_key.model.description))]

Expires = Annotated[str | None, Query(max_length=20, description="Of a signed address.")]
Signature = Annotated[str | None, Query(max_length=100, description="Of a signed address.")]


async def admit_reader(request: Request) -> str:
    """The owner whose results the key opens. Raises `Unauthorized`, and `Refusal` for a read too many."""
    caller = await admit(request)
    allowed = _READS_FOR_A_REQUEST * caller.limits.requests_per_minute
    services_of(request).rates.spend(f"{caller.name} reads", allowed)
    return caller.owner


class _Reader(HTTPBearer):
    """By key, or by a signed address."""

    async def __call__(  # type: ignore[override]
        self, request: Request, expires: Expires = None, signature: Signature = None
    ) -> str | None:
        """Whose results may be read: the key's owner's; None: of any owner, the address is signed."""
        services = services_of(request)
        if signature is None and expires is None:
            return await admit_reader(request)
        path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
        verify(path, expires=expires or "", signature=signature or "", secret=services.secret, now=clock.now())
        _count_reads(services, request.path_params["job_id"])
        return None


ReaderDep = Annotated[str | None, Depends(_Reader(scheme_name="key", description=_by_key.model.description))]


async def admit_holder(request: Request, job_id: str, token: str) -> None:
    """Admits whoever has the signature of a whole result. Raises `InvalidSignature`, `Refusal` for a read too many."""
    services = services_of(request)
    verify_below(results_prefix(job_id), token=token, secret=services.secret, now=clock.now())
    _count_reads(services, job_id)


def _count_reads(services: Services, job_id: str) -> None:
    """Of a job, by signed addresses."""
    allowed = _READS_FOR_A_REQUEST * services.settings.requests_per_minute
    services.rates.spend(f"{job_id} reads", allowed)


def get_job(database: Database, job_id: str, owner: str | None) -> Job:
    """The job. Raises `Refusal` by OGC's name for one that is not there, or is another owner's."""
    try:
        return jobs.get(database, job_id, owner)
    except NotFound:
        raise _no_such_job(job_id) from None


async def find_job(services: Services, job_id: str, owner: str) -> tuple[Job, int | None]:
    """The job and its place in the queue, in the shortest time. Raises as `get_job`."""
    try:
        return await services.ask(services.lookup.find, job_id, owner)
    except NotFound:
        raise _no_such_job(job_id) from None


def _no_such_job(job_id: str) -> Refusal:
    return Refusal("no-such-job", f"there is no job {job_id[:64]!r}")


async def caller_if_any(request: Request) -> Caller | None:
    """The same as `admit`, of a request that nobody need make. Raises no `Unauthorized`."""
    try:
        return await admit(request)
    except Unauthorized:
        return None


async def still_admitted(request: Request) -> bool:
    """Whether the key of a request that takes long is still valid."""
    return await caller_if_any(request) is not None
