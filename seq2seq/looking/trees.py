"""Patches of SEN12MS-CR and SEN12MS-CR-TS as they lie on the disk, also where a sensor or most of the set is missing.

The data sets' own readers (`seq2seq.datasets`) ask for whole splits; whoever looks has unpacked some of it. Names of
patches are theirs.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from seq2seq.datasets import sen12mscr, sen12mscrts
from seq2seq.errors import ConfigError, MissingDataError
from seq2seq.wording import nearest

_TRIPLET_FOLDER = re.compile(r"(ROIs\d+_[a-z]+)_(?:s2_cloudy|s2|s1)")
_TRIPLET = re.compile(r"_p(\d+)\.tif$")
_SERIES_FOLDER = re.compile(r"ROIs\d+")
_SHOT = re.compile(r"_ImgNo_(\d+)_(\d{4}-\d\d-\d\d)_patch_(\d+)\.tif$")
# Of three files that lie by themselves: as published, or their sensors' names alone.
_LOOSE = {
    "s1": re.compile(r"(?:.*_)?s1(?:_.*)?\.tif"),
    "cloudy": re.compile(r"(?:.*_)?s2_cloudy(?:_.*)?\.tif"),
    "clear": re.compile(r"(?:.*_)?s2(?:_cloud_?free|_clear|_\d+_p\d+)?\.tif"),
}


@dataclass(frozen=True)
class Shot:
    """One acquisition of a patch. date: None where names have none. Paths: None where a sensor is missing."""

    date: str | None
    s2: Path | None
    s1: Path | None


@dataclass(frozen=True)
class Patch:
    """A place. shots: in order of time; of a triplet the cloudy image with its radar. clear: of a triplet alone."""

    name: str
    split: str | None
    shots: tuple[Shot, ...]
    clear: Path | None = None


@dataclass(frozen=True)
class Entry:
    """What is known of a patch from its name: enough to choose, before its files are looked for."""

    area: str
    number: int


class Tree:
    """A folder of patches."""

    def __init__(self, root: Path, *, series: bool) -> None:
        self.root, self.series = root, series
        self._found = sen12mscrts if series else sen12mscr
        self.title = self._found.TITLE

    def entries(self) -> list[Entry]:
        """All patches by area and number. Raises `MissingDataError` where there are none."""
        found = sorted(set(self._series_entries() if self.series else self._triplet_entries()), key=_order)
        if not found:
            raise MissingDataError(
                f"{self.root}: has folders of {self.title} and no patch in them", file=str(self.root)
            )
        return found

    def name(self, entry: Entry) -> str:
        """As the data set's reader has it: ROIs1158_spring/106/p30, ROIs2017/146/patch_0."""
        return f"{entry.area}/{'patch_' if self.series else 'p'}{entry.number}"

    def find(self, name: str) -> Entry:
        """The entry of that name. Raises `ConfigError`."""
        entries = {self.name(entry): entry for entry in self.entries()}
        if name not in entries:
            first = next(iter(entries))
            raise ConfigError(
                f"--patch {name}: {self.root} has {len(entries)} patches, such as {first}, and not this one"
                f"{nearest(name, entries)}"
            )
        return entries[name]

    def patch(self, entry: Entry) -> Patch:
        """Looks for its files."""
        split = next((split for split, areas in self._found.SPLITS.items() if entry.area in areas), None)
        if self.series:
            return Patch(self.name(entry), split, self._shots(entry))
        files = {sensor: self._triplet_file(entry, sensor) for sensor in ("s1", "s2_cloudy", "s2")}
        return Patch(self.name(entry), split, (Shot(None, files["s2_cloudy"], files["s1"]),), files["s2"])

    def _triplet_entries(self) -> Iterator[Entry]:
        for season, folder in _triplet_folders(self.root):
            for area in folder.glob("s*_*"):
                number = area.name.rpartition("_")[2]
                for found in map(_TRIPLET.search, _names(area)):
                    if found and number.isdigit():
                        yield Entry(f"{season}/{number}", int(found[1]))

    def _triplet_file(self, entry: Entry, sensor: str) -> Path | None:
        season, number = entry.area.split("/")
        folder = self.root / f"{season}_{sensor}" / f"{sensor}_{number}"
        return _there(folder / f"{season}_{sensor}_{number}_p{entry.number}.tif")

    def _series_entries(self) -> Iterator[Entry]:
        """Those of the first acquisition of either sensor: a whole set has a million files."""
        for area in _series_areas(self.root):
            for sensor in ("S2", "S1"):
                numbers = _numbered(area / sensor)
                for found in map(_SHOT.search, _names(numbers[0]) if numbers else ()):
                    if found:
                        yield Entry(f"{area.parent.name}/{area.name}", int(found[3]))

    def _shots(self, entry: Entry) -> tuple[Shot, ...]:
        files: dict[int, dict[str, tuple[str, Path]]] = {}
        for sensor in ("S2", "S1"):
            for folder in _numbered(self.root / entry.area / sensor):
                for path in folder.glob(f"*_ImgNo_{folder.name}_*_patch_{entry.number}.tif"):
                    if found := _SHOT.search(path.name):
                        files.setdefault(int(folder.name), {})[sensor] = (found[2], path)
        return tuple(_shot(files[number]) for number in sorted(files))


class LooseTriplet(Tree):
    """One patch of SEN12MS-CR whose three files lie in a folder by themselves."""

    def __init__(self, root: Path, files: dict[str, Path]) -> None:
        super().__init__(root, series=False)
        self._files = files

    def entries(self) -> list[Entry]:
        """The only one."""
        return [Entry(self.root.resolve().name, 0)]

    def name(self, entry: Entry) -> str:
        """The folder's."""
        return entry.area

    def patch(self, entry: Entry) -> Patch:
        """Its three files."""
        return Patch(entry.area, None, (Shot(None, self._files["cloudy"], self._files["s1"]),), self._files["clear"])


def find_tree(path: Path) -> Tree | None:
    """The tree of patches that `path` is, None where it is none."""
    if not path.is_dir():
        return None
    if next(_triplet_folders(path), None):
        return Tree(path, series=False)
    if next(_series_areas(path), None):
        return Tree(path, series=True)
    names = sorted(name for name in _names(path) if name.endswith(".tif"))
    if len(names) != len(_LOOSE):
        return None
    files = {what: [name for name in names if pattern.fullmatch(name)] for what, pattern in _LOOSE.items()}
    if any(len(each) != 1 for each in files.values()) or len({each[0] for each in files.values()}) != len(_LOOSE):
        return None
    return LooseTriplet(path, {what: path / each[0] for what, each in files.items()})


def spread(count: int, limit: int) -> list[int]:
    """`limit` of `count` numbers from 0, evenly spread, first and last among them; all where they are no more."""
    if count <= limit:
        return list(range(count))
    return [0] if limit == 1 else [round(k * (count - 1) / (limit - 1)) for k in range(limit)]


def _order(entry: Entry) -> tuple[str, int, int]:
    season, number = entry.area.split("/")
    return season, int(number), entry.number


def _triplet_folders(root: Path) -> Iterator[tuple[str, Path]]:
    for folder in sorted(root.glob("ROIs*")):
        found = _TRIPLET_FOLDER.fullmatch(folder.name)
        if found and folder.is_dir():
            yield found[1], folder


def _series_areas(root: Path) -> Iterator[Path]:
    for region in sorted(root.glob("ROIs*")):
        if _SERIES_FOLDER.fullmatch(region.name) and region.is_dir():
            for area in sorted(region.iterdir()):
                if area.name.isdigit() and ((area / "S2").is_dir() or (area / "S1").is_dir()):
                    yield area


def _numbered(folder: Path) -> list[Path]:
    """Folders of acquisitions, by number."""
    found = [each for each in folder.iterdir() if each.name.isdigit()] if folder.is_dir() else []
    return sorted(found, key=lambda each: int(each.name))


def _names(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()] if folder.is_dir() else []


def _there(path: Path) -> Path | None:
    return path if path.is_file() else None


def _shot(files: dict[str, tuple[str, Path]]) -> Shot:
    """date: of S2, else of S1."""
    (date, _), s2, s1 = files.get("S2") or files["S1"], files.get("S2"), files.get("S1")
    return Shot(date, s2[1] if s2 else None, s1[1] if s1 else None)
