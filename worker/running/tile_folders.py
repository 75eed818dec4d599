"""Folders of tiles on their way through the storage: their input to whoever does them, their arrays back."""

import json
from pathlib import Path

from worker.storage import Storage

_INDEX = "index.json"


def put_folder(storage: Storage, prefix: str, folder: Path) -> None:
    """Puts all files directly in `folder` below `prefix`, taking them, and last the list of their names."""
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    for name in names:
        storage.put(f"{prefix}/{name}", folder / name, take=True)
    storage.put(f"{prefix}/{_INDEX}", json.dumps(names).encode())


def get_folder(storage: Storage, prefix: str, folder: Path) -> None:
    """Gets what was put below `prefix` into the new `folder`, whose files must not be changed. Raises `NotFound`."""
    names = json.loads(b"".join(storage.open_range(f"{prefix}/{_INDEX}", 0, None)))
    folder.mkdir(parents=True)
    for name in names:
        storage.get(f"{prefix}/{name}", folder / Path(name).name, link=True)
