"""Where results may go beside our own storage, as an operator says it: buckets, and hosts of presigned addresses."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

# Whose jobs may write to a bucket: an option of ours among those of the store.
OWNERS = "owners"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_HOST = re.compile(
    r"(\*\.)?([a-z0-9_][a-z0-9_-]*\.)*[a-z0-9_][a-z0-9_-]*(:[1-9][0-9]{0,4})?|\[[0-9a-f:.]+\](:[1-9][0-9]{0,4})?"
)


def parse_buckets(text: str) -> Any:
    """`a,b`, or JSON with the options of each. Raises `ValueError`, which shows none of it."""
    if not text.lstrip().startswith("{"):
        return {name.strip(): {} for name in text.split(",") if name.strip()}
    try:
        return json.loads(text)
    except ValueError:
        raise ValueError('is neither BUCKET,BUCKET nor JSON such as {"BUCKET": {"region": "eu-central-1"}}') from None


def check_places(
    buckets: Mapping[str, Mapping[str, str]], hosts: Sequence[str], storage_url: str, storage_options: Mapping[str, str]
) -> None:
    """Raises `ValueError` naming what can be no place for results."""
    ours = urlsplit(storage_url)
    for name, options in buckets.items():
        if not _BUCKET.fullmatch(name):
            raise ValueError(f"output_buckets: {name[:70]!r} is no bucket's name, such as fields-of-ann")
        same_store = options.get("endpoint") == storage_options.get("endpoint")
        if ours.scheme == "s3" and ours.netloc == name and same_store:
            raise ValueError(f"output_buckets: {name} is the service's own storage, where users must write nothing")
    for host in hosts:
        if not _HOST.fullmatch(host.lower()) or (host.lower().startswith("*.") and "." not in host[2:]):
            raise ValueError(
                f"output_hosts: {host[:70]!r} is no host such as storage.example.org:9000 or *.example.org"
            )


def is_for(owner: str, options: Mapping[str, str]) -> bool:
    """Tells whether jobs of this owner may write to a bucket with these options."""
    named = options.get(OWNERS)
    return named is None or owner in named.replace(",", " ").split()


def is_within(host: str, hosts: Sequence[str]) -> bool:
    """Tells whether a `*.DOMAIN` of the list has this `HOST:PORT`; without a port of its own, on 443 alone."""
    name, _, port = host.rpartition(":")
    for listed in hosts:
        domain, _, its_port = listed.lower().removeprefix("*").partition(":")
        if listed.startswith("*.") and name.endswith(domain) and port == (its_port or "443"):
            return True
    return False
