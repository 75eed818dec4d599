"""Products and JPEG 2000 through the real sandbox: decoded there, with the same one-line errors."""

import numpy as np
import pytest
from jp2_files import patch_size
from safe_products import dn_of, write_product, zipped

from seq2seq.config import ReconstructionConfig
from seq2seq.readers import open_sequence
from worker.imports.importer import ImportProblem, ImportReport, import_upload
from worker.imports.sandboxed import make_copy

FIRST, SECOND = "2022-06-05", "2022-06-10"
BANDS = {"B02": 10, "B04": 10, "B05": 20}


@pytest.fixture
def upload(tmp_path):
    """A ZIP of a product's folder and of another's ZIP."""
    classes = np.full((24, 24), 4)
    classes[4:9] = 9
    write_product(tmp_path / "in", FIRST, bands=BANDS, scl=classes)
    late = write_product(tmp_path / "apart", SECOND, bands=BANDS, scl=classes, baseline="05.09", offset=-1000)
    zipped(late, tmp_path / "in" / f"{late.name}.zip")
    return zipped(tmp_path / "in", tmp_path / "in.zip", prefix="")


def test_the_sandbox_decodes_products(tmp_path, upload):
    report = import_upload(upload, tmp_path / "copy", name="in.zip")
    assert isinstance(report, ImportReport), report
    with open_sequence(tmp_path / "copy") as copy, open_sequence(upload) as original:
        assert copy.info.fingerprint == original.info.fingerprint
        assert copy.info.warnings == original.info.warnings
        assert copy.info.mask_source == "scl"
        first, second = copy.read().s2, original.read().s2
    assert np.array_equal(first.pixels, second.pixels)
    assert np.array_equal(first.observed, second.observed)
    assert np.allclose(first.pixels[1, 1], dn_of("B04", 10, SECOND)[0] * 1e-4, atol=1e-6)


def test_a_broken_image_is_one_line_there_too(tmp_path):
    for day in (FIRST, SECOND):
        product = write_product(tmp_path / "in", day, bands=BANDS)
    image = next(product.rglob("*_B04_10m.jp2"))
    patch_size(image, 0, 4_000_000_000, 4_000_000_000)
    problem = import_upload(zipped(tmp_path / "in", tmp_path / "in.zip", prefix=""), tmp_path / "copy", name="in.zip")
    assert isinstance(problem, ImportProblem)
    assert problem.to_dict()["detail"] == (
        f"{product.name}/{image.name}: 4000000000 x 4000000000 px, at most 250,000,000 px are allowed"
    )
    assert problem.to_dict()["errors"] == [{"file": f"{product.name}/{image.name}", "date": SECOND}]


def test_a_copy_keeps_offset_orbit_and_baseline(tmp_path, upload):
    folder = tmp_path / "copy"
    folder.mkdir()
    make_copy(upload, folder, origin="in.zip", config=ReconstructionConfig(), send=lambda **_: None)
    with open_sequence(folder) as source:
        assert any("S2 offset -1000 DN applied" in said for said in source.info.warnings)
