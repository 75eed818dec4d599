"""STAC items as objects of Python: pystac's, an API's answer, or their JSON in dicts; pystac itself is not needed.

Only images on this machine are read: of one on a server that would be the whole tile, for nobody has named an area.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from seq2seq.errors import MissingDataError
from seq2seq.readers.base import Member, Root
from seq2seq.readers.contents import Contents
from seq2seq.readers.loose.reader import Gathered, contents_of
from seq2seq.readers.loose.words import shown
from seq2seq.readers.stac.items import Asset, assets_of
from seq2seq.readers.stac.reader import gather

NAME = "STAC items"
_KINDS = ("Feature", "FeatureCollection")


def are_items(source: Any) -> bool:
    """Tells items, collections of them, catalogues and lists of these from anything else."""
    if isinstance(source, Mapping):
        return source.get("type") in _KINDS
    if isinstance(source, list | tuple):
        return bool(source) and all(map(are_items, source))
    if hasattr(source, "get_items"):  # a catalogue or collection
        return True
    return hasattr(source, "to_dict") and (hasattr(source, "get_self_href") or hasattr(source, "items"))


@contextmanager
def open_items(sources: Sequence[Any]) -> Iterator[Contents]:
    """The images of items at absolute paths, at `file://`, or at paths from where an item itself lies.

    Raises `MissingDataError` for images on servers and absent ones, `UnknownBandsError` where an item does not fit its
    file, and what files raise.
    """
    assets = [asset for source in sources for item in _items(source) for asset in _located(item)]
    _check(assets)
    found = Gathered()
    for asset in assets:
        if not asset.is_remote:
            gather(asset, Member(asset.href, _path(asset)), found)
    remote = sum(asset.is_remote for asset in assets)
    warnings = [f"{remote} images of items are on a server and not used"] if remote else []
    yield contents_of(found, Root(NAME, Path(), "folder", ()), warnings=warnings)


def _items(source: Any) -> Iterator[Mapping[str, Any]]:
    """The JSON of each item."""
    if isinstance(source, list | tuple):
        for each in source:
            yield from _items(each)
    elif isinstance(source, Mapping):
        features = source.get("features") if source.get("type") == "FeatureCollection" else [source]
        yield from (each for each in _listed(features) if isinstance(each, Mapping))
    elif hasattr(source, "get_items"):
        yield from _items(list(source.get_items(recursive=True)))
    else:
        yield from _items(source.to_dict())


def _listed(values: Any) -> list[Any]:
    """What JSON has as a list, nothing where it has not."""
    return values if isinstance(values, list) else []


def _located(item: Mapping[str, Any]) -> Iterator[Asset]:
    """The images of an item at absolute paths or addresses. Raises `MissingDataError` for a path from nowhere."""
    links = [link for link in _listed(item.get("links")) if isinstance(link, Mapping)]
    home = next((str(link.get("href")) for link in links if link.get("rel") == "self"), "")
    for asset in assets_of(item, NAME):
        href = asset.href.removeprefix("file://")
        if "://" in href or Path(href).is_absolute():
            yield replace(asset, href=href)
        elif "://" in home.removeprefix("file://"):
            yield replace(asset, href=urljoin(home, href))
        elif home:
            yield replace(asset, href=str(Path(home.removeprefix("file://")).parent / href))
        else:
            raise MissingDataError(
                f"{NAME}: item {asset.item} has its image {asset.key} at {shown(href, 200)} and does not say "
                "from where (no link to itself); make its hrefs absolute, or give the folder that holds both as a path",
                date=asset.day,
            )


def _check(assets: Sequence[Asset]) -> None:
    """That there are images, here."""
    if not assets:
        raise MissingDataError(f"{NAME}: none of them has an image (GeoTIFF or JPEG 2000)")
    if all(asset.is_remote for asset in assets):
        host = shown(urlsplit(assets[0].href).netloc or assets[0].href)
        raise MissingDataError(
            f"{NAME}: the images of {len({asset.item for asset in assets})} items are on a server ({host}), not here; "
            "`decloud fetch` gets the area that you need, or load them with odc.stac or stackstac and give the Dataset"
        )
    for asset in assets:
        if not asset.is_remote and not _path(asset).is_file():
            raise MissingDataError(
                f"{NAME}: item {asset.item} has its image {asset.key} at {shown(asset.href, 200)}, where no file is",
                file=asset.href,
                date=asset.day,
            )


def _path(asset: Asset) -> Path:
    """As it is written, else as addresses are, with %20 for a space."""
    plain = Path(asset.href)
    return plain if plain.exists() else Path(unquote(asset.href))
