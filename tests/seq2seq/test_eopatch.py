"""EOPatches of eo-learn are read by windows and never unpickled."""

import gzip
import io
import json
import pickle

import numpy as np
import pytest
from sequence_files import pack, s1_db

from seq2seq.errors import InputError, MisalignedGridsError, UnknownBandsError, UnreadableFileError, UnsafeArchiveError
from seq2seq.readers import open_contents, open_sequence, read_sequence
from seq2seq.readers.contents import Window
from seq2seq.readers.npy import open_npy

DATES = ("2020-08-01T10:10:31", "2020-08-06 10:10:29", "2020-08-11T10:10:30.123000+00:00")
DAYS = ["2020-08-01", "2020-08-06", "2020-08-11"]
HEIGHT, WIDTH = 24, 32


def reflectance(bands=13, dates=3, seed=0):
    """(T, H, W, C) float32 of dark ground."""
    return np.random.default_rng(seed).uniform(0.02, 0.25, (dates, HEIGHT, WIDTH, bands)).astype(np.float32)


def bbox(west=600_000.0, south=5_599_760.0, east=600_320.0, north=5_600_000.0, crs="urn:ogc:def:crs:EPSG::32631"):
    ring = [[west, south], [west, north], [east, north], [east, south], [west, south]]
    return {"type": "Polygon", "crs": {"type": "name", "properties": {"name": crs}}, "coordinates": [ring]}


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wb") as file:
        np.save(file, array)


def write_patch(root, features=None, *, box=None, dates=DATES, zipped=False, timestamps="timestamps.json"):
    suffix = ".gz" if zipped else ""
    for name, array in ({"data/BANDS-S2-L1C": reflectance()} if features is None else features).items():
        save(root / f"{name}.npy{suffix}", array)
    for name, facts in (("bbox.geojson", box or bbox()), (timestamps, list(dates))):
        opener = gzip.open if zipped else open
        with opener(root / f"{name}{suffix}", "wb") as file:
            file.write(json.dumps(facts).encode())
    (root / "meta_info").mkdir(exist_ok=True)
    (root / "meta_info" / "maxcc.json").write_text("0.8")
    return root


@pytest.mark.parametrize("container", ["folder", "gz", "zip", "zip of gz", "old name"])
def test_a_patch_is_the_sequence_of_its_dates(tmp_path, container):
    zipped = "gz" in container
    more = {"timestamps": "timestamp.json"} if container == "old name" else {}
    root = write_patch(tmp_path / "patch", zipped=zipped, **more)
    given = pack(root, tmp_path / "patch.zip", prefix="patch/", files="*.*") if "zip" in container else root
    sequence = read_sequence(given)
    assert [str(day) for day in sequence.s2.dates] == DAYS
    assert np.allclose(sequence.s2.pixels, np.moveaxis(reflectance(), -1, 1))
    assert sequence.s2.geobox.crs.epsg == 32631
    assert tuple(sequence.s2.geobox.affine)[:6] == (10, 0, 600_000, 0, -10, 5_600_000)


def test_a_folder_and_its_zip_have_one_fingerprint(tmp_path):
    root = write_patch(tmp_path / "patch")
    archive = pack(root, tmp_path / "patch.zip", prefix="patch/", files="*.*")
    with open_contents(root) as first, open_contents(archive) as second:
        assert first.fingerprint == second.fingerprint


def test_a_window_equals_the_crop_of_the_whole(tmp_path):
    with open_contents(write_patch(tmp_path / "patch")) as contents:
        pixels = contents.s2[1].read(Window(3, 17, 5, 30))
    assert np.array_equal(pixels, np.moveaxis(reflectance()[1, 3:17, 5:30], -1, 0))


def test_clouds_and_missing_data_are_those_of_the_masks(tmp_path):
    clouds, there = np.zeros((3, HEIGHT, WIDTH, 1), np.uint8), np.ones((3, HEIGHT, WIDTH, 1), bool)
    clouds[0, :4], clouds[1, :, :3], there[2, 20:] = 1, 255, False
    features = {"data/BANDS": reflectance(), "mask/CLM": clouds, "mask/IS_DATA": there}
    with open_sequence(write_patch(tmp_path / "patch", features)) as source:
        observed = source.read().s2.observed
        assert source.info.mask_source == "user"
    assert np.array_equal(observed, ((clouds == 0) & there)[..., 0])


def test_a_scene_classification_and_radar_are_taken_along(tmp_path):
    classes = np.full((3, HEIGHT, WIDTH, 1), 4, np.uint8)
    classes[1, :5] = 9
    radar = np.moveaxis(s1_db(3), 1, -1)
    features = {"data/L2A": reflectance(12), "mask/SCL": classes, "data/BANDS-S1-IW": radar}
    sequence = read_sequence(write_patch(tmp_path / "patch", features))
    assert np.array_equal(sequence.s2.observed, (classes != 9)[..., 0])
    assert np.allclose(sequence.s1.pixels, s1_db(3))


def test_integers_are_digital_numbers_and_0_is_no_data(tmp_path):
    dn = (reflectance(4) * 10_000).astype(">u2")
    dn[0, :3] = 0
    sequence = read_sequence(write_patch(tmp_path / "patch", {"data/BANDS": dn, "data/NDVI": reflectance(1)}))
    assert np.allclose(sequence.s2.pixels[1], np.moveaxis(dn[1], -1, 0) * 1e-4)
    assert not sequence.s2.observed[0, :3].any()


def test_of_several_features_one_is_read_and_it_is_said(tmp_path):
    features = {"data/COMPOSITE": reflectance(4, seed=1), "data/BANDS-S2-L2A": reflectance(12)}
    with open_contents(write_patch(tmp_path / "patch", features)) as contents:
        assert len(contents.s2[0].header.descriptions) == 12
        assert "of several features, BANDS-S2-L2A is read, and not COMPOSITE" in contents.warnings


def test_features_that_are_no_bands_are_named(tmp_path):
    root = write_patch(tmp_path / "patch", {"data/NDVI": reflectance(1), "data/RGB": reflectance(3)})
    with pytest.raises(UnknownBandsError, match=r"holds NDVI \(1 bands\), RGB \(3 bands\)"):
        open_sequence(root)


@pytest.mark.parametrize("name", ["bbox.pkl", "timestamp.pkl", "meta_info.pkl.gz"])
@pytest.mark.parametrize("features", [None, {}])
def test_pickles_are_refused_by_name_and_never_loaded(tmp_path, monkeypatch, name, features):
    root = tmp_path / "patch"
    root.mkdir()
    write_patch(root, features)
    (root / "timestamps.json").unlink()
    (root / name).write_bytes(pickle.dumps(DATES))
    for loader in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, loader, lambda *_, **__: pytest.fail("a pickle was loaded"))
    with pytest.raises(UnreadableFileError, match=r"an EOPatch with pickles .* save it again with eo-learn 1\.5"):
        open_sequence(root)


def test_several_patches_are_refused(tmp_path):
    for name in ("eopatch_0", "eopatch_1"):
        write_patch(tmp_path / "in" / name)
    with pytest.raises(InputError, match=r"holds 2 EOPatches \(eopatch_0, eopatch_1\); give each by itself"):
        open_sequence(pack(tmp_path / "in", tmp_path / "in.zip", files="*.*"))


@pytest.mark.parametrize("facts", ["timestamps.json", "bbox.geojson"])
def test_a_patch_without_dates_or_place_is_refused(tmp_path, facts):
    root = write_patch(tmp_path / "patch")
    (root / facts).unlink()
    with pytest.raises(InputError, match=f"without {facts}"):
        open_sequence(root)


@pytest.mark.parametrize(
    ("box", "words"),
    [
        (bbox(crs="EPSG:999999"), "there is no EPSG:999999"),
        (bbox(crs="+proj=merc +nadgrids=/etc/passwd"), "is not understood"),
        (bbox(east=600_000.0), "has no size"),
        (bbox(east=float("nan")), "has no size"),
        ({"type": "Polygon", "coordinates": []}, "holds no polygon"),
        ({"type": "Feature"}, "holds no polygon"),
        ([], "holds no polygon"),
    ],
)
def test_a_box_that_is_none_is_refused(tmp_path, box, words):
    root = write_patch(tmp_path / "patch")
    (root / "bbox.geojson").write_text(json.dumps(box))
    with pytest.raises((MisalignedGridsError, UnreadableFileError), match=rf"bbox\.geojson: .*{words}"):
        open_sequence(root)


@pytest.mark.parametrize("form", ["collection", "feature", "degrees", "crs84"])
def test_a_box_may_come_in_any_geojson(tmp_path, form):
    box = bbox()
    if form not in ("collection", "feature"):
        box = bbox(3.0, 50.0, 3.01, 50.01, crs="urn:ogc:def:crs:OGC:1.3:CRS84")
        if form == "degrees":
            del box["crs"]
    else:
        box = {"type": "Feature", "geometry": box, "properties": {}}
        box = {"type": "FeatureCollection", "features": [box]} if form == "collection" else box
    with open_contents(write_patch(tmp_path / "patch", box=box)) as contents:
        epsg = contents.s2[0].header.geobox.crs.epsg
    assert epsg == (32631 if form in ("collection", "feature") else 4326)


@pytest.mark.parametrize("text", ["EPSG:32631", "urn:ogc:def:crs:EPSG::32631", "urn:ogc:def:crs:EPSG:9.8:32631"])
def test_a_crs_is_known_by_its_whole_number(tmp_path, text):
    with open_contents(write_patch(tmp_path / "patch", box=bbox(crs=text))) as contents:
        assert contents.s2[0].header.geobox.crs.epsg == 32631


@pytest.mark.parametrize("dates", [[], ["2020-08-01"], ["2020-08-01", "2020-13-01", "x"], {"a": 1}, [[]] * 3])
def test_dates_that_are_none_or_too_few_are_refused(tmp_path, dates):
    root = write_patch(tmp_path / "patch")
    (root / "timestamps.json").write_text(json.dumps(dates))
    with pytest.raises(UnreadableFileError, match=r"(timestamps\.json|BANDS-S2-L1C\.npy): "):
        open_sequence(root)


# What strangers could write.


def header_of(shape, descr="<f4"):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": descr, "fortran_order": False, "shape": shape})
    return header.getvalue()


def replaced(tmp_path, content):
    root = write_patch(tmp_path / "patch")
    (root / "data" / "BANDS-S2-L1C.npy").write_bytes(content)
    return root


def test_an_array_of_objects_is_refused_and_not_unpickled(tmp_path):
    array = np.empty((3, 2, 2, 13), dtype=object)
    root = write_patch(tmp_path / "patch", {"data/BANDS": array})
    with pytest.raises(UnreadableFileError, match=r"data/BANDS\.npy: holds Python objects"):
        open_sequence(root)


@pytest.mark.parametrize(
    "shape", [(3, 10**6, 10**6, 13), (10**12,), (3, 2**62, 2**62, 13), (3, -1, 5, 13), (3, 4, 4, 0)]
)
def test_a_header_that_claims_more_than_there_is_is_refused(tmp_path, shape):
    root = replaced(tmp_path, header_of(shape) + bytes(1000))
    with pytest.raises(UnreadableFileError, match=r"data/BANDS-S2-L1C\.npy: "):
        open_sequence(root)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        b"\x93NUMPY\x03\x00\x10\x00\x00\x00",
        b"\x80\x04\x95",
        b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535,
        b"\x93NUMPY\x01\x00\x46\x00" + b"{'descr': open('x'), 'fortran_order': False, 'shape': (1,)}".ljust(69) + b"\n",
    ],
)
def test_what_is_no_array_is_refused_in_one_line(tmp_path, content):
    with pytest.raises(UnreadableFileError, match=r"data/BANDS-S2-L1C\.npy: not a readable \.npy") as caught:
        open_sequence(replaced(tmp_path, content))
    assert "\n" not in str(caught.value)


def test_a_cut_array_is_refused(tmp_path):
    root = write_patch(tmp_path / "patch")
    path = root / "data" / "BANDS-S2-L1C.npy"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UnreadableFileError, match=r"the file is truncated, it has 119,\d+ of 119,\d+ bytes|truncated"):
        open_sequence(root)


def test_a_gzip_that_grows_without_bounds_is_stopped(tmp_path):
    root = write_patch(tmp_path / "patch", zipped=True)
    with gzip.open(root / "data" / "BANDS-S2-L1C.npy.gz", "wb") as file:
        file.write(header_of((3, 1000, 10**6, 13)))
        for _ in range(90):
            file.write(bytes(2**20))
    with pytest.raises(UnsafeArchiveError, match=r"BANDS-S2-L1C\.npy\.gz: inflates to more than"):
        open_sequence(root)


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b", b"no gzip at all"])
def test_a_broken_gzip_is_refused(tmp_path, content):
    root = write_patch(tmp_path / "patch", zipped=True)
    (root / "data" / "BANDS-S2-L1C.npy.gz").write_bytes(content)
    with pytest.raises(UnreadableFileError, match=r"BANDS-S2-L1C\.npy"):
        open_sequence(root)


def test_an_array_is_mapped_and_not_read(tmp_path):
    save(tmp_path / "a.npy", np.asfortranarray(reflectance()))
    array = open_npy(tmp_path / "a.npy", name="a.npy")
    assert array.fortran_order
    assert isinstance(array.mapped(), np.memmap)
    assert np.array_equal(array.mapped(), reflectance())
