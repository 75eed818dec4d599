"""A bundle says of every pixel what the files say, in pictures that are the same for all, whatever made them."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio
import zarr
from locations import ROOT
from PIL import Image

from seq2seq.config import ReconstructionConfig
from seq2seq.errors import Stopped
from seq2seq.looking.result import open_result
from seq2seq.products.styles import DOUBT
from seq2seq.run import pipeline
from seq2seq.viewing import bundle as bundles
from seq2seq.viewing.bundle import write_bundle
from seq2seq.viewing.places import in_folder, in_pack
from seq2seq.viewing.pyramid import Levels
from seq2seq.viewing.styles import DIVERGING, MASK_COLOUR

SHARED = ROOT.parent / "shared" / "data"
STYLES = (
    "rgb-before",
    "rgb",
    "false-before",
    "false",
    "ndvi-before",
    "ndvi",
    "s1",
    "uncertainty",
    "mask",
    "difference",
)


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def scene_of(bundle: Path) -> dict:
    return json.loads((bundle / "scene.json").read_text())


def stored(folder: Path, date: str) -> np.ndarray:
    with rasterio.open(folder / f"{date}.tif") as file:
        return file.read()


def picture(bundle: Path, style: str, date: str) -> np.ndarray:
    return np.asarray(Image.open(bundle / style / f"{date}.webp").convert("RGBA"))


def test_the_cube_holds_what_the_files_hold(bundle, result, sequence):
    cube, scene = zarr.open(str(bundle / "cube"), mode="r"), scene_of(bundle)
    arrays = scene["cube"]["arrays"]
    assert set(arrays) == {"before", "after", "sigma", "mask", "s1"} == set(dict(cube.arrays()))
    for t, entry in enumerate(scene["dates"]):
        date = entry["date"]
        np.testing.assert_array_equal(cube["after"][t], stored(result / "declouded", date))
        np.testing.assert_array_equal(cube["before"][t], stored(sequence / "S2", date))
        np.testing.assert_array_equal(cube["mask"][t] > 0, stored(result / "cloud_mask", date) > 0)
        sigma = cube["sigma"][t] * arrays["sigma"]["scale"] + arrays["sigma"]["offset"]
        np.testing.assert_allclose(sigma, stored(result / "uncertainty", date), atol=0.51 * arrays["sigma"]["scale"])
        if entry["s1_date"]:
            db = stored(sequence / "S1", entry["s1_date"])
            np.testing.assert_allclose(cube["s1"][t] * arrays["s1"]["scale"], db, atol=0.006)
    assert any(entry["s1_date"] for entry in scene["dates"])


def test_a_chunk_is_one_small_file_of_all_dates_and_bands(bundle):
    import gzip

    cube, scene = zarr.open(str(bundle / "cube"), mode="r"), scene_of(bundle)
    side = scene["cube"]["chunk_px"]
    assert side == 32
    raw = np.frombuffer(gzip.decompress((bundle / "cube/after/c/0/0/1/2").read_bytes()), dtype="<u2")
    chunk = raw.reshape(6, 12, side, side)
    np.testing.assert_array_equal(chunk[:, :, :9, :6], cube["after"][:, :, 32:41, 64:70])
    assert (chunk[:, :, 9:] == scene["cube"]["arrays"]["after"]["nodata"]).all()


def test_every_style_has_a_picture_of_every_date_at_the_size_of_the_scene(bundle):
    scene = scene_of(bundle)
    assert tuple(style["name"] for style in scene["styles"]) == STYLES
    for style in STYLES:
        for entry in scene["dates"]:
            assert picture(bundle, style, entry["date"]).shape == (41, 70, 4), style
    assert (scene["width"], scene["height"], scene["levels"], scene["overview"]) == (70, 41, 0, [70, 41])


def test_pictures_show_clouds_as_they_were_and_the_ground_instead(bundle):
    scene, cube = scene_of(bundle), zarr.open(str(bundle / "cube"), mode="r")
    t = max(range(6), key=lambda index: scene["dates"][index]["cloud"])
    date, hidden = scene["dates"][t]["date"], cube["mask"][t, 0] == 1
    before, after = picture(bundle, "rgb-before", date), picture(bundle, "rgb", date)
    assert before[hidden][:, :3].mean() > after[hidden][:, :3].mean() + 40
    overlay = picture(bundle, "mask", date)
    np.testing.assert_array_equal(overlay[..., 3] > 0, hidden)
    assert {tuple(colour) for colour in overlay[hidden]} == {(*bytes.fromhex(MASK_COLOUR[1:]), 255)}


def test_one_stretch_holds_for_input_and_result(bundle):
    styles = {style["name"]: style for style in scene_of(bundle)["styles"]}
    assert styles["rgb"]["stretch"] == styles["rgb-before"]["stretch"]
    assert styles["rgb"]["bands"] == ["B04", "B03", "B02"]
    assert all(low < high for low, high in styles["rgb"]["stretch"])
    assert styles["uncertainty"]["legend"]["colours"] == list(DOUBT)
    assert styles["difference"]["legend"]["low"] == -styles["difference"]["legend"]["high"]


def test_interpolation_differs_from_itself_in_nothing(bundle):
    """The result of `linear` is interpolation in time, but for pixels that looked like missed clouds."""
    middle = np.array([*bytes.fromhex(DIVERGING[2][1:])])
    pixels = np.concatenate([picture(bundle, "difference", entry["date"]) for entry in scene_of(bundle)["dates"]])
    near = np.abs(pixels[..., :3].astype(int) - middle).max(axis=-1) < 24
    assert near.mean() > 0.95


def test_dates_say_what_is_known_of_them(bundle, result):
    report = json.loads((result / "report.json").read_text())
    scene = scene_of(bundle)
    assert [entry["date"] for entry in scene["dates"]] == report["input"]["dates"]
    for entry, cloud, radar in zip(
        scene["dates"], report["input"]["cloud_fraction"], report["input"]["s1"]["dates"], strict=True
    ):
        assert entry["cloud"] == pytest.approx(cloud, abs=1e-4)
        assert entry["s1_date"] == radar
        assert (entry["acquired"], entry["requested"]) == (True, False)
        assert (result / entry["file"]).is_file()
    assert scene["simulated"] is True
    assert scene["version"] == 1
    assert scene["made"] == f"by linear, {report['created'][:10]}"
    assert scene["interval_90"] == pytest.approx(1.6449)


@pytest.mark.parametrize("options", [{"threads": 1}, {"threads": 3}, {"threads": 2, "budget_bytes": 1 << 20}])
def test_the_same_result_gives_the_same_bytes(bundle, result, make_bundle, tmp_path, options):
    assert files_of(make_bundle(result, tmp_path / "again", **options)) == files_of(bundle) or "budget_bytes" in options
    if "budget_bytes" in options:  # its scales are fitted to another choice of pixels
        again = files_of(tmp_path / "again")
        assert set(again) == set(files_of(bundle))
        cubes = [
            {path: found[path] for path in found if path.startswith("cube/")} for found in (again, files_of(bundle))
        ]
        assert cubes[0] == cubes[1]


def test_a_pack_holds_the_same_files_and_opens_as_zarr(bundle, result, tmp_path):
    path = tmp_path / "pictures.zip"
    packs = []
    for _ in range(2):
        with open_result(result, source=None, max_memory_gb=1) as scene, in_pack(path) as put:
            write_bundle(scene, put)
        packs.append(path.read_bytes())
    assert packs[0] == packs[1]
    import zipfile

    with zipfile.ZipFile(path) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == files_of(bundle)
        assert all(entry.compress_type == zipfile.ZIP_STORED for entry in archive.infolist())
    with zarr.storage.ZipStore(path, mode="r") as store:
        again = zarr.open(store, path="cube", mode="r")["after"][:]
    np.testing.assert_array_equal(again, zarr.open(str(bundle / "cube"), mode="r")["after"][:])


def test_a_large_scene_has_cells_at_every_halving(bundle, result, make_bundle, tmp_path, monkeypatch):
    monkeypatch.setattr(bundles, "Levels", lambda height, width: Levels(height, width, cell_px=32, whole_px=20))
    folder = make_bundle(result, tmp_path / "pyramid")
    scene = scene_of(folder)
    assert (scene["levels"], scene["cell_px"], scene["overview"]) == (2, 32, [18, 11])
    date = scene["dates"][0]["date"]
    for level, (rows, columns) in enumerate([(2, 3), (1, 2)]):
        names = {path.name for path in (folder / "rgb" / date / str(level)).iterdir()}
        assert names == {f"{row}_{column}.webp" for row in range(rows) for column in range(columns)}
    whole = picture(bundle, "mask", date)  # without loss
    cells = [
        np.concatenate(
            [np.asarray(Image.open(folder / "mask" / date / "0" / f"{r}_{c}.webp").convert("RGBA")) for c in range(3)],
            1,
        )
        for r in range(2)
    ]
    np.testing.assert_array_equal(np.concatenate(cells)[..., 3], whole[..., 3])
    overview = picture(folder, "mask", date)
    assert overview.shape == (11, 18, 4)
    opaque = [whole[4 * r : 4 * r + 4, 4 * c : 4 * c + 4, 3] for r in range(10) for c in range(17)]
    expected = np.array([part.mean() for part in opaque]).reshape(10, 17)
    np.testing.assert_allclose(overview[:10, :17, 3], expected, atol=2)
    assert files_of(folder)["cube/after/c/0/0/0/0"] == files_of(bundle)["cube/after/c/0/0/0/0"]


def test_without_its_input_a_result_shows_what_it_observed(result, sequence, make_bundle, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(result, moved)
    report = json.loads((moved / "report.json").read_text())
    report["input"]["path"] = str(tmp_path / "gone")
    (moved / "report.json").write_text(json.dumps(report))
    scene = scene_of(make_bundle(moved, tmp_path / "pictures"))
    assert "s1" not in {style["name"] for style in scene["styles"]} | set(scene["cube"]["arrays"])
    assert "gone" in " ".join(scene["notes"])
    cube = zarr.open(str(tmp_path / "pictures" / "cube"), mode="r")
    nodata = scene["cube"]["arrays"]["before"]["nodata"]
    for t, entry in enumerate(scene["dates"]):
        hidden = cube["mask"][t, 0] > 0
        assert (cube["before"][t][:, hidden] == nodata).all()
        np.testing.assert_array_equal(cube["before"][t][:, ~hidden], stored(sequence / "S2", entry["date"])[:, ~hidden])


def test_dates_that_were_asked_for_have_nothing_before(sequence, make_bundle, tmp_path):
    out = pipeline.run(sequence, tmp_path / "out", ReconstructionConfig(method="linear", device="cpu", every_days=20))
    scene = scene_of(make_bundle(out, tmp_path / "pictures"))
    asked = [entry for entry in scene["dates"] if entry["requested"]]
    assert asked
    assert not any(entry["acquired"] for entry in asked)
    for entry in asked:
        assert picture(tmp_path / "pictures", "rgb-before", entry["date"])[..., 3].max() == 0
        assert picture(tmp_path / "pictures", "rgb", entry["date"])[..., 3].min() == 255
    cube = zarr.open(str(tmp_path / "pictures" / "cube"), mode="r")
    t = scene["dates"].index(asked[0])
    assert (cube["mask"][t] == 2).all()


def test_a_stop_leaves_the_earlier_bundle(result, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "scene.json").write_text("earlier")
    with (
        open_result(result, source=None, max_memory_gb=1) as scene,
        pytest.raises(Stopped),
        in_folder(folder) as put,
    ):
        write_bundle(scene, put, should_stop=lambda: True)
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]
    assert files_of(folder) == {"scene.json": b"earlier"}
    with (
        open_result(result, source=None, max_memory_gb=1) as scene,
        pytest.raises(Stopped),
        in_pack(tmp_path / "p") as put,
    ):
        write_bundle(scene, put, should_stop=lambda: True)
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]


def test_progress_counts_cells(result, tmp_path):
    seen = []
    with open_result(result, source=None, max_memory_gb=1) as scene, in_folder(tmp_path / "p") as put:
        write_bundle(scene, put, on_progress=seen.append)
    assert {progress.phase for progress in seen} == {"pictures"}
    assert seen[-1].of == 1


def test_pictures_of_reflectance_in_floats(sequence, make_bundle, tmp_path):
    copy = tmp_path / "floats"
    shutil.copytree(sequence, copy)
    for path in (copy / "S2").iterdir():
        with rasterio.open(path) as file:
            pixels, profile, names, tags = file.read(), file.profile, file.descriptions, file.tags()
        empty = (pixels == (profile["nodata"] or 0)).all(axis=0)
        values = np.where(empty, np.float32(np.nan), pixels.astype("float32") * np.float32(1e-4))
        profile.update(dtype="float32", nodata=float("nan"))
        with rasterio.open(path, "w", **profile) as file:
            file.write(values)
            file.descriptions = names
            file.update_tags(**tags)
    out = pipeline.run(copy, tmp_path / "out", ReconstructionConfig(method="linear", device="cpu"))
    scene = scene_of(make_bundle(out, tmp_path / "pictures"))
    assert scene["cube"]["arrays"]["after"] | {"bands": None} == {
        "bands": None, "dtype": "float32", "nodata": None, "scale": 1.0, "offset": 0.0, "unit": "reflectance",
    }  # fmt: skip
    cube = zarr.open(str(tmp_path / "pictures" / "cube"), mode="r")
    date = scene["dates"][2]["date"]
    np.testing.assert_array_equal(cube["after"][2], stored(out / "declouded", date))
    assert picture(tmp_path / "pictures", "rgb", date)[..., :3].std() > 5


@pytest.mark.skipif(not SHARED.is_dir(), reason="no shared real data beside the repository")
@pytest.mark.parametrize("name", ["ribatejo-cloud-5", pytest.param("carpathians-run-5", marks=pytest.mark.slow)])
def test_a_bundle_of_a_real_sequence(name, make_bundle, tmp_path):
    out = pipeline.run(SHARED / name / "input", tmp_path / "out", ReconstructionConfig(method="linear", device="cpu"))
    scene = scene_of(make_bundle(out, tmp_path / "pictures"))
    cube = zarr.open(str(tmp_path / "pictures" / "cube"), mode="r")
    last = len(scene["dates"]) - 1
    np.testing.assert_array_equal(cube["after"][last], stored(out / "declouded", scene["dates"][last]["date"]))
    assert scene["gsd_m"] == pytest.approx([20, 20], rel=0.2) or scene["gsd_m"] == pytest.approx([10, 10], rel=0.6)
    assert Image.open(
        io.BytesIO((tmp_path / "pictures/rgb" / f"{scene['dates'][0]['date']}.webp").read_bytes())
    ).size == (
        scene["width"],
        scene["height"],
    )
