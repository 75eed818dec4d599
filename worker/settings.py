"""What an operator sets, from the environment (`DECLOUD_...`) or keyword arguments. Science settings are in
`seq2seq.config`."""

import difflib
import ipaddress
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from worker.errors import InvalidSettings
from worker.lanes import LIGHT
from worker.outputs import check_places, parse_buckets
from worker.signing.addresses import check_secret
from worker.signing.notices import parse_secrets

_GIB = 2**30
_PREFIX = "DECLOUD_"
# Of the command line as a client, and of child processes.
_OTHERS = ("SERVER", "KEY", "CHILD_PIPE", "CHILD_PARENT")
# As browsers write it: RFC 6454.
_ORIGIN = re.compile(r"https?://([a-z0-9._-]+|\[[0-9a-f:]+\])(:[1-9][0-9]{0,4})?")
# Where inputs may be fetched from.
_HOST = r"([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?"
_PLACES = {
    "input_hosts": re.compile(rf"\*|s3://[a-z0-9][a-z0-9.-]+(/[!-~]*)?|(\*\.)?{_HOST}", re.IGNORECASE),
    "input_private_hosts": re.compile(_HOST, re.IGNORECASE),
    "input_catalogs": re.compile(r"planetary-computer|earth-search|cdse|https?://[!-~]+"),
}
_PLACE_EXAMPLES = {
    "input_hosts": "data.example.org, *.example.org, data.example.org:8443, s3://bucket, s3://bucket/prefix or *",
    "input_private_hosts": "data.internal or data.internal:8443",
    "input_catalogs": "planetary-computer, earth-search, cdse, or the address of a STAC API",
}

Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]


def _in_data(scheme: str, name: str) -> Any:
    """Default of a setting that follows the data folder."""
    return lambda values: f"{scheme}{values['data'] / name}" if "data" in values else ""


def is_loopback(host: str) -> bool:
    """Tells whether only this machine can reach an address bound to `host`."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Settings(BaseSettings):
    """Holds what an operator sets. Every URL and folder is final: what is not set follows from `data`."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, frozen=True, extra="forbid", env_ignore_empty=True, hide_input_in_errors=True
    )

    # -- where things are
    data: Path = Path("decloud-data")
    database_url: str = Field(default_factory=_in_data("sqlite:///", "decloud.db"), repr=False)
    # None: embedded mode, no Celery.
    broker_url: str | None = Field(default=None, repr=False)
    # `file:///folder` or `s3://bucket/prefix`; endpoint, region and credentials go into storage_options (JSON).
    storage_url: str = Field(default_factory=_in_data("file://", "files"))
    storage_options: dict[str, str] = Field(default_factory=dict, repr=False)
    # Attempts in progress; a local disk, also when storage is remote.
    work_dir: Path = Field(default_factory=lambda values: values["data"] / "work" if "data" in values else Path())

    # -- who may come in
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    # The address users see, behind a proxy; None: taken from the request.
    public_url: str | None = None
    auth: Literal["keys", "none"] = "keys"
    # Signs download addresses. None: one is made and kept in the data folder; several API machines must share it.
    signing_secret: SecretStr | None = None
    requests_per_minute: Count = 600
    # How long a browser stays signed in whose user wants that, at most 400 days, as browsers keep no cookie for longer;
    # 0: for no time.
    login_expiry_s: float = Field(default=14 * 24 * 3600.0, ge=0, le=400 * 24 * 3600)
    # None: a quarter of the files that the process may open, 10 000 at most; and of these a quarter from one address,
    # but any number from `proxies`, from where many users come.
    max_connections: Count | None = None
    max_connections_per_address: Count | None = None
    proxies: Annotated[tuple[str, ...], NoDecode] = ("127.0.0.1", "::1")
    # Whose pages may use the service from a browser: `https://maps.example.org`, or `*` for all.
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = ()

    # -- what one owner may use; `quotas.limits_for` puts a key's own figures in their place
    max_upload_bytes: Count = 20 * _GIB
    max_stored_bytes_per_owner: Count = 100 * _GIB
    max_queued_per_owner: Count = 20
    max_running_per_owner: Count = 4
    max_pixels_dates: float = Field(default=2e10, gt=0)
    max_run_s: Seconds = 6 * 3600.0
    # Below this much free disk nothing new is accepted.
    disk_floor_bytes: int = Field(default=_GIB, ge=0)

    # -- running jobs
    resource_classes: Annotated[tuple[str, ...], NoDecode] = ("cpu",)
    device: str = "auto"
    # Inspections at once in `decloud serve`, beside its jobs; 0: they wait in the queue of jobs, also with a broker.
    light_workers: int = Field(default=1, ge=0, le=64)
    # Idle workers do tiles of a job that has at least so many; 0: never.
    share_tiles_from: int = Field(default=4, ge=0)
    lease_s: Seconds = 60.0
    heartbeat_s: Seconds = 15.0
    reap_s: Seconds = 30.0
    cancel_grace_s: Seconds = 20.0
    ring_again_s: Seconds = 60.0
    poll_s: Seconds = 1.0
    max_attempts: Count = 3
    upload_expiry_s: Seconds = 24 * 3600.0
    artifact_expiry_s: Seconds = 7 * 24 * 3600.0
    # How long a start waits for a database or broker that is starting up itself.
    startup_wait_s: float = Field(default=60.0, ge=0)

    # -- webhooks
    # `whsec_` and base64 of 24 to 64 bytes; the new one, a space and the old one while it is replaced. None: made from
    # the signing secret. Owners' own secrets are made from it: GET /webhook-secret.
    webhook_secret: SecretStr | None = None
    webhook_timeout_s: Seconds = 15.0
    webhook_max_attempts: Count = 8
    # HOST or HOST:PORT of receivers that may have private addresses and plain http; users can reach all there.
    webhook_private_hosts: Annotated[tuple[str, ...], NoDecode] = ()

    # -- results that go where their owners want them; nowhere unless the operator names a place
    # `bucket,bucket`, or JSON with each bucket's options: {"BUCKET": {"region": "eu-central-1", "owners": "ann bob"}}.
    # They are `storage_options`, but for `owners`: whose jobs may write there; everybody's where it is left out.
    output_buckets: Annotated[dict[str, dict[str, str]], NoDecode] = Field(default_factory=dict, repr=False)
    # HOST, HOST:PORT or *.DOMAIN of presigned addresses. One that is named in full may have a private address.
    output_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    output_max_attempts: Count = 8

    # -- inputs that workers fetch; by default none, and everything is uploaded
    # `data.example.org`, `*.example.org`, `data.example.org:8443`, `s3://bucket`, `s3://bucket/prefix`; `*`: all public
    # hosts. Redirects, and the images of STAC items, are followed only to these.
    input_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    # HOST or HOST:PORT that are allowed as well, and may have private addresses and plain http; users can reach all
    # there.
    input_private_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    # Of areas: planetary-computer, earth-search, cdse, or addresses of STAC APIs, whose images lie at `input_hosts`.
    input_catalogs: Annotated[tuple[str, ...], NoDecode] = ()
    # Of s3:// inputs, as storage_options: endpoint, region, credentials. Without credentials buckets are read as
    # everybody can.
    input_storage_options: dict[str, str] = Field(default_factory=dict, repr=False)

    # -- logs
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("data", "work_dir")
    @classmethod
    def _absolute(cls, folder: Path) -> Path:
        return folder.expanduser().absolute()

    @field_validator("output_buckets", mode="before")
    @classmethod
    def _by_bucket(cls, given: Any) -> Any:
        """`a,b` or JSON from the environment."""
        return parse_buckets(given) if isinstance(given, str) else given

    @field_validator(
        *("resource_classes", "webhook_private_hosts", "proxies", "allowed_origins"),
        *("input_hosts", "input_private_hosts", "input_catalogs", "output_hosts"),
        mode="before",
    )
    @classmethod
    def _split(cls, names: Any) -> Any:
        """`cpu,gpu16` from the environment."""
        if isinstance(names, str):
            return tuple(name.strip() for name in names.split(",") if name.strip())
        return names

    @field_validator("public_url")
    @classmethod
    def _is_address(cls, url: str | None) -> str | None:
        if url is not None:
            _check_public_url(url)
        return url

    @field_validator("signing_secret")
    @classmethod
    def _is_long(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None:
            check_secret(secret.get_secret_value())
        return secret

    @field_validator("proxies")
    @classmethod
    def _are_addresses(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for address in proxies:
            ipaddress.ip_address(address)
        return proxies

    @field_validator("allowed_origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin} is no origin such as https://maps.example.org or http://localhost:8080")
        if "*" in origins and len(origins) > 1:
            raise ValueError("* allows every origin: name either * alone or those that are meant")
        return origins

    @field_validator("input_hosts", "input_private_hosts", "input_catalogs")
    @classmethod
    def _are_places(cls, names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        for name in names:
            if not _PLACES[str(info.field_name)].fullmatch(name):
                raise ValueError(f"{name!r} is none of those that are meant: {_PLACE_EXAMPLES[str(info.field_name)]}")
        return names

    @field_validator("webhook_secret")
    @classmethod
    def _parse(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None:
            parse_secrets(secret.get_secret_value())
        return secret

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.resource_classes:
            raise ValueError("resource_classes is empty: a worker serves at least one class, such as cpu")
        if LIGHT in self.resource_classes:
            raise ValueError(f"resource_classes has {LIGHT}, which is of inspections alone: leave it out")
        if self.auth == "none" and not is_loopback(self.host):
            raise ValueError(f"auth is none and host is {self.host}: without keys only a loopback host is allowed")
        if self.auth == "none" and "*" in self.allowed_origins:
            raise ValueError("auth is none and allowed_origins is *: any page that a user visits could use the service")
        check_places(self.output_buckets, self.output_hosts, self.storage_url, self.storage_options)
        if self.heartbeat_s * 2 > self.lease_s:
            raise ValueError(
                f"heartbeat_s {self.heartbeat_s:g} is more than half of lease_s {self.lease_s:g}: "
                "one late heartbeat would lose the job"
            )
        return self

    @property
    def embedded(self) -> bool:
        """Whether jobs run in the serving process: no broker."""
        return self.broker_url is None


def unknown_variables(names: Iterable[str]) -> list[str]:
    """Returns a sentence for each variable of ours that nobody reads. names: of the environment.

    A setting with a typing error would silently be its default.
    """
    known = [_PREFIX + name for name in (*(field.upper() for field in Settings.model_fields), *_OTHERS)]
    sentences = []
    for name in sorted(names):
        if name.upper().startswith(_PREFIX) and name.upper() not in known:
            near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.8)
            sentences.append(f"{name} is no setting and has no effect" + (f"; {near[0]} is one" if near else ""))
    return sentences


def _check_public_url(url: str) -> None:
    """Raises ValueError."""
    parts = urlsplit(url)  # raises ValueError for half an IPv6 address
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an address such as https://decloud.example.org, with http or https")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("must have no user, query or fragment")


def load_settings(**values: Any) -> Settings:
    """Loads settings from the environment, `values` first. Raises `InvalidSettings`, which names the setting."""
    try:
        return Settings(**values)
    except ValidationError as error:
        problems = "; ".join(_problem(problem["loc"], problem["msg"]) for problem in error.errors())
        raise InvalidSettings(problems) from None


def _problem(location: tuple[int | str, ...], message: str) -> str:
    text = message.removeprefix("Value error, ")
    if not location:
        return text
    name = ".".join(str(part) for part in location)
    return f"{name} (DECLOUD_{str(location[0]).upper()}): {text}"
