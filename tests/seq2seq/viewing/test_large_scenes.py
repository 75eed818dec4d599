"""Of a large scene a bundle holds what fits: coarser pictures, the values of every nth pixel, and it says so."""

import json

import numpy as np
import pytest
import zarr
from PIL import Image

from seq2seq.page import Page
from seq2seq.viewing import bundle as bundles
from seq2seq.viewing.export import export_bundle
from seq2seq.viewing.kept import FolderBundle
from seq2seq.viewing.limits import MOST_CELLS, sampling_step, within_cells
from seq2seq.viewing.pyramid import Levels
from seq2seq.viewing.sampling import sampled_places


@pytest.mark.parametrize(("side", "pictures", "finest"), [
    (512, 300, 0), (4096, 300, 0), (10980, 300, 2), (10980, 40, 0), (10980, 10**6, 3),
])  # fmt: skip
def test_cells_stay_below_their_limit_whatever_the_scene(side, pictures, finest):
    levels = within_cells(Levels(side, side), pictures)
    assert levels.finest == finest
    cells = sum(rows * columns for rows, columns in map(levels.cells, range(finest, levels.count)))
    assert cells * pictures <= MOST_CELLS or finest == levels.count - 1


def test_values_stay_below_their_limit():
    of_30_dates_of_13_bands = 30 * (13 * 6 + 1 + 4)
    steps = {side: sampling_step(side**2, of_30_dates_of_13_bands, 5) for side in (512, 1024, 4096, 10980)}
    assert steps == {512: 1, 1024: 1, 4096: 4, 10980: 16}
    assert sampling_step(10980**2, 8, 2) == 2  # few bytes, but many files


@pytest.fixture(scope="module")
def large(bundle, result, make_bundle, tmp_path_factory):
    """The bundle of 41 x 70 px as if that were much: no cells at full resolution, one of 4 x 4 values."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bundles, "Levels", lambda height, width: Levels(height, width, cell_px=32, whole_px=20))
        patch.setattr(bundles, "within_cells", lambda levels, pictures: within_cells(levels, pictures, 3 * pictures))
        patch.setattr(bundles, "sampling_step", lambda pixels, size, arrays: 4)
        return make_bundle(result, tmp_path_factory.mktemp("large") / "pictures", budget_bytes=1 << 20)


def test_what_is_finer_is_left_out_and_stated(bundle, large):
    scene = json.loads((large / "scene.json").read_text())
    assert (scene["levels"], scene["finest"], scene["cube"]["step"]) == (2, 1, 4)
    date = scene["dates"][0]["date"]
    assert {path.name for path in (large / "mask" / date).iterdir()} == {"1"}
    full = np.asarray(Image.open(bundle / "mask" / f"{date}.webp").convert("RGBA"))[:40, :64, 3]
    cell = np.asarray(Image.open(large / "mask" / date / "1" / "0_0.webp").convert("RGBA"))[:20, :32, 3]
    np.testing.assert_allclose(cell, full.reshape(20, 2, 32, 2).mean((1, 3)), atol=1)


def test_a_sample_has_exactly_the_values_of_its_pixels(bundle, large):
    all_, some = (zarr.open(str(folder / "cube"), mode="r") for folder in (bundle, large))
    rows, columns = sampled_places(41, 4), sampled_places(70, 4)
    for name in ("before", "after", "sigma", "mask", "s1"):
        np.testing.assert_array_equal(some[name][:], all_[name][:][:, :, rows[:, None], columns], err_msg=name)
    a, _, c, _, e, f = some.attrs["affine"]
    first_a, _, first_c, _, first_e, first_f = all_.attrs["affine"]
    assert (a, e) == (4 * first_a, 4 * first_e)
    middle = np.array([c + a / 2, f + e / 2])
    np.testing.assert_allclose(middle, [first_c + first_a * (columns[0] + 0.5), first_f + first_e * (rows[0] + 0.5)])


def test_one_file_of_it_says_which_pixels_it_shows(large, tmp_path):
    out = export_bundle(FolderBundle(large), Page(), tmp_path / "one.html", max_bytes=1_000_000)
    assert out.step is not None
    assert out.step % 4 == 0
    assert any(f"each {out.step} x {out.step}" in line for line in out.left_out)
