"""Opens images in no fixed layout: `formats.LooseImages` and `formats.ImageStack`."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import PurePosixPath
from typing import Any, Literal

import numpy as np

from seq2seq.errors import InputError, MissingDataError, UnknownBandsError, UnreadableFileError
from seq2seq.readers.assembling import assemble
from seq2seq.readers.base import Member, Root
from seq2seq.readers.contents import Contents, Header, Raster, StatedProduct
from seq2seq.readers.gdal_file import GdalFile
from seq2seq.readers.images import fingerprint, open_image
from seq2seq.readers.layers import Layer
from seq2seq.readers.loose.bands import BAND_TAGS, Found, find_bands
from seq2seq.readers.loose.conventions import is_triplet, orbit_in
from seq2seq.readers.loose.masks import MASK_NAMES, DatedMask, mask_layers, radar_kind
from seq2seq.readers.loose.naming import Named, named
from seq2seq.readers.loose.passes import pass_direction
from seq2seq.readers.loose.values import are_unscaled, blanked, power, scaled, without_infinities
from seq2seq.readers.loose.words import named_once, sensor_of_band
from seq2seq.readers.unread import advice_among
from seq2seq.wording import listed

MAX_FILES = 20_000
_SENSORS: tuple[Literal["S2", "S1"], ...] = ("S2", "S1")
_NO_DAY = np.datetime64("NaT", "D")
_TRIPLETS = (
    "patches of SEN12MS-CR are of one date each, no sequence; `decloud evaluate` scores methods on them, `decloud "
    "look` shows them"
)
_TRIPLET = {"S1", "S2_CLOUDFREE", "S2_CLOUDY"}  # folders of DSen2-CR, or files of one patch


@dataclass
class Gathered:
    """What has been found so far, file by file."""

    s2: list[Layer] = field(default_factory=list)
    s1: list[Layer] = field(default_factory=list)
    s1_products: list[str] = field(default_factory=list)
    masks: list[DatedMask] = field(default_factory=list)
    radar_masks: dict[str, DatedMask] = field(default_factory=dict)
    used: list[Member] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    stepped: list[str] = field(default_factory=list)
    assumed: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, sensor: Literal["S2", "S1"], raster: Raster, facts: Named) -> None:
        """Bands of one day of a file whose path says `facts`."""
        clean = without_infinities(raster)
        if sensor == "S2":
            self.s2.append(Layer(sensor, clean))
        else:
            self.s1.append(Layer(sensor, power(clean) if facts.stated.amplitude else clean))
            self.s1_products.append(facts.stated.product)


@contextmanager
def open_loose(root: Root) -> Iterator[Contents]:
    """Reads all headers, and samples of masks and of floating point.

    Raises `InputError`s for names with several dates or none, for bands that nobody can tell, for an input without
    Sentinel-2, and what files raise.
    """
    _check(root)
    found = Gathered()
    for member in root.members:
        _gather(member, root, found)
    yield contents_of(found, root)


def contents_of(found: Gathered, root: Root, *, warnings: Sequence[str] = ()) -> Contents:
    """The contents of all that was found. Raises `MissingDataError` without Sentinel-2, and what `assemble` raises."""
    if not found.s2:
        raise MissingDataError(f"{root.name}: {_nothing(found)}", file=root.name)
    said = [*warnings, *_remarks(found, root)]
    s2, more = _reflectance(found.s2)
    masks, about_masks = mask_layers(found.masks)
    layers = [*s2, *_radar(found), *masks]
    return assemble(
        layers,
        name=root.name,
        fingerprint=fingerprint(_below_common_folder(found.used)),
        warnings=[*said, *more, *about_masks],
    )


def radar_and_masks(members: Sequence[Member], root: Root) -> tuple[list[Layer], list[Member], list[str]]:
    """S1 and masks among images that lie beside Sentinel-2 of another format, the members used, and what to say.

    Raises as `open_loose` does.
    """
    found = Gathered()
    for member in members:
        _gather(member, root, found)
    masks, said = mask_layers(found.masks)
    optical = sorted({layer.raster.header.name for layer in found.s2})
    if optical:
        said = [*said, f"images of S2 beside the products are not read: {listed(optical)}"]
    return [*_radar(found), *masks], found.used, [*_remarks(found, root), *said]


def add(found: Gathered, raster: GdalFile, bands: Sequence[Found], facts: Named) -> None:
    """Adds the bands of an opened file, a layer for each scene and sensor. Raises `UnknownBandsError` for one twice."""
    several = len({band.day for band in bands}) > 1
    for day, scene in sorted({(band.day, band.scene) for band in bands}):
        of_scene = [band for band in bands if (band.day, band.scene) == (day, scene)]
        _check_unique(of_scene, facts.name, day)
        for sensor in _SENSORS:
            chosen = [band for band in of_scene if not band.is_mask and sensor_of_band(band.what) == sensor]
            if chosen:
                found.add(sensor, _renamed(raster, chosen, facts, several=several), facts)
        for band in of_scene:
            if band.is_mask:
                _add_mask(found, DatedMask(band.what, _renamed(raster, [band], facts, several=several)), facts)


def _check(root: Root) -> None:
    """Raises for what is no sequence, and for more files than anybody has."""
    if len(root.members) > MAX_FILES:
        raise UnreadableFileError(f"{root.name}: {len(root.members)} images, at most {MAX_FILES} are allowed")
    names = [PurePosixPath(member.name) for member in root.members]
    words = {part.upper() for name in names for part in (*name.parts[:-1], name.stem)}
    if any(is_triplet(name.stem) for name in names) or words >= _TRIPLET:
        raise InputError(f"{root.name}: {_TRIPLETS}", file=root.name)


def _gather(member: Member, root: Root, found: Gathered) -> None:
    """Adds one file, or its name to those that are of no use."""
    facts = named(member.name, within=_within(root), masks=MASK_NAMES)
    if facts.stated.skip:
        found.unused.append(member.name)
        return
    try:
        raster = _opened(member, facts)
    except InputError:
        if facts.days or facts.sensor or facts.bands or facts.mask:
            raise
        found.unused.append(member.name)  # nothing says that it is of the sequence
        return
    header = raster.header
    tags, descriptions = _metadata(raster, facts)
    bands = find_bands(facts, descriptions, tags, masks=MASK_NAMES)
    if not bands.found:
        found.unused.append(member.name)
        found.ignored += bands.ignored if len(bands.ignored) < len(header.descriptions) else ()
        return
    if bands.assumed:
        found.assumed[len(bands.found)].append(member.name)
    found.ignored += bands.ignored
    if bands.steps:
        days = [str(day) for day in sorted({band.day for band in bands.found})]
        found.stepped.append(f"{member.name}: its {len(days)} numbered dates are taken as {listed(days)}")
    found.used.append(member)
    add(found, raster, bands.found, facts)


def _within(root: Root) -> str:
    """What the folder or the archive around everything is called; a file's own name is its member's."""
    return "" if root.container == "file" else PurePosixPath(root.name.replace("\\", "/")).name


def _opened(member: Member, facts: Named) -> GdalFile:
    try:
        return open_image(member, np.datetime64(facts.day, "D") if facts.day else _NO_DAY)
    except InputError as error:
        error.date = error.date if facts.day else None
        raise


def _metadata(raster: GdalFile, facts: Named) -> tuple[dict[str, str], tuple[str | None, ...]]:
    """The file's tags, where its name has no date, and the names of its bands, from their tags where they have none."""
    descriptions = raster.header.descriptions
    bare = not any(descriptions) and len(facts.bands) != len(descriptions)
    if facts.days and not bare:
        return {}, descriptions
    with raster.dataset() as dataset:
        tags = {str(key): str(value) for key, value in dataset.tags().items()}
        if bare:
            descriptions = tuple(_band_name(dataset.tags(index + 1)) for index in range(len(descriptions)))
    return tags, descriptions


def _band_name(tags: dict[str, Any]) -> str | None:
    upper = {str(key).upper(): str(value)[:200] for key, value in tags.items()}
    return next((upper[key] for key in BAND_TAGS if upper.get(key)), None)


def _check_unique(bands: Sequence[Found], name: str, day: date) -> None:
    names = [band.what for band in bands]
    twice = sorted({band for band in names if names.count(band) > 1})
    if twice:
        raise UnknownBandsError(
            f"{name}: band {twice[0]} of {day} is there more than once", file=name, date=day, band=twice[0]
        )


def _renamed(raster: GdalFile, bands: Sequence[Found], facts: Named, *, several: bool) -> Raster:
    """These bands of an opened file under their canonical names, with what its path says."""
    day = np.datetime64(bands[0].day, "D")
    chosen = raster.select([band.index for band in bands])
    header: Header = chosen.header
    product = header.product
    if facts.harmonised and product == StatedProduct():
        product = StatedProduct(add_offset=0.0)
    renamed = replace(
        header,
        name=f"{header.name} of {day}" if several else header.name,
        date=day,
        descriptions=tuple(band.what for band in bands),
        product=product,
        orbit=header.orbit or _orbit(header, bands, facts),
        sun=None if several else header.sun,
    )
    return replace(chosen, header=renamed)


def _orbit(header: Header, bands: Sequence[Found], facts: Named) -> str:
    """As path or description tell it; of radar with its direction."""
    orbit = facts.orbit or orbit_in(f"{bands[0].scene}_")
    if orbit[:1].isalpha() or bands[0].is_mask or sensor_of_band(bands[0].what) != "S1":
        return orbit
    return pass_direction(bands[0].scene or facts.name, header.geobox) + orbit


def _add_mask(found: Gathered, mask: DatedMask, facts: Named) -> None:
    if radar_kind(mask.what):
        found.radar_masks[facts.stated.product] = mask
    else:
        found.masks.append(mask)


def _reflectance(layers: Sequence[Layer]) -> tuple[list[Layer], list[str]]:
    """S2 with its scale stated, and what to say about it."""
    if not are_unscaled([layer.raster for layer in layers]):
        return list(layers), []
    said = "S2 holds floating point far above 1 and states no scale: taken as reflectance x 10000"
    return [replace(layer, raster=scaled(layer.raster)) for layer in layers], [said]


def _radar(found: Gathered) -> Iterator[Layer]:
    """S1, blank where its own masks say so."""
    for layer, product in zip(found.s1, found.s1_products, strict=True):
        mask = found.radar_masks.get(product) if product else None
        kind = radar_kind(mask.what) if mask else None
        if mask and kind:
            layer = replace(layer, raster=blanked(layer.raster, mask.raster, kind.masked))
        yield layer


def _remarks(found: Gathered, root: Root) -> Iterator[str]:
    """What was left out and what was assumed."""
    if found.ignored:
        yield f"bands that are none of Sentinel-1 or -2 were ignored: {listed(named_once(found.ignored))}"
    if found.unused:
        yield f"{len(found.unused)} images are not used: {listed(found.unused)}"
    if advice := advice_among(root.others):
        yield f"something here is not read: {advice}"
    yield from found.stepped
    for count, names in found.assumed.items():
        files = names[0] if len(names) == 1 else f"{len(names)} images, such as {names[0]},"
        yield f"bands of {files} have no names; taken in the order of {count}-band products"
    if found.radar_masks:
        kind = radar_kind(next(iter(found.radar_masks.values())).what)
        assert kind is not None
        yield f"S1 has no data where its masks say that slopes hide the ground ({kind.words})"


def _nothing(found: Gathered) -> str:
    """Why there is nothing to reconstruct."""
    if found.s1:
        return "holds Sentinel-1 alone; Sentinel-2 is what is reconstructed"
    if found.masks:
        return "holds masks alone, and no band of Sentinel-2"
    ignored = f", bands {listed(named_once(found.ignored))}" if found.ignored else ""
    return (
        f"no image of Sentinel-2 is recognised: {listed(found.unused) or 'there is none'}{ignored}; names or band "
        "descriptions must say date and band, as in 2020-06-04_B02.tif"
    )


def _below_common_folder(members: Sequence[Member]) -> list[Member]:
    """Named from the deepest folder that holds them all: a ZIP with a folder around everything is the same input."""
    parts = [PurePosixPath(member.name).parts for member in members]
    shared = 0
    while len({each[shared] for each in parts}) == 1 and all(len(each) > shared + 1 for each in parts):
        shared += 1
    return [replace(member, name="/".join(each[shared:])) for member, each in zip(members, parts, strict=True)]
