"""Pictures of real sequences and patches: of every grid, of few bands, with and without radar."""

from pathlib import Path

import pytest
from PIL import Image

from seq2seq.commands import main as cli


def look(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(["look", *map(str, arguments)])
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("case", "options", "said"),
    [
        ("fields-cloud-0", ["--bands", "ndvi"], ""),
        ("ypres-run-5", ["--bands", "s1"], ""),
        ("ypres-run-5", ["--point", "3.0232,50.8148"], ""),
        ("ribatejo-cloud-5", ["--date", "2021-07-08"], ""),
        ("carpathians-run-5", ["--date", "2019-07-01", "--own-stretch"], ""),
        ("tanzania-cloud-5", [], "note  no B04 B03 B02: shown is false colour B12 B8A B05\n"),
    ],
)
def test_real_sequences_are_drawn(shared_data: Path, tmp_path: Path, monkeypatch, case, options, said, capsys):
    monkeypatch.chdir(tmp_path)
    assert look(shared_data / case / "input", *options) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{said}Written look-{case}")
    (picture,) = tmp_path.glob("*.png")
    with Image.open(picture) as image:
        assert 400 < image.width < 3000


def test_a_real_triplet_and_a_real_fragment_of_a_series_are_drawn(shared_data: Path, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert look(shared_data / "patch13") == 0
    assert look(shared_data / "formats" / "sen12mscrts") == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "look-patch13.png",
        "look-sen12mscrts-ROIs2017-146-patch_0.png",
    ]
