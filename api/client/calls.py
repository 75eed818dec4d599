"""Calls to a server that may be away for a while: repeated while that may help, and its answers as values or errors."""

import email.utils
import functools
import ipaddress
import random
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from api.client.errors import NotAServer, Refused, ServerUnavailable
from seq2seq.progress import format_duration

# Answers that another time may be others. Not 507: a full disk is better known at once.
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_FIRST_DELAY_S, _LONGEST_DELAY_S = 0.25, 30.0
# Until the server has been heard of for the first time: a wrong address must not cost minutes.
_FIRST_PATIENCE_S = 4.0
# Longer than a long poll and than the silence between two events of a stream.
_READ_S = 60.0
_PROBLEM = "application/problem+json"
_LONGEST_PROBLEM = 1 << 20
_SHOWN_ERRORS = 3

OnNotice = Callable[[str], None]


class Trouble(Exception):  # noqa: N818
    """A call that did not get through and may next time. what: in words. retry_after_s: what the server asked for."""

    def __init__(self, what: str, *, retry_after_s: float | None = None, refused: Refused | None = None) -> None:
        super().__init__(what)
        self.what, self.retry_after_s, self.refused = what, retry_after_s, refused


class Calls:
    """One server, one key, and how long to be patient.

    patience_s: how long a server that has answered before may be away. on_notice: called when that begins.
    """

    def __init__(
        self,
        url: str,
        key: str | None,
        *,
        patience_s: float,
        on_notice: OnNotice,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = _checked_url(url)
        self.patience_s, self.on_notice, self.sleep = patience_s, on_notice, sleep
        self.reached = False
        self._http = httpx.Client(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(_READ_S, connect=10.0),
            # Files may be elsewhere. The key is not sent there: httpx drops it at another origin.
            follow_redirects=True,
            verify=_trusted(),
            # A proxy of the environment cannot know this machine's own servers.
            trust_env=not is_here(self.url),
        )

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def call(self, method: str, path: str, **request: Any) -> httpx.Response:
        """The answer, after as many tries as it takes; for calls that may be repeated. Raises `ClientError`s."""
        patience = Patience(self)
        while True:
            try:
                return self.once(method, path, **request)
            except Trouble as trouble:
                patience.wait(trouble)

    def json(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        """The same, for an answer that is a JSON object."""
        return self.to_json(self.call(method, path, **request))

    def once(self, method: str, path: str, **request: Any) -> httpx.Response:
        """One try. Raises `Trouble` where another may help."""
        with self.stream(method, path, **request) as response:
            response.read()
            return response

    @contextmanager
    def stream(self, method: str, path: str, **request: Any) -> Iterator[httpx.Response]:
        """One try at an answer that is read piece by piece; `Trouble` may come while reading as well."""
        with self._translated(), self._http.stream(method, self.url + path, **request) as response:
            self.reached = (
                self.reached or response.status_code < 500 or _PROBLEM in response.headers.get("content-type", "")
            )
            if response.is_error:
                raise self._error(response)
            yield response

    def to_json(self, response: httpx.Response) -> dict[str, Any]:
        """Raises `NotAServer` for anything but a JSON object."""
        try:
            value = response.json()
        except ValueError:
            value = None
        if not isinstance(value, dict):
            kind = response.headers.get("content-type", "something without a type")
            raise NotAServer(f"{self.url}: answers {kind} where JSON was expected; is it a decloud server?")
        return value

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except httpx.RequestError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise NotAServer(f"{self.url}: its certificate cannot be trusted ({_words(error)})") from error
            raise Trouble(_words(error)) from error
        except httpx.InvalidURL as error:
            raise NotAServer(f"{self.url}: is no address ({error})") from error

    def _error(self, response: httpx.Response) -> Exception:
        refused = to_refused(self.url, response)
        lasting = refused.code == "quota-exceeded" and not _passes(refused.problem)
        if response.status_code in _PASSING and not lasting:
            return Trouble(str(refused), retry_after_s=_retry_after_s(response), refused=refused)
        return refused


def _passes(problem: dict[str, Any]) -> bool:
    """Waiting frees no stored bytes; places in the queue it does, up to as many as there are."""
    asked, limit = problem.get("asked"), problem.get("limit")
    too_many = isinstance(asked, int) and isinstance(limit, int) and asked > limit
    return problem.get("quota") == "max_queued_per_owner" and not too_many


class Patience:
    """One undertaking's: how long its troubles may last, and the pauses between its tries."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self.renew()

    def renew(self) -> None:
        """Something got through: what comes is a new trouble."""
        self._since: float | None = None
        self._tries = 0

    def wait(self, trouble: Trouble) -> None:
        """Before the next try. Raises what the server said last, or `ServerUnavailable`, when patience is over."""
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        limit_s = self._calls.patience_s
        if not self._calls.reached:
            limit_s = min(limit_s, _FIRST_PATIENCE_S)
        delay_s = min(_LONGEST_DELAY_S, _FIRST_DELAY_S * 2**self._tries) * random.uniform(0.5, 1.0)
        delay_s = max(delay_s, trouble.retry_after_s or 0.0)
        if now + delay_s > self._since + limit_s:
            raise self._last_word(trouble, now - self._since) from trouble
        if self._tries == 1:
            self._calls.on_notice(
                f"{trouble.what}; trying again for up to {format_duration(self._since + limit_s - now)}"
            )
        self._tries += 1
        self._calls.sleep(delay_s)

    def _last_word(self, trouble: Trouble, waited_s: float) -> Exception:
        if trouble.refused is not None and trouble.refused.status == 429:
            return trouble.refused
        after = f" for {format_duration(waited_s)}" if waited_s >= 1 else ""
        return ServerUnavailable(f"{self._calls.url}: no answer{after} ({trouble.what})")


def to_refused(url: str, response: httpx.Response) -> Refused:
    """The error of a problem document (RFC 9457) in one line; of another answer, what can be said."""
    problem = _problem(response)
    status = response.status_code
    if not problem:
        doubt = "; is it a decloud server?" if status < 500 else ""
        said = f"{url}: answered {status} {response.reason_phrase}".rstrip() + doubt
        return Refused(said, status=status, code=f"http-{status}", problem={})
    code = str(problem.get("code") or str(problem.get("type", "")).rstrip("/").rpartition("/")[2] or f"http-{status}")
    message = str(problem.get("detail") or problem.get("title") or response.reason_phrase)
    errors = [error for error in problem.get("errors") or () if isinstance(error, dict)]
    listed = [place for error in errors if (place := _place(error, message))]
    more = f", and {len(listed) - _SHOWN_ERRORS} more" if len(listed) > _SHOWN_ERRORS else ""
    if listed:
        message = f"{message.rstrip('.')}: {'; '.join(listed[:_SHOWN_ERRORS])}{more}"
    if status == 401:
        message += " (set DECLOUD_KEY or --key)"
    return Refused(message, status=status, code=code, problem=problem)


def _problem(response: httpx.Response) -> dict[str, Any]:
    """The body where it is a JSON object, else nothing."""
    try:
        body = b""
        for piece in response.iter_bytes():
            body += piece
            if len(body) > _LONGEST_PROBLEM:
                return {}
        value = httpx.Response(200, content=body).json()
    except (httpx.RequestError, httpx.StreamError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _place(error: dict[str, Any], message: str) -> str:
    """One entry of `errors`: where it is, and what is wrong there; nothing if the message has said so."""
    files = " ".join(str(error[name]) for name in ("file", "band", "date") if error.get(name))
    where = files or str(error.get("field") or error.get("pointer") or "")
    what = str(error.get("detail") or "")
    if (what or where) in message:
        return ""
    return f"{where}: {what}" if where and what else where or what


def _retry_after_s(response: httpx.Response) -> float | None:
    """Seconds, or a date (RFC 9110, 10.2.3)."""
    said = response.headers.get("retry-after", "")
    try:
        return max(0.0, float(said)) if said else None
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(said).timestamp() - time.time())
    except ValueError:
        return None


def _checked_url(url: str) -> str:
    """http://HOST[:PORT][/PATH] without a slash at its end; `localhost:8000` is understood."""
    full = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(full)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        sound = False
    if not sound or parts.query or parts.fragment:
        raise NotAServer(f"{url!r} is no server's address; one is http://127.0.0.1:8000")
    return full.rstrip("/")


def is_here(url: str) -> bool:
    """Whether the address is one of this machine alone."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@functools.cache
def _trusted() -> ssl.SSLContext:
    """Read once: it takes 50 ms."""
    return httpx.create_ssl_context()


def _words(error: Exception) -> str:
    """What a socket says, without its number."""
    said = str(error).rpartition("] ")[2].strip().rstrip(".") or type(error).__name__
    return said[0].lower() + said[1:]
