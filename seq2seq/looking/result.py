"""A finished result as a scene: what was delivered, its uncertainty, and what it was made of where that is there."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq.config import ReconstructionConfig
from seq2seq.errors import ConfigError, DecloudError, MissingDataError, UnreadableFileError
from seq2seq.looking.scene import Part, SceneInfo, SequenceScene
from seq2seq.looking.views import View
from seq2seq.products import CLOUD_MASK, DECLOUDED, REPORT, UNCERTAINTY, Product
from seq2seq.readers import SequenceSource, open_sequence
from seq2seq.readers.contents import Window
from seq2seq.readers.gdal_file import GdalFile, pixel_errors
from seq2seq.readers.geotiff import open_geotiff
from seq2seq.report.inspection import sequence_name
from seq2seq.sequence import Bool, Float32
from seq2seq.wording import one_line

# What a result of ours says of how reflectance is stored; more exact than the tags that it has from its input.
_REFLECTANCE = re.compile(r"value x (\S+) \+ (\S+)")


def is_result(path: Path) -> bool:
    """True for the folder of a finished run."""
    return (path / REPORT.path).is_file() and (path / DECLOUDED.name).is_dir()


@dataclass(frozen=True)
class Rasters:
    """The files of one product, one for each date. scale, offset: of reflectance."""

    files: tuple[GdalFile, ...]
    scale: float = 1.0
    offset: float = 0.0

    def read(self, area: Window, bands: tuple[int, ...]) -> Float32:
        """(T, B, h, w) of the bands at these positions, no-data as NaN."""
        found = np.empty((len(self.files), len(bands), *area.shape), dtype=np.float32)
        for t, file in enumerate(self.files):
            with file.dataset() as dataset, pixel_errors(file.header, area):
                raw = dataset.read([band + 1 for band in bands], window=area.ranges)
            nodata = file.header.nodata
            values = (raw * np.float64(self.scale) + self.offset).astype(np.float32)
            found[t] = values if nodata is None else np.where(raw == nodata, np.float32(np.nan), values)
        return found


class ResultScene:
    """A result. before: the sequence that it came from; None: what was observed is taken from the result itself.

    replaced: observed pixels are predictions, too, so that without a sequence nothing is known of what was observed.
    """

    def __init__(self, info: SceneInfo, folder: Path, before: SequenceScene | None, *, replaced: bool) -> None:
        self.info, self.before, self.replaced = info, before, replaced
        dates = info.dates
        self.declouded = _open(folder, DECLOUDED, dates)
        self.sigma, self.cloud_mask = _open(folder, UNCERTAINTY, dates), _open(folder, CLOUD_MASK, dates)

    @property
    def bytes_per_pixel(self) -> int:
        """Of all dates, of the result and of the sequence."""
        own = 4 * 4 * 3 * len(self.info.dates)
        return own + (self.before.bytes_per_pixel if self.before else 0)

    def read(self, area: Window, view: View) -> Part:
        """A window of all dates. Raises `UnreadableFileError`."""
        if view.radar:
            raise ConfigError(f"--bands s1: {self.info.name} is a result, which has no radar; look at its input")
        chosen = tuple(self.info.bands.index(band) for band in view.bands)
        after, sigma = self.declouded.read(area, chosen), self.sigma.read(area, chosen)
        cloud_mask: Bool = self.cloud_mask.read(area, (0,))[:, 0] > 0.5
        if self.before is not None:
            return replace(self.before.read(area, view), cloud_mask=cloud_mask, after=after, sigma=sigma)
        known = ~cloud_mask & (not self.replaced)
        return Part(np.where(known[:, None], after, np.float32(np.nan)), cloud_mask, after, sigma)


@contextmanager
def open_result(folder: Path, *, source: Path | None, max_memory_gb: float) -> Iterator[ResultScene]:
    """Opens a result, and the sequence that it came from: `source`, else the one that its report names.

    Raises `InputError` where the result, or a `source` that was given, cannot be read or do not belong together.
    """
    report = _read_report(folder)
    with ExitStack() as stack:
        settings = {**report["config"], "max_memory_gb": max_memory_gb}
        before, note = _open_before(folder, report, source, settings, stack)
        first = _open(folder, DECLOUDED, report["input"]["dates"][:1]).files[0]
        replaced = bool(report["config"].get("full_prediction"))
        if before is None and replaced:
            note = f"{note}; observed pixels were replaced (full_prediction), so that nothing before the run is shown"
        yield ResultScene(
            _info(sequence_name(folder), report, first, (note,) if note else ()), folder, before, replaced=replaced
        )


def scene_of(folder: Path, source: SequenceSource) -> ResultScene:
    """Returns the result in `folder` with the sequence that it has just been made of, which stays open as it is.

    It is called as the sequence: the folder is not yet called what it will be. Raises `InputError` where the result
    cannot be read.
    """
    report = _read_report(folder)
    first = _open(folder, DECLOUDED, report["input"]["dates"][:1]).files[0]
    before = None if report["config"].get("only_requested") else SequenceScene(source)
    return ResultScene(
        _info(report["input"]["name"], report, first, ()),
        folder,
        before,
        replaced=bool(report["config"].get("full_prediction")),
    )


def _open_before(
    folder: Path, report: Mapping[str, Any], source: Path | None, settings: dict[str, Any], stack: ExitStack
) -> tuple[SequenceScene | None, str | None]:
    """The sequence, or why there is none."""
    if report["config"].get("only_requested"):
        return None, _without("it holds the requested dates alone")
    path = source or Path(report["input"]["path"])
    try:
        opened = stack.enter_context(open_sequence(path, ReconstructionConfig.from_dict(settings)))
    except DecloudError as error:
        if source is not None:
            raise
        return None, _without(f"the input cannot be read ({one_line(error, 160)})")
    before, first = SequenceScene(opened), _open(folder, DECLOUDED, report["input"]["dates"][:1]).files[0]
    with first.dataset() as dataset:
        same = dataset.tags().get("INPUT_FINGERPRINT") in (None, "", opened.info.fingerprint)
    fits = list(before.info.dates) == report["input"]["dates"] and before.info.geobox == first.header.geobox
    if same and fits:
        return before, None
    if source is not None and not fits:
        raise MissingDataError(f"--input {source}: has other dates or another grid than {folder}", file=str(source))
    if source is not None:
        return before, f"{source} is not, byte by byte, what {folder} was made of"
    return None, _without(f"{path} has changed since the run")


def _without(reason: str) -> str:
    return f"{reason}: before the run, pixels under the mask are grey; --input names the sequence"


def _read_report(folder: Path) -> dict[str, Any]:
    path = folder / REPORT.path
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        found = report["input"]
        dates = [str(np.datetime64(date, "D")) for date in found["dates"]]
        if not dates or len(found["cloud_fraction"]) != len(dates) or not isinstance(report["config"], dict):
            raise ValueError("no dates")
        if report["config"].get("only_requested"):
            found = {**found, **_written(found, folder)}
            dates = found["dates"]
        known = {name: found[name] for name in ("path", "name", "simulated", "mask_source", "cloud_fraction")}
        requested = tuple(map(str, found.get("requested") or ()))
        return {
            "method": str(report["method"]),
            "created": str(report.get("created", "")),
            "config": report["config"],
            "input": {**known, "dates": dates, "s1": list(found["s1"]["dates"]), "requested": requested},
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableFileError(f"{path}: is no report of a run ({one_line(error, 100)})", file=str(path)) from error


def _written(found: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The dates that have files, with what is known of each: of a result that holds the requested ones alone."""
    there = [t for t, date in enumerate(found["dates"]) if (folder / DECLOUDED.files[0].at(date)).is_file()]
    if not there:
        raise ValueError("no dates")
    by_date = (found["dates"], found["cloud_fraction"], found["s1"]["dates"])
    dates, cloud, s1 = ([values[t] for t in there] for values in by_date)
    return {"dates": dates, "cloud_fraction": cloud, "s1": {"dates": s1}}


def _info(name: str, report: Mapping[str, Any], first: GdalFile, notes: tuple[str, ...]) -> SceneInfo:
    found = report["input"]
    source = str(found["name"])
    return SceneInfo(
        name=name,
        dates=tuple(found["dates"]),
        bands=tuple(text or f"band {k + 1}" for k, text in enumerate(first.header.descriptions)),
        s1_bands=(),
        s1_dates=tuple(found["s1"]),
        geobox=first.header.geobox,
        cloud=tuple(map(float, found["cloud_fraction"])),
        mask_source=str(found["mask_source"]),
        simulated=bool(found["simulated"]),
        notes=notes,
        made=f"made {'' if source == name else f'of {source} '}by {report['method']}",
        is_result=True,
        method=report["method"],
        created=report["created"],
        requested=found["requested"],
    )


def _open(folder: Path, product: Product, dates: Any) -> Rasters:
    """The files of a product. Raises `MissingDataError` for one that is not there, `InputError` for another grid."""
    files = []
    for date in dates:
        path = folder / product.files[0].at(date)
        if not path.is_file():
            raise MissingDataError(f"{path}: is missing; the result is not whole", file=str(path), date=date)
        files.append(open_geotiff(path, name=str(path), date=np.datetime64(date, "D")))
        if files[-1].header.geobox != files[0].header.geobox:
            raise UnreadableFileError(
                f"{path}: has another grid than {files[0].header.name}", file=str(path), date=date
            )
    return Rasters(tuple(files), *_storage(files[0], product))


def _storage(file: GdalFile, product: Product) -> tuple[float, float]:
    """Scale and offset of reflectance."""
    if product is not DECLOUDED:
        return 1.0, 0.0
    with file.dataset() as dataset:
        stated = _REFLECTANCE.fullmatch(dataset.tags().get("REFLECTANCE", ""))
    try:
        return (float(stated[1]), float(stated[2])) if stated else (1e-4, 0.0)
    except ValueError:
        raise UnreadableFileError(f"{file.header.name}: its tag REFLECTANCE is not understood") from None
