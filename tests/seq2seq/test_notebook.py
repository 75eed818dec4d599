"""In a notebook: short words, a small card, a bar by default; in scripts: silence unless asked for."""

import re
import sys
from dataclasses import replace
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from odc.geo.geobox import GeoBox
from quick_engine import observations, use_schedule
from sequence_files import write_sequence

import decloud
from seq2seq.config import ReconstructionConfig
from seq2seq.errors import MissingDataError
from seq2seq.looking.in_memory import result_scene
from seq2seq.looking.views import choose_view
from seq2seq.notebook import in_notebook
from seq2seq.progress import Progress
from seq2seq.readers.contents import Window
from seq2seq.run.reconstruction import reconstruct

CONFIG = ReconstructionConfig(perceptual="off", device="cpu")


@pytest.fixture(scope="module")
def made():
    """Observations and their reconstruction."""
    given = observations(dates=8, size=32)
    with pytest.MonkeyPatch.context() as patched:
        use_schedule(patched)
        return given, reconstruct(given, CONFIG)


@pytest.fixture
def shown(monkeypatch):
    """What a kernel of IPython was asked to display."""
    shown: list[str] = []
    handle = SimpleNamespace(update=lambda html: shown.append(html))
    ipython, display = ModuleType("IPython"), ModuleType("IPython.display")
    ipython.get_ipython = lambda: SimpleNamespace(kernel=object())
    display.HTML, display.display = str, lambda _, display_id: handle
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return shown


def test_words_are_short_and_hold_no_arrays(made):
    given, result = made
    for value in (given, given.s2, result, result.s2):
        words = repr(value)
        assert len(words) < 400, words
        assert "array" not in words
        assert "8 dates" in words
        assert "\n" not in words
    assert "S1 VV VH on 8 of 8 dates" in repr(given)
    assert "over linear interpolation" in repr(result)


def test_words_stay_short_where_the_crs_came_as_a_long_text(made):
    s2 = made[0].s2
    geobox = GeoBox(s2.geobox.shape, s2.geobox.affine, s2.geobox.crs.to_wkt())
    assert "EPSG:32631" in repr(replace(s2, geobox=geobox))
    assert len(repr(replace(s2, geobox=geobox))) < 200


def test_cards_are_small_escaped_and_have_pictures(made):
    for value in (*made, made[0].s1, made[0].s2):
        html = value._repr_html_()
        assert 2 <= html.count("<img") <= 5
        assert len(html) < 100_000
        assert "<script" not in html
        assert "http" not in html


def test_a_card_has_a_strip_of_the_share_of_every_date(made):
    given, result = made
    cloud = given.cloud_mask.mean(axis=(1, 2))
    for value, what, shares in (
        (given, "cloud, shadow or no data", cloud),
        (given.s2, "not observed", 1 - given.s2.observed.mean(axis=(1, 2))),
        (result, "reconstructed", result.reconstructed.mean(axis=(1, 2))),
    ):
        titles = re.findall(r'title="([^"]*)"', value._repr_html_())
        dates = given.s2.dates
        assert titles == [f"{date}: {round(100 * share)} % {what}" for date, share in zip(dates, shares, strict=True)]


def test_the_card_of_no_dates_is_a_card(made):
    none = slice(0, 0)
    s2 = made[0].s2
    empty = replace(s2, pixels=s2.pixels[none], dates=s2.dates[none], observed=s2.observed[none])
    assert "no dates" in empty._repr_html_()
    with pytest.raises(MissingDataError, match="has no dates to show"):
        empty.plot()


def test_pictures_are_those_of_the_look_command_and_notebooks_show_them(made):
    given, result = made
    for value in (given, given.s2, given.s1, result, result.s2):
        sheet = value.plot()
        assert sheet._repr_png_().startswith(b"\x89PNG")
        one = value.plot(given.s2.dates[3])
        assert one.size != sheet.size
        assert np.asarray(one).std() > 10
    day = str(given.s2.dates[3])
    for bands in ("rgb", "false", "ndvi", "s1"):
        assert (
            given.plot(day, bands=bands).tobytes() != given.plot(day, bands="rgb" if bands != "rgb" else "s1").tobytes()
        )
    assert result.plot(day).width > 1.5 * given.plot(day).width, "before, after and uncertainty"


def test_a_picture_shows_the_values_that_are_there(made):
    """The middle of the large picture of a date: bright where the pixel is bright."""
    s2 = made[1].s2
    half = s2.pixels.copy()
    half[:, :, :, :16], half[:, :, :, 16:] = 0.02, 0.3
    picture = np.asarray(replace(s2, pixels=half).plot(s2.dates[0]).convert("L"), dtype=float)
    middle = picture[picture.shape[0] // 2]
    inner = slice(30, 400)
    assert middle[inner].mean() + 100 < middle[::-1][inner].mean()


def test_what_was_reconstructed_is_grey_before_and_uncertain_after(made):
    given, result = made
    scene = result_scene(result.s2, result.sigma, result.reconstructed)
    view, _ = choose_view("rgb", scene.info.bands, (), name="x")
    part = scene.read(Window(4, 20, 8, 30), view)
    flags = result.reconstructed[:, 4:20, 8:30]
    assert np.isnan(part.before).all(axis=1)[flags].all()
    kept = np.moveaxis(part.before, 1, -1)[~flags]
    bands = [given.s2.bands.index(band) for band in view.bands]
    np.testing.assert_array_equal(kept, np.moveaxis(given.s2.pixels[:, bands, 4:20, 8:30], 1, -1)[~flags])
    assert (part.sigma[:, 0][~flags] == 0).all()


@pytest.mark.parametrize("date", ["2020-01-01", "yesterday", 7.5])
def test_a_date_that_is_not_there_names_the_nearest(made, date):
    with pytest.raises(MissingDataError, match=r"is no date of this .*, which has .* and 5 more") as caught:
        made[1].plot(date)
    assert "\n" not in str(caught.value)


def test_bands_that_are_not_there_name_those_that_are(made):
    with pytest.raises(MissingDataError, match="'s1': this reconstruction has B02"):
        made[1].plot(bands="s1")
    with pytest.raises(MissingDataError, match="'NDVI': is none of rgb, false, ndvi, s1; did you mean ndvi"):
        made[0].plot(bands="NDVI")
    with pytest.raises(MissingDataError, match="has VV VH, which make s1"):
        made[0].s1.plot(bands="rgb")


def test_the_dataset_has_units_doubt_flags_and_the_grid(made):
    given, result = made
    data = result.to_xarray()
    assert data.reflectance.dims == data.sigma.dims == ("time", "band", "y", "x")
    np.testing.assert_array_equal(data.reflectance, result.s2.pixels)
    np.testing.assert_array_equal(data.sigma, result.sigma)
    np.testing.assert_array_equal(data.reconstructed, ~given.s2.observed)
    for name in ("reflectance", "sigma"):
        assert data[name].attrs["units"] == "1"
        assert data[name].attrs["long_name"]
    for name in data.data_vars:
        assert data[name].attrs["grid_mapping"] == "spatial_ref"
    assert "32631" in data.spatial_ref.attrs["crs_wkt"]
    assert data.x.attrs == {"standard_name": "projection_x_coordinate", "units": "metre", "axis": "X"}
    assert data.attrs["Conventions"] == "CF-1.8"
    assert data.attrs["source"].startswith("decloud ")


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("changes", [{"full_prediction": True}, {"feather_px": 2}])
def test_what_is_not_wholly_the_observation_is_flagged(changes):
    given = observations(dates=6, size=32)
    result = reconstruct(given, CONFIG.replace(**changes))
    same = (result.s2.pixels == given.s2.pixels).all(axis=1)
    assert same[~result.reconstructed].all()
    assert result.reconstructed[~given.s2.observed].all()
    assert (result.reconstructed & given.s2.observed).any()


@pytest.mark.usefixtures("quick")
def test_a_notebook_shows_a_bar_by_default_and_none_where_it_is_turned_off(shown):
    assert in_notebook()
    given = observations(dates=4, size=16)
    reconstruct(given, CONFIG, progress=False)
    assert shown == []
    reconstruct(given, CONFIG)
    assert any("<progress" in html and "fitting" in html for html in shown)
    seen: list[Progress] = []
    count = len(shown)
    reconstruct(given, CONFIG, on_progress=seen.append)
    assert seen
    assert len(shown) == count, "the caller shows it"


def test_reading_shows_its_bar_and_what_is_to_be_known_of_the_input(shown, tmp_path, capsys):
    folder = write_sequence(tmp_path / "fields")
    decloud.read(folder, progress=False)
    assert shown == []
    decloud.read(folder)
    assert any("<progress" in html and "reading" in html for html in shown)
    assert "no S1: the result rests on optical data alone" in shown[-1]
    messages = []
    decloud.read(folder, on_progress=lambda progress: messages.append(progress.message))
    assert any("no S1" in message for message in messages if message)
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("quick")
def test_a_run_of_files_shows_one_bar_from_reading_to_writing(shown, tmp_path):
    decloud.run(write_sequence(tmp_path / "fields"), tmp_path / "out", CONFIG)
    text = " ".join(shown)
    assert [phase for phase in ("reading", "fitting", "writing") if phase not in text] == []
    assert (tmp_path / "out" / "report.html").exists()


@pytest.mark.usefixtures("quick")
def test_a_script_says_nothing_unless_it_is_asked_to(capsys):
    assert not in_notebook()
    given = observations(dates=4, size=16)
    reconstruct(given, CONFIG)
    assert capsys.readouterr() == ("", "")
    reconstruct(given, CONFIG, progress=True)
    assert "fitting" in capsys.readouterr().err


def test_messages_in_a_notebook_cannot_become_markup(shown):
    from seq2seq.notebook import NotebookProgress

    NotebookProgress()(Progress("reading", message="<script>alert(1)</script>"))
    assert "<script" not in shown[-1]
