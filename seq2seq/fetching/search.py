"""The search of a STAC API (item-search, 1.0): all items of a collection over a box within a period, page by page."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urljoin

from seq2seq.fetching.area import Box, Period
from seq2seq.fetching.catalogs import Catalog, Collection
from seq2seq.fetching.failures import FetchError
from seq2seq.fetching.metering import Meter
from seq2seq.fetching.scenes import Scene, scene_of
from seq2seq.fetching.transport import Transport

MAX_ITEMS = 20_000
_MAX_PAGES = 1000


def search(
    catalog: Catalog,
    collection: Collection,
    box: Box,
    period: Period,
    *,
    transport: Transport,
    on_page: Callable[[int], None],
) -> list[Scene]:
    """All scenes, in the catalogue's order. on_page: told how many items there are so far. Raises `FetchError`."""
    scenes: dict[str, Scene] = {}
    try:
        for page, url in _pages(catalog, collection, box, period, transport):
            for item in page:
                scene = scene_of(item, collection.assets, _self_of(item, url))
                scenes[scene.id] = scene
            if len(scenes) > MAX_ITEMS:
                raise FetchError(f"more than {MAX_ITEMS} items; give a shorter period")
            on_page(len(scenes))
    except FetchError as error:
        raise type(error)(f"{catalog.name}, collection {collection.name}: {error}") from error
    return list(scenes.values())


def _pages(
    catalog: Catalog, collection: Collection, box: Box, period: Period, transport: Transport
) -> Iterator[tuple[list[Mapping[str, Any]], str]]:
    """The items of each page, and the page's address."""
    url = f"{catalog.url}/search"
    body: dict[str, Any] | None = {
        "collections": [collection.name],
        "bbox": list(box.bounds),
        "datetime": period.interval,
        "limit": catalog.page,
    }
    for _ in range(_MAX_PAGES):
        found = transport.json(url, Meter(), body=body)
        features = found.get("features")
        if not isinstance(features, list) or not all(isinstance(item, Mapping) for item in features):
            raise FetchError(f"{catalog.url}/search answers no list of items; is it a STAC API?")
        yield features, url
        following = _next(found, body)
        if following is None or not features:
            return
        url, body = urljoin(url, following[0]), following[1]
    raise FetchError(f"more than {_MAX_PAGES} pages")


def _next(page: Mapping[str, Any], body: dict[str, Any] | None) -> tuple[str, dict[str, Any] | None] | None:
    """Address and body of the next page, None where this is the last; a GET has no body."""
    links = page.get("links")
    for link in links if isinstance(links, list) else []:
        if not isinstance(link, Mapping) or link.get("rel") != "next" or not isinstance(link.get("href"), str):
            continue
        if str(link.get("method", "GET")).upper() != "POST":
            return link["href"], None
        own = link.get("body")
        own = dict(own) if isinstance(own, Mapping) else {}
        return link["href"], {**(body or {}), **own} if link.get("merge") or not own else own
    return None


def _self_of(item: Mapping[str, Any], page: str) -> str:
    """The item's own address, else that of the page."""
    links = item.get("links")
    for link in links if isinstance(links, list) else []:
        if isinstance(link, Mapping) and link.get("rel") == "self" and isinstance(link.get("href"), str):
            try:
                return urljoin(page, str(link["href"]))
            except ValueError:
                break
    return page
