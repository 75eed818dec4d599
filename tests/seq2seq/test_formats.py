"""What formats share: containers, the grid that all is brought to, and errors that carry their facts."""

import pickle
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pytest
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin
from sequence_files import DATES, pack, s1_db, write_sequence, write_tif

from seq2seq.errors import InputError, Place, UnreadableFileError, concerning
from seq2seq.readers import formats, open_sequence
from seq2seq.readers.base import Member, Root
from seq2seq.readers.containers import unpacked
from seq2seq.readers.contents import Window
from seq2seq.readers.geotiff import open_geotiff
from seq2seq.readers.warp import read_on


class Deep:
    """A format whose files lie three folders deep, and which reads none."""

    name, example = "things in A/B/C", "A/B/C/thing.dat"

    def wants(self, member: PurePosixPath) -> bool:
        return member.suffix == ".dat" and len(member.parts) == 4

    def recognises(self, root: Root) -> bool:
        return bool(root.members)

    def open(self, root: Root) -> Any:
        raise UnreadableFileError(", ".join(member.name for member in root.members))


@pytest.mark.parametrize("container", ["folder", "archive"])
def test_containers_give_out_what_formats_want_as_deep_as_it_lies_and_name_the_rest(tmp_path, monkeypatch, container):
    monkeypatch.setattr(formats, "FORMATS", (*formats.FORMATS, Deep()))
    root = write_sequence(tmp_path / "in", dates=DATES[:1])
    for name in ("A/B/C/thing.dat", "A/B/other.dat", "notes.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    with unpacked(root if container == "folder" else pack(root, tmp_path / "in.zip", files="*.*")) as found:
        assert found.container == container
        assert {member.name for member in found.members} == {f"S2/{DATES[0]}.tif", "A/B/C/thing.dat"}
        assert {member.path.read_bytes()[:2] for member in found.members} == {b"II", b"x"}
        assert set(found.others) == {"A/B/other.dat", "notes.txt"}


def test_the_first_format_that_recognises_an_input_reads_it_and_is_given_nothing_else(tmp_path, monkeypatch):
    root = write_sequence(tmp_path / "in")
    (root / "A/B/C").mkdir(parents=True)
    (root / "A/B/C/thing.dat").write_bytes(b"x")
    monkeypatch.setattr(formats, "FORMATS", (*formats.FORMATS, Deep()))
    with open_sequence(root) as source:
        assert len(source.info.dates) == len(DATES)
    monkeypatch.setattr(formats, "FORMATS", formats.FORMATS[::-1])
    with pytest.raises(UnreadableFileError, match=r"^A/B/C/thing\.dat$"):
        open_sequence(root)


def test_what_one_format_does_not_want_of_the_members_is_among_the_others(tmp_path):
    members = tuple(Member(name, tmp_path / name) for name in ("a.x", "b.y", "c.x"))
    narrowed = Root("in", tmp_path, "folder", members, ("d",)).narrowed(lambda member: member.suffix == ".x")
    assert [member.name for member in narrowed.members] == ["a.x", "c.x"]
    assert narrowed.others == ("d", "b.y")


def test_a_working_copy_in_an_archive_is_not_believed(tmp_path):
    """Its list says what files are called and where they come from: an upload could say anything."""
    root = write_sequence(tmp_path / "in")
    (root / "decloud-sequence.json").write_text('{"origin": "/etc/passwd", "fingerprint": "", "warnings": []}')
    with open_sequence(pack(root, tmp_path / "in.zip", files="*.*")) as source:
        assert source.info.path == tmp_path / "in.zip"
        assert source.info.warnings[0] == "1 files of the archive were ignored: decloud-sequence.json"


@dataclass(frozen=True)
class WithoutDataset:
    """A raster that only gives out its values, as that of a new format may."""

    raster: Any

    @property
    def header(self) -> Any:
        return self.raster.header

    def read(self, window: Window) -> Any:
        return self.raster.read(window)


@pytest.mark.parametrize("nearest", [False, True])
@pytest.mark.parametrize("step_m", [0, 3.7, 25])
def test_whatever_gives_out_values_is_resampled_as_a_geotiff_is(tmp_path, step_m, nearest):
    pixels = s1_db()[0]
    pixels[:, 9:12, 9:12] = -999
    place = from_origin(600_000 + step_m, 5_600_000, 10, 10)
    path = write_tif(tmp_path / "x.tif", pixels, bands=("VV", "VH"), transform=place)
    raster = open_geotiff(path, name="x.tif", date=np.datetime64(DATES[0]))
    grid, window = GeoBox((24, 32), from_origin(600_000, 5_600_000, 10, 10), "EPSG:32631"), Window(2, 20, 5, 30)
    first, second = (
        read_on(one, grid, window, nodata=-999, nearest=nearest) for one in (raster, WithoutDataset(raster))
    )
    assert 0 < np.isnan(first).mean() < 0.1
    assert np.array_equal(first, second, equal_nan=True)


def test_an_error_carries_its_facts_and_is_still_itself_in_another_process():
    error = InputError("x", file="S2/a.tif", date=np.datetime64("2020-08-01"), band="B02", row=0, others=(Place("b"),))
    assert error.places == (Place("S2/a.tif", "2020-08-01", "B02", 0), Place("b"))
    assert error.places[0].to_dict() == {"file": "S2/a.tif", "date": "2020-08-01", "band": "B02", "row": 0}
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.places) == (str(error), error.places)
    assert InputError("x").places == ()


def test_what_an_error_does_not_know_is_added_by_who_does_and_nothing_else_is_changed():
    for error, expected in (
        (InputError("x"), Place("a", "2020-08-01")),
        (InputError("x", band="B02"), Place("a", "2020-08-01", "B02")),
        (InputError("x", file="a", date="2021-01-01"), Place("a", "2021-01-01")),
        (InputError("x", file="b"), Place("b")),
    ):
        with pytest.raises(InputError), concerning("a", "2020-08-01"):
            raise error
        assert error.places == (expected,)
