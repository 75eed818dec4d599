"""What the machine lacks is known in whichever way it shows, and what is a bug is not taken for it."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from worker.errors import InvalidSettings
from worker.running import shortages, verdicts
from worker.running.attempt_folders import AttemptFolders
from worker.running.shortages import FOLDER, HOST, SPACE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "work" / "job" / "1"
    made.mkdir(parents=True)
    return made


def root_of(folder: Path) -> Path:
    return folder.parent.parent


def error(number: int, path: Path | None = None) -> OSError:
    return OSError(number, os.strerror(number), *([str(path)] if path else []))


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, SPACE),
        (errno.EDQUOT, SPACE),
        (errno.EMFILE, HOST),
        (errno.ENFILE, HOST),
        (errno.EAGAIN, HOST),
        (errno.ENOMEM, HOST),
        (errno.EROFS, FOLDER),
        (errno.EACCES, FOLDER),
        (errno.EPERM, FOLDER),
        (errno.EIO, FOLDER),
        (errno.ESTALE, FOLDER),
    ],
)
def test_what_the_kernel_says_of_host_and_work_folder_is_no_jobs_fault(folder: Path, number: int, code: str) -> None:
    found = shortages.of_error(error(number, folder / "request.json"), root_of(folder), is_lost=not folder.is_dir())
    assert found is not None
    assert found.code == code
    wrapped = RuntimeError("cannot go on")
    wrapped.__cause__ = error(number, folder / "request.json")
    assert shortages.of_error(wrapped, root_of(folder), is_lost=not folder.is_dir()) == found


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT])
def test_a_file_elsewhere_that_cannot_be_opened_is_a_bug(folder: Path, number: int) -> None:
    assert (
        shortages.of_error(error(number, Path("/elsewhere/file")), root_of(folder), is_lost=not folder.is_dir()) is None
    )
    assert shortages.of_error(ValueError("a bug"), root_of(folder), is_lost=not folder.is_dir()) is None
    assert shortages.of_error(RuntimeError("a bug"), root_of(folder), is_lost=not folder.is_dir()) is None


def test_a_missing_file_is_a_bug_as_long_as_the_folder_is_there(folder: Path) -> None:
    missing = error(errno.ENOENT, folder / "request.json")
    assert shortages.of_error(missing, root_of(folder), is_lost=not folder.is_dir()) is None
    folder.rmdir()
    found = shortages.of_error(missing, root_of(folder), is_lost=not folder.is_dir())
    assert found is not None
    assert found.reason == {"code": FOLDER, "detail": "The worker's folder is gone."}


def test_threads_that_cannot_be_started_and_memory_that_is_not_there_are_the_hosts(folder: Path) -> None:
    for raised in (RuntimeError("can't start new thread"), MemoryError()):
        found = shortages.of_error(raised, root_of(folder), is_lost=not folder.is_dir())
        assert found is not None
        assert found.code == HOST


def test_programs_that_print_what_they_lack_are_understood() -> None:
    printed = "ImportError: libtorch.so: cannot open shared object file: Too many open files"
    assert (found := shortages.of_output(printed)) is not None
    assert found.number == errno.EMFILE
    printed = "libgomp: Thread creation failed: Resource temporarily unavailable"
    assert (found := shortages.of_output(printed)) is not None
    assert found.number == errno.EAGAIN
    assert shortages.of_output("Traceback ... RuntimeError: simulated crash") is None


def test_a_look_finds_a_folder_that_vanished_or_became_a_file(folder: Path) -> None:
    root = root_of(folder)
    assert shortages.look(root) is None
    root.rename(root.with_name("elsewhere"))
    assert (found := shortages.look(root)) is not None
    assert found.detail == "The worker's folder is gone."
    root.write_text("")
    assert (found := shortages.look(root)) is not None
    assert found.detail == "The worker's folder is not a folder."


def test_a_look_finds_that_no_job_could_open_its_files(folder: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = {int(name) for name in os.listdir("/proc/self/fd")}
    # The kernel limits numbers, not how many there are: three are free below this one.
    limit = [number for number in range(len(taken) + 4) if number not in taken][3]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    try:
        found = shortages.look(root_of(folder))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert found is not None
    assert (found.code, found.number) == (HOST, errno.EMFILE)
    assert shortages.look(root_of(folder)) is None


LIMITS = "import resource; from worker.running.shortages import use_all_descriptors as use; print(*use())"


def test_a_process_may_open_what_its_hard_limit_allows() -> None:
    script = f"ulimit -S -n 64; ulimit -H -n 200; exec {sys.executable} -c '{LIMITS}'"
    said = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout
    assert said == "64 200\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="another user's permissions can be tried by root alone")
@pytest.mark.parametrize("mode", [0o700, 0o555])
def test_a_work_folder_that_is_another_users_is_refused_with_who_and_what_to_do(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(0o711)
    for above in tmp_path.parents[: len(tmp_path.parents) - 2]:
        above.chmod(above.stat().st_mode | 0o011)
    work = tmp_path / "work"
    work.mkdir()
    work.chmod(mode)
    script = "import os, sys; sys.path[:0] = sys.argv[2:]; from worker.running.attempt_folders import AttemptFolders; "
    script += "from pathlib import Path; os.setuid(65534); AttemptFolders(Path(sys.argv[1])).make()"
    done = subprocess.run([sys.executable, "-c", script, str(work)], capture_output=True, text=True)
    last = done.stderr.strip().splitlines()[-1]
    assert last.endswith(
        f"{work}: cannot be the work folder (Permission denied; it belongs to user 0, this is user 65534); "
        "choose another with DECLOUD_WORK_DIR"
    )


def test_a_work_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "work").write_text("")
    with pytest.raises(InvalidSettings, match=r"work: cannot be the work folder \(File exists\); choose another with"):
        AttemptFolders(tmp_path / "work").make()


def test_waiting_backs_off_and_has_an_end() -> None:
    learnt: dict[str, object] = {}
    pauses = []
    for _ in range(8):
        again = verdicts.wait({"code": HOST, "detail": "Short."}, learnt, 1000.0, 30.0)
        assert isinstance(again, verdicts.Retry)
        assert again.free
        pauses.append(again.delay_s)
        learnt = again.learnt
    assert pauses == [30, 60, 120, 240, 300, 300, 300, 300]
    over = verdicts.wait({"code": HOST, "detail": "Short."}, learnt, 1000.0 + 25 * 3600, 30.0)
    assert isinstance(over, verdicts.Failure)
