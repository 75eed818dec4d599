"""Views: what is asked for is shown or refused in one line, what is not is what is there, and said."""

import numpy as np
import pytest

from seq2seq.bands import L2A, S1_BANDS
from seq2seq.errors import MissingDataError
from seq2seq.looking.views import CHOICES, choose_view, possible_views, radar_view
from seq2seq.radiometry import to_linear
from seq2seq.report.quicklook import display_bands


def test_natural_colour_is_shown_without_a_word_where_its_bands_are_there():
    view, note = choose_view(None, L2A, (), name="x")
    assert view.bands == ("B04", "B03", "B02")
    assert note is None


@pytest.mark.parametrize("bands", [("B03", "B04", "B08"), ("B05", "B06"), ("B02", "B11", "B8A")])
def test_without_natural_colour_it_is_what_reports_show_and_what_lacks_is_named(bands):
    view, note = choose_view(None, bands, (), name="x")
    assert view.bands == display_bands(bands)
    assert note is not None
    assert "B02" in note or "B04" in note
    assert all(band in note for band in view.bands)


@pytest.mark.parametrize("asked", CHOICES)
def test_what_was_asked_for_and_lacks_is_one_line_that_names_the_band_and_what_there_is(asked):
    with pytest.raises(MissingDataError) as caught:
        choose_view(asked, ("B05", "B06"), (), name="meadows")
    message = str(caught.value)
    assert message.startswith(f"meadows: --bands {asked} needs ")
    assert "\n" not in message
    assert ("Sentinel-1" if asked == "s1" else "B05, B06") in message


@pytest.mark.parametrize("asked", CHOICES)
def test_all_views_are_possible_with_all_bands(asked):
    view, _ = choose_view(asked, L2A, S1_BANDS, name="x")
    assert set(view.bands) <= {*L2A, *S1_BANDS}
    assert len(view.shown) in (1, 3)


def test_the_remedy_names_what_is_possible_and_nothing_else():
    with pytest.raises(MissingDataError, match=r"--bands false or --bands ndvi$"):
        choose_view("s1", ("B03", "B04", "B08"), (), name="x")
    assert set(possible_views(("B03", "B04", "B08"), ())) == {"false", "ndvi"}


def test_radar_is_averaged_as_power_and_its_third_channel_is_the_ratio():
    view = radar_view(S1_BANDS)
    db = np.array([[-10.0, -20.0], [-16.0, -16.0]], dtype=np.float32)[:, None]  # VV, VH of two pixels
    mean = view.additive(db).mean(axis=-1, keepdims=True)
    vv, vh, ratio = view.channels(mean)[:, 0, 0]
    assert to_linear(np.float32(vv)) == pytest.approx((0.1 + 0.01) / 2, rel=1e-4)
    assert ratio == pytest.approx(vv - vh, abs=1e-5)


def test_one_polarisation_is_grey_and_said():
    view, note = choose_view("s1", L2A, ("VV",), name="x")
    assert view.shown == ("VV",)
    assert note == "S1 has VV alone: shown as grey"


def test_no_data_stays_no_data_in_every_view():
    for view in possible_views(L2A, S1_BANDS).values():
        pixels = np.full((len(view.bands), 2, 2), np.nan, dtype=np.float32)
        assert np.isnan(view.channels(view.additive(pixels))).all()
