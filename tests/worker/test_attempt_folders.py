"""A new attempt begins with what the one before left, and neither can disturb the other."""

import threading
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from service_storages import S3Server, size_of
from service_workers import Workshop, until

from seq2seq import workspace
from worker import clock
from worker.errors import NotFound
from worker.running import attempt_folders, checkpoints
from worker.running.attempt_folders import AttemptFolders, continue_from
from worker.running.checkpoints import RemoteCheckpoint, fetch_checkpoint
from worker.running.job_folder import STORED
from worker.storage import LocalStorage

TILES = "out.partial/.checkpoint"
ID = str(uuid.UUID(int=1))


def job(attempt: int, **values: Any) -> Any:
    fields = {"id": ID, "attempt": attempt, "checkpoint": None, "checkpoint_prefix": f"checkpoints/{ID}", **values}
    return SimpleNamespace(**fields)


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_new_attempt_begins_with_input_result_and_checkpoint_of_the_newest_earlier_one(tmp_path: Path) -> None:
    place = AttemptFolders(tmp_path)
    assert names(place.prepare(job(1))) == []
    write(tmp_path / ID / "1", "input/S2/a.tif", "old")
    write(tmp_path / ID / "2", "input/S2/a.tif", f"{TILES}/key", f"{TILES}/tile-0/fit/scored.pt", "request.json")
    fresh = place.prepare(job(4))
    assert fresh == tmp_path / ID / "4"
    assert names(fresh) == ["input/S2/a.tif", f"{TILES}/key", f"{TILES}/tile-0/fit/scored.pt"]
    assert place.latest(job(4)) == 2


def test_unfinished_files_are_not_continued_from(tmp_path: Path) -> None:
    earlier = tmp_path / "1"
    write(earlier, f"{TILES}/tile-0/facts.json", f"{TILES}/tile-0/pixels.npy")
    write(earlier, f"{TILES}/tile-1/pixels.npy", f"{TILES}/tile-1/fit/.new-scored.pt", "out.partial/.a.tif.x.tmp")
    assert continue_from(earlier, tmp_path / "2")
    assert names(tmp_path / "2") == [f"{TILES}/tile-0/facts.json", f"{TILES}/tile-0/pixels.npy"]


def test_what_an_old_attempt_writes_by_rename_does_not_reach_the_new_one(tmp_path: Path) -> None:
    earlier = tmp_path / "1"
    write(earlier, f"{TILES}/tile-0/fit/scored.pt", "input/a")
    continue_from(earlier, tmp_path / "2")
    new = earlier / TILES / "tile-0/fit/.new"
    new.write_text("later")
    new.replace(earlier / TILES / "tile-0/fit/scored.pt")
    (earlier / "input/a").unlink()
    assert (tmp_path / "2" / TILES / "tile-0/fit/scored.pt").read_text() == f"{TILES}/tile-0/fit/scored.pt"
    assert (tmp_path / "2" / "input/a").exists()


def at_listing(number: int, change: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls `change` right after the folder was listed for the `number`th time."""
    list_files, listed = workspace._files, []

    def files(folder: Path) -> list[Path]:
        found = list_files(folder)
        listed.append(folder)
        if len(listed) == number:
            change()
        return found

    monkeypatch.setattr(workspace, "_files", files)


@pytest.mark.parametrize("number", [1, 2])
def test_a_tile_that_is_finished_while_it_is_continued_from_counts_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    tile = tmp_path / "1" / TILES / "tile-0"
    write(tile, "pixels.npy", "fit/scored.pt")
    at_listing(number, lambda: write(tile, "sigma.npy", "facts.json"), monkeypatch)
    attempt_folders.link_tree(tmp_path / "1", tmp_path / "2")
    assert names(tmp_path / "2") == [f"{TILES}/tile-0/fit/scored.pt"]


@pytest.mark.parametrize("number", [5, 6])
def test_what_vanishes_while_it_is_continued_from_is_left_out_and_the_rest_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The engine removes a tile's checkpoints when the tile is finished."""
    earlier = tmp_path / "1"
    write(earlier / TILES / "tile-0", "pixels.npy", "fit/a.pt", "fit/b.pt", "facts.json")

    def tidy() -> None:
        for name in ("a.pt", "b.pt"):
            (earlier / TILES / "tile-0/fit" / name).unlink()

    at_listing(number, tidy, monkeypatch)  # 1 to 4: input and out
    assert continue_from(earlier, tmp_path / "2")
    assert names(tmp_path / "2") == [f"{TILES}/tile-0/facts.json", f"{TILES}/tile-0/pixels.npy"]


@pytest.mark.parametrize("number", range(1, 7))
def test_a_job_that_is_removed_while_it_is_continued_from_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    earlier = tmp_path / ID / "1"
    write(earlier, "input/a", f"{TILES}/tile-0/facts.json", f"{TILES}/tile-0/pixels.npy")
    at_listing(number, lambda: AttemptFolders(tmp_path).remove(ID), monkeypatch)
    assert not continue_from(earlier, tmp_path / "2")
    assert names(tmp_path) == []


def test_only_folders_of_ended_jobs_are_swept_and_nothing_that_is_not_ours(tmp_path: Path) -> None:
    ended, running = str(uuid.uuid4()), str(uuid.uuid4())
    write(tmp_path, f"{ended}/1/input/a", f"{running}/1/input/a", "precious/1/a", "notes.txt")
    assert AttemptFolders(tmp_path).sweep(lambda job_id: job_id != running) == [ended]
    assert names(tmp_path) == [f"{running}/1/input/a", "notes.txt", "precious/1/a"]


def test_a_stored_checkpoint_comes_back_on_another_machine(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "files")
    here, there = tmp_path / "here", tmp_path / "there"
    write(here, f"{TILES}/key", f"{TILES}/tile-0/fit/scored.pt", f"{TILES}/tile-1/pixels.npy")
    there.mkdir()
    assert RemoteCheckpoint(storage, job(2), here).save(lambda: True)
    stored = job(3, checkpoint=f"checkpoints/{ID}")
    assert not fetch_checkpoint(storage, stored, there, newer_than=2), "what is here is as new"
    assert fetch_checkpoint(storage, stored, there, newer_than=1)
    assert names(there) == [f"{TILES}/key", f"{TILES}/tile-0/fit/scored.pt"]


def test_a_checkpoint_is_stored_again_only_where_it_changed_and_never_for_a_lost_job(tmp_path: Path) -> None:
    put: list[str] = []

    class Counting(LocalStorage):
        def put(self, key: str, source: Any, *, take: bool = False) -> None:
            put.append(key.rpartition("/")[2])
            super().put(key, source, take=take)

    write(tmp_path, f"{TILES}/key", f"{TILES}/tile-0/fit/scored.pt")
    remote = RemoteCheckpoint(Counting(tmp_path / "files"), job(1), tmp_path)
    assert not remote.save(lambda: False)
    assert put == []
    assert remote.save(lambda: True)
    assert not remote.save(lambda: True)
    assert sorted(put) == ["index.json", "key", "scored.pt"]
    put.clear()
    (tmp_path / TILES / "tile-0/fit/scored.pt").write_text("further")
    assert remote.save(lambda: True)
    assert sorted(put) == ["index.json", "scored.pt"]


def test_a_tile_that_another_worker_has_done_is_not_stored_a_second_time(tmp_path: Path) -> None:
    storage, here, there = LocalStorage(tmp_path / "files"), tmp_path / "here", tmp_path / "there"
    write(here, *(f"{TILES}/tile-{tile}/{name}" for tile in (0, 1) for name in ("pixels.npy", "facts.json")))
    (here / TILES / "tile-1" / STORED).touch()
    assert RemoteCheckpoint(storage, job(1), here).save(lambda: True)
    there.mkdir()
    assert fetch_checkpoint(storage, job(2, checkpoint=f"checkpoints/{ID}"), there, newer_than=0)
    assert names(there) == [f"{TILES}/tile-0/facts.json", f"{TILES}/tile-0/pixels.npy"]


def test_a_job_goes_on_from_its_checkpoint_on_a_machine_that_shares_nothing_but_storage(
    workshop: Workshop, s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "SAVE_EVERY_S", 0.1)
    url = {"storage_url": f"s3://{s3_server.new_bucket()}/decloud", "storage_options": s3_server.options}
    shared = Workshop(workshop.database, workshop.settings.database_url, tmp_path, **url)
    job = shared.submit(seconds=0.9, steps=15, dates=1)
    one = shared.supervisor(settings=shared.settings.model_copy(update={"work_dir": tmp_path / "one"}))
    thread = threading.Thread(target=one.work_once, daemon=True)
    thread.start()
    until(lambda: (shared.get(job).progress or {}).get("step", 0) >= 5 and shared.get(job).checkpoint)
    one.stop()
    thread.join(timeout=10)
    assert shared.get(job).status == "accepted"
    two = shared.supervisor(settings=shared.settings.model_copy(update={"work_dir": tmp_path / "two"}))
    done = shared.work(job, two)
    (_, _, kept), (_, again, end) = shared.result(job)["ran"]
    assert kept == again >= 5
    assert end == 15
    assert size_of(shared.storage, f"{done.result_prefix}/declouded/2021-05-01.tif") > 100
    later = clock.now() + 3600
    monkeypatch.setattr(clock, "now", lambda: later)
    shared.reaper().reap()
    with pytest.raises(NotFound):
        size_of(shared.storage, f"checkpoints/{job.id}/index.json")
