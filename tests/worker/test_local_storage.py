"""Files in a folder: no link is followed, no half file stays, whatever stops the writing."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from service_storages import MIB, everything_in, file_size_limit, keys_in, pattern, read, size_of

from worker.errors import InvalidKey, NotFound, StorageFullError, StorageUnavailable
from worker.storage import LocalStorage, guarded_folder, open_storage
from worker.storage import local as local_module


def test_a_reading_that_is_given_up_leaves_nothing_open(local_storage: LocalStorage) -> None:
    local_storage.put("a", pattern(3 * MIB))
    before = len(os.listdir("/proc/self/fd"))
    started, waiting = local_storage.open_range("a"), local_storage.open_range("a")
    next(started)
    started.close()
    waiting.close()
    del started, waiting
    local_storage.open_range("a")
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_is_being_read_can_be_read_to_its_end_after_it_was_deleted(local_storage: LocalStorage) -> None:
    local_storage.put("a/b", pattern(3 * MIB))
    reading = local_storage.open_range("a/b")
    local_storage.delete_prefix("a")
    assert b"".join(reading) == pattern(3 * MIB)


def test_a_planted_link_is_neither_read_nor_written_through_nor_emptied(
    local_storage: LocalStorage, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    (outside / "job").mkdir(parents=True)
    (outside / "job" / "secret").write_text("of the host")
    (local_storage.folder / "results").mkdir()
    (local_storage.folder / "results" / "folder").symlink_to(outside)
    (local_storage.folder / "results" / "file").symlink_to(outside / "job" / "secret")
    through = ["results/folder/job/secret", "results/file"]
    for key in through:
        for call in (
            lambda key: size_of(local_storage, key),
            local_storage.open_range,
            lambda key: local_storage.get(key, tmp_path / "got"),
        ):
            with pytest.raises(InvalidKey, match=f"{key} leads nowhere"):
                call(key)
        with pytest.raises(InvalidKey):
            local_storage.get(key, tmp_path / "got", link=True)
    for key in ("results/folder/job/secret", "results/folder/new", "results/folder/job/new/er"):
        with pytest.raises(InvalidKey):
            local_storage.put(key, b"overwritten")
    for prefix in ("results/folder/job", "results/folder/job/secret"):
        with pytest.raises(InvalidKey):
            local_storage.delete_prefix(prefix)
    local_storage.put("results/file", b"ours")  # takes the link's place
    assert read(local_storage, "results/file") == b"ours"
    local_storage.delete_prefix("results")
    assert everything_in(outside) == ["job/secret"]
    assert (outside / "job" / "secret").read_text() == "of the host"
    assert not (tmp_path / "got").exists()


def test_a_pipe_planted_in_the_place_of_a_file_keeps_nobody_waiting(local_storage: LocalStorage) -> None:
    os.mkfifo(local_storage.folder / "pipe")
    with pytest.raises(NotFound):
        size_of(local_storage, "pipe")


def test_a_file_where_a_folder_should_be_is_said(local_storage: LocalStorage) -> None:
    local_storage.put("a", b"x")
    local_storage.put("b/c", b"x")
    for key in ("a/b", "b"):
        with pytest.raises(InvalidKey, match=f"{key} leads nowhere"):
            local_storage.put(key, b"y")
    assert read(local_storage, "a") == b"x"
    assert everything_in(local_storage.folder) == ["a", "b/c"]


def test_the_folder_itself_may_be_a_link_of_the_operators(tmp_path: Path) -> None:
    (tmp_path / "large disk").mkdir()
    (tmp_path / "files").symlink_to(tmp_path / "large disk")
    LocalStorage(tmp_path / "files").put("a/b", b"x")
    assert (tmp_path / "large disk" / "a" / "b").read_bytes() == b"x"


def test_no_space_leaves_no_half_file_and_says_how_much_was_written(
    local_storage: LocalStorage, tmp_path: Path
) -> None:
    local_storage.put("results/a", b"earlier")
    (tmp_path / "source").write_bytes(pattern(3 * MIB))
    with file_size_limit(2 * MIB):
        with pytest.raises(StorageFullError, match=r"no space for results/a: 2,097,152 bytes written, ") as pieces:
            local_storage.put("results/a", (pattern(MIB) for _ in range(3)))
        with pytest.raises(StorageFullError, match=r"2,097,152 of 3,145,728 bytes written, [\d,]+ bytes free") as file:
            local_storage.put("results/a", tmp_path / "source")
    assert everything_in(local_storage.folder) == ["results/a"]
    assert read(local_storage, "results/a") == b"earlier"
    assert pieces.value.extra["written_bytes"] == file.value.extra["written_bytes"] == 2 * MIB
    assert file.value.extra["needed_bytes"] == 3 * MIB
    assert file.value.extra["free_bytes"] > 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_disk_that_runs_full_is_usable_again_when_space_returns(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], capture_output=True)
    if mount.returncode:
        pytest.skip("no permission to mount a small disk")
    try:
        storage = LocalStorage(disk)
        storage.put("old", pattern(MIB))
        with pytest.raises(StorageFullError) as caught:
            storage.put("new", (pattern(MIB // 4) for _ in range(8)))
        assert caught.value.extra["free_bytes"] < MIB // 4
        assert 0 < caught.value.extra["written_bytes"] <= MIB
        assert everything_in(disk) == ["old"]
        storage.delete_prefix("old")
        storage.put("new", pattern(MIB + MIB // 2))
        assert read(storage, "new") == pattern(MIB + MIB // 2)
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize("call", ["write", "fsync", "rename", "mkdir", "open"])
def test_no_space_is_told_wherever_it_strikes(
    local_storage: LocalStorage, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def no_space(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, call, no_space)
        with pytest.raises(StorageFullError):
            local_storage.put("new/folder/a", iter([b"x"]))
    assert everything_in(local_storage.folder) == []
    local_storage.put("new/folder/a", iter([b"x"]))


def test_a_broken_disk_is_no_full_one(local_storage: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    local_storage.put("a", b"x")
    for call in ("write", "pread"):
        monkeypatch.setattr(os, call, broken)
    with pytest.raises(StorageUnavailable, match="b cannot be written: Input/output error"):
        local_storage.put("b", iter([b"y"]))
    with pytest.raises(StorageUnavailable, match="Input/output error"):
        read(local_storage, "a")


def test_what_cannot_fit_is_refused_before_the_disk_is_filled(
    local_storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "source").write_bytes(pattern(5000))
    usage = shutil.disk_usage(tmp_path)._replace(free=4999)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    monkeypatch.setattr(local_module, "fill", lambda *_: pytest.fail("it was written"))
    with pytest.raises(StorageFullError, match="0 of 5,000 bytes written, 4,999 bytes free"):
        local_storage.put("a", tmp_path / "source")


def test_on_one_file_system_taking_and_linking_copy_nothing(local_storage: LocalStorage, tmp_path: Path) -> None:
    source, got = tmp_path / "source", tmp_path / "got"
    source.write_bytes(pattern(5000))
    number = source.stat().st_ino
    local_storage.put("a/b", source, take=True)
    assert (local_storage.folder / "a" / "b").stat().st_ino == number
    local_storage.get("a/b", got, link=True)
    assert got.stat().st_ino == number
    local_storage.get("a/b", got)
    assert got.stat().st_ino != number


def test_between_file_systems_taking_and_linking_copy(
    local_storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.rename

    def other_disk(name: object, *_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(
        os,
        "rename",
        lambda name, *to, **folders: (other_disk if isinstance(name, Path) else rename)(name, *to, **folders),
    )
    monkeypatch.setattr(os, "link", other_disk)
    (tmp_path / "source").write_bytes(pattern(5000))
    local_storage.put("a/b", tmp_path / "source", take=True)
    local_storage.get("a/b", tmp_path / "got", link=True)
    assert not (tmp_path / "source").exists()
    assert (tmp_path / "got").read_bytes() == read(local_storage, "a/b") == pattern(5000)
    assert everything_in(tmp_path) == ["files/a/b", "got"]


def test_bytes_reach_the_disk_before_the_name_and_the_name_before_the_answer(
    local_storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file with a name and no bytes is what a power cut makes of any other order."""
    events: list[str] = []
    fsync, rename = os.fsync, os.rename

    def noted_fsync(handle: int) -> None:
        events.append(
            f"sync {os.path.relpath(os.readlink(f'/proc/self/fd/{handle}'), local_storage.folder).split('/')[0]}"
        )
        fsync(handle)

    def noted_rename(*paths: str, **folders: int) -> None:
        events.append("rename")
        rename(*paths, **folders)

    local_storage.put("a/x", b"")  # makes the folder
    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "rename", noted_rename)
    local_storage.put("a/b", b"x")
    assert events == ["sync .incoming", "rename", "sync a"]
    events.clear()
    (tmp_path / "source").write_bytes(b"x")
    local_storage.put("a/c", tmp_path / "source", take=True)
    assert events == ["sync ..", "rename", "sync a"]
    events.clear()
    local_storage.put("new/d", b"x")
    assert events == ["sync .incoming", "rename", "sync new", "sync ."]


KILLED = """
import sys, time
from pathlib import Path
from worker.storage import LocalStorage
def source():
    yield b"x" * 100_000
    print("half", flush=True)
    time.sleep(60)
LocalStorage(Path(sys.argv[1])).put("uploads/a", source())
"""


def test_a_killed_put_shows_nothing_and_the_next_start_removes_its_remains_but_not_a_living_ones(
    local_storage: LocalStorage,
) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", KILLED, local_storage.folder], stdout=subprocess.PIPE) for _ in range(2)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == b"half\n"
        processes[0].send_signal(signal.SIGKILL)
        processes[0].wait()
        assert not keys_in(local_storage, "uploads/a")
        assert len(everything_in(local_storage.folder)) == 2
        LocalStorage(local_storage.folder)
        assert len(everything_in(local_storage.folder)) == 1
    finally:
        for process in processes:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
    LocalStorage(local_storage.folder)
    assert everything_in(local_storage.folder) == []


def test_a_deletion_that_was_killed_half_way_is_finished_by_the_next_start(
    local_storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    local_storage.put("results/a/1/x", b"x")
    local_storage.put("results/a/2/x", b"x")
    with monkeypatch.context() as patched:
        patched.setattr(guarded_folder, "_remove", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            local_storage.delete_prefix("results/a")
    assert keys_in(local_storage, "results/a/1/x", "results/a/2/x") == set()  # at one moment, for readers
    assert everything_in(local_storage.folder) != []
    LocalStorage(local_storage.folder)
    assert everything_in(local_storage.folder) == []


def test_deletions_and_puts_at_once_disturb_neither(local_storage: LocalStorage) -> None:
    stop = threading.Event()

    def delete() -> None:
        while not stop.wait(0.001):
            local_storage.delete_prefix("a")

    with ThreadPoolExecutor(6) as threads:
        deleting = [threads.submit(delete) for _ in range(2)]
        putting = [
            threads.submit(lambda name=name: [local_storage.put(f"a/{name}/{i}", b"x") for i in range(60)])
            for name in "wxyz"
        ]
        try:
            for put in putting:
                put.result()
        finally:
            stop.set()
        for deletion in deleting:
            deletion.result()
    local_storage.delete_prefix("a")
    assert everything_in(local_storage.folder) == []


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageUnavailable, match="file/files cannot be written: Not a directory"):
        open_storage(tmp_path / "file" / "files")
