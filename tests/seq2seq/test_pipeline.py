"""Files to files: what comes out has the format of what went in, and nothing half-done ever appears."""

import errno
import json
import shutil
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import rasterio
from quick_engine import QUICK, observations, use_schedule
from sequence_files import write_tif

from seq2seq.commands import main as cli
from seq2seq.config import ReconstructionConfig
from seq2seq.errors import MissingDataError, OutputError, Stopped
from seq2seq.report.inspection import sequence_name
from seq2seq.report.run_report import assessment_of
from seq2seq.report.schema import Report
from seq2seq.run.pipeline import run
from seq2seq.run.reconstruction import reconstruct
from seq2seq.writers import partial_of

CONFIG = ReconstructionConfig(perceptual="off", device="cpu")
BANDS = ("B02", "B03", "B04", "B08")
pytestmark = pytest.mark.usefixtures("quick")


def write_input(root, *, dates=4, size=(17, 23), s1=True, dtype="uint16", offset=0, observed=None, **profile):
    """A simulated sequence as a user would have it; returns its stored values (T, C, H, W) and what is observed."""
    given = observations(dates=dates, size=size, cloud=0.4)
    observed = given.s2.observed if observed is None else observed
    if dtype == "uint16":
        stored = (np.rint(given.s2.pixels * 10_000) - offset * 10_000).clip(1).astype(np.uint16)
        nodata = 0
    else:
        stored, nodata = given.s2.pixels, -9999.0
    for t, date in enumerate(given.s2.dates):
        write_tif(root / "S2" / f"{date}.tif", stored[t], bands=BANDS, nodata=nodata, **profile)
        write_tif(root / "MASK" / f"{date}.tif", (~observed[t])[None].astype(np.uint8))
        if s1:
            write_tif(root / "S1" / f"{date}.tif", given.s1.pixels[t], bands=("VV", "VH"))
    return stored, observed


def read_all(folder):
    images = []
    for path in sorted(folder.glob("*.tif")):
        with rasterio.open(path) as file:
            images.append(file.read())
    return np.stack(images)


def report_of(out):
    return json.loads((out / "report.json").read_text())


def seen(images, observed):
    """(N, C) the observed pixels."""
    return np.moveaxis(images, 1, -1)[observed]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Input, its values, what is observed, and a finished run."""
    root = tmp_path_factory.mktemp("plain")
    stored, observed = write_input(root / "input")
    with pytest.MonkeyPatch.context() as patched:
        use_schedule(patched)
        run(root / "input", root / "out", CONFIG)
    return root, stored, observed


def test_every_date_comes_out_on_the_grid_and_in_the_format_of_the_input(plain):
    root, _, _ = plain
    inputs = sorted((root / "input" / "S2").glob("*.tif"))
    for folder in ("declouded", "uncertainty", "cloud_mask"):
        assert [path.name for path in sorted((root / "out" / folder).glob("*.tif"))] == [path.name for path in inputs]
    for path in inputs:
        with rasterio.open(path) as before, rasterio.open(root / "out" / "declouded" / path.name) as after:
            for what in ("shape", "count", "crs", "transform", "dtypes", "nodata", "descriptions"):
                assert getattr(after, what) == getattr(before, what), what
        with rasterio.open(root / "out" / "uncertainty" / path.name) as sigma:
            assert sigma.descriptions == BANDS
            assert sigma.dtypes[0] == "float32"


def test_observed_pixels_come_out_as_they_went_in_and_no_pixel_is_no_data(plain):
    root, stored, observed = plain
    out = read_all(root / "out" / "declouded")
    assert np.array_equal(seen(out, observed), seen(stored, observed))
    assert (out != 0).all()
    assert not np.array_equal(out, stored)


def test_masks_and_sigma_say_what_was_restored(plain):
    root, _, observed = plain
    assert np.array_equal(read_all(root / "out" / "cloud_mask")[:, 0], ~observed)
    sigma = read_all(root / "out" / "uncertainty")
    assert (seen(sigma, observed) == 0).all()
    assert (seen(sigma, ~observed) > 0).all()


def test_the_report_holds_every_key_of_its_schema(plain):
    root, _, _ = plain
    report = report_of(root / "out")
    assert set(report) == set(Report.__annotations__) - {"contradictions"}, "which is there where there are any"
    assert report["holdout"]["methods"]["result"]["rmse"] <= report["holdout"]["methods"]["linear"]["rmse"] * 1.000001
    assert report["config"] == CONFIG.recorded()
    assert report["method"] == "guided"
    assert report["config"]["method_settings"].items() >= QUICK.items(), "those that were left out are recorded too"
    assert (root / "out" / "report.html").read_text().startswith("<!doctype html>")
    assert not partial_of(root / "out").exists()


@pytest.mark.parametrize(
    "stored_as",
    [
        {"offset": -0.1, "scales": (1e-4,) * 4, "offsets": (-0.1,) * 4},
        {"dtype": "float32"},
    ],
    ids=["uint16 with offset", "float32"],
)
def test_observed_pixels_come_back_bit_for_bit_however_stored_also_through_tiles(tmp_path, stored_as):
    stored, observed = write_input(tmp_path / "input", dates=3, size=(16, 40), **stored_as)
    run(tmp_path / "input", tmp_path / "out", CONFIG.replace(tile_px=32, overlap_px=8))
    out = read_all(tmp_path / "out" / "declouded")
    assert out.dtype == stored.dtype
    assert np.array_equal(seen(out, observed), seen(stored, observed))
    assert report_of(tmp_path / "out")["training"]["tiles"] == 2


def test_full_prediction_stands_everywhere(tmp_path):
    stored, observed = write_input(tmp_path / "input")
    run(tmp_path / "input", tmp_path / "out", CONFIG.replace(full_prediction=True))
    out = read_all(tmp_path / "out" / "declouded")
    assert (seen(out, observed) != seen(stored, observed)).mean() > 0.5
    assert (read_all(tmp_path / "out" / "uncertainty") > 0).all()


def test_tiles_meet_without_seams(tmp_path):
    """Across the middle of the overlap the image steps no more than it does elsewhere."""
    write_input(tmp_path / "input", dates=3, size=(48, 32))
    run(tmp_path / "input", tmp_path / "out", CONFIG.replace(tile_px=32, overlap_px=8, full_prediction=True))
    assert report_of(tmp_path / "out")["training"]["tiles"] == 2
    image = read_all(tmp_path / "out" / "declouded").astype(float)
    steps = np.abs(np.diff(image, axis=2)).mean(axis=(0, 1, 3))
    assert steps[19:28].max() < 2 * np.median(steps) + 2 * steps.std()


def test_dates_and_tiles_without_any_data_are_filled(tmp_path):
    observed = observations(dates=4, size=(16, 40)).s2.observed.copy()
    observed[2] = False
    observed[:, :, 20:] = False
    observed[:, 0, 20:22] = False
    stored, _ = write_input(tmp_path / "input", size=(16, 64), observed=np.pad(observed, ((0, 0), (0, 0), (0, 24))))
    run(tmp_path / "input", tmp_path / "out", CONFIG.replace(tile_px=32, overlap_px=0))
    out = read_all(tmp_path / "out" / "declouded")
    assert out.shape == stored.shape
    assert (out > 0).all()
    assert len({tuple(pixel) for pixel in np.moveaxis(out[:, :, :, 32:], 1, -1).reshape(-1, 4)}) == 1


def test_without_s1_it_works_and_says_so(tmp_path):
    write_input(tmp_path / "input", s1=False)
    said = []
    run(tmp_path / "input", tmp_path / "out", CONFIG, on_progress=lambda progress: said.append(progress.message))
    report = report_of(tmp_path / "out")
    assert not report["input"]["s1"]["available"]
    assert any("S1" in message for message in said if message)
    assert any("S1" in warning for warning in report["input"]["warnings"])


def test_all_cloudy_is_one_line_and_nothing_is_left(tmp_path, capsys):
    write_input(tmp_path / "input", observed=np.zeros((4, 17, 23), bool))
    with pytest.raises(MissingDataError):
        run(tmp_path / "input", tmp_path / "out", CONFIG)
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", str(tmp_path / "input"), str(tmp_path / "out"), "--quiet", "--perceptual", "off"])
    assert ended.value.code == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_where_nothing_can_be_held_out_the_command_still_ends_well(tmp_path, capsys):
    observed = np.zeros((4, 17, 23), bool)
    observed[1, :3] = True
    write_input(tmp_path / "input", observed=observed)
    cli_run = ["run", str(tmp_path / "input"), str(tmp_path / "out"), "--perceptual", "off", "--device", "cpu"]
    with pytest.raises(SystemExit) as ended:
        cli.main(cli_run)
    assert not ended.value.code
    assert "nothing" in report_of(tmp_path / "out")["holdout"]["explanation"]


def test_a_stopped_run_shows_nothing_and_goes_on_to_the_same_files(plain, tmp_path):
    root, _, _ = plain
    stop = []

    def note(progress):
        if progress.step == 2:
            stop.append(True)

    with pytest.raises(Stopped):
        run(root / "input", tmp_path / "out", CONFIG, on_progress=note, should_stop=lambda: bool(stop))
    assert not (tmp_path / "out").exists()
    run(root / "input", tmp_path / "out", CONFIG)
    for folder in ("declouded", "uncertainty"):
        assert np.array_equal(read_all(tmp_path / "out" / folder), read_all(root / "out" / folder))


def leave_partial(plain, out):
    """A run that was stopped before its first step."""
    with pytest.raises(Stopped):
        run(plain[0] / "input", out, CONFIG, should_stop=lambda: True)
    mark = partial_of(out) / ".checkpoint" / "tile-0" / "mark"
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
    return mark


@pytest.mark.parametrize(("changes", "kept"), [({}, True), ({"max_minutes": 5.0}, True), ({"seed": 1}, False)])
def test_what_another_run_left_behind_is_cleared_and_the_same_runs_is_kept(plain, tmp_path, changes, kept):
    mark = leave_partial(plain, tmp_path / "out")
    with pytest.raises(Stopped):
        run(plain[0] / "input", tmp_path / "out", CONFIG.replace(**changes), should_stop=lambda: True)
    assert mark.exists() == kept


def test_a_folder_of_someone_else_in_the_way_is_left_alone(plain, tmp_path):
    foreign = partial_of(tmp_path / "out")
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="is in the way") as caught:
        run(plain[0] / "input", tmp_path / "out", CONFIG)
    assert "\n" not in str(caught.value)
    assert (foreign / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize("failing", ["numpy.save", "numpy.savez", "torch.save", "pathlib.Path.write_bytes"])
def test_a_full_disk_is_one_line_and_the_run_can_go_on_when_there_is_room(plain, tmp_path, monkeypatch, failing):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(failing, full)
        with pytest.raises(OutputError, match="No space left on device") as caught:
            run(plain[0] / "input", tmp_path / "out", CONFIG)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()
    assert np.array_equal(
        read_all(run(plain[0] / "input", tmp_path / "out", CONFIG) / "declouded"),
        read_all(plain[0] / "out" / "declouded"),
    )


def test_a_disk_without_room_for_the_arrays_is_found_before_anything_is_written(plain, tmp_path, monkeypatch):
    usage, needed = shutil.disk_usage(tmp_path), 4 * 17 * 23 * (4 * (2 * 4 + 4) + 1)
    taken = sum(path.stat().st_size for path in held_arrays(plain, tmp_path / "kept"))
    assert needed <= taken <= needed + 4 * 200  # numpy's headers
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda _: usage._replace(free=needed - 1))
        with pytest.raises(OutputError, match=r"takes at least .* while it is made"):
            run(plain[0] / "input", tmp_path / "out", CONFIG)
    assert not (tmp_path / "out").exists()
    assert not partial_of(tmp_path / "out").exists()


def held_arrays(plain, out):
    """The arrays on the disk when images begin to be written."""
    with pytest.raises(Stopped):
        run(plain[0] / "input", out, CONFIG, should_stop=lambda: any(partial_of(out).rglob("facts.json")))
    return list(partial_of(out).rglob("*.npy"))


def test_the_shortest_budget_gives_a_whole_result_not_below_linear(plain, tmp_path):
    run(plain[0] / "input", tmp_path / "out", CONFIG.replace(max_minutes=0.1))
    methods = report_of(tmp_path / "out")["holdout"]["methods"]
    assert methods["result"]["rmse"] <= methods["linear"]["rmse"] * 1.000001


def test_an_assessment_survives_json():
    given = observations(dates=8, size=32)
    assessment = reconstruct(given, CONFIG).assessment
    assert assessment.by_date
    assert assessment.filled
    assert assessment_of(json.loads(json.dumps(asdict(assessment)))) == assessment


def test_every_image_says_what_it_is_and_where_it_comes_from(plain):
    root, _, observed = plain
    for folder in ("declouded", "uncertainty", "cloud_mask"):
        for path, clear in zip(sorted((root / "out" / folder).glob("*.tif")), observed, strict=True):
            with rasterio.open(path) as file:
                tags = file.tags()
                assert (tags["PRODUCT"], tags["ACQUISITION_DATE"]) == (folder, path.stem)
                assert tags["SOFTWARE"] == f"decloud {version('decloud')}"
                assert (tags["METHOD"], tags["SEED"], tags["OBSERVED_PIXELS"]) == ("guided", "0", "unchanged")
                assert len(tags["INPUT_FINGERPRINT"]) == 64
                assert float(tags["OBSERVED_PERCENT"]) == pytest.approx(100 * clear.mean(), abs=0.01)
                assert float(tags["RECONSTRUCTED_PERCENT"]) == pytest.approx(100 * (~clear).mean(), abs=0.01)
                for band in range(1, file.count + 1):
                    assert float(file.tags(band)["STATISTICS_MEAN"]) == pytest.approx(file.read(band).mean(), rel=1e-6)
    with rasterio.open(path.parents[1] / "uncertainty" / path.name) as file:
        assert file.tags()["SIGMA_UNIT"] == "reflectance"
        assert file.units == ("reflectance",) * 4
    assert not list((root / "out").rglob("*.aux.xml"))


def test_the_report_claims_a_range_and_says_which_pixels_it_was_measured_on(tmp_path, capsys):
    write_input(tmp_path / "input", dates=10, size=(32, 32))
    with pytest.raises(SystemExit):
        cli.main(["run", str(tmp_path / "input"), str(tmp_path / "out"), "--perceptual", "off", "--device", "cpu"])
    holdout = report_of(tmp_path / "out")["holdout"]
    gain, parts = holdout["gain"], holdout["by_date"]
    assert gain["dates"] == len({part["date"] for part in parts}) >= 3
    assert gain["pixels"] == sum(part["pixels"] for part in parts) == holdout["pixels"]
    assert gain["low_db"] < gain["measured_db"] < gain["high_db"]
    line = capsys.readouterr().out.strip().splitlines()[-1]
    assert line.startswith(
        f"Gain     {gain['measured_db']:+.1f} dB ({gain['low_db']:+.1f} to {gain['high_db']:+.1f}) over linear "
        f"interpolation; error at missing pixels about {gain['rmse']:.3f} "
    )
    assert f"{gain['pixels']:,} pixels hidden on {gain['dates']} dates that were clear" in line


def test_the_report_has_the_series_of_typical_pixels_and_every_dates_doubt(plain):
    root, stored, observed = plain
    series = report_of(root / "out")["series"]
    assert (series["index"], series["bands"]) == ("NDVI", ["B04", "B08"])
    for pixel in series["pixels"]:
        row, column = pixel["row"], pixel["column"]
        red, infrared = stored[:, 2:, row, column].astype(float).T
        index = (infrared - red) / (infrared + red)
        clear = observed[:, row, column]
        seen = np.array(pixel["observation"], dtype=float)
        assert np.array_equal(np.isfinite(seen), clear)
        assert seen[clear] == pytest.approx(index[clear], abs=1e-3)
        assert np.array(pixel["values"])[clear] == pytest.approx(index[clear], abs=1e-3)
        assert np.array_equal(np.array(pixel["sigma"]) > 0, ~clear)
    html = (root / "out" / "report.html").read_text()
    assert html.count('class="sigma"') == len(observed)


def test_the_report_is_named_after_the_input(plain):
    root, _, _ = plain
    assert report_of(root / "out")["input"]["name"] == root.name


@pytest.mark.parametrize(
    ("path", "name"),
    [("a/fields/input", "fields"), ("fields.zip", "fields"), ("x/valley/data/S2", "valley"), ("v1.2", "v1.2")],
)
def test_a_sequence_is_called_by_the_part_of_its_path_that_says_something(path, name):
    assert sequence_name(Path(path)) == name
