"""Products among the files of an input, the acquisitions that count, and what of them is missing."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np

from seq2seq.bands import S2_BANDS
from seq2seq.errors import InputError, MissingDataError, Place, UnreadableFileError
from seq2seq.readers.base import Member
from seq2seq.readers.formats.safe import ImageName, image_name, metadata_level, tile_metadata
from seq2seq.readers.safe.metadata import ProductMetadata, read_metadata, read_sun
from seq2seq.readers.sun import Sun
from seq2seq.wording import listed

_LEVELS = {"L1C": "Level-1C", "L2A": "Level-2A"}
_MAX_PRODUCTS = 2000


@dataclass(frozen=True)
class Image:
    """A band, or "SCL", of one granule. member: its name is what messages call it."""

    member: Member
    band: str
    gsd_m: int


@dataclass(frozen=True)
class Product:
    """One product. name: of its folder. metadata: empty where it has none. granules: the images of each. suns: over
    each granule, as far as its own metadata say."""

    name: str
    level: str
    metadata: ProductMetadata
    granules: dict[str, tuple[Image, ...]]
    datatake: str
    files: tuple[Member, ...]
    suns: Mapping[str, Sun | None] = field(default_factory=dict)

    @property
    def day(self) -> np.datetime64:
        """Of the acquisition, UTC."""
        return np.datetime64(f"{self.datatake[:4]}-{self.datatake[4:6]}-{self.datatake[6:8]}", "D")

    @property
    def missing(self) -> str:
        """The images that its metadata list and that are not there, in words; "" for none."""
        there = _finest((image.band, image.gsd_m) for images in self.granules.values() for image in images)
        stated = _finest(self.metadata.images)
        absent = [band for band in stated if band not in there]
        coarse: dict[int, list[str]] = defaultdict(list)
        for band in stated:
            if band in there and there[band] > stated[band]:
                coarse[there[band]].append(band)
        words = [f"without {', '.join(absent)}"] if absent else []
        return "; ".join(words + [f"in {gsd_m} m alone: {', '.join(bands)}" for gsd_m, bands in sorted(coarse.items())])


@dataclass(frozen=True)
class Granule:
    """The images of one tile and one overpass in one product."""

    product: Product
    name: str
    images: tuple[Image, ...]

    @property
    def overpass(self) -> tuple[str, ...]:
        """The same for all processings of it: folders are called after tile, absolute orbit and time in the strip."""
        parts = self.name.split("_")
        return (self.product.level, *parts[1:]) if parts[0] in _LEVELS else (self.product.level, self.name)

    @property
    def version(self) -> tuple[str, str]:
        """Sorts processings by age."""
        return self.product.metadata.baseline or "", self.product.metadata.generated


def find_products(members: Sequence[Member], *, name: str) -> list[Product]:
    """The products among the members, sorted by date. name: the input's.

    Raises `MissingDataError` for a product without images, `UnreadableFileError` for metadata that cannot be read,
    `InputError` where products of both levels are mixed.
    """
    images: dict[str, list[tuple[ImageName, Member]]] = defaultdict(list)
    metadata: dict[str, Member] = {}
    tiles: dict[str, dict[str, Member]] = defaultdict(dict)
    for member in members:
        path = PurePosixPath(member.name)
        if found := image_name(path):
            images[found.product].append((found, member))
        elif metadata_level(path):
            metadata[_folder(path)] = member
        elif tile := tile_metadata(path):
            tiles[tile[0]][tile[1]] = member
    places = sorted({*images, *metadata})
    if not places:
        raise MissingDataError(f"{name}: holds no product of Sentinel-2 that is understood", file=name)
    if len(places) > _MAX_PRODUCTS:
        raise UnreadableFileError(f"{name}: {len(places)} products, at most {_MAX_PRODUCTS} are allowed")
    products = [
        _product(place, metadata.get(place), images.get(place, []), tiles.get(place, {}), name) for place in places
    ]
    products.sort(key=lambda product: (product.datatake, product.name))
    _check_levels(products)
    return products


def newest(products: Sequence[Product]) -> tuple[list[Granule], list[str]]:
    """One granule of each overpass over each tile, that of the newest processing; what was left out, in words.

    Within a day those of the orbit with more dates come first.
    """
    granules = [Granule(product, name, images) for product in products for name, images in product.granules.items()]
    by_overpass: dict[tuple[str, ...], list[Granule]] = defaultdict(list)
    for granule in granules:
        by_overpass[granule.overpass].append(granule)
    chosen, older = [], []
    for processings in by_overpass.values():
        best = max(processings, key=lambda one: one.version)
        chosen.append(best)
        older += [_left_out(one, best) for one in processings if one is not best]
    dates = Counter(orbit for _, orbit in {(one.product.day, one.product.metadata.orbit) for one in chosen})
    chosen.sort(key=lambda one: (one.product.day, -dates[one.product.metadata.orbit], one.product.name, one.name))
    said = f"several processings of an acquisition, of which the newest counts; left out: {listed(older)}"
    return chosen, [said] if older else []


def incomplete(products: Sequence[Product]) -> list[str]:
    """What products lack of what their metadata list, in words."""
    alike: dict[str, list[str]] = defaultdict(list)
    for product in products:
        if product.missing:
            alike[product.missing].append(product.name)
    return [f"incomplete, for its metadata list more: {words} ({listed(names)})" for words, names in alike.items()]


def check_dates(products: Sequence[Product]) -> None:
    """Raises `MissingDataError` for a single date, and says what else is missing of it."""
    if len({product.day for product in products}) > 1:
        return
    only = products[0]
    lacking = f"; and it is incomplete, for its metadata list more: {only.missing}" if only.missing else ""
    others = f" (as are {len(products) - 1} more products)" if len(products) > 1 else ""
    raise MissingDataError(
        f"{only.name}{others} is the only S2 date, {only.day}; a sequence needs at least 2{lacking}",
        file=only.name,
        date=only.day,
    )


def _product(
    place: str,
    metadata_file: Member | None,
    images: Sequence[tuple[ImageName, Member]],
    tiles: Mapping[str, Member],
    name: str,
) -> Product:
    called = PurePosixPath(place).name or name
    metadata = read_metadata(metadata_file.path, name=metadata_file.name) if metadata_file else ProductMetadata()
    if metadata.uri and (not place or called.lower().endswith(".zip")):
        called = metadata.uri
    if not images:
        raise _without_images(called, metadata)
    granules: dict[str, list[Image]] = defaultdict(list)
    for image, member in sorted(images, key=lambda pair: (pair[0].gsd_m, pair[0].file)):
        granules[image.granule].append(Image(Member(f"{called}/{image.file}", member.path), image.band, image.gsd_m))
    first = images[0][0]
    level = (metadata_level(PurePosixPath(metadata_file.name)) if metadata_file else "") or first.level
    datatake = metadata.datatake or first.datatake
    if not datatake or not level:
        raise MissingDataError(
            f"{called}: has no metadata (MTD_MSIL2A.xml or MTD_MSIL1C.xml), and its names do not say date and level; "
            "download the product whole",
            file=called,
        )
    try:
        np.datetime64(f"{datatake[:4]}-{datatake[4:6]}-{datatake[6:8]}", "D")
    except ValueError:
        raise InputError(f"{called}: {datatake} is no date", file=called) from None
    return Product(
        name=called,
        level=level,
        metadata=metadata,
        granules={granule: tuple(found) for granule, found in sorted(granules.items())},
        datatake=datatake,
        files=tuple(_named(called, place, [*(member for _, member in images), *tiles.values()], metadata_file)),
        suns={granule: read_sun(tile.path, name=tile.name) for granule, tile in tiles.items()},
    )


def _without_images(called: str, metadata: ProductMetadata) -> MissingDataError:
    bands = ", ".join(_finest(metadata.images)) or "all bands"
    return MissingDataError(
        f"{called}: holds metadata alone, the image files are missing (GRANULE/*/IMG_DATA/*.jp2 of {bands}); "
        "download the product whole, or leave it out",
        file=called,
    )


def _named(called: str, place: str, images: Sequence[Member], metadata: Member | None) -> Iterator[Member]:
    """Under the names that they have in the product, wherever that lies."""
    for member in (*images, *([metadata] if metadata else [])):
        inner = PurePosixPath(member.name).relative_to(place) if place else PurePosixPath(member.name)
        yield Member(f"{called}/{inner}", member.path)


def _check_levels(products: Sequence[Product]) -> None:
    first = products[0]
    for other in products:
        if other.level != first.level:
            raise InputError(
                f"{first.name} of {first.day} is {_LEVELS[first.level]}, {other.name} of {other.day} is "
                f"{_LEVELS[other.level]}: reflectance at the ground and above the atmosphere do not make one sequence; "
                "leave one of them out",
                file=first.name,
                date=first.day,
                others=(Place(other.name, str(other.day)),),
            )


def _finest(images: Iterable[tuple[str, int]]) -> dict[str, int]:
    """The finest resolution of each band, in the order of bands."""
    finest: dict[str, int] = {}
    for band, gsd_m in images:
        finest[band] = min(gsd_m, finest.get(band, gsd_m))
    return {band: finest[band] for band in (*S2_BANDS, "SCL") if band in finest}


def _left_out(older: Granule, newest: Granule) -> str:
    baselines = [one.product.metadata.baseline for one in (older, newest)]
    if all(baselines) and len(set(baselines)) > 1:
        return f"{older.product.day} in baseline {baselines[0]}, for there is {baselines[1]}"
    return f"{older.product.day} in {older.product.name}"


def _folder(path: PurePosixPath) -> str:
    return "" if len(path.parts) == 1 else path.parent.as_posix()
