"""Addresses of jobs, uploads and results, as the one who asks must write them."""

from dataclasses import dataclass
from urllib.parse import quote

from starlette.requests import Request

from worker.settings import Settings
from worker.signing.addresses import sign, sign_below


def base_of(request: Request, settings: Settings) -> str:
    """The address of the service, such as `https://decloud.example.org/prefix`, without a slash at its end."""
    if settings.public_url:
        return settings.public_url.rstrip("/")
    host = request.headers.get("host") or f"{settings.host}:{settings.port}"
    return f"{request.scope['scheme']}://{host}{request.scope.get('root_path', '').rstrip('/')}"


def upload_path(upload_id: str) -> str:
    """The path of an upload, which stands in a job's inputs."""
    return f"/uploads/{upload_id}"


def result_path(job_id: str, path: str) -> str:
    """The path of a result's file, decoded, as it is signed."""
    return f"/jobs/{job_id}/results/{path}"


def results_prefix(job_id: str) -> str:
    """The prefix that the signature of a whole result is made for."""
    return f"/jobs/{job_id}/results/"


def signed_path(job_id: str, token: str, path: str) -> str:
    """The path of a result's file where a relative link leads to another file of it, with the same signature."""
    return f"/jobs/{job_id}/signed/{token}/results/{path}"


def archive_path(job_id: str) -> str:
    """The path of a result's archive, decoded, as it is signed."""
    return f"/jobs/{job_id}/results.zip"


@dataclass(frozen=True)
class Addresses:
    """Makes full addresses below `base`; signed where `secret` is given, to work without a key until `expires`."""

    base: str
    secret: bytes | None = None
    expires: int = 0

    def of(self, path: str) -> str:
        """The address of a path as `sign` takes it."""
        if self.secret is None:
            return self.base + quote(path)
        return self.base + sign(path, expires=self.expires, secret=self.secret)

    def of_document(self, job_id: str, path: str) -> str:
        """The address of a result's file whose relative links lead to other files of the result."""
        if self.secret is None:
            return self.base + quote(result_path(job_id, path))
        token = sign_below(results_prefix(job_id), expires=self.expires, secret=self.secret)
        return self.base + quote(signed_path(job_id, token, path))
