"""Parts of remote files: spans of bytes, the index of a TIFF, a copy that holds no more than was needed."""

import struct
from itertools import pairwise

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.io import MemoryFile
from rasterio.transform import from_origin
from stac_server import QUICK, Fault, cog

from seq2seq.fetching.addresses import AddressRules
from seq2seq.fetching.local_copy import HEAD_BYTES, LocalCopy
from seq2seq.fetching.metering import Meter
from seq2seq.fetching.signing import SignedAddress, Unsigned
from seq2seq.fetching.spans import Span, lacking, merged, split
from seq2seq.fetching.tiff_index import read_index
from seq2seq.fetching.transport import Transport

spans = st.lists(st.tuples(st.integers(0, 200), st.integers(1, 30)).map(lambda p: Span(p[0], p[0] + p[1])), max_size=8)


def covered(found):
    return {byte for span in found for byte in range(span.start, span.end)}


@given(spans)
def test_merged_spans_are_the_same_bytes_apart_from_each_other(found):
    result = merged(found)
    assert covered(result) == covered(found)
    assert all(one.end < other.start for one, other in pairwise(result))


@given(spans, st.integers(0, 20))
def test_a_gap_is_filled_only_up_to_its_size(found, gap):
    extra = covered(merged(found, gap)) - covered(found)
    assert all(any(one.end <= byte < one.end + gap for one in found) for byte in extra)


@given(spans, spans)
def test_what_is_lacking_is_what_is_wanted_and_not_here(wanted, here):
    assert covered(lacking(wanted, merged(here))) == covered(wanted) - covered(here)


@given(spans, st.integers(1, 40))
def test_split_spans_are_the_same_bytes_and_short(found, longest):
    whole = merged(found)
    assert covered(split(whole, longest)) == covered(whole)
    assert all(span.size <= longest for span in split(whole, longest))


def reader(content):
    def read(at, size):
        if at + size > len(content):
            raise ValueError("ends")
        return content[at : at + size]

    return read


def tiff(**options):
    values = np.random.default_rng(0).integers(0, 4000, (2, 300, 260)).astype("uint16")
    profile = {"driver": "GTiff", "height": 300, "width": 260, "count": 2, "dtype": "uint16"}
    profile |= {"crs": "EPSG:32631", "transform": from_origin(0, 0, 10, 10)}
    with MemoryFile() as memory:
        with memory.open(**profile, **options) as dataset:
            dataset.write(values)
        return bytes(memory.read()), values


@pytest.mark.parametrize(
    "options",
    [
        {"tiled": True, "blockxsize": 64, "blockysize": 32, "compress": "deflate"},
        {"tiled": True, "blockxsize": 64, "blockysize": 64, "interleave": "band"},
        {"blockysize": 17, "compress": "lzw"},
        {"bigtiff": "YES", "tiled": True, "blockxsize": 128, "blockysize": 128},
        {"ENDIANNESS": "BIG", "blockysize": 50},
    ],
)
def test_the_bytes_of_a_window_are_enough_to_read_it(tmp_path, options):
    content, values = tiff(**options)
    index = read_index(reader(content))
    assert (index.height, index.width) == (300, 260)
    around = index.aligned(70, 130, 100, 150)
    needed = merged(index.spans(*around))
    header = []

    def read(at, size):
        header.append(Span(at, at + size))
        return content[at : at + size]

    read_index(read)
    sparse = bytearray(len(content))
    for span in [Span(0, 16), *needed, *(span for span in header if span.size)]:
        sparse[span.start : span.end] = content[span.start : span.end]
    path = tmp_path / "sparse.tif"
    path.write_bytes(bytes(sparse[: len(content)]))
    with rasterio.open(path) as dataset:
        row, row_end, column, column_end = around
        found = dataset.read(window=((row, row_end), (column, column_end)))
    assert np.array_equal(found, values[:, row:row_end, column:column_end])
    assert row <= 70
    assert row_end >= 130
    assert covered(needed) < set(range(-4, len(content) + 4))


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(0, 300), st.binary(min_size=1, max_size=8))
def test_a_header_of_any_bytes_is_an_index_or_a_value_error(content, at, damage):
    whole = tiff_bytes()
    damaged = whole[:at] + damage + whole[at + len(damage) :]
    for candidate in (content, b"II*\0" + content, damaged):
        try:
            read_index(reader(candidate))
        except ValueError:
            continue


_TIFF = []


def tiff_bytes():
    if not _TIFF:
        _TIFF.append(tiff(tiled=True, blockxsize=64, blockysize=64)[0])
    return _TIFF[0]


def test_directories_in_a_circle_are_read_once():
    content = bytearray(tiff_bytes())
    at = struct.unpack("<I", content[4:8])[0]
    (count,) = struct.unpack("<H", content[at : at + 2])
    end = at + 2 + 12 * count
    content[end : end + 4] = struct.pack("<I", at)
    assert read_index(reader(bytes(content))).width == 260


@pytest.fixture
def copying(server, tmp_path):
    """Makes copies of a file of noise, and gives what they cost."""
    rules = AddressRules.of(server.url)
    transport = Transport(rules, retry=QUICK)
    content = np.random.default_rng(0).bytes(1_000_000)
    server.files["/noise.bin"] = content

    def make():
        meter = Meter()
        copy = LocalCopy(tmp_path / "copy", SignedAddress(f"{server.url}/noise.bin", Unsigned()), transport, meter)
        return copy, meter, content

    yield make
    transport.close()


def test_a_copy_asks_for_nothing_twice(server, copying):
    copy, meter, content = copying()
    copy.ensure([Span(200_000, 300_000), Span(310_000, 320_000)])
    copy.ensure([Span(250_000, 315_000), Span(0, 100)])
    assert meter.spent.requests == 2
    assert meter.spent.bytes == HEAD_BYTES + 120_000
    assert copy.read(200_000, 120_000) == content[200_000:320_000]
    copy.ensure_all()
    assert copy.path.read_bytes() == content
    assert meter.spent.bytes == len(content)


def test_a_broken_transfer_is_continued_where_it_broke(server, copying):
    copy, meter, content = copying()
    server.faults["/noise.bin"] = [Fault("cut"), Fault("cut"), Fault("status", 503), Fault("cut")]
    copy.ensure([Span(100_000, 900_000)])
    assert copy.read(100_000, 800_000) == content[100_000:900_000]
    assert meter.spent.bytes == HEAD_BYTES + 800_000
    assert meter.spent.retries == 4
    starts = [int(one.range.removeprefix("bytes=").split("-")[0]) for one in server.asked("/noise.bin")]
    assert starts == sorted(starts)


def test_a_server_that_cuts_off_every_answer_is_got_through_nevertheless(server, copying):
    copy, _, content = copying()
    server.faults["/noise.bin"] = [Fault("cut")] * 12
    copy.ensure_all()
    assert copy.path.read_bytes() == content


def test_the_disk_holds_what_was_needed_and_no_more(server, copying, tmp_path):
    server.files["/noise.bin"] = bytes(50_000_000)
    rules = AddressRules.of(server.url)
    transport = Transport(rules, retry=QUICK)
    copy = LocalCopy(tmp_path / "sparse", SignedAddress(f"{server.url}/noise.bin", Unsigned()), transport, Meter())
    transport.close()
    assert copy.path.stat().st_size == 50_000_000
    assert copy.path.stat().st_blocks * 512 < 1_000_000


def test_a_cog_is_read_by_a_head_and_a_range(server, tmp_path):
    values = np.random.default_rng(0).integers(1, 4000, (1000, 1000)).astype("uint16")
    server.files["/b.tif"] = cog(values)
    transport, meter = Transport(AddressRules.of(server.url), retry=QUICK), Meter()
    copy = LocalCopy(tmp_path / "b", SignedAddress(f"{server.url}/b.tif", Unsigned()), transport, meter)
    index = read_index(copy.read)
    copy.ensure(index.spans(300, 340, 300, 340))
    transport.close()
    assert meter.spent.requests == 2
    assert meter.spent.bytes < 150_000
