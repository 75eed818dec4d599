"""Small pictures of an input: of its own pixels, in one stretch, few and bounded however many and large the dates."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seq2seq.bands import BAND_SETS
from seq2seq.errors import Stopped
from seq2seq.readers import open_sequence
from seq2seq.report.quicklook import Stretch
from seq2seq.simulation.simulate import simulate, write_simulation
from seq2seq.viewing import input_previews as module
from seq2seq.viewing.input_previews import MOST_DATES, MOST_PX, input_previews, shown_dates


def written(folder: Path, **asked: object) -> Path:
    write_simulation(simulate(bands=BAND_SETS["10m"], **asked), folder)  # type: ignore[arg-type]
    return folder / "input"


def opened(image: bytes) -> np.ndarray:
    picture = Image.open(io.BytesIO(image))
    assert (picture.format, picture.mode) == ("WEBP", "RGB")
    return np.asarray(picture).astype(float)


def test_a_picture_has_the_colours_of_the_pixels_and_clouds_are_white(tmp_path: Path) -> None:
    with open_sequence(written(tmp_path, dates=5, size=64, cloud=0.4, seed=2)) as source:
        drawn, whole = list(input_previews(source)), source.read()
    assert [each.date for each in drawn] == [str(date) for date in source.info.dates]
    shown = [source.info.bands.index(band) for band in ("B04", "B03", "B02")]
    for t, each in enumerate(drawn):
        picture, pixels = opened(each.image), whole.s2.pixels[t, shown]
        assert picture.shape == (64, 64, 3)
        bright, reflectance = picture.mean(axis=2), pixels.mean(axis=0)
        between = (bright > 20) & (bright < 235)  # what is not saturated
        assert np.corrcoef(bright[between], reflectance[between])[0, 1] > 0.9
    white = np.stack([opened(each.image) for each in drawn]).min(axis=3) > 245
    assert white.sum() > 500
    assert whole.cloud_mask[white].mean() > 0.9


def test_cells_are_means_in_the_stretch_of_all_dates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of any size give the same."""
    with open_sequence(written(tmp_path, dates=2, size=(200, 130), cloud=0.0)) as source:
        expected = [each.image for each in input_previews(source)]
        monkeypatch.setattr(module, "_ROWS", 50)
        monkeypatch.setattr(module, "_COLUMNS", 33)
        assert [each.image for each in input_previews(source)] == expected
        pixels = source.read().s2.pixels[:, [source.info.bands.index(band) for band in ("B04", "B03", "B02")]]
    cells = pixels[..., :198, :129].reshape(2, 3, 66, 3, 43, 3).mean(axis=(3, 5))
    stretch = Stretch.of(cells.min(axis=0).reshape(3, -1))
    for image, means in zip(expected, cells, strict=True):
        picture = opened(image)
        assert max(picture.shape) <= MOST_PX
        assert np.abs(picture[:66, :43] - stretch.apply(means)).mean() < 12


def test_of_many_dates_twelve_are_drawn_evenly_spaced_and_all_together_are_small(tmp_path: Path) -> None:
    with open_sequence(written(tmp_path, dates=20, size=(97, 32))) as source:
        drawn = list(input_previews(source))
        positions = shown_dates(source)
    assert len(drawn) == len(positions) == MOST_DATES
    assert (positions[0], positions[-1]) == (0, 19)
    assert set(np.diff(positions)) <= {1, 2}
    assert sum(len(each.image) for each in drawn) < 60_000


def test_it_stops_when_asked(tmp_path: Path) -> None:
    with open_sequence(written(tmp_path, dates=2, size=32)) as source, pytest.raises(Stopped):
        next(input_previews(source, should_stop=lambda: True))
