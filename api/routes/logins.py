"""Staying signed in: the page shows a key once, and a cookie is its proof from then on."""

from fastapi import APIRouter, Request, Response

from api.deps import KeyDep, ServicesDep, caller_if_any
from api.errors import Refusal
from api.http import login_cookies
from api.http.answers import json_answer, without_nothing
from api.http.login_cookies import offered
from api.routes.documented import answers_openly, may_answer
from api.schemas.service import LoginInfo
from worker import clock
from worker.access import logins

router = APIRouter(tags=["login"])


@router.get("/login", response_model=LoginInfo, responses=answers_openly(503), summary="Who is signed in")
async def login_info(request: Request, services: ServicesDep) -> Response:
    """Whether a browser may stay signed in here, and as whom it is: it cannot see its cookie."""
    caller = await caller_if_any(request)
    owner = caller.owner if caller else None
    return json_answer(without_nothing({"offered": offered(services.settings), "owner": owner}))


@router.post("/login", status_code=204, responses=may_answer(403, 404), summary="Stay signed in on this browser")
def log_in(request: Request, services: ServicesDep, caller: KeyDep) -> Response:
    """For the page. Sets a cookie (HttpOnly, SameSite=Strict) that does what the key does, until it expires, the key is
    revoked, or `POST /logout`. By cookie, whatever changes something needs the header `X-CSRF`, with any value."""
    settings = services.settings
    login_cookies.check_page(request, settings)
    if not offered(settings):
        raise Refusal("not-found", "nobody signs in here: DECLOUD_LOGIN_EXPIRY_S is 0, or DECLOUD_AUTH is none")
    login = logins.begin(services.database, caller.name, keep_s=settings.login_expiry_s)
    answer = Response(status_code=204)
    left_s = login.expires - clock.now()
    login_cookies.set_cookie(answer, login.token, keep_s=left_s, request=request, settings=settings)
    return answer


@router.post("/logout", status_code=204, responses=answers_openly(403, 503), summary="Sign out on this browser")
def log_out(request: Request, services: ServicesDep) -> Response:
    """Ends the login of the cookie that comes along, if one does, and has the browser forget it."""
    token = login_cookies.token_of(request, services.settings)
    if token is not None:
        logins.end(services.database, token)
        services.authenticator.forget_login(token)
    answer = Response(status_code=204)
    login_cookies.set_cookie(answer, "", keep_s=0, request=request, settings=services.settings)
    return answer
