"""What is uploaded of a folder: what a run would read, byte for byte the same each time."""

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from api.client import InvalidPayload
from api.client.packing import files_of, packed
from seq2seq.readers.formats import FORMATS, wanted


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode() * 1000)
    return folder


def pack(path: Path) -> tuple[str, bytes, str]:
    with packed(path, on_bytes=lambda done, of: None) as payload:
        content = payload.file.read_bytes()
        assert payload.size == len(content)
        return payload.name, content, payload.sha256


def test_a_file_is_sent_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "fields.zip"
    file.write_bytes(b"anything")
    assert pack(file) == ("fields.zip", b"anything", hashlib.sha256(b"anything").hexdigest())


def test_of_a_folder_goes_what_the_readers_read_and_nothing_else(tmp_path: Path) -> None:
    sent = ["S1/2021-04-30.tif", "S2/2021-05-01.tif", "S2/b.TIFF", "mask/2021-05-01.tif"]
    others = ["S2/.hidden.tif", "S2/notes.txt", "S2/deep/2021.tif", "other/2021-05-01.tif", "secret.tif", "S2/a.zip"]
    folder = fill(tmp_path / "fields", *sent, *others)
    name, content, _ = pack(folder)
    assert name == "fields.zip"
    (tmp_path / "sent.zip").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "sent.zip") as archive:
        assert archive.namelist() == sent
        assert archive.read("S2/b.TIFF") == (folder / "S2/b.TIFF").read_bytes()
        assert {member.compress_type for member in archive.infolist()} == {zipfile.ZIP_STORED}
    assert all(wanted(PurePosixPath(name)) for name in sent)
    assert not any(wanted(PurePosixPath(name)) for name in others)


def test_a_format_wants_what_it_gives_as_its_example() -> None:
    assert all(known.wants(PurePosixPath(known.example)) for known in FORMATS)


def test_packing_and_describing_formats_loads_nothing_that_reads_files() -> None:
    code = (
        "import sys, api.client.packing, seq2seq.readers.formats as formats; formats.readable();"
        "print({'torch', 'rasterio', 'numpy', 'odc'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_same_files_give_the_same_bytes_whenever_they_were_written(tmp_path: Path) -> None:
    names = ["S2/2021-05-01.tif", "S2/2021-05-06.tif", "S1/2021-05-01.tif"]
    first = pack(fill(tmp_path / "a" / "fields", *names))
    again = fill(tmp_path / "b" / "fields", *reversed(names))
    os.utime(again / names[0], (1e9, 1e9))
    assert pack(again) == first


def test_the_archive_is_gone_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fill(tmp_path / "fields", "S2/2021-05-01.tif")
    with packed(folder, on_bytes=lambda done, of: None) as payload:
        file = payload.file
        assert file.exists()
    assert not file.exists()
    assert not file.parent.exists()


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], "has nothing like S2/2020-08-01.tif or .*; it holds nothing"),
        (["S1/2021-05-01.tif", "x/y.png"], "has nothing like S2/2020-08-01.tif or .*; it holds S1, x"),
        (["S2/readme.txt"], "has nothing like S2/2020-08-01.tif or .*; it holds S2"),
    ],
)
def test_a_folder_without_s2_is_refused_before_anything_is_sent(tmp_path: Path, names: list[str], said: str) -> None:
    (tmp_path / "fields").mkdir()
    with pytest.raises(InvalidPayload, match=said):
        pack(fill(tmp_path / "fields", *names))


def test_what_is_not_there_or_empty_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidPayload, match=r"fields\.zip: does not exist"):
        pack(tmp_path / "fields.zip")
    (tmp_path / "fields.zip").touch()
    with pytest.raises(InvalidPayload, match=r"fields\.zip: is empty"):
        pack(tmp_path / "fields.zip")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidPayload, match="pipe: is neither file nor folder"):
        pack(tmp_path / "pipe")


def test_what_is_packed_is_what_a_run_would_read(tmp_path: Path) -> None:
    from seq2seq.bands import BAND_SETS
    from seq2seq.readers import open_contents
    from seq2seq.simulation.simulate import simulate, write_simulation

    write_simulation(simulate(dates=2, size=16, bands=BAND_SETS["10m"], cloud=0.3, seed=0), tmp_path / "fields")
    folder = tmp_path / "fields" / "input"
    assert {name.split("/")[0] for name, _ in files_of(folder)} == {"S1", "S2", "MASK"}
    (tmp_path / "sent.zip").write_bytes(pack(folder)[1])
    with open_contents(folder) as own, open_contents(tmp_path / "sent.zip") as sent:
        assert own.fingerprint == sent.fingerprint
