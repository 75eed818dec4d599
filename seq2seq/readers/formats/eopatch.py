"""EOPatches of eo-learn: arrays of all dates in `data/` and `mask/`; read by `seq2seq.readers.eopatch`."""

import re
from contextlib import AbstractContextManager
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from seq2seq.readers.base import Root

if TYPE_CHECKING:
    from seq2seq.readers.contents import Contents

_FEATURE = re.compile(r"[^/.][^/]*\.npy(?:\.gz)?")
_FACTS = re.compile(r"(?:bbox\.geojson|timestamps?\.json)(?:\.gz)?")


class EOPatch:
    """One patch: a folder, or its ZIP, as eo-learn 1.0 and later save it."""

    name = "an EOPatch of eo-learn (bbox.geojson, timestamps.json, bands and masks as .npy)"
    example = "data/BANDS-S2-L1C.npy"

    def wants(self, member: PurePosixPath) -> bool:
        """Features over time, the bounding box and the dates."""
        return is_feature(member) or is_fact(member)

    def recognises(self, root: Root) -> bool:
        """True where there is a feature and a fact."""
        names = [PurePosixPath(member.name) for member in root.members]
        return any(map(is_feature, names)) and (any(map(is_fact, names)) or has_pickles(root.others))

    def open(self, root: Root) -> AbstractContextManager["Contents"]:
        """The patch's dates. Raises `InputError`s for pickles, for features that are none, and for several patches."""
        from seq2seq.readers.eopatch import open_patch

        return open_patch(root)


def is_feature(member: PurePosixPath) -> bool:
    """True for an array in data/ or mask/."""
    parts = member.parts
    return len(parts) > 1 and parts[-2] in ("data", "mask") and _FEATURE.fullmatch(member.name) is not None


def is_fact(member: PurePosixPath) -> bool:
    """True for the bounding box or the dates."""
    return _FACTS.fullmatch(member.name) is not None


def has_pickles(names: tuple[str, ...]) -> bool:
    """True where facts are saved as eo-learn did before 1.0."""
    stems = ("bbox.pkl", "timestamp.pkl", "timestamps.pkl", "meta_info.pkl")
    return any(PurePosixPath(name).name.removesuffix(".gz") in stems for name in names)
