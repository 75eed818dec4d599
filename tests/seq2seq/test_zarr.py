"""Cubes in Zarr of both versions give the values that were written, as a folder, packed, or as products of a date."""

import shutil
import zipfile

import numpy as np
import pytest
from cube_files import cube, edit_json, eopf_product, pack_all, stacked, to_netcdf, to_zarr
from sequence_files import BANDS, DATES, HEIGHT, WIDTH, s1_db, s2_dn

from api.client.packing import packed
from seq2seq.errors import InputError, MissingDataError, UnreadableFileError
from seq2seq.readers import open_contents, open_sequence
from seq2seq.readers.contents import Window
from seq2seq.readers.cubes import arrays

WHOLE = Window(0, HEIGHT, 0, WIDTH)


def values_of(path, window=WHOLE):
    """(T, C, H, W) raw values."""
    with open_contents(path) as contents:
        return np.stack([raster.read(window) for raster in contents.s2])


def by_band(dn, **more):
    made = cube({**{band: dn[:, index] for index, band in enumerate(BANDS)}, **more}, time="time", crs="spatial_ref")
    return made


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("consolidated", [False, True])
@pytest.mark.parametrize("layout", [by_band, stacked])
def test_a_store_gives_its_values_as_a_folder_and_packed(tmp_path, version, consolidated, layout):
    dn = s2_dn()
    folder = to_zarr(layout(dn), tmp_path / "cube.zarr", version=version, consolidated=consolidated)
    given = [
        folder,
        pack_all(folder, tmp_path / "cube.zarr.zip"),
        pack_all(folder, tmp_path / "deflated.zarr.zip", compression=zipfile.ZIP_DEFLATED),
        pack_all(folder, tmp_path / "upload.zip", "fields/cube.zarr/"),
    ]
    for path in given:
        with open_sequence(path) as source:
            assert [str(date) for date in source.info.dates] == list(DATES)
            assert source.info.bands == BANDS
            assert source.info.geobox.crs.epsg == 32631
        assert np.array_equal(values_of(path), dn)
    with open_contents(folder) as one, open_contents(given[1]) as other:
        assert one.fingerprint == other.fingerprint


CODECS_2 = [
    None,
    {"id": "zlib", "level": 1},
    {"id": "gzip", "level": 1},
    {"id": "bz2", "level": 1},
    {"id": "lz4", "acceleration": 1},
    {"id": "zstd", "level": 1, "checksum": True},
    {"id": "blosc", "cname": "zstd", "clevel": 3, "shuffle": 2, "blocksize": 0},
    {"id": "blosc", "cname": "lz4", "clevel": 3, "shuffle": 1, "blocksize": 0},
]


@pytest.mark.parametrize("codec", CODECS_2, ids=str)
@pytest.mark.parametrize(("order", "separator"), [("C", "."), ("F", "/")])
def test_every_codec_that_is_named_is_read(tmp_path, codec, order, separator):
    import numcodecs
    import zarr

    dn, path = s2_dn(), to_zarr(stacked(s2_dn()), tmp_path / "cube.zarr", version=2, consolidated=False)
    made = zarr.open_group(str(path), mode="a", zarr_format=2)
    array = made.create_array(
        "stack", shape=dn.shape, dtype=">u2", chunks=(2, 3, 7, 9), order=order, overwrite=True, fill_value=0,
        chunk_key_encoding={"name": "v2", "separator": separator},
        filters=[numcodecs.Shuffle(2)] if codec and codec["id"] != "blosc" else None,
        compressors=numcodecs.get_codec(dict(codec)) if codec else None,
    )  # fmt: skip
    array[...] = dn
    array.attrs.update({"_ARRAY_DIMENSIONS": ["time", "band", "y", "x"], "grid_mapping": "crs"})
    assert np.array_equal(values_of(path), dn)
    assert np.array_equal(values_of(path, Window(5, 20, 3, 30)), dn[:, :, 5:20, 3:30])


@pytest.mark.parametrize("small", [0, 2**20])
@pytest.mark.parametrize("location", ["start", "end"])
def test_shards_and_turned_axes_of_version_3(tmp_path, monkeypatch, small, location):
    import zarr
    from zarr.codecs import BytesCodec, Crc32cCodec, GzipCodec, ShardingCodec, TransposeCodec

    monkeypatch.setattr(arrays, "_SMALL_BYTES", small)
    dn, path = s2_dn(), to_zarr(stacked(s2_dn()), tmp_path / "cube.zarr", consolidated=False)
    dn[3:, :, 16:] = 0  # chunks that are never written
    inner = [TransposeCodec(order=(3, 0, 2, 1)), BytesCodec(endian="big"), GzipCodec(), Crc32cCodec()]
    made = zarr.open_group(str(path), mode="a")
    array = made.create_array(
        "stack", shape=dn.shape, dtype="u2", chunks=(4, 4, 16, 32), overwrite=True, fill_value=0, filters=None,
        compressors=None,
        serializer=ShardingCodec(chunk_shape=(2, 1, 8, 8), codecs=inner, index_location=location),
        dimension_names=("time", "band", "y", "x"),
    )  # fmt: skip
    array[...] = dn
    array.attrs["grid_mapping"] = "crs"
    for given in (path, pack_all(path, tmp_path / "cube.zarr.zip")):
        assert np.array_equal(values_of(given), dn)
        assert np.array_equal(values_of(given, Window(5, 20, 3, 30)), dn[:, :, 5:20, 3:30])


def test_groups_of_a_store_are_read_each_with_its_own_axes(tmp_path):
    to_zarr(by_band(s2_dn()), tmp_path / "tree.zarr")
    s1 = cube({"VV": s1_db()[:, 0], "VH": s1_db()[:, 1]}, time="time", crs="spatial_ref")
    s1 = s1.assign_coords(time=s1.time + np.timedelta64(1, "D"))
    to_zarr(s1, tmp_path / "tree.zarr" / "radar")
    with open_sequence(tmp_path / "tree.zarr") as source:
        assert source.info.bands == BANDS
        assert source.info.s1_bands == ("VV", "VH")
        assert (source.info.s1_dates - source.info.dates).astype(int).tolist() == [1] * 5
        assert np.allclose(source.read().s1.pixels, s1_db())


def test_floating_point_with_a_fill_of_its_own_is_without_data_there(tmp_path):
    values = (s2_dn() * 1e-4).astype(np.float32)
    values[1, :, :4] = np.nan
    for version, fill in ((2, -9999.0), (3, -9999.0), (2, np.nan), (3, np.nan)):
        made = by_band(values)
        for band in BANDS:
            made[band].encoding["_FillValue"] = np.float32(fill)
        path = to_zarr(made, tmp_path / f"{version}-{fill}.zarr", version=version)
        with open_sequence(path) as source:
            assert source.no_data_fractions.tolist() == [0, 4 / HEIGHT, 0, 0, 0]


@pytest.fixture
def products(tmp_path):
    """EOPF: reflectance x 10000 plus 1000, classes that hide a corner on the second date."""
    dn = s2_dn(3)
    classes = np.full((3, HEIGHT // 2, WIDTH // 2), 4, dtype=np.uint8)
    classes[1, :6, :8] = 9
    for index, date in enumerate(DATES[:3]):
        eopf_product(tmp_path / "in", date, dn[index] + np.uint16(1000), classes[index], named=index > 0)
    return tmp_path / "in", dn


@pytest.mark.parametrize("container", ["folder", "zip", "nested"])
def test_products_of_eopf_are_a_sequence_whose_offset_is_applied_once(products, tmp_path, container):
    path, dn = products
    if container != "folder":
        path = pack_all(path, tmp_path / "in.zip", "products/" if container == "nested" else "")
    with open_sequence(path) as source:
        assert [str(date) for date in source.info.dates] == list(DATES[:3])
        assert source.info.bands == BANDS
        assert source.info.mask_source == "scl"
        assert source.cloud_fractions.tolist() == [0, 0.25, 0]
        assert (source.info.radiometry.scale, source.info.radiometry.offset) == (1e-4, -0.1)
        assert not any("offset" in words for words in source.info.warnings)
        pixels = source.read().s2.pixels
    assert np.allclose(pixels, dn * 1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ["cube", "products"])
def test_each_band_is_read_once_for_a_window(tmp_path, monkeypatch, products, kind):
    """Whatever the order of bands in a file, which is mostly that of the alphabet, and the resolutions beside it."""
    names, dn = ("B12", "B11", "B8A", "B04"), s2_dn()
    made = cube({band: dn[:, index] for index, band in enumerate(names)}, time="time", crs="spatial_ref")
    path = to_zarr(made, tmp_path / "cube.zarr", chunks=(1, 24, 32)) if kind == "cube" else products[0]
    monkeypatch.setattr(arrays, "_SMALL_BYTES", 0)
    read, seen = arrays.read, []
    monkeypatch.setattr(arrays, "read", lambda array, region: seen.append(array.name) or read(array, region))
    with open_contents(path) as contents:
        assert set(contents.s2[0].header.descriptions) == set(names if kind == "cube" else BANDS)
        seen.clear()
        contents.s2[0].read(Window(0, 8, 0, 8))
    assert len(seen) == len(set(seen)) == 4


def test_a_radar_product_of_eopf_is_sent_to_those_who_correct_terrain(tmp_path):
    import zarr

    path = tmp_path / "S1A_IW_GRDH_1SDV_20240201T164915_0000_0000.zarr"
    zarr.create_group(str(path), zarr_format=2).require_group("S01SIWGRD_VH/measurements")
    with pytest.raises(UnreadableFileError, match="radar geometry: get terrain-corrected backscatter"):
        open_sequence(path)


def test_a_store_without_bands_says_what_it_holds(tmp_path):
    made = by_band(s2_dn()).rename(dict.fromkeys(BANDS[:1], "ndvi"))[["ndvi", "spatial_ref"]]
    with pytest.raises(MissingDataError, match=r"cube\.zarr: no variable is called after a band .* it holds ndvi"):
        open_sequence(to_zarr(made, tmp_path / "cube.zarr"))


def test_a_folder_of_a_store_is_sent_as_a_zip_that_is_read_in_place(tmp_path):
    folder = to_zarr(by_band(s2_dn()), tmp_path / "cube.zarr")
    (folder / "notes.txt").write_text("not of the store")
    with packed(folder, on_bytes=lambda done, of: None) as payload:
        shutil.copy(payload.file, tmp_path / "sent")
    with open_contents(tmp_path / "sent", name=payload.name) as sent, open_contents(folder) as own:
        assert sent.fingerprint == own.fingerprint
        assert np.array_equal(sent.s2[2].read(WHOLE), s2_dn()[2])
    with zipfile.ZipFile(tmp_path / "sent") as archive:
        assert "notes.txt" not in archive.namelist()


def test_stores_beside_each_other_are_one_sequence(tmp_path):
    to_zarr(by_band(s2_dn()), tmp_path / "in" / "s2.zarr")
    to_zarr(
        cube({"VV": s1_db()[:, 0], "VH": s1_db()[:, 1]}, time="time", crs="spatial_ref"),
        tmp_path / "in" / "deeper" / "s1.zarr",
        version=2,
    )
    with open_sequence(tmp_path / "in") as source:
        assert source.info.s1_bands == ("VV", "VH")
        assert source.info.bands == BANDS


def test_no_more_is_read_than_a_window_needs(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "_SMALL_BYTES", 0)
    path, loaded = to_zarr(by_band(s2_dn()), tmp_path / "cube.zarr", chunks=(1, 8, 8)), []
    with open_contents(path) as contents:
        raster = contents.s2[1]
        for plane in raster.planes:
            load = plane.array.load
            object.__setattr__(plane.array, "load", lambda region, load=load: loaded.append(region) or load(region))
        raster.read(Window(9, 12, 10, 20))
    assert {(region[0].start, region[0].stop) for region in loaded} == {(1, 2)}
    assert len(loaded) == 4 * 2


def test_the_same_cube_is_the_same_in_both_formats(tmp_path):
    dn = s2_dn()
    nc, zarr = to_netcdf(by_band(dn), tmp_path / "cube.nc"), to_zarr(by_band(dn), tmp_path / "cube.zarr")
    with open_sequence(nc) as one, open_sequence(zarr) as other:
        assert one.info.geobox == other.info.geobox
        assert np.array_equal(one.read().s2.pixels, other.read().s2.pixels)


def test_a_missing_piece_of_metadata_is_a_line(tmp_path):
    path = to_zarr(by_band(s2_dn()), tmp_path / "cube.zarr", version=2, consolidated=False)
    edit_json(path / "B02" / ".zarray", chunks=[1, 2])
    with pytest.raises(InputError, match=r"cube\.zarr, B02: has 3 axes, and chunks of 2"):
        open_sequence(path)
