"""Spectral indices are those of the literature, their uncertainty is that of a simulation, and nothing is evaluated."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from quick_engine import use_schedule
from sequence_files import DATES, s2_dn, write_sequence

from seq2seq.bands import L2A, L2A_10, TEN_METRE
from seq2seq.commands import main as cli
from seq2seq.config import ReconstructionConfig
from seq2seq.errors import ConfigError
from seq2seq.products.base import DateArrays
from seq2seq.products.formulas import SMALLEST_DIVISOR, compute, names_in, parse, with_names
from seq2seq.products.indices import INDEX_PRODUCTS, INDICES, Index
from seq2seq.run.pipeline import run

CONFIG = ReconstructionConfig(method="linear", perceptual="off", device="cpu")
# Ordinary land: dark in the visible, bright in the near infrared.
TYPICAL = {"B": 0.05, "G": 0.08, "R": 0.06, "RE1": 0.12, "RE2": 0.25, "RE3": 0.3, "N": 0.35, "S1": 0.2, "S2": 0.1}


def one_pixel(values: dict[str, float]) -> dict[str, Any]:
    return {name: np.array([[value]], dtype=np.float32) for name, value in values.items()}


@pytest.mark.parametrize("index", INDICES, ids=lambda index: index.name)
def test_an_index_is_that_of_awesome_spectral_indices(index: Index) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import spyndex
    random = np.random.default_rng(0)
    bands = {letter: random.uniform(0.02, 0.5, (8, 9)).astype(np.float32) for letter in index.letters}
    constants = {"g": 2.5, "C1": 6.0, "C2": 7.5, "L": 0.5 if index.name == "SAVI" else 1.0}
    expected = spyndex.computeIndex(index.name, {**{k: v.astype(float) for k, v in bands.items()}, **constants})
    value, _ = compute(index.formula, bands, dict.fromkeys(bands, np.zeros((8, 9), dtype=np.float32)))
    shown = np.isfinite(value)
    assert shown.mean() > 0.9
    assert value[shown] == pytest.approx(expected[shown], rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("index", INDICES, ids=lambda index: index.name)
def test_the_uncertainty_is_what_monte_carlo_finds(index: Index) -> None:
    sigmas = {letter: 0.003 + 0.001 * number for number, letter in enumerate(index.letters)}
    random = np.random.default_rng(1)
    drawn = {
        letter: random.normal(TYPICAL[letter], sigma, (400, 500)).astype(np.float32) for letter, sigma in sigmas.items()
    }
    values, _ = compute(index.formula, drawn, dict.fromkeys(drawn, np.zeros((400, 500), dtype=np.float32)))
    _, sigma = compute(index.formula, one_pixel({n: TYPICAL[n] for n in sigmas}), one_pixel(sigmas))
    assert sigma[0, 0] == pytest.approx(np.nanstd(values), rel=0.03)


def test_without_uncertainty_of_bands_an_index_has_none() -> None:
    for index in INDICES:
        _, sigma = compute(index.formula, one_pixel(TYPICAL), one_pixel(dict.fromkeys(TYPICAL, 0.0)))
        assert sigma[0, 0] == 0


@pytest.mark.parametrize(
    ("formula", "bands"),
    [
        ("(N - R) / (N + R)", {"N": 0.2, "R": -0.2}),
        ("(N - R) / (N + R)", {"N": 0.0, "R": 0.0}),
        ("N / R - 1", {"N": 0.3, "R": SMALLEST_DIVISOR / 2}),
        ("(R - N) ** 0.5", {"N": 0.3, "R": 0.2}),
        ("1 / (N / R)", {"N": 0.0, "R": 0.2}),
        ("N - R", {"N": np.inf, "R": 0.2}),
    ],
)
def test_where_a_divisor_vanishes_there_is_no_data(formula: str, bands: dict[str, float]) -> None:
    assert np.isnan(compute(formula, one_pixel(bands), one_pixel(dict.fromkeys(bands, 0.01)))).all()


def test_a_pixel_without_a_value_takes_nothing_from_its_neighbours() -> None:
    bands = {"N": np.array([[0.0, 0.4]], np.float32), "R": np.array([[0.0, 0.1]], np.float32)}
    value, sigma = compute("(N - R) / (N + R)", bands, bands)
    assert np.isnan(value[0, 0])
    assert value[0, 1] == pytest.approx(0.6)
    assert sigma[0, 1] > 0


@pytest.mark.parametrize(
    "formula",
    ["__import__('os').system('true')", "N.real", "N[0]", "(lambda: N)()", "N if R else B", "N < R", "'N'", "N // R",
     "N and R", "~N", "[N]", "True", "1j * N"],
)  # fmt: skip
def test_what_is_no_formula_is_refused_before_anything_is_computed(formula: str) -> None:
    with pytest.raises(ValueError, match="holds"):
        parse(formula)


def test_a_formula_with_other_names_has_the_same_value() -> None:
    formula = "2.5 * (N - R) / (N + 6 * R - 7.5 * B + 1)"
    names = {"N": "B08", "R": "B04", "B": "B02"}
    renamed = with_names(formula, names)
    assert names_in(formula) == ("N", "R", "B")
    assert names_in(renamed) == ("B08", "B04", "B02")
    bands, sigmas = one_pixel(TYPICAL), one_pixel(dict.fromkeys(TYPICAL, 0.01))
    other = compute(renamed, {names[k]: v for k, v in bands.items() if k in names},
                    {names[k]: v for k, v in sigmas.items() if k in names})  # fmt: skip
    assert np.array_equal(compute(formula, bands, sigmas), other)


def test_the_narrow_near_infrared_stands_in_for_the_wide_one_and_a_missing_band_is_named() -> None:
    ndvi, ndmi = (next(each for each in INDICES if each.name == name) for name in ("NDVI", "NDMI"))
    assert ndvi.bands_in(L2A) == {"N": "B08", "R": "B04"}
    assert ndvi.bands_in(("B04", "B8A")) == {"N": "B8A", "R": "B04"}
    assert ndmi.missing_in(TEN_METRE) == ("B11",)
    assert ndmi.missing_in(("B04",)) == ("B08 or B8A", "B11")
    assert all(not each.missing_in(L2A_10) for each in INDICES)


def test_a_raster_of_an_index_says_how_it_is_made() -> None:
    class Scene:
        bands = ("B8A", "B04", "B02")
        radiometry: Any = None

    product = next(each for each in INDEX_PRODUCTS if each.name == "ndvi")
    assert product.raster is not None
    profile = product.raster.profile(Scene())
    assert profile.bands == ("NDVI", "NDVI_sigma")
    assert profile.tags["FORMULA"] == "(B8A - B04) / (B8A + B04)"
    pixels = np.array([0.4, 0.1, 0.05], np.float32)[:, None, None]
    arrays = DateArrays({"pixels": pixels, "sigma": np.full_like(pixels, 0.01)}.__getitem__)
    encoded = product.raster.encode(arrays, Scene())
    assert encoded.dtype == np.float32
    # d/dn = 2r / (n + r)^2 = 0.8, d/dr = -2n / (n + r)^2 = -3.2
    assert encoded[:, 0, 0] == pytest.approx([0.6, 0.01 * np.hypot(0.8, 3.2)])


@pytest.fixture(scope="module")
def sequence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    masks = np.zeros((5, 24, 32), dtype=bool)
    masks[1, :12] = masks[3, 12:] = True
    return Path(write_sequence(tmp_path_factory.mktemp("indices") / "fields", s2=s2_dn(), masks=masks))


def test_a_run_writes_them_beside_its_images_and_every_list_has_them(sequence: Path, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        use_schedule(patch)
        out = run(sequence, tmp_path / "out", CONFIG.replace(products="NDVI, evi"))
    for t, date in enumerate(DATES):
        with rasterio.open(out / "declouded" / f"{date}.tif") as image:
            blue, _, red, near = image.read().astype(float) / 10_000
        with rasterio.open(out / "ndvi" / f"{date}.tif") as ndvi, rasterio.open(out / "evi" / f"{date}.tif") as evi:
            assert ndvi.read(1) == pytest.approx((near - red) / (near + red), abs=3e-3)
            assert evi.read(1) == pytest.approx(2.5 * (near - red) / (near + 6 * red - 7.5 * blue + 1), abs=3e-3)
            assert ndvi.descriptions == ("NDVI", "NDVI_sigma")
            with rasterio.open(out / "cloud_mask" / f"{date}.tif") as mask:
                observed = mask.read(1) == 0
            assert (ndvi.read(2)[observed] == 0).all()
            assert t not in (1, 3) or (ndvi.read(2)[~observed] > 0).any()
    item = json.loads((out / "stac" / f"{DATES[0]}.json").read_text())
    assert item["assets"]["ndvi"]["processing:expression"]["expression"] == "(B08 - B04) / (B08 + B04)"
    listed = {file["path"] for file in json.loads((out / "report.json").read_text())["files"]}
    assert {"ndvi/DATE.tif", "evi/DATE.tif"} < listed
    assert "ndwi/DATE.tif" not in listed
    assert not (out / "ndwi").exists()


def test_a_missing_band_is_one_line_before_anything_is_learnt(
    sequence: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["run", str(sequence), str(tmp_path / "out"), "--products", "ndvi,ndmi,nbr2"]
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    said = capsys.readouterr().err.splitlines()
    assert said[-1] == (
        "decloud: error: products: ndmi needs B11, nbr2 needs B11 and B12; the sequence has B02 B03 B04 B08"
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["ndvj", "ndvi,,declouded", "report"])
def test_what_is_no_index_is_refused_with_those_that_there_are(text: str) -> None:
    with pytest.raises(ConfigError, match=r"products is .*ndvi, evi"):
        CONFIG.replace(products=text)


def test_names_may_be_written_in_any_case_and_none_is_none() -> None:
    assert CONFIG.replace(products=" , ").outputs == CONFIG.outputs
    assert CONFIG.replace(products="AWEInsh,NIRv,ndvi").outputs.optional == ("aweinsh", "nirv", "ndvi")
