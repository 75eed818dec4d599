"""The folder that a command writes its tables to."""

import os

import pytest

from seq2seq.comparison import output as comparison
from seq2seq.errors import OutputError
from seq2seq.evaluation import output as evaluation
from seq2seq.writers.own_folder import check_own_folder


def test_a_new_an_empty_and_an_own_folder_are_taken_and_nothing_is_made(tmp_path):
    check_own_folder(tmp_path / "new" / "deep", {"table.csv"}, "benchmark")
    assert not (tmp_path / "new").exists()
    check_own_folder(tmp_path, {"table.csv"}, "benchmark")
    (tmp_path / "table.csv").touch()
    check_own_folder(tmp_path, {"table.csv"}, "benchmark")


@pytest.mark.parametrize(("check", "what"), [(comparison.check_folder, "benchmark"), (evaluation.check_folder, "eval")])
def test_what_others_have_written_is_named(tmp_path, check, what):
    for name in ("table.csv", "table.md", "thesis.doc"):
        (tmp_path / name).touch()
    with pytest.raises(OutputError, match=rf"holds thesis\.doc, which no {what}"):
        check(tmp_path)


def test_a_file_a_link_and_a_place_without_permission_are_refused(tmp_path):
    file, link, closed = tmp_path / "file", tmp_path / "link", tmp_path / "closed"
    file.touch()
    link.symlink_to(tmp_path)
    for each in (file, link):
        with pytest.raises(OutputError, match="is not a folder"):
            check_own_folder(each, (), "benchmark")
    closed.mkdir()
    closed.chmod(0o500)
    if not os.access(closed, os.W_OK):  # root may write anywhere
        with pytest.raises(OutputError, match="no permission to write in"):
            check_own_folder(closed / "new", (), "benchmark")
