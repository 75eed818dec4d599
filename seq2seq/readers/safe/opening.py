"""SAFE products as a sequence: of every band the finest image, offsets as metadata state them, a day's tiles joined."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq.bands import S2_BANDS
from seq2seq.errors import UnknownBandsError
from seq2seq.readers.assembling import assemble
from seq2seq.readers.base import Root
from seq2seq.readers.composed import Converted
from seq2seq.readers.contents import Contents, Header, Raster
from seq2seq.readers.formats.loose_images import is_loose_image
from seq2seq.readers.formats.safe import image_name
from seq2seq.readers.images import fingerprint, open_image
from seq2seq.readers.layers import Layer
from seq2seq.readers.loose.reader import radar_and_masks
from seq2seq.readers.safe.archives import unpacked_products
from seq2seq.readers.safe.products import Granule, Image, Product, check_dates, find_products, incomplete, newest
from seq2seq.readers.unread import radar_products
from seq2seq.wording import listed

_DEFAULT_QUANTIFICATION = 10_000.0


@contextmanager
def open_products(root: Root) -> Iterator[Contents]:
    """Reads all headers of the images that count. Raises `InputError`s."""
    with unpacked_products(root.members) as members:
        products = find_products(members, name=root.name)
        check_dates(products)
        granules, said = newest(products)
        bands, more = _common_bands(granules)
        said += [*incomplete(products), *more, *_without_metadata(products)]
        said += [*radar_products(root.others)]
        others = [member for member in members if _is_beside(PurePosixPath(member.name))]
        beside, used, more = radar_and_masks(others, root)
        said += more
        optical = _harmonised([layer for one in granules for layer in _layers(one, bands)], said)
        yield assemble(
            [*optical, *beside],
            name=root.name,
            fingerprint=fingerprint([*(file for product in products for file in product.files), *used]),
            warnings=said,
        )


def _common_bands(granules: Sequence[Granule]) -> tuple[tuple[str, ...], list[str]]:
    """The bands that all dates have, and which are left out because some lack them. Raises `UnknownBandsError`."""
    there: dict[np.datetime64, set[str]] = defaultdict(set)
    for granule in granules:
        there[granule.product.day] |= {image.band for image in granule.images} - {"SCL"}
    common = set.intersection(*there.values())
    if not common:
        raise UnknownBandsError(f"no band is there on all {len(there)} dates; download the products whole")
    left_out = sorted(set.union(*there.values()) - common)
    lacking = sorted(str(day) for day, bands in there.items() if set(left_out) - bands)
    said = f"bands left out on all dates: {', '.join(left_out)}, for {listed(lacking)} lack some of them"
    return tuple(band for band in S2_BANDS if band in common), [said] if left_out else []


def _layers(granule: Granule, bands: Sequence[str]) -> Iterator[Layer]:
    """Of every band, and of the scene classification, the finest image."""
    finest: dict[str, Image] = {}
    for image in granule.images:  # the finest come first
        finest.setdefault(image.band, image)
    for band, image in finest.items():
        if band in bands:
            yield Layer("S2", _reflectance(granule, image))
        elif band == "SCL":
            yield Layer("SCL", _described(open_image(image.member, granule.product.day), "SCL"))


def _reflectance(granule: Granule, image: Image) -> Raster:
    """One band, its header with what the metadata of product and tile state."""
    product = granule.product
    raster = open_image(image.member, product.day, max_bands=1)
    metadata = product.metadata
    header = replace(
        raster.header,
        nodata=metadata.nodata,
        product=metadata.stated(_bands(product), name=product.name),
        orbit=metadata.orbit,
        sun=product.suns.get(granule.name),
    )
    if metadata.quantification != _DEFAULT_QUANTIFICATION:
        scale = 1 / metadata.quantification
        offset = (header.product.add_offset or 0.0) * scale
        header = replace(header, scales=(scale,), offsets=(offset,))
    return _described(replace(raster, header=header), image.band)


def _bands(product: Product) -> list[str]:
    there = {image.band for images in product.granules.values() for image in images}
    return [band for band in S2_BANDS if band in there]


def _described(raster: Any, band: str) -> Raster:
    described: Raster = replace(raster, header=replace(raster.header, descriptions=(band,)))
    return described


def _harmonised(layers: Sequence[Layer], said: list[str]) -> list[Layer]:
    """The layers; those of a day that was processed with and without an offset all without: a mosaic has one."""
    offsets: dict[np.datetime64, set[float]] = defaultdict(set)
    for layer in layers:
        if layer.sensor == "S2":
            offsets[layer.day].add(layer.raster.header.product.add_offset or 0.0)
    mixed = {day for day, found in offsets.items() if len(found) > 1}
    if mixed:
        days = listed(sorted(str(day) for day in mixed))
        said.append(f"tiles of {days} have different offsets: applied where their metadata state one")
    return [
        replace(layer, raster=_without_offset(layer.raster)) if layer.sensor == "S2" and layer.day in mixed else layer
        for layer in layers
    ]


def _without_offset(raster: Raster) -> Raster:
    """The DN after the product's offset, none of them the no-data value where there was data."""
    header = raster.header
    offset, nodata = int(header.product.add_offset or 0), int(header.nodata or 0)

    def convert(dn: NDArray[Any]) -> NDArray[Any]:
        shifted = np.clip(dn.astype(np.int32) + offset, nodata + 1, np.iinfo(dn.dtype).max)
        return np.where(dn == nodata, nodata, shifted)

    product = replace(header.product, add_offset=0.0)
    return Converted(raster, replace(header, product=product), convert) if offset else _with_product(raster, header)


def _with_product(raster: Any, header: Header) -> Raster:
    stated: Raster = replace(raster, header=replace(header, product=replace(header.product, add_offset=0.0)))
    return stated


def _is_beside(name: PurePosixPath) -> bool:
    return is_loose_image(name) and image_name(name) is None


def _without_metadata(products: Sequence[Product]) -> list[str]:
    bare = [product.name for product in products if not product.metadata.datatake]
    said = f"no metadata (MTD_MSIL2A.xml, MTD_MSIL1C.xml) in {listed(bare)}: offsets are judged by names and values"
    return [said] if bare else []
