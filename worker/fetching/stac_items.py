"""STAC by its address: an Item, an ItemCollection, or a Collection with its items; images are fetched with them.

What is left is a static catalogue that the readers know: a folder for each item, with its JSON and its images.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from seq2seq.fetching.answers import MAX_JSON_BYTES
from seq2seq.fetching.failures import FetchError
from seq2seq.readers.stac.items import is_image
from worker.fetching.budget import Budget, Pace
from worker.fetching.files import OnBytes, Source, fetch_file, naming

MAX_ITEMS = 500
_MAX_PAGES = 100
_PEEKED = 64 * 1024
_KINDS = ("Feature", "FeatureCollection", "Collection", "Catalog")
_KEPT = ("type", "stac_version", "stac_extensions", "id", "collection", "geometry", "bbox", "properties")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True)
class Ways:
    """How things are had: `json` by their address, and files by theirs. on_file: told which image is next, of how many.

    All raise `FetchError`.
    """

    json: Callable[[str], Mapping[str, Any]]
    file: Callable[[str], Source]
    budget: Budget
    pace: Pace
    on_file: Callable[[str, int, int], OnBytes]


@dataclass(frozen=True)
class _Image:
    """One image of an item: where it is, and its place below the folder."""

    href: str
    path: str


def stac_in(path: Path) -> dict[str, Any] | None:
    """The STAC object that a file holds, None for a file of another kind. Raises `FetchError` for a broken one."""
    with path.open("rb") as file:
        start = file.read(_PEEKED)
    if start.lstrip()[:1] != b"{":
        return None
    if path.stat().st_size > MAX_JSON_BYTES:
        raise FetchError(f"has {path.stat().st_size:,} bytes of JSON, at most {MAX_JSON_BYTES:,} are read")
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise FetchError("begins as JSON and is none; it must be STAC, or an archive or image") from error
    if not isinstance(found, dict) or found.get("type") not in _KINDS:
        raise FetchError("is JSON, but no STAC Item, ItemCollection or Collection")
    return found


def fetch_items(found: Mapping[str, Any], href: str, folder: Path, ways: Ways) -> int:
    """Fetches all images of the items that `found`, which is at `href`, holds or leads to; returns their number.

    What is complete below `folder` is not fetched again. Raises `FetchError`, `InputTooLargeError`, `Stopped`, OSError.
    """
    items = list(_items(found, href, ways))
    images = [_images(item, own, index) for index, (item, own) in enumerate(items)]
    of = sum(map(len, images))
    if not of:
        raise FetchError(f"{_short(href)}: its {len(items)} items have no images that are read (GeoTIFF, JPEG 2000)")
    number = 0
    for index, ((item, _), mine) in enumerate(zip(items, images, strict=True)):
        for image in mine.values():
            number += 1
            with naming(image.href):
                source = ways.file(image.href)
                fetch_file(
                    source,
                    folder / image.path,
                    budget=ways.budget,
                    pace=ways.pace,
                    on_bytes=ways.on_file(source.name, number, of),
                )
        _write_item(item, mine, folder / _folder_of(item, index))
    return of


def _items(found: Mapping[str, Any], href: str, ways: Ways) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Each item, and the address that its links start from."""
    for count, (item, own) in enumerate(_leading_to(found, href, ways)):
        if count == MAX_ITEMS:
            raise FetchError(f"{_short(href)}: has more than {MAX_ITEMS} items; give fewer, as an ItemCollection")
        yield item, own


def _leading_to(found: Mapping[str, Any], href: str, ways: Ways) -> Iterator[tuple[Mapping[str, Any], str]]:
    if found.get("type") == "Feature":
        yield found, href
    elif found.get("type") == "FeatureCollection":
        yield from _pages(found, href, ways)
    elif listed := _links(found, "items"):  # of an API
        url = urljoin(href, listed[0])
        yield from _pages(ways.json(url), url, ways)
    else:
        linked = _links(found, "item")
        if not linked:
            raise FetchError(f"{_short(href)}: is a {found.get('type')} without links to items")
        for link in linked:
            url = urljoin(href, link)
            yield ways.json(url), url


def _pages(page: Mapping[str, Any], href: str, ways: Ways) -> Iterator[tuple[Mapping[str, Any], str]]:
    for _ in range(_MAX_PAGES):
        features = page.get("features")
        if not isinstance(features, list) or not all(isinstance(item, Mapping) for item in features):
            raise FetchError(f"{_short(href)}: holds no list of items")
        for item in features:
            yield item, next((urljoin(href, own) for own in _links(item, "self")), href)
        following = [link for link in _links(page, "next") if link]
        if not following or not features:
            return
        href = urljoin(href, following[0])
        page = ways.json(href)


def _links(found: Mapping[str, Any], rel: str) -> list[str]:
    """The addresses of a relation, as they are written. Links that have to be posted to are none."""
    links = found.get("links")
    return [
        str(link["href"])
        for link in (links if isinstance(links, list) else [])
        if isinstance(link, Mapping)
        and link.get("rel") == rel
        and isinstance(link.get("href"), str)
        and str(link.get("method", "GET")).upper() == "GET"
    ]


def _images(item: Mapping[str, Any], own: str, index: int) -> dict[str, _Image]:
    """Those of an item, by the names of its assets."""
    assets = item.get("assets")
    found: dict[str, _Image] = {}
    for key, asset in (assets if isinstance(assets, Mapping) else {}).items():
        if isinstance(asset, Mapping) and is_image(asset):
            href = _absolute(own, str(asset["href"]))
            suffix = Path(urlsplit(href).path).suffix.lower()
            suffix = suffix if suffix in (".tif", ".tiff", ".jp2") else ".tif"
            name = f"{len(found):02d}-{_safe(str(key))}{suffix}"
            found[str(key)] = _Image(href, f"{_folder_of(item, index)}/{name}")
    return found


def _absolute(own: str, href: str) -> str:
    """`urljoin`, which knows nothing of buckets."""
    if urlsplit(own).scheme != "s3" or "://" in href:
        return urljoin(own, href)
    return f"s3{urljoin(f'http{own[2:]}', href)[4:]}"


def _write_item(item: Mapping[str, Any], images: Mapping[str, _Image], folder: Path) -> None:
    """The item with the images that are here, by the names that they have here."""
    assets = {key: {**item["assets"][key], "href": Path(image.path).name} for key, image in images.items()}
    kept = {"stac_version": item.get("stac_version", "1.0.0"), **{key: item[key] for key in _KEPT if key in item}}
    if images:
        new = folder / "item.new"
        new.write_text(json.dumps({**kept, "assets": assets, "links": []}))
        new.replace(folder / "item.json")


def _folder_of(item: Mapping[str, Any], index: int) -> str:
    return f"{index:03d}-{_safe(str(item.get('id', '')))}"


def _safe(text: str) -> str:
    return _UNSAFE.sub("_", text)[:80].strip(".") or "item"


def _short(href: str) -> str:
    return href.partition("?")[0][:200]
