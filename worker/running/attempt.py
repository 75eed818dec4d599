"""One attempt at one job: a folder, a child process, and a verdict on how it went. What follows is the supervisor's."""

import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from worker import clock
from worker.errors import ServiceError
from worker.jobs import Job
from worker.places import Place
from worker.processes import memory
from worker.processes.child_process import DEADLINE, ChildProcess, ProcessExit, Stop, without_secrets
from worker.results.publishing import publish
from worker.running import shortages, verdicts
from worker.running.attempt_context import AttemptContext
from worker.running.attempt_folders import AttemptFolders
from worker.running.checkpoints import fetch_checkpoint, saved_now_and_then, saver
from worker.running.heartbeat import PICTURE, Heartbeat
from worker.running.job_folder import DONE, FETCH, LOG, OUT, STOPPED, log_tail, read_error
from worker.running.preparation import fetching_environment, is_to_fetch, write_request
from worker.running.shortages import Shortage
from worker.running.tile_sharing import TileSharing
from worker.running.verdicts import ChildOutcome, Failure, Retry

_log = logging.getLogger(__name__)

# Why a child is made to end, beside its deadline.
LOST, FOLDER_LOST, CANCELLED, STOPPING = "lost", "folder-lost", "cancelled", "stopping"

# The process that fetches an input, to which the attempt's folder is added.
FETCH_COMMAND: tuple[str, ...] = (sys.executable, "-P", "-m", "worker.fetching.run_fetch")

Verdict = Literal["published", "lost", "cancelled", "stopping", "unknown"] | Retry | Failure


@dataclass
class Attempt:
    """Does one attempt at a job; it changes neither the job's status nor anybody else's files."""

    context: AttemptContext
    job: Job
    heartbeat: Heartbeat
    plan: dict[str, Any] = field(default_factory=dict)
    place: Place | None = None
    sharing: TileSharing | None = None

    def run(self) -> Verdict:
        """Works, and says how it went.

        published: and committed. lost: the job is somebody else's. unknown: the database has not answered.
        """
        context, job = self.context, self.job
        folders = AttemptFolders(context.settings.work_dir)
        folder = folders.prepare(job)
        self.place = Place.of(folder)
        if context.is_remote:
            fetch_checkpoint(context.storage, job, folder, newer_than=folders.latest(job))
        save = saver(context, job, folder, self.heartbeat)
        if refused := write_request(context, job, folder):
            return refused
        saving = saved_now_and_then(save) if context.is_remote else nullcontext()
        with saving, TileSharing(context, job, folder) as self.sharing:
            ended = self._work(folder)
        fields = {"exit_status": ended.status, "stopped": ended.stopped, "seconds": round(ended.seconds, 1)}
        _log.info("job process ended", extra=fields)
        return self._conclude(folder, ended, save)

    @property
    def is_lost(self) -> bool:
        """Whether the attempt's folder was taken from under it: it is gone, or another one lies there."""
        return self.place is not None and self.place.trouble() is not None

    @property
    def _max_run_s(self) -> float:
        """The key's quota or the settings' when it was submitted; jobs of older releases have no figure."""
        return self.job.max_run_s or self.context.settings.max_run_s

    def _work(self, folder: Path) -> ProcessExit:
        """Has the input fetched where it is no upload, then the job done; the end of the process that came last."""
        environment = child_environment(os.environ, self.context.device)
        fetching_s = 0.0
        if is_to_fetch(folder):
            secrets = fetching_environment(self.context, self.job, os.environ)
            fetched = self._run_child(FETCH_COMMAND, folder, {**environment, **secrets}, self._max_run_s)
            if fetched.status != DONE or fetched.stopped is not None:
                return replace(fetched, status=fetched.status or STOPPED)
            (folder / FETCH).unlink()
            fetching_s = fetched.seconds
        return self._run_child(self.context.command, folder, environment, max(1.0, self._max_run_s - fetching_s))

    def _run_child(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str], within_s: float
    ) -> ProcessExit:
        temporary = folder / "tmp"
        temporary.mkdir(exist_ok=True)
        with (
            (folder / LOG).open("ab") as log,
            ChildProcess(
                [*command, str(folder)],
                folder=folder,
                environment={**environment, "TMPDIR": str(temporary)},
                output=log.fileno(),
                on_message=self._receive,
            ) as child,
        ):
            _log.info("job process started", extra={"pid": child.pid})
            grace_s = self.context.settings.cancel_grace_s
            return child.supervise(self._why_to_stop, within_s=within_s, grace_s=grace_s)

    def _receive(self, message: dict[str, Any]) -> None:
        """A message from the child: {"kind": "progress" | "plan" | "picture" | ...}."""
        values = {name: value for name, value in message.items() if name != "kind"}
        if message.get("kind") == "progress":
            self.heartbeat.report(values)
        elif message.get("kind") == "plan":
            self.plan = values
        elif message.get("kind") == PICTURE:
            self.heartbeat.pictures.append(values)
        elif self.sharing is not None:
            self.sharing.receive(str(message.get("kind")), values)

    def _why_to_stop(self) -> Stop | None:
        grace_s = self.context.settings.cancel_grace_s
        if self.sharing is not None and self.sharing.failure is not None:
            raise self.sharing.failure
        if self.heartbeat.lost.is_set():
            return Stop(LOST)
        if self.is_lost:  # what it does from now on nobody would find
            return Stop(CANCELLED if self.heartbeat.cancel_requested.is_set() else FOLDER_LOST)
        if self.heartbeat.cancel_requested.is_set():
            return Stop(CANCELLED, grace_s)
        return Stop(STOPPING, grace_s) if self.context.stopping.is_set() else None

    def _conclude(self, folder: Path, ended: ProcessExit, save: Callable[[], None]) -> Verdict:
        if ended.stopped == LOST:
            return "lost"
        if ended.stopped == CANCELLED:
            return "cancelled"
        if ended.status == DONE:
            return self._publish(folder, ended)
        if ended.stopped == DEADLINE:
            return verdicts.over_time(self._max_run_s)
        if ended.stopped == STOPPING:
            save()
            return "stopping"
        with suppress(ServiceError):  # the storage is away; then what was stored last counts
            save()
        self.heartbeat.beat()
        return self._judge(folder, ended)

    def _publish(self, folder: Path, ended: ProcessExit) -> Verdict:
        if not self.heartbeat.beat():  # frozen meanwhile: the result is another's to publish
            return "lost"
        self.heartbeat.report({"phase": "publishing"})
        published = publish(
            self.context.database,
            self.context.storage,
            self.job,
            folder / OUT,
            usage=self._usage(ended),
            still_ours=self.heartbeat.beat,
            insist=self.context.insist,
        )
        if published is None:
            return "unknown"
        return "published" if published else "lost"

    def _usage(self, ended: ProcessExit) -> dict[str, Any]:
        return {
            "seconds": ended.seconds,
            "cpu_seconds": ended.cpu_s,
            "peak_memory_bytes": ended.peak_memory_bytes,
            "device": self.context.device,
            "attempts": self.job.attempt - self.job.refunds,
        }

    def _judge(self, folder: Path, ended: ProcessExit) -> Verdict:
        output = log_tail(folder)
        outcome = ChildOutcome(
            exit=ended,
            problem=read_error(folder),
            plan=self.plan,
            shortage=self._shortage(ended, output),
            learnt=self.heartbeat.learnt,
            limit_bytes=memory.limit_bytes(),
            now=clock.now(),
            wait_s=self.context.settings.reap_s,
        )
        fields = {"exit_status": ended.status, "problem": outcome.problem, "output": output}
        _log.warning("job process failed", extra=fields)
        return verdicts.judge(outcome)

    def _shortage(self, ended: ProcessExit, output: str) -> Shortage | None:
        """A process that was killed has printed nothing about it."""
        of_folder = shortages.of_folder(self.context.settings.work_dir, is_lost=self.is_lost)
        return of_folder or (shortages.of_output(output) if ended.status > 0 else None)


def child_environment(environment: Mapping[str, str], device: str) -> dict[str, str]:
    """Returns ours without secrets; of the GPUs, the child sees `device` alone, so that "auto" means that one."""
    child = {**without_secrets(environment), "PYTHONFAULTHANDLER": "1"}
    if device == "cpu":
        child["CUDA_VISIBLE_DEVICES"] = ""
    if device.startswith("cuda:"):
        index = int(device.removeprefix("cuda:"))
        visible = environment.get("CUDA_VISIBLE_DEVICES", "")
        child["CUDA_VISIBLE_DEVICES"] = visible.split(",")[index] if visible else str(index)
    return child
