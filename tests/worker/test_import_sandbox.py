"""The import gives the engine exactly the user's sequence, and its process cannot do more than it is allowed."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hostile_inputs import empty_tiff, zipped
from rasterio.transform import from_origin
from sequence_files import BANDS, DATES, HEIGHT, WIDTH, pack, s1_db, s2_dn, write_sequence, write_tif

from seq2seq.config import ReconstructionConfig
from seq2seq.errors import ConfigError, OutputError, Stopped
from seq2seq.progress import Progress
from seq2seq.radiometry import to_linear
from seq2seq.readers import open_sequence
from seq2seq.simulation.simulate import simulate, write_simulation
from worker.imports import importer, sandboxed
from worker.imports.importer import CRASHED, LIMIT, ImportProblem, ImportReport, import_upload
from worker.imports.limits import DEFAULT_LIMITS, ImportLimits
from worker.imports.sandbox import SandboxOutcome, run_confined
from worker.imports.sandboxed import make_copy
from worker.processes.child_process import ProcessExit

SECOND = f"S2/{DATES[1]}.tif"
POLARISATIONS = ("VV", "VH")


def linear_elsewhere(root):
    """S1 in linear power, scaled, on a grid and in a CRS of its own, with a no-data value and a hole."""
    write_sequence(root)
    for index, date in enumerate(("2020-08-03", "2020-08-20", "2020-12-24")):
        power = np.repeat(np.repeat(to_linear(s1_db(height=20, width=20))[index], 3, axis=1), 3, axis=2)
        power[:, 30:34, 20:40] = -1
        place = from_origin(491_316, 6_541_100, 16, 16)
        scaled = {"scales": (0.5, 0.5), "offsets": (0.001, 0.001), "nodata": -1, "transform": place, "crs": "EPSG:3857"}
        write_tif(root / "S1" / f"{date}.tif", power, bands=("Sigma0_VV", "Sigma0_VH"), **scaled)


def level_2a(root):
    """Processing baseline 04.00 with its offset in the tags, from the third date on; int16, another no-data value."""
    bands = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B11", "B12")
    dn = s2_dn(bands=12).astype(np.int16)
    dn[1, :, :5] = -32768
    for index, date in enumerate(DATES):
        late = {"scales": (1e-4,) * 12, "offsets": (-0.1,) * 12} if index > 1 else {}
        shifted = dn[index] + np.int16(1000 if index > 1 else 0)
        write_tif(root / "S2" / f"S2A_MSIL2A_{date}T1050_clip.tif", shifted, bands=bands, nodata=-32768, **late)


def float_with_nan(root):
    reflectance = (s2_dn() * 1e-4).astype(np.float32)
    reflectance[1, 2, 3, 4] = np.nan
    write_sequence(root, s2=reflectance, nodata=float("nan"), s1=s1_db())


def lost_date(root):
    """A date without any data, one with a fill that no header declares, and a swath border."""
    s2, s1 = s2_dn(), s1_db()
    s2[2], s2[3, :, :, :7] = 0, 65535
    s1[1, :, :9] = np.nan
    write_sequence(root, s2=s2, s1=s1, nodata=None)


def own_masks(root):
    """Masks on all dates but one, on one more, with values above 1, and files that are something else."""
    masks = np.random.default_rng(3).integers(0, 3, (5, HEIGHT, WIDTH))
    write_sequence(root, s2=s2_dn(), masks=masks, s1=s1_db(), bands=None)
    (root / "MASK" / f"{DATES[1]}.tif").rename(root / "MASK" / "2020-12-24.tif")
    (root / "S2" / "notes.tif.docx").write_bytes(b"hello")


def turned(root):
    """A turned grid in a CRS without a code, big-endian strips, with another compression."""
    place = {"transform": Affine(9, 3, 500_000.125, 3, -9, 4_000_000.3), "crs": "+proj=laea +lat_0=50.5 +lon_0=4.5"}
    for date, dn in zip(DATES, s2_dn(), strict=True):
        write_tif(root / "S2" / f"{date}.tif", dn, bands=BANDS, nodata=0, ENDIANNESS="BIG", compress="lzw", **place)


def level_1c(root):
    """All 13 bands with clouds, simulated, as its files say."""
    write_simulation(simulate(dates=4, size=(40, 56), cloud=0.4, seed=2), root / "made")
    for folder in ("S1", "S2", "MASK"):
        (root / "made" / "input" / folder).rename(root / folder)


def height_datum(root):
    """A compound CRS, which GeoTIFF stores with other digits."""
    for date, dn in zip(DATES, s2_dn(), strict=True):
        write_tif(root / "S2" / f"{date}.tif", dn, bands=BANDS, nodata=0, crs="EPSG:7415")


def scene_classes(root):
    """SCL at 20 m on some dates, masks on others, and one date with neither."""
    masks = np.random.default_rng(3).random((5, HEIGHT, WIDTH)) > 0.7
    write_sequence(root, s2=s2_dn(), masks=masks)
    classes = np.random.default_rng(4).choice([0, 3, 4, 5, 7, 9, 11], (5, HEIGHT // 2, WIDTH // 2)).astype(np.uint8)
    for index, date in enumerate(DATES):
        if index < 3:
            (root / "MASK" / f"{date}.tif").unlink()
        if index != 1:
            write_tif(
                root / "SCL" / f"{date}.tif", classes[index][None], transform=from_origin(600_000, 5_600_000, 20, 20)
            )


def classes_as_masks(root):
    classes = np.random.default_rng(4).choice([0, 3, 4, 5, 7, 9, 11], (5, HEIGHT, WIDTH))
    write_sequence(root, s2=s2_dn(), masks=classes)


def lost_offsets(root):
    """+1000 DN without a tag: known by a name, by metadata, and by values."""
    names = ("S2A_MSIL2A_{}T105031_N0509_R051_T31UFS_20240101T000000", "{}")
    for index, date in enumerate(DATES):
        shifted = s2_dn()[index] + np.uint16(0 if index == 3 else 1000)
        path = root / "S2" / f"{names[index > 1].format(date.replace('-', ''))}.tif"
        write_tif(path, shifted, bands=BANDS, nodata=0)
        if index == 2:
            with rasterio.open(path, "r+") as file:
                file.update_tags(PROCESSING_BASELINE="05.00", BOA_ADD_OFFSET_B02="-1000")


INPUTS = [
    scene_classes,
    classes_as_masks,
    lost_offsets,
    level_1c,
    level_2a,
    linear_elsewhere,
    float_with_nan,
    lost_date,
    own_masks,
    turned,
    height_datum,
]
CONFIGS = {
    linear_elsewhere: {"s1_max_days": 9},
    level_1c: {"cloud_detector": "rules", "cloud_buffer_px": 1},
}


def assert_same_to_the_engine(original: Path, copy: Path, config: ReconstructionConfig) -> None:
    with open_sequence(original, config) as first, open_sequence(copy, config) as second:
        theirs, ours = first.read(), second.read()
        for name in ("dates", "bands", "radiometry", "s1_bands", "s1_units", "mask_source", "warnings", "fingerprint"):
            assert repr(getattr(second.info, name)) == repr(getattr(first.info, name)), name
        assert second.info.radiometry.tags == first.info.radiometry.tags
        assert second.info.simulated == first.info.simulated
        assert second.info.path.name == first.info.path.name
        for name in ("s1_dates", "s1_acquisitions"):
            assert np.array_equal(getattr(second.info, name), getattr(first.info, name), equal_nan=True)
        window = slice(3, 17), slice(5, 30)
        assert np.array_equal(second.read(*window).s2.pixels, theirs.crop(*window).s2.pixels)
    assert ours.s2.geobox == theirs.s2.geobox
    assert ours.s2.geobox.crs.to_wkt() == theirs.s2.geobox.crs.to_wkt()
    assert np.array_equal(ours.s2.pixels, theirs.s2.pixels)
    assert np.array_equal(ours.s2.observed, theirs.s2.observed)
    assert np.array_equal(ours.cloud_mask, theirs.cloud_mask)
    assert np.array_equal(ours.s1_dates, theirs.s1_dates, equal_nan=True)
    assert (ours.s1 is None) == (theirs.s1 is None)
    if ours.s1 is not None:
        assert np.array_equal(ours.s1.pixels, theirs.s1.pixels)
        assert np.array_equal(ours.s1.observed, theirs.s1.observed)


@pytest.mark.parametrize(
    ("write", "packed"), [*((write, False) for write in INPUTS), (level_1c, True), (own_masks, True)]
)
def test_the_engine_cannot_tell_the_copy_from_the_upload(tmp_path, write, packed):
    root = tmp_path / "input"
    root.mkdir()
    write(root)
    upload = pack(root, tmp_path / "input.zip") if packed else root
    config, copy = ReconstructionConfig(**CONFIGS.get(write, {})), tmp_path / "copy"
    copy.mkdir()
    make_copy(upload, copy, origin=upload.name, config=config, send=lambda **_: None)
    assert_same_to_the_engine(upload, copy, config)
    files = {path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()}
    assert all(name in {"S1", "S2", "MASK", "SCL"} for name in {file.split("/")[0] for file in files if "/" in file})
    assert not {file for file in files if "MSI" in file or "notes" in file}


def test_an_upload_through_the_sandbox_is_the_same_to_the_engine(tmp_path):
    root = write_sequence(tmp_path / "fields", s1=s1_db())
    stored = tmp_path / "0192-server-made-name"
    pack(root, tmp_path / "fields.zip").rename(stored)
    told: list[Progress] = []
    report = import_upload(stored, tmp_path / "input", name="fields.zip", on_progress=told.append)
    assert isinstance(report, ImportReport)
    assert_same_to_the_engine(pack(root, tmp_path / "fields.zip"), tmp_path / "input", ReconstructionConfig())
    assert report.folder == tmp_path / "input"
    assert report.sequence["path"] == "fields.zip"
    assert report.sequence["dates"] == list(DATES)
    assert report.cpu_s > 0
    assert report.peak_memory_bytes > 10**7
    assert [progress.phase for progress in told[:2]] == ["unpacking", "importing"]
    assert [progress.step for progress in told if progress.phase == "importing"] == list(range(10))
    assert {path.name for path in tmp_path.iterdir()} == {"fields", "fields.zip", stored.name, "input"}


def test_a_problem_names_file_date_band_and_pixel(tmp_path):
    s2 = (s2_dn() * 1e-4).astype(np.float32)
    s2[1, 2, 7, 9] = np.inf
    root = write_sequence(tmp_path / "in", s2=s2, nodata=None)
    (root / SECOND).rename(root / "S2" / "my scene, 20200811: final.tif")
    problem = import_upload(pack(root, tmp_path / "upload"), tmp_path / "input", name="../../fields\n.zip")
    where = {"file": "S2/my scene, 20200811: final.tif", "date": DATES[1], "band": "B04", "row": 7, "column": 9}
    assert problem.to_dict() == {
        "code": "invalid-pixels",
        "detail": "S2/my scene, 20200811: final.tif, band B04, row 7, column 9: value inf",
        "errors": [where],
    }
    assert not (tmp_path / "input").exists()


def test_a_problem_of_two_files_names_both(tmp_path):
    root = write_sequence(tmp_path / "in")
    write_tif(root / SECOND, s2_dn(height=20)[1], bands=BANDS, nodata=0)
    copy = tmp_path / "copy"
    copy.mkdir()
    received = importer.Received(lambda _: None)
    request = {"upload": str(root), "scratch": str(tmp_path), "folder": str(copy), "origin": "in"}
    request |= {"config": {}, "pixel_dates": 10**6, "expansion": 200}
    answer = sandboxed.answer(request, lambda **message: received.receive(message))
    assert not list(copy.iterdir()), "headers are checked before anything is written"
    assert "different grids" in answer["problem"]["detail"]
    problem = importer.judge(ended(answer), received, limits=DEFAULT_LIMITS, origin="in")
    assert problem.errors == (
        {"file": f"S2/{DATES[0]}.tif", "date": DATES[0]},
        {"file": SECOND, "date": DATES[1]},
    )


def problem_at(places: object) -> ImportProblem:
    """What becomes of the places that a process names."""
    told = {"code": "invalid-pixels", "detail": "S2/2020-08-11.tif, band B04, row 7: value inf", "places": places}
    return importer.judge(ended({"problem": told}), importer.Received(print), limits=DEFAULT_LIMITS, origin="in")


def test_of_places_that_a_process_makes_up_only_what_can_be_one_is_passed_on():
    made_up = [
        {"file": "S2/\x1b[2Jx.tif", "band": ["B02"], "row": -1, "column": True, "colour": "red"},
        {"file": 7, "date": {"2020": 1}, "row": 1.5},
        "S2/2020-08-01.tif",
        *({"file": f"{index}.tif", "date": "2020-08-01\n", "row": index} for index in range(100)),
    ]
    errors = problem_at(made_up).errors
    assert errors[:2] == ({"file": "S2/\\x1b[2Jx.tif"}, {"file": "0.tif", "date": "2020-08-01", "row": 0})
    assert len(errors) < 10


@pytest.mark.parametrize("places", [None, 3, {"file": "x"}, []])
def test_what_a_problem_is_about_is_never_read_out_of_its_words(places):
    assert problem_at(places).errors == ()


def test_settings_that_cannot_be_are_a_problem_before_any_process_starts(tmp_path, monkeypatch):
    monkeypatch.setattr(importer, "run_confined", None)
    problem = import_upload(tmp_path / "x", tmp_path / "input", config={"seed": -1})
    assert problem == ImportProblem("invalid-config", "seed is -1, must be from 0 to 2147483647", ())
    assert import_upload(tmp_path / "x", tmp_path / "input", config={"sede": 1}).code == "invalid-config"


# -- what the process may not do. These programs stand in for a decoder that was taken over.

BEGIN = """
import json, os, sys, time
from pathlib import Path
from worker.imports import confinement
from worker.processes.parent_link import message_pipe
request = json.load(sys.stdin)
confinement.limit(request["limits"])
pipe = open(message_pipe(), "w", buffering=1)
scratch = Path(request["scratch"])
def say(**message):
    pipe.write(json.dumps(message) + chr(10))
def enclose(*readable):
    return confinement.enclose(
        readable=[*map(Path, readable), Path(sys.prefix), Path(sys.base_prefix), Path("/usr"), Path("/lib")],
        writable=[scratch],
    )
"""

MISBEHAVIOUR = {
    "eats memory": ("x = [bytearray(2**24) for _ in range(10_000)]", {"memory_bytes": 300_000_000}),
    "is refused memory and dies of it": (
        "os.write(2, b'terminate called after throwing an instance of std::bad_alloc'); os.abort()",
        {"memory_bytes": 300_000_000},
    ),
    "spins": ("while True: pass", {"cpu_s": 1}),
    "hangs": ("time.sleep(60)", {"wall_s": 1}),
    "hangs deaf and dumb": (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); pipe.close(); os.close(1); os.close(2)\n"
        "time.sleep(60)",
        {"wall_s": 1},
    ),
    "writes one file without end": (
        "with open(scratch / 'x', 'wb') as f:\n while True: f.write(bytes(2**16))",
        {"file_bytes": 5_000_000},
    ),
    "writes files without end": (
        "for i in range(10**6): (scratch / str(i)).write_bytes(bytes(2**20)); time.sleep(0.01)",
        {"disk_bytes": 5_000_000},
    ),
    "makes files without end": (
        "for i in range(10**6): (scratch / str(i)).touch(); time.sleep(0.001)",
        {"files": 50},
    ),
    "asks for what is over a limit": (
        "say(answer={'exceeded': 'pixel_dates', 'detail': 'S2 has 3 pixels on 2 dates'})",
        {"pixel_dates": 2},
    ),
}


GOOD = "say(answer={'report': {}, 'enclosure': {}});"


def import_by(program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **limits: int):
    """The outcome of an import whose process runs `program` instead."""
    monkeypatch.setattr(importer, "_PROGRAM", ("-c", BEGIN + program))
    (tmp_path / "fields.zip").write_bytes(b"PK")
    return import_upload(tmp_path / "fields.zip", tmp_path / "input", limits=ImportLimits(**limits))


@pytest.mark.parametrize("what", MISBEHAVIOUR)
def test_a_process_that_goes_too_far_is_stopped_by_its_limit(tmp_path, monkeypatch, what):
    program, limits = MISBEHAVIOUR[what]
    began = time.monotonic()
    problem = import_by(program, tmp_path, monkeypatch, **limits)
    assert time.monotonic() - began < 20
    ((name, allowed),) = limits.items()
    assert problem.code == LIMIT
    assert problem.detail.startswith("fields.zip: ")
    assert f"may use {name} = {allowed:,}" in problem.detail
    assert problem.errors == ({"limit": name, "allowed": allowed},)
    assert [path.name for path in tmp_path.iterdir()] == ["fields.zip"]


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("os.kill(os.getpid(), 11)", "was ended by SIGSEGV"),
        ("raise ValueError('a bug')", "ended unexpectedly"),
        ("sys.exit(0)", "ended unexpectedly"),
        ('pipe.write(\'{"answer": {"report": \' + chr(10)); sys.exit(3)', "ended unexpectedly"),
        ("pipe.write('[' * 10**6 + chr(10) + 'x' * 10**8)", "said too much"),
        (GOOD + "(scratch / 'sequence' / 'x').symlink_to('/etc')", "no working copy"),
        (
            GOOD + "(scratch / 'sequence' / 'S2').mkdir(); os.mkfifo(scratch / 'sequence/S2/2020-08-01.tif')",
            "no working copy",
        ),
        ("say(answer={'exceeded': ['cpu_s'], 'problem': 3, 'report': []}); os.kill(os.getpid(), 40)", "signal 40"),
        (GOOD + "(scratch / 'sequence' / 'S2').mkdir(); (scratch / 'sequence/S2/x.sh').touch()", "no working copy"),
    ],
)
def test_a_process_that_breaks_or_lies_is_one_problem_and_its_trace_is_for_the_operator(
    tmp_path, monkeypatch, caplog, program, words
):
    say = "say(phase='importing', step=1, of=3, file='S2/2020-08-11.tif')\n"
    problem = import_by(say + program, tmp_path, monkeypatch)
    assert problem.code == CRASHED
    assert problem.detail.startswith("fields.zip: the import ")
    assert words in problem.detail
    assert "while importing S2/2020-08-11.tif" in problem.detail
    assert problem.errors == ({"file": "S2/2020-08-11.tif", "date": "2020-08-11"},)
    assert "Traceback" not in problem.detail
    assert ("a bug" in caplog.text) == ("a bug" in program)
    assert [path.name for path in tmp_path.iterdir()] == ["fields.zip"]


def test_a_process_that_the_kernel_killed_is_no_fault_of_the_upload(tmp_path, monkeypatch):
    with pytest.raises(MemoryError, match=r"fields\.zip: the import was killed by the system"):
        import_by("os.kill(os.getpid(), 9)", tmp_path, monkeypatch)
    assert [path.name for path in tmp_path.iterdir()] == ["fields.zip"]


def test_a_full_disk_is_no_fault_of_the_upload(tmp_path, monkeypatch):
    said = "say(answer={'problem': {'code': 'output-error', 'detail': 'no space left'}})"
    with pytest.raises(OutputError, match="no space left"):
        import_by(said, tmp_path, monkeypatch)


def test_empty_giants_are_refused_by_their_headers_alone(tmp_path):
    """692 bytes that took three minutes: two dates of 15 800 x 15 800 pixels, none of them ever written."""
    image = empty_tiff(
        tmp_path / "giant.tif", width=15_800, height=15_800, tiled=True, blockxsize=2048, blockysize=2048
    )
    (tmp_path / "up.zip").write_bytes(zipped({f"S2/{date}.tif": image for date in DATES[:2]}))
    told: list[Progress] = []
    problem = import_upload(tmp_path / "up.zip", tmp_path / "input", on_progress=told.append)
    assert problem.errors == ({"limit": "expansion", "allowed": 200},)
    assert "decode to 3,994,240,000 bytes of pixels" in problem.detail
    assert [progress.phase for progress in told] == ["unpacking"]


def test_an_import_leaves_others_their_disk_space_and_is_not_at_fault(tmp_path):
    pack(write_sequence(tmp_path / "in"), tmp_path / "in.zip")
    with pytest.raises(OutputError, match=r"in\.zip: no space left.*disk_floor_bytes = 1,152,921,504,606,846,976"):
        import_upload(tmp_path / "in.zip", tmp_path / "input", limits=ImportLimits(disk_floor_bytes=2**60))
    assert not (tmp_path / "input").exists()


def test_a_full_disk_is_known_in_whichever_way_it_shows(tmp_path, monkeypatch):
    root = write_sequence(tmp_path / "in")
    request = {"upload": str(root), "scratch": str(tmp_path), "folder": str(tmp_path / "copy"), "origin": "in"}
    request |= {"config": {}, "pixel_dates": 10**6, "expansion": 200}
    (tmp_path / "copy").mkdir()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sandboxed, "write_working_copy", full)
    answer = sandboxed.answer(request, lambda **_: None)
    assert answer["problem"]["code"] == "output-error"
    assert "No space left" in answer["problem"]["detail"]


def test_memory_refused_inside_a_library_is_the_limit_and_not_a_damaged_file(tmp_path):
    """A strip of 800 MB, which GDAL would decode as a whole."""
    shape = {"width": 10_000, "height": 10_000, "count": 4, "interleave": "pixel", "blockysize": 10_000}
    image = empty_tiff(tmp_path / "empty.tif", compress="deflate", **shape)
    (tmp_path / "up.zip").write_bytes(zipped({f"S2/{date}.tif": image for date in DATES[:2]}))
    problem = import_upload(
        tmp_path / "up.zip", tmp_path / "input", limits=ImportLimits(memory_bytes=700_000_000, expansion=10**7)
    )
    assert problem.errors == ({"limit": "memory_bytes", "allowed": 700_000_000},)
    assert "while importing S2/2020-08-01.tif" in problem.detail


def test_stopping_ends_the_process_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(importer, "_PROGRAM", ("-c", BEGIN + "say(phase=str(os.getpid())); time.sleep(60)"))
    (tmp_path / "fields.zip").write_bytes(b"PK")
    told: list[Progress] = []
    with pytest.raises(Stopped):
        import_upload(
            tmp_path / "fields.zip", tmp_path / "input", on_progress=told.append, should_stop=lambda: bool(told)
        )
    with pytest.raises(ProcessLookupError):
        os.kill(int(told[0].phase), 0)
    assert [path.name for path in tmp_path.iterdir()] == ["fields.zip"]


def confined(program: str, scratch: Path, **request: object) -> SandboxOutcome:
    scratch.mkdir()
    return run_confined(
        ("-c", BEGIN + program),
        {"scratch": str(scratch), **request},
        scratch=scratch,
        limits=ImportLimits(),
        on_message=lambda _: None,
        should_stop=lambda: False,
    )


def ended(answer: dict[str, object]) -> SandboxOutcome:
    return SandboxOutcome(answer, ProcessExit(0, 0.0, 0.0, 0, 0), None, False, "")


def test_the_process_starts_with_nothing_of_ours(tmp_path, monkeypatch):
    monkeypatch.setenv("DECLOUD_SIGNING_SECRET", "open sesame")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with open(tmp_path / "ours", "w") as ours:
        os.set_inheritable(ours.fileno(), True)
        outcome = confined(
            "say(answer={'environment': dict(os.environ), 'here': [os.getcwd(), os.listdir()], 'path': sys.path,"
            " 'files': [os.path.realpath(f'/proc/self/fd/{number}') for number in os.listdir('/proc/self/fd')],"
            " 'group': os.getpgrp() == os.getpid(), 'core': __import__('resource').getrlimit(4)})",
            tmp_path / "scratch",
        )
    answer = outcome.answer
    assert answer is not None, outcome.printed
    assert "open sesame" not in json.dumps(answer)
    assert str(tmp_path) not in answer["path"]
    assert answer["here"] == [str(tmp_path / "scratch" / "empty"), []]
    assert answer["group"]
    assert answer["core"] == [0, 0]
    assert not [file for file in answer["files"] if file.endswith("ours")]
    assert "VRT" in answer["environment"]["GDAL_SKIP"].split(",")
    assert answer["environment"]["GDAL_DISABLE_READDIR_ON_OPEN"] == "EMPTY_DIR"
    assert answer["environment"]["GDAL_PAM_ENABLED"] == "NO"
    assert answer["environment"]["TMPDIR"] == str(tmp_path / "scratch" / "tmp")


REACH = """
import ctypes, socket, subprocess
granted, secret, parent, mine = request["granted"], request["secret"], os.getppid(), os.getpid()
held = enclose(granted)
def attempt(what):
    try:
        return repr(what())
    except OSError as error:
        return error.errno
libc = ctypes.CDLL(None, use_errno=True)
def fork():
    return os.fork() or os._exit(0)
say(answer={
    "held": [held.landlock, held.seccomp],
    "granted": attempt(lambda: open(granted).read()),
    "write granted": attempt(lambda: open(granted, "w")),
    "scratch": attempt(lambda: (scratch / "x").write_text("hello")),
    "thread": attempt(lambda: __import__("threading").Thread(target=int).start()),
    "secret": attempt(lambda: open(secret).read()),
    "write beside": attempt(lambda: open(secret + ".new", "w")),
    "link": attempt(lambda: (os.symlink(secret, scratch / "link"), open(scratch / "link").read())),
    "root": attempt(lambda: os.listdir("/")),
    "passwords": attempt(lambda: open("/etc/passwd").read()),
    "socket": attempt(lambda: socket.socket()),
    "fork": attempt(fork),
    "program": attempt(lambda: os.execv("/bin/true", ["true"])),
    "kill": attempt(lambda: os.kill(parent, 0)),
    "group": attempt(lambda: os.setsid()),
    "privileges": libc.prctl(39, 0, 0, 0, 0),
})
"""


def test_an_enclosed_process_reaches_only_what_it_was_given(tmp_path):
    (tmp_path / "granted").write_text("for you")
    (tmp_path / "secret").write_text("not for you")
    outcome = confined(REACH, tmp_path / "scratch", granted=str(tmp_path / "granted"), secret=str(tmp_path / "secret"))
    assert outcome.answer is not None, outcome.printed
    landlock, seccomp = outcome.answer["held"]
    assert outcome.answer["granted"] == "'for you'"
    assert outcome.answer["scratch"] == "5"
    assert outcome.answer["thread"] == "None"
    assert outcome.answer["privileges"] == 1
    if not landlock or not seccomp:
        pytest.skip(f"this kernel has Landlock {landlock}, seccomp {seccomp}")
    denied = {"write granted", "secret", "write beside", "link", "root", "passwords"}
    assert {name: outcome.answer[name] for name in denied} == dict.fromkeys(denied, 13)
    refused = {"socket", "fork", "program", "kill", "group"}
    assert {name: outcome.answer[name] for name in refused} == dict.fromkeys(refused, 1)
    assert not (tmp_path / "secret.new").exists()


def test_the_process_dies_with_its_parent(tmp_path):
    program = BEGIN + "say(pid=os.getpid()); time.sleep(60)"
    parent = f"""
import sys
from pathlib import Path
from worker.imports.limits import ImportLimits
from worker.imports.sandbox import run_confined
run_confined(("-c", {program!r}), {{"scratch": "."}}, scratch=Path({str(tmp_path)!r}), limits=ImportLimits(),
             on_message=lambda message: print(message["pid"], flush=True), should_stop=lambda: False)
"""
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        pid = int(process.stdout.readline())
        os.kill(pid, 0)
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_running(pid)


def is_running(pid: int) -> bool:
    """A process that nobody has waited for yet has ended."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def test_the_import_loads_no_torch():
    code = "import sys, worker.imports.sandboxed, worker.imports.importer; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_side_that_waits_loads_no_reader():
    code = "import sys, worker.imports.importer; print({'torch', 'rasterio', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("values", [{"cpu_s": 0}, {"wall_s": 1.5}, {"files": True}, {"memory": 1}])
def test_limits_that_cannot_be_are_refused(values):
    with pytest.raises(ConfigError, match=next(iter(values))):
        ImportLimits.from_dict(values)


def test_limits_are_read_back():
    assert ImportLimits.from_dict({"cpu_s": 7}) == ImportLimits(cpu_s=7)
