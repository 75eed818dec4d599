"""The server, the key and the bookmarks of uploads that a command uses where it was given none."""

import os
from pathlib import Path

from api.client.calls import is_here
from api.client.client import DEFAULT_URL
from api.commands.data_folder import KEY, server_of


def data_folder() -> Path:
    """The data folder of a server on this machine, if there is one: DECLOUD_DATA, or ./decloud-data."""
    return Path(os.environ.get("DECLOUD_DATA") or "decloud-data")


def server_url() -> str:
    """The address of the data folder's server while it runs; else the default one."""
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
    """The file in which unfinished uploads are remembered."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "decloud" / "uploads.json"
