"""One day: its scenes are read, put together and checked in a folder of its own, then its files appear at once."""

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from odc.geo.geobox import GeoBox

from seq2seq.errors import OutputError
from seq2seq.fetching.asset_reading import AssetReader
from seq2seq.fetching.catalogs import SCL
from seq2seq.fetching.day_files import S1_NODATA, DayFiles, blocks_of, new_array, passes_of, write_classes, write_image
from seq2seq.fetching.failures import FetchError
from seq2seq.fetching.metering import Meter, Spent
from seq2seq.fetching.mosaic import Layer, image_of
from seq2seq.fetching.offsets import DARKEST_DN, SHIFTED_FLOOR_DN, check_dark_share
from seq2seq.fetching.passes import Day
from seq2seq.fetching.plan import Plan
from seq2seq.fetching.scenes import Scene
from seq2seq.fetching.signing import Signer
from seq2seq.fetching.transport import Transport
from seq2seq.sequence import Bool, Float32
from seq2seq.writers.output import describe_failure

_HIGHEST_DN, _HIGHEST_CLASS = 65535, 11


@dataclass(frozen=True)
class Service:
    """How one catalogue is asked."""

    transport: Transport
    signer: Signer


@dataclass(frozen=True)
class FetchedDay:
    """facts: for the record. note: what is worth a line, or empty."""

    facts: Mapping[str, Any]
    spent: Spent
    note: str = ""


def fetch_day(
    day: Day, plan: Plan, out: Path, *, work: Path, service: Service, check_stop: Callable[[], None]
) -> FetchedDay:
    """Fetches one day; its files are there afterwards, unless the scenes have nothing here.

    work: a folder on the disk of `out`; what is left in it is ours to clear. Raises `FetchError` naming item and asset,
    `OutputError`, `Stopped`.
    """
    files = DayFiles.of(out, day, plan)
    try:
        with tempfile.TemporaryDirectory(prefix=f"{day.sensor}-{day.date}-", dir=work) as folder:
            return _Assembly(day, plan, Path(folder), service, check_stop).publish(files)
    except OSError as error:
        raise OutputError(describe_failure(files.image, error.strerror or str(error))) from error


class _Assembly:
    """The image of one day while it is put together."""

    def __init__(self, day: Day, plan: Plan, folder: Path, service: Service, check_stop: Callable[[], None]) -> None:
        self._day, self._plan, self._folder = day, plan, folder
        self._source, self._service, self._check_stop = plan.source(day.sensor), service, check_stop
        self._meter = Meter()
        self._dark, self._pixels, self._low = Counter[str](), Counter[str](), Counter[str]()
        self._readers: dict[tuple[str, str], AssetReader] = {}

    def publish(self, files: DayFiles) -> FetchedDay:
        """Reads all blocks, writes the files, and moves them where they belong."""
        day, plan = self._day, self._plan
        height, width = plan.grid.shape
        optical = day.sensor == "S2"
        image = new_array(
            self._folder, "image", (len(self._source.bands), height, width), "uint16" if optical else "float32"
        )
        classes = new_array(self._folder, "classes", (1, height, width), "uint8")
        valid, clear = 0, 0
        for rows, columns in blocks_of(plan.grid):
            self._check_stop()
            layer = image_of(day, plan.grid[rows, columns], self._read)
            image[:, rows, columns] = np.where(layer.valid, layer.values, 0.0 if optical else S1_NODATA)
            if layer.classes is not None:
                classes[0, rows, columns] = np.where(layer.valid, layer.classes, 0)
            valid, clear = valid + int(layer.valid.sum()), clear + int(layer.clear.sum())
        for scene in day.scenes if optical else ():
            check_dark_share(scene, plan.offsets[scene.id], self._dark[scene.id], self._pixels[scene.id])
        if valid:
            self._write(files, image, classes)
        spent = self._meter.spent
        facts = {
            "items": list(day.items),
            "assets": sorted({scene.assets[band].key for scene in day.scenes for band in self._source.assets}),
            "passes": passes_of(day),
            **({"offsets": {scene.id: plan.offsets[scene.id].why for scene in day.scenes}} if optical else {}),
            "with_data": round(valid / (height * width), 4),
            **({"clear": round(clear / (height * width), 4)} if files.scl is not None else {}),
            **({} if valid else {"empty": True}),
            **spent.to_dict(),
        }
        return FetchedDay(facts, spent, self._note(valid))

    def _write(self, files: DayFiles, image: Any, classes: Any) -> None:
        """Both are complete before either appears."""
        new_image, new_classes = self._folder / "image.tif", self._folder / "classes.tif"
        write_image(new_image, image, self._day, self._plan)
        moves = [(new_image, files.image)]
        if files.scl is not None:
            write_classes(new_classes, classes, self._day, self._plan)
            moves.insert(0, (new_classes, files.scl))
        self._check_stop()
        for new, place in moves:
            place.parent.mkdir(parents=True, exist_ok=True)
            os.replace(new, place)

    def _note(self, valid: int) -> str:
        day = self._day
        if not valid:
            return f"{day.sensor} {day.date}: the scenes have no data here"
        for scene in day.scenes if day.sensor == "S2" else ():
            claimed = scene.applied and (scene.baseline or "") >= "04.00" and self._plan.offsets[scene.id].dn == 0
            if claimed and self._pixels[scene.id] and not self._low[scene.id]:
                return (
                    f"{scene.id}: states that its offset was applied, but no pixel here is darker than "
                    f"{SHIFTED_FLOOR_DN} DN: a bright place, or it was not"
                )
        return ""

    def _read(self, scene: Scene, block: GeoBox) -> Layer:
        return self._read_s2(scene, block) if self._day.sensor == "S2" else self._read_s1(scene, block)

    def _read_s2(self, scene: Scene, block: GeoBox) -> Layer:
        """Reflectance in DN, offset 0; a real pixel never becomes 0, which is no data."""
        dn, present = self._bands(scene, block, nodata=0.0, kinds="ui")
        lowest = dn.min(axis=0, where=present, initial=np.inf)
        self._pixels[scene.id] += int(present.sum())
        self._dark[scene.id] += int((present & (lowest < DARKEST_DN)).sum())
        self._low[scene.id] += int((present & (lowest < SHIFTED_FLOOR_DN)).sum())
        values = np.clip(np.rint(dn) + self._plan.offsets[scene.id].dn, 1, _HIGHEST_DN)
        if SCL not in self._source.assets:
            return Layer(values, None)
        if not present.any():
            return Layer(values, np.zeros(block.shape, dtype=np.float32))
        classes = np.nan_to_num(self._asset(scene, SCL, block, nodata=0.0, nearest=True, kinds="ui"))
        if classes.max() > _HIGHEST_CLASS:
            what = f"value {classes.max():g} is no class of SCL (0 to {_HIGHEST_CLASS})"
            raise FetchError(f"{scene.id}, asset {scene.assets[SCL].key}: {what}")
        return Layer(values, classes)

    def _read_s1(self, scene: Scene, block: GeoBox) -> Layer:
        values, _ = self._bands(scene, block, nodata=S1_NODATA, kinds="f")
        return Layer(values, None)

    def _bands(self, scene: Scene, block: GeoBox, *, nodata: float, kinds: str) -> tuple[Float32, Bool]:
        """(C, h, w) as stored, (h, w) where all bands have data; once one has none, the others are not asked for."""
        bands = self._source.bands
        values = np.full((len(bands), *block.shape), np.nan, dtype=np.float32)
        present = np.ones(block.shape, dtype=bool)
        for index, band in enumerate(bands):
            values[index] = self._asset(scene, band, block, nodata=nodata, nearest=False, kinds=kinds)
            present &= np.isfinite(values[index])
            if not present.any():
                break
        return values, present

    def _asset(self, scene: Scene, band: str, block: GeoBox, *, nodata: float, nearest: bool, kinds: str) -> Float32:
        key = scene.id, band
        if key not in self._readers:
            path = self._folder / f"{len(self._readers)}-{band}.tif"
            jpeg2000 = self._source.catalog.jpeg2000
            self._readers[key] = AssetReader(scene, band, nodata=nodata, jpeg2000=jpeg2000, path=path)
        values, dtype = self._readers[key].read(
            block,
            nearest=nearest,
            signer=self._service.signer,
            transport=self._service.transport,
            meter=self._meter,
        )
        if np.dtype(dtype).kind not in kinds:
            what = "reflectance as Sentinel-2 stores it" if kinds == "ui" else "backscatter in linear power"
            raise FetchError(f"{scene.id}, asset {scene.assets[band].key}: is {dtype}, which is not {what}")
        return values
