"""One attempt at one job: a folder, a child process, and a verdict on how it went. What follows is the supervisor's."""

import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from worker import clock, jobs
from worker.database.connections import Database
from worker.errors import NotFound, ServiceError
from worker.jobs import Job, uploads
from worker.places import Place
from worker.results.publishing import Insist, publish
from worker.running import endings, memory, shortages
from worker.running.advance import Advance
from worker.running.checkpoints import RemoteCheckpoint, fetch_checkpoint, saved_every
from worker.running.endings import Failure, Retry, Situation
from worker.running.job_folder import DONE, INPUT, LOG, OUT, UPLOAD, Request, log_tail, read_error
from worker.running.process import ChildProcess, Ending, without_secrets
from worker.running.pulse import Pulse
from worker.running.shortages import Shortage
from worker.running.workplace import Workplace
from worker.settings import Settings
from worker.storage import Storage

_log = logging.getLogger(__name__)

# Key of `params` that asks for the simulated method, with its settings.
SIMULATED = "simulated"
CHECKPOINT_EVERY_S = 30.0
_LOOK_S = 0.05

Why = Literal["itself", "lost", "cancelled", "over time", "stopping"]
Verdict = Literal["published", "lost", "cancelled", "stopping", "unknown"] | Retry | Failure


@dataclass(frozen=True)
class Bench:
    """What a supervisor works with. stopping: set when it must end. insist: repeats a call to the database."""

    database: Database
    storage: Storage
    settings: Settings
    device: str
    command: Sequence[str]
    stopping: threading.Event
    insist: Insist


@dataclass
class Attempt:
    """`run` does it and says how it went; it changes neither the job's status nor anybody else's files."""

    bench: Bench
    job: Job
    pulse: Pulse
    plan: dict[str, Any] = field(default_factory=dict)
    place: Place | None = None

    def run(self) -> Verdict:
        """published: and committed. lost: the job is somebody else's. unknown: the database has not answered."""
        if SIMULATED in self.job.params and not _allows_simulated(self.bench.settings):
            return Failure({"code": "invalid-config", "detail": f"{SIMULATED}: there is no such setting."})
        folder, checkpoint = self._prepare()
        if not isinstance(folder, Path):
            return folder
        with saved_every(CHECKPOINT_EVERY_S, checkpoint) if self._is_remote else nullcontext():
            ending, why = self._run_child(folder)
        said = {"exit_status": ending.status, "why": why, "seconds": round(ending.seconds, 1)}
        _log.info("job process ended", extra=said)
        if why == "lost" or why == "cancelled":
            return why
        if ending.status == DONE:
            return self._publish(folder, ending)
        if why == "over time":
            return endings.over_time(self._max_run_s)
        if why == "stopping":
            checkpoint()
            return why
        with suppress(ServiceError):  # the storage is away; then what was stored last counts
            checkpoint()
        self.pulse.beat()
        return self._judge(folder, ending)

    @property
    def is_lost(self) -> bool:
        """Whether the attempt's folder was taken from under it: it is gone, or another one lies there."""
        return self.place is not None and self.place.trouble() is not None

    @property
    def _is_remote(self) -> bool:
        return not self.bench.settings.storage_url.startswith("file:")

    @property
    def _max_run_s(self) -> float:
        """The key's quota or the settings' when it was submitted; jobs of older releases have no figure."""
        return self.job.max_run_s or self.bench.settings.max_run_s

    def _prepare(self) -> tuple[Path | Failure, Callable[[], None]]:
        """The folder with its request, and how to store the checkpoint in it."""
        bench, job = self.bench, self.job
        place = Workplace(bench.settings.work_dir)
        folder = place.prepare(job)
        self.place = Place.of(folder)
        if self._is_remote:
            fetch_checkpoint(bench.storage, job, folder, newer_than=place.latest(job))
        save_checkpoint = self._checkpointing(folder)

        method = {SIMULATED: job.params[SIMULATED]} if SIMULATED in job.params else "decloud"
        name: str | None = None
        if method == "decloud" and not (folder / INPUT).exists() and not (folder / OUT).exists():
            try:
                name = self._fetch_upload(folder)
            except NotFound:
                gone = {"code": "upload-gone", "detail": f"Upload {job.input_id} is no longer there."}
                return Failure(gone), save_checkpoint
        request = Request(
            job_id=job.id,
            attempt=job.attempt,
            upload=name,
            params={name: value for name, value in job.params.items() if name != SIMULATED},
            retry=job.retry or {},
            method=method,
            environment=bench.settings.environment,
            limits={"pixel_dates": int(job.max_pixels_dates or bench.settings.max_pixels_dates)},
        )
        request.write(folder)
        return folder, save_checkpoint

    def _checkpointing(self, folder: Path) -> Callable[[], None]:
        """How to store the checkpoint where others reach it, which is where it has to be to count."""
        advance = Advance(folder, whole=not self._is_remote)
        if not self._is_remote:
            self.pulse.watch(advance.look)
            return lambda: None
        remote = RemoteCheckpoint(self.bench.storage, self.job, folder)

        def save() -> None:
            is_newer = advance.look()  # first: what is saved has this much at least
            if remote.save(self.pulse.beat):
                jobs.save_checkpoint(self.bench.database, self.job, self.job.checkpoint_prefix)
                if is_newer:
                    self.pulse.watch(lambda: True)

        return save

    def _fetch_upload(self, folder: Path) -> str:
        """The user's file, on the way to the import; its name. Raises `NotFound`."""
        assert self.job.input_id is not None, f"job {self.job.id} has no input"
        upload = uploads.get(self.bench.database, self.job.input_id, None)
        self.bench.storage.get(upload.key, folder / UPLOAD, link=True)
        return upload.name or "upload"

    def _run_child(self, folder: Path) -> tuple[Ending, Why]:
        environment = child_environment(os.environ, self.bench.device)
        child = ChildProcess(
            [*self.bench.command, str(folder)],
            folder=folder,
            log=folder / LOG,
            environment={**environment, "TMPDIR": str(_made(folder / "tmp"))},
            on_line=self._hear,
        )
        _log.info("job process started", extra={"pid": child.pid})
        try:
            return self._watch(child)
        finally:
            child.end()

    def _hear(self, line: dict[str, Any]) -> None:
        """A line from the child's pipe: {"kind": "progress" | "plan", ...}."""
        values = {name: value for name, value in line.items() if name != "kind"}
        if line.get("kind") == "progress":
            self.pulse.tell(values)
        elif line.get("kind") == "plan":
            self.plan = values

    def _watch(self, child: ChildProcess) -> tuple[Ending, Why]:
        """Until the child has ended, by itself or because it had to: first asked, and killed after the grace."""
        why: Why = "itself"
        over_at = clock.elapsed() + self._max_run_s
        kill_at: float | None = None
        while (ending := child.poll()) is None:
            now, reason = clock.elapsed(), self._reason_to_end(over_at)
            if reason == "lost" or self.is_lost:  # what it does from now on nobody would find
                child.kill()
            elif reason is not None and kill_at is None:
                child.ask_to_stop()
                kill_at = now + self.bench.settings.cancel_grace_s
            elif kill_at is not None and now > kill_at:
                child.kill()
            why = reason or why
            self.pulse.lost.wait(_LOOK_S)
        return ending, why

    def _reason_to_end(self, over_at: float) -> Why | None:
        if self.pulse.lost.is_set():
            return "lost"
        if self.pulse.cancel_requested.is_set():
            return "cancelled"
        if clock.elapsed() > over_at:
            return "over time"
        return "stopping" if self.bench.stopping.is_set() else None

    def _publish(self, folder: Path, ending: Ending) -> Verdict:
        if not self.pulse.beat():  # frozen meanwhile: the result is another's to publish
            return "lost"
        self.pulse.tell({"phase": "publishing"})
        published = publish(
            self.bench.database,
            self.bench.storage,
            self.job,
            folder / OUT,
            usage=self._usage(ending),
            still_ours=self.pulse.beat,
            insist=self.bench.insist,
        )
        if published is None:
            return "unknown"
        return "published" if published else "lost"

    def _usage(self, ending: Ending) -> dict[str, Any]:
        return {
            "seconds": ending.seconds,
            "cpu_seconds": ending.cpu_s,
            "peak_memory_bytes": ending.peak_memory_bytes,
            "device": self.bench.device,
            "attempts": self.job.attempt - self.job.refunds,
        }

    def _judge(self, folder: Path, ending: Ending) -> Verdict:
        output = log_tail(folder)
        situation = Situation(
            ending=ending,
            problem=read_error(folder),
            plan=self.plan,
            shortage=self._shortage(ending, output),
            learnt=self.pulse.learnt,
            limit_bytes=memory.limit_bytes(),
            now=clock.now(),
            wait_s=self.bench.settings.reap_s,
        )
        said = {"exit_status": ending.status, "problem": situation.problem, "output": output}
        _log.warning("job process failed", extra=said)
        return endings.judge(situation)

    def _shortage(self, ending: Ending, output: str) -> Shortage | None:
        """A process that was killed has printed nothing about it."""
        of_folder = shortages.of_folder(self.bench.settings.work_dir, is_lost=self.is_lost)
        return of_folder or (shortages.of_output(output) if ending.status > 0 else None)


def child_environment(environment: Mapping[str, str], device: str) -> dict[str, str]:
    """Ours without secrets; of the GPUs, the child sees `device` alone, so that "auto" means that one."""
    child = {**without_secrets(environment), "PYTHONFAULTHANDLER": "1"}
    if device == "cpu":
        child["CUDA_VISIBLE_DEVICES"] = ""
    if device.startswith("cuda:"):
        index = int(device.removeprefix("cuda:"))
        visible = environment.get("CUDA_VISIBLE_DEVICES", "")
        child["CUDA_VISIBLE_DEVICES"] = visible.split(",")[index] if visible else str(index)
    return child


def _allows_simulated(settings: Settings) -> bool:
    return settings.environment == "test" and settings.allow_simulated_method


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder
