"""Where a command finds what it was not told: the server, its key, and what was uploaded before."""

import os
from pathlib import Path

from api.client.calls import is_here
from api.client.client import DEFAULT_URL
from api.commands.data_folder import KEY, server_of


def data_folder() -> Path:
    """That of a server on this machine, if there is one: DECLOUD_DATA, or ./decloud-data."""
    return Path(os.environ.get("DECLOUD_DATA") or "decloud-data")


def server_url() -> str:
    """The server of the data folder while it runs; else where one is by default."""
    served = server_of(data_folder())
    return str(served["url"]) if served else DEFAULT_URL


def key_for(url: str) -> str | None:
    """The key that `decloud serve` left in its data folder, for servers on this machine alone."""
    if not is_here(url):
        return None
    try:
        return (data_folder() / KEY).read_text(encoding="ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def bookmarks_file() -> Path:
    """Where unfinished uploads are remembered."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "decloud" / "uploads.json"
