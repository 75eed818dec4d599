"""Cubes that no honest user sends reach nothing but themselves, cost little, and end in one line."""

import os
import resource
import shutil
import struct
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest
from cube_files import cube, edit_json, pack_all, to_netcdf, to_zarr
from damage import refusals_of_damage
from sequence_files import BANDS, DATES, HEIGHT, WIDTH, s2_dn

from seq2seq.config import ReconstructionConfig
from seq2seq.errors import InputError, UnreadableFileError, UnsafeArchiveError
from seq2seq.readers import open_sequence
from worker.imports.importer import ImportProblem, ImportReport, import_upload
from worker.imports.sandboxed import LimitExceeded, make_copy

SHAPE = (5, HEIGHT, WIDTH)


def by_band(dn):
    return cube({band: dn[:, index] for index, band in enumerate(BANDS)}, time="time", crs="spatial_ref")


@pytest.fixture
def nc(tmp_path):
    return to_netcdf(by_band(s2_dn()), tmp_path / "in" / "cube.nc", chunksizes=(5, 8, 8), zlib=True)


@pytest.fixture
def store(tmp_path):
    return to_zarr(by_band(s2_dn()), tmp_path / "in" / "cube.zarr", version=2, consolidated=False)


def refused(path, words, error=InputError):
    with pytest.raises(error) as raised, open_sequence(path) as source:
        source.read()
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 500


def replaced(nc, name, make):
    """Another dataset in the place of one, on the same axes."""
    with h5py.File(nc, "a") as file:
        scales = [file["time"], file["y"], file["x"]]
        attributes = {key: value for key, value in file[name].attrs.items() if key == "grid_mapping"}
        del file[name]
        made = make(file)
        if made is not None:
            for axis, scale in enumerate(scales):
                made.dims[axis].attach_scale(scale)
            made.attrs.update(attributes)


@pytest.fixture
def secret(tmp_path):
    """A file of the host, as a cube and as bytes."""
    path = tmp_path / "secret.nc"
    with h5py.File(path, "w") as file:
        file["B02"] = np.full(SHAPE, 4242, dtype=np.uint16)
    return path


def test_links_to_other_files_and_to_nowhere_are_not_followed(nc, secret):
    def linked(link):
        def make(file):
            file["B02"] = link

        return make

    replaced(nc, "B02", linked(h5py.ExternalLink(str(secret), "/B02")))
    refused(nc, "cube.nc: 'B02' is a link to another file, which is not followed", UnreadableFileError)
    with h5py.File(nc, "a") as file:
        del file["B02"]
        file["B02"] = h5py.SoftLink("/nowhere")
    refused(nc, "cube.nc: 'B02' is a link within the file, which is not followed", UnreadableFileError)


def test_values_in_a_raw_file_are_not_read(nc, secret):
    replaced(
        nc, "B02", lambda file: file.create_dataset("B02", SHAPE, "u2", external=[(str(secret), 0, 5 * 24 * 32 * 2)])
    )
    refused(nc, "cube.nc: 'B02' has its values in another file, which is not opened", UnreadableFileError)


def test_virtual_datasets_are_not_read(nc, secret):
    layout = h5py.VirtualLayout(SHAPE, "u2")
    layout[...] = h5py.VirtualSource(str(secret), "B02", SHAPE)
    replaced(nc, "B02", lambda file: file.create_virtual_dataset("B02", layout))
    refused(nc, "cube.nc: 'B02' is virtual", UnreadableFileError)


def test_links_of_variables_that_nobody_wants_are_refused_too(nc, secret):
    with h5py.File(nc, "a") as file:
        file.create_group("more")["other"] = h5py.ExternalLink(str(secret), "/B02")
    refused(nc, "'more/other' is a link to another file", UnreadableFileError)


PLUGIN = r"""
#include <stdio.h>
#include <stdlib.h>
__attribute__((constructor)) static void loaded(void) { fclose(fopen(getenv("LOADED"), "w")); }
"""


def test_plug_in_filters_are_named_and_not_loaded(nc, tmp_path):
    """A dataset that states filter 32015, in a process whose plug-in folder holds a library that leaves a mark."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler, to make a plug-in with")
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_chunk((5, 8, 8))
    creation.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))

    def make(file):
        space = h5py.h5s.create_simple(SHAPE)
        made = h5py.h5d.create(file.id, b"B02", h5py.h5t.STD_U16LE, space, creation)
        made.write_direct_chunk((0, 0, 0), bytes(5 * 8 * 8 * 2))
        return h5py.Dataset(made)

    replaced(nc, "B02", make)
    plugins, mark = tmp_path / "plugins", tmp_path / "loaded"
    plugins.mkdir()
    (tmp_path / "plugin.c").write_text(PLUGIN)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", plugins / "libh5x.so", tmp_path / "plugin.c"], check=True)

    def run(script):
        known = {**os.environ, "HDF5_PLUGIN_PATH": str(plugins), "LOADED": str(mark)}
        command = [sys.executable, "-c", script, str(nc)]
        return subprocess.run(command, env=known, capture_output=True, text=True, timeout=120)

    ours = run(
        "import sys, h5py\nfrom pathlib import Path\nfrom seq2seq.readers import open_sequence\n"
        "from seq2seq.errors import InputError\n"
        "try:\n    open_sequence(Path(sys.argv[1]))\nexcept InputError as error:\n    print(error)\n"
        "print([h5py.h5pl.get(index).decode() for index in range(h5py.h5pl.size())])"
    )
    assert "'B02' is packed by HDF5's filter 32015" in ours.stdout, ours.stderr
    assert "a plug-in, which is not loaded" in ours.stdout
    assert not mark.exists()
    assert str(plugins) in ours.stdout.splitlines()[-1]  # what others rely on is as it was
    run("import sys, h5py\nh5py.File(sys.argv[1])['B02'][...]")
    assert mark.exists()  # the plug-in would have run


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [
        (np.dtype([("a", "u2"), ("b", "u2")]), "records"),
        (h5py.vlen_dtype(np.uint16), "lists"),
        (h5py.string_dtype(), "text"),
        (h5py.ref_dtype, "references"),
        (np.dtype("V6"), "opaque bytes"),
    ],
)
def test_bands_that_are_no_numbers_are_refused(nc, dtype, kind):
    replaced(nc, "B02", lambda file: file.create_dataset("B02", SHAPE, dtype))
    refused(nc, f"cube.nc, B02: holds {kind}, no numbers", UnreadableFileError)


def test_a_tiny_file_that_declares_a_world_is_refused_before_anything_is_decoded(nc):
    def world(file):
        space = h5py.h5s.create_simple((5, 10**6, 10**6))
        creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        creation.set_chunk((1, 1000, 1000))
        return h5py.Dataset(h5py.h5d.create(file.id, b"B02", h5py.h5t.STD_U16LE, space, creation))

    replaced(nc, "B02", world)
    refused(nc, "1000000 x 1000000 px, at most 250,000,000 px are allowed")


def test_chunks_too_large_or_too_many_are_refused(nc):
    def large(file):
        return file.create_dataset("B02", (5, 15_000, 15_000), "u2", chunks=(5, 15_000, 15_000), compression="gzip")

    replaced(nc, "B02", large)
    refused(nc, "cube.nc, B02: stored in chunks of 2,250,000,000 bytes, allowed are 536,870,912")
    replaced(nc, "B02", lambda file: file.create_dataset("B02", (5, 1000, 1000), "u2", chunks=(1, 1, 1)))
    refused(nc, "stored in 5,000,000 chunks of 1 x 1 x 1; store it in larger ones")


def bomb(size):
    """Zeros, packed: a thousandth of what comes out."""
    import zlib

    packer = zlib.compressobj(9)
    return packer.compress(bytes(size)) + packer.flush()


def peak_memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_a_chunk_that_unpacks_to_more_than_it_may_is_stopped_there(nc, store):
    packed = bomb(2**30)
    with h5py.File(nc, "a") as file:
        made = file.create_dataset("bomb", SHAPE, "u2", chunks=(5, 24, 32), compression="gzip")
        made.id.write_direct_chunk((0, 0, 0), packed)
        del file["B02"]
        file.move("bomb", "B02")
        for axis, name in enumerate(("time", "y", "x")):
            file["B02"].dims[axis].attach_scale(file[name])
    before = peak_memory()
    refused(nc, "a chunk of 7,680 bytes is stored in ", UnreadableFileError)
    edit_json(store / "B02" / ".zarray", compressor={"id": "zlib", "level": 9}, chunks=[5, 24, 32])
    for chunk in (store / "B02").glob("[0-9]*"):
        chunk.write_bytes(bomb(2**22))
    refused(store, "cube.zarr, B02: a chunk is corrupt or truncated (more than 7,680 bytes)", UnreadableFileError)
    assert peak_memory() - before < 2**28


def test_a_filter_that_asks_for_more_room_than_a_chunk_takes_is_refused(nc):
    def make(file):
        return file.create_dataset("B02", data=np.zeros(SHAPE, "u2"), chunks=(5, 24, 32), compression="lzf")

    replaced(nc, "B02", make)
    with h5py.File(nc) as file:
        setting = file["B02"].id.get_create_plist().get_filter(0)[2]
    room = struct.pack("<III", *setting)
    assert nc.read_bytes().count(room) == 1
    nc.write_bytes(nc.read_bytes().replace(room, struct.pack("<III", *setting[:2], 2**31)))
    refused(nc, "a chunk of 7,680 bytes states", UnreadableFileError)


@pytest.mark.parametrize("codec", ["blosc", "zstd", "lz4", "bz2", "gzip"])
def test_a_header_that_states_another_size_is_not_believed(store, codec):
    import numcodecs

    plain = bytes(2**24)
    made = {"blosc": numcodecs.Blosc(), "zstd": numcodecs.Zstd(), "lz4": numcodecs.LZ4(), "bz2": numcodecs.BZ2(),
            "gzip": numcodecs.GZip(9)}[codec]  # fmt: skip
    edit_json(store / "B02" / ".zarray", compressor=made.get_config(), chunks=[5, 24, 32])
    stored = made.encode(plain)
    for chunk in (store / "B02").glob("[0-9]*"):
        chunk.write_bytes(stored)
    refused(store, "a chunk is corrupt or truncated", UnreadableFileError)


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_attributes_that_are_too_large_to_be_any_are_refused(tmp_path, libver):
    with h5py.File(tmp_path / "cube.nc", "w", libver=libver) as file:
        file["B02"] = np.ones(SHAPE, dtype=np.uint16)
        size = 30_000 if libver == "earliest" else 2**20
        file["B02"].attrs.create("missing_value", np.zeros(size, dtype=np.uint16))
    refused(tmp_path / "cube.nc", "attribute missing_value of B02 is too large to be one", UnreadableFileError)


def test_more_variables_than_any_cube_has_are_refused(tmp_path):
    with h5py.File(tmp_path / "cube.nc", "w") as file:
        for index in range(4200):
            file.create_group(str(index))
    refused(tmp_path / "cube.nc", "holds 4,200 variables, at most 4,096 are allowed")


def test_groups_that_lie_in_themselves_are_looked_at_once(nc):
    with h5py.File(nc, "a") as file:
        for name in [*(f"g{index}" for index in range(300)), "more"]:
            file.create_group(name)
        for index in range(300):
            file[f"more/{index}"] = file["more"]
            file[f"g{index}/root"] = file["/"]
            file[f"g{index}/more"] = file["more"]
    with open_sequence(nc) as source:
        assert source.info.bands == BANDS


def test_a_file_of_nothing_that_pretends_to_be_a_sequence_costs_its_import_nothing(tmp_path):
    """Chunks that were never written, of a value that is data: the budget of the import stops it by its headers."""
    path = to_netcdf(by_band(s2_dn()), tmp_path / "cube.nc", chunksizes=(1, 24, 32), zlib=True)
    with h5py.File(path, "a") as file:
        for name, size, step in (("y", 15_000, -10.0), ("x", 15_000, 10.0)):
            for band in BANDS:
                if band in file:
                    del file[band]
            del file[name]
            file[name] = 600_000 + step * np.arange(size)
            file[name].make_scale(name)
        for band in BANDS:
            data = file.create_dataset(band, (5, 15_000, 15_000), "u2", chunks=(1, 5000, 5000), fillvalue=700)
            data.attrs["grid_mapping"] = "spatial_ref"
            for axis, name in enumerate(("time", "y", "x")):
                data.dims[axis].attach_scale(file[name])
    with pytest.raises(LimitExceeded, match="most of that was never written"):
        make_copy(path, tmp_path / "copy", origin="cube.nc", config=ReconstructionConfig(), send=lambda **said: None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"filters": [{"id": "pickle"}]}, "packed by pickle, which is not read"),
        ({"compressor": {"id": "jpeg2k"}}, "packed by jpeg2k, which is not read; pack it with zstd, blosc or gzip"),
        ({"filters": [{"id": "json2"}], "dtype": "|O"}, "holds objects (json2"),
        ({"filters": None, "dtype": "|O"}, "holds objects ("),
        ({"dtype": [["a", "<u2"]]}, "values of type"),
        ({"dtype": "<c16"}, "values of type <c16"),
        ({"compressor": {"id": "zlib"}, "filters": [{"id": "gzip"}]}, "packed twice (gzip, zlib)"),
        ({"shape": [5, 10**6, 10**6]}, "1000000 x 1000000 px, at most"),
        ({"shape": [5, 24, 32], "chunks": [5, 2**16, 2**16]}, "stored in chunks of 42,949,672,960 bytes"),
        ({"shape": [-5, 24, 32]}, "its shape or chunks are [-5, 24, 32]"),
        ({"shape": [5, 24, True]}, "its shape or chunks are"),
        ({"shape": [5] * 40}, "its shape or chunks are"),
        ({"chunks": [0, 0, 0]}, "its shape or chunks are [0, 0, 0]"),
        ({"shape": "all"}, "its shape or chunks are all"),
    ],
)
def test_metadata_that_ask_for_too_much_are_refused(store, changes, words):
    edit_json(store / "B02" / ".zarray", **changes)
    refused(store, words)


@pytest.mark.parametrize(
    ("codecs", "words"),
    [
        ([{"name": "bytes"}, {"name": "numcodecs.pickle"}], "packed by pickle, which is not read"),
        ([{"name": "bytes"}, {"name": "evil.module:codec", "configuration": {}}], "packed by evil.module:codec"),
        ([{"name": "sharding_indexed", "configuration": {"chunk_shape": [1, 8, 8]}}], "the index of its shards"),
        (
            [{"name": "transpose", "configuration": {"order": [0, 0, 0]}}, {"name": "bytes"}],
            "its axes are stored in no",
        ),
    ],
)
def test_codecs_of_version_3_that_are_not_known_are_refused(tmp_path, codecs, words):
    store = to_zarr(by_band(s2_dn()), tmp_path / "cube.zarr", consolidated=False)
    edit_json(store / "B02" / "zarr.json", codecs=codecs)
    refused(store, words)


def test_shards_whose_index_points_elsewhere_are_refused(tmp_path):
    sharded = {"chunks": (1, 8, 8), "shards": (5, 24, 32)}
    store = to_zarr(by_band(s2_dn()), tmp_path / "cube.zarr", **sharded)
    chunk = next(path for path in (store / "B02" / "c").rglob("*") if path.is_file())
    whole = chunk.read_bytes()
    for start, length in ((2**40, 10), (0, 2**40), (2**63, 2**63), (0, 0)):
        chunk.write_bytes(whole[: -4 - 16 * 60] + struct.pack("<QQ", start, length) * 60 + whole[-4:])
        refused(store, "a chunk is corrupt or truncated", UnreadableFileError)


@pytest.mark.parametrize(
    "text",
    ["{" * 10_000, "[" * 10**6, "[1]", '{"a": ' * 10**5, "\0", '{"shape": NaN}', "nothing", '"' + "x" * 2**24 + '"'],
)
def test_metadata_that_are_none_are_refused(store, text):
    (store / "B02" / ".zarray").write_text(text)
    refused(store, "cube.zarr, B02: ", UnreadableFileError)


def test_nothing_outside_a_store_is_reached(store, tmp_path, secret):
    target = store / "B02" / "0.0.0"
    target.unlink()
    target.symlink_to(secret)
    refused(store, "'B02/0.0.0' is a link, which is not followed", UnsafeArchiveError)
    target.unlink()
    (store / "more").symlink_to(tmp_path)
    refused(store, "is a link, which is not followed", UnsafeArchiveError)


@pytest.mark.parametrize(
    ("name", "words"),
    [("../B02/0.0.0", "leaves the archive's folder"), ("/etc/0", "leaves the archive's folder"), ("a\x01b", "control")],
)
def test_a_packed_store_is_held_to_what_every_archive_is(store, tmp_path, name, words):
    path = pack_all(store, tmp_path / "cube.zarr.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, b"x")
    refused(path, words, UnsafeArchiveError)


@pytest.mark.parametrize(
    ("size", "words", "error"),
    [(2**24, "stored in more than", UnreadableFileError), (2**28, "inflates to 268,4", UnsafeArchiveError)],
)
def test_a_packed_chunk_that_inflates_without_end_is_read_no_further(store, tmp_path, size, words, error):
    chunk = next((store / "B02").glob("[0-9]*"))
    chunk.write_bytes(bytes(size))
    path = pack_all(store, tmp_path / "cube.zarr.zip", compression=zipfile.ZIP_DEFLATED)
    before = peak_memory()
    refused(path, words, error)
    assert peak_memory() - before < 2**27


def test_damage_of_a_store_ends_in_one_line_wherever_it_is(store, tmp_path):
    path = pack_all(store, tmp_path / "cube.zarr.zip")
    lines = refusals_of_damage(path, more_each_time=3)
    assert len(lines) > 20
    assert not any("\n" in line for line in lines)


@pytest.mark.parametrize(
    "text",
    [
        "+proj=longlat +nadgrids=/etc/passwd",
        "+proj=pipeline +step +proj=hgridshift +grids=/etc/passwd",
        'PROJCS["x",GEOGCS["x",EXTENSION["PROJ4_GRIDS","/etc/passwd"]]]',
        'BOUNDCRS[SOURCECRS[],ABRIDGEDTRANSFORMATION["x",PARAMETERFILE["x","/etc/passwd"]]]',
    ],
)
def test_a_crs_opens_no_file(tmp_path, text):
    made = by_band(s2_dn())
    made.spatial_ref.attrs = {"crs_wkt": text}
    refused(to_netcdf(made, tmp_path / "cube.nc"), "its CRS points to another file (a shift grid), which is not opened")


@pytest.mark.parametrize("text", ["PROJCS[" * 1000, "PROJCS[" + "x" * 30_000, "+proj=nothing", "EPSG:999999"])
def test_a_crs_that_is_none_is_a_line(tmp_path, text):
    made = by_band(s2_dn())
    made.spatial_ref.attrs = {"crs_wkt": text}
    refused(to_netcdf(made, tmp_path / "cube.nc"), "CRS")


@pytest.mark.parametrize("name", ["cube.nc", "cube.zarr.zip", "fields.zip", "products.zip"])
def test_a_cube_goes_through_the_sandbox_as_a_folder_of_images_does(tmp_path, name):
    made, upload = by_band(s2_dn()), tmp_path / "upload"
    if name == "cube.nc":
        to_netcdf(made, upload, chunksizes=(5, 8, 8), zlib=True)
    elif name == "fields.zip":
        pack_all(to_netcdf(made, tmp_path / "fields" / "cube.nc").parent, upload)
    else:
        pack_all(
            to_zarr(made, tmp_path / "made" / "cube.zarr").parent / ("" if "prod" in name else "cube.zarr"), upload
        )
    report = import_upload(upload, tmp_path / "copy", name=name)
    assert isinstance(report, ImportReport), report
    (tmp_path / name).write_bytes(upload.read_bytes())
    with open_sequence(tmp_path / name) as source, open_sequence(tmp_path / "copy") as copy:
        assert np.array_equal(source.read().s2.pixels, copy.read().s2.pixels)
        assert copy.info.fingerprint == source.info.fingerprint
        assert copy.info.warnings == source.info.warnings
        assert [str(date) for date in copy.info.dates] == list(DATES)


def test_a_hostile_cube_is_a_problem_of_one_line_in_the_sandbox(nc, secret, tmp_path):
    replaced(
        nc, "B02", lambda file: file.create_dataset("B02", SHAPE, "u2", external=[(str(secret), 0, 5 * 24 * 32 * 2)])
    )
    problem = import_upload(nc, tmp_path / "copy", name="cube.nc")
    assert isinstance(problem, ImportProblem)
    assert problem.code == "unreadable-file"
    assert problem.detail == "cube.nc: 'B02' has its values in another file, which is not opened"
