"""Files and folders that are deleted, moved or replaced under a running service: nothing is accepted that would be
lost."""

import os
import shutil
import sqlite3
from pathlib import Path

import pytest
from service_api import Serve
from service_jobs import now, running, submit
from service_storages import size_of
from service_workers import Workshop
from sqlalchemy import select

from worker.database.connections import Database
from worker.database.migrate import migrate
from worker.database.tables import jobs
from worker.errors import DatabaseUnavailable, NotFound, StorageUnavailable
from worker.storage import LocalStorage


def file_of(database: Database) -> Path:
    return Path(str(database.engine.url.database))


def replace(file: Path) -> None:
    """By a database of ours, as a restored backup would be."""
    shutil.copy(file, file.with_name("copy"))
    os.replace(file.with_name("copy"), file)


@pytest.mark.parametrize("how", ["deleted", "replaced", "-wal", "-shm"])
def test_nothing_is_written_while_the_database_is_not_the_one_that_was_opened(
    sqlite_database: Database, how: str
) -> None:
    first = submit(sqlite_database)
    file = file_of(sqlite_database)
    touched = file.with_name(file.name + how) if how.startswith("-") else file
    kept = touched.with_name("kept")
    touched.rename(kept)
    if how == "replaced":
        shutil.copy(kept, file)
    with pytest.raises(DatabaseUnavailable, match="is not the one that was opened"):
        submit(sqlite_database)
    kept.replace(touched)
    assert now(sqlite_database, first) == first
    submit(sqlite_database)


def test_a_new_connection_does_not_go_to_the_file_that_took_the_place(sqlite_database: Database) -> None:
    submit(sqlite_database)
    replace(file_of(sqlite_database))
    with sqlite_database.read() as open_already:
        open_already.execute(select(jobs.c.id))
        with pytest.raises(DatabaseUnavailable, match="is not the one that was opened"):
            sqlite_database.read().__enter__()


def test_opening_makes_no_database(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/folder/decloud.db")
    with pytest.raises(DatabaseUnavailable, match="its file is not there"), database.read() as connection:
        connection.execute(select(1))
    assert list(tmp_path.iterdir()) == []
    migrate(database)
    submit(database)
    database.close()


def test_what_was_open_when_the_file_was_deleted_is_saved_at_an_orderly_end(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/decloud.db")
    migrate(database)
    job = running(database)
    for file in tmp_path.glob("decloud.db*"):
        file.unlink()
    database.close()
    saved = tmp_path / "decloud.db.saved"
    with sqlite3.connect(saved) as connection:
        assert connection.execute("SELECT id, status FROM jobs").fetchall() == [(job.id, "running")]
    connection.close()
    saved.rename(tmp_path / "decloud.db")
    again = Database(f"sqlite:///{tmp_path}/decloud.db")
    migrate(again)
    assert now(again, job).id == job.id
    again.close()
    assert not saved.exists()


@pytest.mark.parametrize("how", ["gone", "empty", "a file"])
def test_a_storage_whose_folder_is_gone_neither_misses_files_nor_takes_any(tmp_path: Path, how: str) -> None:
    """An upload that is missed would be told its owner as gone, for ever."""
    storage = LocalStorage(tmp_path / "files")
    storage.put("uploads/a", b"bytes")
    (tmp_path / "files").rename(tmp_path / "elsewhere")
    if how == "empty":
        (tmp_path / "files").mkdir()
    if how == "a file":
        (tmp_path / "files").write_text("")
    for call in (
        lambda: size_of(storage, "uploads/a"),
        lambda: storage.open_range("uploads/a"),
        lambda: storage.put("uploads/b", b"bytes"),
        lambda: storage.delete_prefix("uploads/a"),
    ):
        with pytest.raises(StorageUnavailable, match="put it back"):
            call()
    if how == "empty":
        (tmp_path / "files").rmdir()
    (tmp_path / "files").unlink(missing_ok=True)
    (tmp_path / "elsewhere").rename(tmp_path / "files")
    assert size_of(storage, "uploads/a") == 5
    with pytest.raises(NotFound):
        size_of(storage, "uploads/b")


def test_a_job_waits_while_storage_and_work_folder_are_away_and_then_succeeds(workshop: Workshop) -> None:
    job = workshop.submit()
    supervisor = workshop.supervisor()
    folder = workshop.settings.work_dir
    folder.rename(folder.with_name("elsewhere"))
    for _ in range(5):
        assert not supervisor.work_once(), "it claimed a job that it cannot work on"
    assert supervisor.lacks == "The worker's folder is gone."
    assert not folder.exists(), "a folder that vanished may be a disk that is not mounted"
    folder.with_name("elsewhere").rename(folder)
    done = workshop.work(job, supervisor)
    assert (done.status, done.attempt, supervisor.lacks) == ("successful", 1, None)


def test_the_api_accepts_nothing_while_its_data_folder_is_another_and_goes_on_when_it_is_back(serve: Serve) -> None:
    api = serve()
    user = api.user()
    data, sequence = api.settings.data, user.sequence
    data.rename(data.with_name("moved"))
    shutil.copytree(data.with_name("moved"), data)
    answers = [
        user.get("/health/ready"),
        user.put("/uploads/a.zip", content=b"bytes"),
        user.post("/uploads", headers={"Tus-Resumable": "1.0.0", "Upload-Length": "3"}),
        user.post("/processes/decloud/execution", json={"inputs": {"sequence": sequence}}),
    ]
    assert [answer.status_code for answer in answers] == [503, 503, 503, 503]
    for answer in answers:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["retry-after"] == "5"
        assert str(data) not in answer.text
    assert user.get("/health/live").status_code == 200
    shutil.rmtree(data)
    data.with_name("moved").rename(data)
    assert user.get("/health/ready").status_code == 200
    upload = user.upload()
    assert user.submit(sequence={"href": f"/uploads/{upload}"})
