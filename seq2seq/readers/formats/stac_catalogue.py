"""A static STAC catalogue: items in JSON, and GeoTIFFs beside them at relative hrefs."""

from contextlib import AbstractContextManager
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from seq2seq.readers.base import Root
from seq2seq.readers.formats.loose_images import is_loose, is_loose_image

if TYPE_CHECKING:
    from seq2seq.readers.contents import Contents


class StacCatalogue:
    """Items of a folder or an archive; read by `seq2seq.readers.stac`."""

    name = "STAC items and their GeoTIFFs"
    example = "catalogue/item.json"
    levels = 8

    def wants(self, member: PurePosixPath) -> bool:
        """JSON and images at any depth up to `levels`."""
        return len(member.parts) <= self.levels and (_is_json(member) or is_loose_image(member))

    def recognises(self, root: Root) -> bool:
        """True where some JSON is STAC: its name does not say so, its beginning does."""
        from seq2seq.readers.stac.items import is_stac

        return any(_is_json(PurePosixPath(member.name)) and is_stac(member.path) for member in root.members)

    def open(self, root: Root) -> AbstractContextManager["Contents"]:
        """The images of the items. Raises `InputError`s for images that are not here."""
        from seq2seq.readers.stac.reader import open_catalogue

        return open_catalogue(root)


def _is_json(member: PurePosixPath) -> bool:
    """Not of Zarr, whose metadata may be STAC's too."""
    return member.suffix.lower() in (".json", ".geojson") and member.name != "zarr.json" and is_loose(member)
