"""Where things are: addresses as the one who asks must write them."""

from dataclasses import dataclass
from urllib.parse import quote

from starlette.requests import Request

from worker.settings import Settings
from worker.signing.addresses import sign


def base_of(request: Request, settings: Settings) -> str:
    """`https://decloud.example.org/prefix`, without a slash at its end."""
    if settings.public_url:
        return settings.public_url.rstrip("/")
    host = request.headers.get("host") or f"{settings.host}:{settings.port}"
    return f"{request.scope['scheme']}://{host}{request.scope.get('root_path', '').rstrip('/')}"


def upload_path(upload_id: str) -> str:
    """Without the base; what a job's inputs say."""
    return f"/uploads/{upload_id}"


def result_path(job_id: str, path: str) -> str:
    """Decoded, as it is signed."""
    return f"/jobs/{job_id}/results/{path}"


def archive_path(job_id: str) -> str:
    """Decoded, as it is signed."""
    return f"/jobs/{job_id}/results.zip"


@dataclass(frozen=True)
class Addresses:
    """Full addresses below `base`; signed where `secret` is given, to work without a key until `expires`."""

    base: str
    secret: bytes | None = None
    expires: int = 0

    def of(self, path: str) -> str:
        """The address of a path as `sign` takes it."""
        if self.secret is None:
            return self.base + quote(path)
        return self.base + sign(path, expires=self.expires, secret=self.secret)
