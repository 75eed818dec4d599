"""Opens `formats.StacCatalogue`: the items of a folder, and the images beside them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import urlsplit

import numpy as np

from seq2seq.errors import MissingDataError, UnknownBandsError
from seq2seq.readers.base import Member, Root
from seq2seq.readers.contents import Contents, Header, StatedProduct
from seq2seq.readers.gdal_file import GdalFile
from seq2seq.readers.images import open_image
from seq2seq.readers.loose.bands import find_bands
from seq2seq.readers.loose.conventions import Stated, orbit_in
from seq2seq.readers.loose.masks import MASK_NAMES
from seq2seq.readers.loose.naming import Named
from seq2seq.readers.loose.reader import Gathered, add, contents_of
from seq2seq.readers.loose.words import shown
from seq2seq.readers.stac.items import Asset, assets_in, is_stac

_BASELINE = re.compile(r"(\d{2})\.(\d{2})")


@contextmanager
def open_catalogue(root: Root) -> Iterator[Contents]:
    """Reads all items and the headers of their images.

    Raises `MissingDataError` where images are on a server or absent, `UnknownBandsError` where an item does not fit its
    file, `UnreadableFileError` for what is no JSON, and what files raise.
    """
    texts = [member for member in root.members if member.name.lower().endswith((".json", ".geojson"))]
    assets = [asset for member in texts if is_stac(member.path) for asset in assets_in(member.path, name=member.name)]
    images = {member.name: member for member in root.members}
    _check(assets, images, root)
    found = Gathered()
    for asset in assets:
        if not asset.is_remote:
            gather(asset, images[str(asset.member)], found)
    used = {asset.member for asset in assets}
    found.unused += [member.name for member in root.members if member not in texts and member.name not in used]
    found.used += texts
    remote = sum(asset.is_remote for asset in assets)
    warnings = [f"{remote} images of items are on a server and not used"] if remote else []
    yield contents_of(found, root, warnings=warnings)


def _check(assets: Sequence[Asset], images: Mapping[str, Member], root: Root) -> None:
    """That there are images, here."""
    if not assets:
        raise MissingDataError(
            f"{root.name}: a STAC catalogue without items that have images; give the folder that holds items and "
            "GeoTIFFs, or get them with `decloud fetch`",
            file=root.name,
        )
    local = [asset for asset in assets if not asset.is_remote]
    if not local:
        host = shown(urlsplit(assets[0].href).netloc or assets[0].href)
        raise MissingDataError(
            f"{root.name}: the images of its {len({asset.item for asset in assets})} items are on a server ({host}), "
            "not here; `decloud fetch` gets them",
            file=assets[0].file,
        )
    for asset in local:
        if asset.member not in images:
            where = "which is not in the input" if asset.member else "which leads out of the input"
            hint = "; give the folder that holds both" if root.container == "file" else ""
            raise MissingDataError(
                f"{asset.file}: item {asset.item} has its image {asset.key} at {shown(asset.href, 200)}, {where}{hint}",
                file=asset.file,
            )


def gather(asset: Asset, member: Member, found: Gathered) -> None:
    """Adds one image, by what its item says. Raises `UnknownBandsError` where that does not fit the file."""
    if asset.day is None:
        raise MissingDataError(f"{asset.file}: item {asset.item} states no datetime", file=asset.file)
    raster = open_image(member, np.datetime64(asset.day, "D"))
    count = len(raster.header.descriptions)
    if asset.bands and len(asset.bands) != count:
        raise UnknownBandsError(
            f"{member.name}: has {count} bands, its item {asset.item} in {asset.file} states {len(asset.bands)}",
            file=member.name,
            date=asset.day,
        )
    facts = _facts(asset, member)
    bands = find_bands(facts, _descriptions(asset, raster), {}, masks=MASK_NAMES)
    if not bands.found:
        found.unused.append(member.name)
        return
    found.ignored += bands.ignored
    if bands.assumed:
        found.assumed[count].append(member.name)
    if member not in found.used:
        found.used.append(member)
    # The scale of an asset is that of reflectance; classes have none.
    plain = all(band.is_mask for band in bands.found)
    add(found, raster if plain else _as_stated(raster, asset), bands.found, facts)


def _facts(asset: Asset, member: Member) -> Named:
    return Named(
        name=member.name,
        day=asset.day,
        days=(asset.day,) if asset.day else (),
        leading=False,
        sensor=asset.sensor,
        bands=(),
        mask=None,
        stated=Stated(),
        harmonised=asset.offset_applied,
        orbit=asset.orbit or orbit_in(f"{asset.item}_"),
    )


def _descriptions(asset: Asset, raster: GdalFile) -> Sequence[str | None]:
    """As the item names them, else as the file does; of one band, the asset's own name."""
    if any(asset.bands):
        return asset.bands
    described = raster.header.descriptions
    return described if any(described) or len(described) != 1 else (asset.key,)


def _as_stated(raster: GdalFile, asset: Asset) -> GdalFile:
    """With the scale, the no-data value and the product that the item states, where the file states none."""
    header = raster.header
    stated: Header = header
    if set(header.scales) == {1.0} and set(header.offsets) == {0.0}:
        # Earth Search states -0.1 also where it has applied it.
        offsets = None if asset.offset_applied else asset.offsets
        stated = replace(stated, scales=asset.scales or header.scales, offsets=offsets or header.offsets)
    if header.nodata is None:
        stated = replace(stated, nodata=asset.nodata)
    stated = replace(stated, sun=header.sun or asset.sun)
    baseline = asset.baseline if asset.baseline and _BASELINE.fullmatch(asset.baseline) else None
    if header.product == StatedProduct():
        product = StatedProduct(baseline=baseline, add_offset=0.0 if asset.offset_applied else None)
        stated = replace(stated, product=product)
    return replace(raster, header=stated)
