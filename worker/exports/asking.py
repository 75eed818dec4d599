"""Where a job's result may go: what a request asks for, held against what the operator allows.

Presigned addresses are secrets: whoever has one may write there. Nothing that is raised or shown here holds one; of
each, only the server that it leads to is shown.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

from seq2seq.products import ARCHIVE
from worker import clock, outputs
from worker.errors import ForbiddenDestination, InvalidKey, InvalidRequest
from worker.jobs.exports import Destination
from worker.notices import destinations
from worker.settings import Settings
from worker.storage.checks import check_key
from worker.values import timestamp

_SHOWN = 80
_AMAZON_TIME = re.compile(r"\d{8}T\d{6}Z")


def to_bucket(href: str, owner: str, settings: Settings) -> Destination:
    """Below `s3://BUCKET/PREFIX`. Raises `InvalidRequest`, whose detail goes on from the name of the field."""
    bucket, prefix = _parts(href)
    if not settings.output_buckets:
        raise InvalidRequest("this service delivers to no bucket: its operator has named none (DECLOUD_OUTPUT_BUCKETS)")
    options = settings.output_buckets.get(bucket)
    if options is None or not outputs.is_for(owner, options):
        raise InvalidRequest(f"{bucket} is no bucket that this service may deliver your results to; ask its operator")
    whole = {"href": f"s3://{bucket}/{prefix}" if prefix else f"s3://{bucket}"}
    return Destination(f"s3://{bucket}", whole, whole)


def _parts(href: str) -> tuple[str, str]:
    """Bucket and prefix, which may be empty."""
    try:
        parts = urlsplit(href) if href.isprintable() else urlsplit("")
    except ValueError:
        parts = urlsplit("")
    plain = not (parts.query or parts.fragment or set("@:?#") & set(href.removeprefix("s3://")))
    if parts.scheme != "s3" or not parts.netloc or not plain:
        raise InvalidRequest("must be of the form s3://BUCKET/PREFIX, without user, password, port or query")
    prefix = parts.path.strip("/")
    try:
        if prefix:
            check_key(prefix)
    except InvalidKey as error:
        raise InvalidRequest(f"its prefix: {error.detail}") from None
    return parts.netloc, prefix


def to_addresses(addresses: Mapping[str, str], settings: Settings) -> Destination:
    """By a PUT for each path. Raises `InvalidRequest`, whose detail goes on from the name of the field."""
    if not addresses:
        raise InvalidRequest(f'names no file: {{"{ARCHIVE.path}": "https://..."}} is for all of them')
    if not settings.output_hosts:
        raise InvalidRequest(
            "this service delivers to no address: its operator has named no host (DECLOUD_OUTPUT_HOSTS)"
        )
    shown, hosts = {}, []
    for path, url in addresses.items():
        named = ascii(path[:_SHOWN])
        try:
            check_key(path)
            checked = check_address(url, settings)
        except (InvalidKey, ForbiddenDestination) as error:
            raise InvalidRequest(f"{named}: {error.detail}") from None
        until = expires(url)
        if until is not None and until <= clock.now():
            raise InvalidRequest(f"{named}: the address expired at {timestamp(until)}; sign it for longer")
        shown[path] = f"https://{checked.authority}"
        hosts.append(f"{checked.host}:{checked.port}")
    return Destination(hosts[0], {"put": shown}, {"put": dict(addresses)})


def check_address(url: str, settings: Settings) -> destinations.Destination:
    """The address in its parts. Raises `ForbiddenDestination` for one that our machine must not connect to, also when
    the settings have become others since it was asked for."""
    in_full = tuple(host for host in settings.output_hosts if not host.startswith("*."))
    parsed = destinations.parse_named(url, in_full)
    if parsed.scheme != "https":
        raise ForbiddenDestination("must begin with https://")
    if not parsed.inside and not outputs.is_within(f"{parsed.host}:{parsed.port}", settings.output_hosts):
        raise ForbiddenDestination(f"leads to {parsed.authority}, which is no host that this service delivers to")
    return parsed


def expires(url: str) -> float | None:
    """When a presigned address says that it does, in seconds since 1970: S3's and Google's signatures, 4 and 2."""
    given = {name.lower(): values[-1] for name, values in parse_qs(urlsplit(url).query).items()}
    for vendor in ("amz", "goog"):
        signed, for_s = given.get(f"x-{vendor}-date", ""), given.get(f"x-{vendor}-expires", "")
        if _AMAZON_TIME.fullmatch(signed) and for_s.isdecimal() and len(for_s) < 10:
            return _seconds(signed, int(for_s))
    until = given.get("expires", "") if "signature" in given else ""
    return float(until) if until.isdecimal() and len(until) < 12 else None


def _seconds(signed: str, for_s: int) -> float | None:
    try:
        return datetime.strptime(signed, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp() + for_s
    except ValueError:
        return None


def signs_headers(url: str) -> bool:
    """Tells whether the signature is of version 2, which takes in Content-Type and Content-MD5: none may be sent."""
    names = {name.lower() for name in parse_qs(urlsplit(url).query)}
    return "signature" in names and bool(names & {"awsaccesskeyid", "googleaccessid"})
