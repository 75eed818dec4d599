"""Workers inside the serving process: one claim loop for each device, one or more for what is light, no broker. For
`decloud serve`."""

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

from worker.database.connections import Database
from worker.errors import ServiceError
from worker.lanes import LIGHT
from worker.queue.doorbell import InProcessDoorbell
from worker.running.presence import Presence, new_worker_id
from worker.running.supervisor import Supervisor
from worker.settings import Settings
from worker.storage import Storage

_log = logging.getLogger(__name__)

# Asks in a process of its own: this one never loads torch.
_ASK = "from seq2seq.nn.devices import available_devices; print(' '.join(available_devices()))"
_ASK_S = 120.0
_GPU_NODES = ("nvidia[0-9]*", "kfd", "dxg")


class EmbeddedWorkers:
    """Runs the workers. `start` returns at once; `stop` brings running jobs to a checkpoint and waits for that.

    devices: on which jobs run, one at a time on each.
    """

    def __init__(self, database: Database, storage: Storage, settings: Settings, doorbell: InProcessDoorbell) -> None:
        self._settings, self._doorbell = settings, doorbell
        self.devices = devices(settings.device)

        def supervisor(device: str, classes: tuple[str, ...]) -> Supervisor:
            own = settings.model_copy(update={"resource_classes": classes})
            return Supervisor(database, storage, own, worker_id=new_worker_id(), device=device, ring=doorbell.ring)

        self._supervisors = [
            *(supervisor(device, classes_of_jobs(settings)) for device in self.devices),
            # No GPU: what is light leaves that to jobs.
            *(supervisor("cpu", (LIGHT,)) for _ in range(settings.light_workers)),
        ]
        self._over = threading.Event()
        self._presence = Presence(database, settings, self._supervisors)
        self._threads = [
            threading.Thread(target=self._work, args=(each,), name=f"worker-{'-'.join(each.classes)}", daemon=True)
            for each in self._supervisors
        ]

    def start(self) -> None:
        """Has each worker look for jobs."""
        self._presence.start()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends all work here; jobs that ran go on elsewhere or after a restart."""
        self._over.set()
        for supervisor in self._supervisors:
            supervisor.stop()
        self._doorbell.ring("")
        for thread in self._threads:
            thread.join()
        self._presence.stop()

    def _work(self, supervisor: Supervisor) -> None:
        """Until `stop`: one job after the other; when there is none, until the doorbell, or a look now and then."""
        rings = 0
        while not self._over.is_set():
            rings = self._doorbell.wait(rings, 0)
            try:
                found = supervisor.work_once()
            except ServiceError as error:
                _log.warning("no job claimed: %s", error.detail)
                found = False
            except Exception:
                _log.exception("claim loop failed")
                found = False
            if not found:
                self._doorbell.wait(rings, self._settings.poll_s)


def classes_of_jobs(settings: Settings) -> tuple[str, ...]:
    """Returns what workers of jobs serve: what is light as well where nobody else does, such as after a restart."""
    return settings.resource_classes if settings.light_workers else (*settings.resource_classes, LIGHT)


def devices(asked: str) -> list[str]:
    """Returns a name for each worker: the device that was asked for, or every GPU there is, or "auto" without one."""
    if asked != "auto" or not _may_have_gpu():
        return [asked]
    try:
        answer = subprocess.run(
            [sys.executable, "-P", "-c", _ASK], capture_output=True, text=True, timeout=_ASK_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        _log.warning("devices are not known, using one worker: %s", error)
        return [asked]
    return [name for name in answer.stdout.split() if name.startswith("cuda:")] or [asked]


def _may_have_gpu(nodes: Path = Path("/dev")) -> bool:
    """Cheap: torch takes seconds to say no."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") == ""
    return not hidden and any(any(nodes.glob(pattern)) for pattern in _GPU_NODES)
