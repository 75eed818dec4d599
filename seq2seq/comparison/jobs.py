"""How many methods run at once, and what each gets of the machine."""

from collections.abc import Sequence

from seq2seq.errors import ConfigError

AUTO = "auto"
MOST_JOBS = 256
_CORES_EACH = 2
RULE = "auto: one for each GPU, else one for every two cores"


def parse_jobs(text: str) -> int | None:
    """Reads a number, or `auto`: None. Raises `ConfigError`."""
    if text.strip() == AUTO:
        return None
    if not (text.strip().isdecimal() and 1 <= int(text) <= MOST_JOBS):
        raise ConfigError(f"jobs is {text!r}, must be auto or a whole number from 1 to {MOST_JOBS}")
    return int(text)


def auto_jobs(device: str, available: Sequence[str], cores: int) -> int:
    """As many as do not take from each other what makes them quick.

    device: as asked for. available: names of devices, see `devices.available_devices`.
    """
    if _is_cpu(device, available):
        return max(1, cores // _CORES_EACH)
    return len(set(share_devices(device, available, len(available))))


def share_devices(device: str, available: Sequence[str], jobs: int) -> list[str]:
    """The device of each job: GPUs in turn where `auto` means a GPU, else the one that was asked for."""
    gpus = [name for name in available if name.startswith("cuda")]
    if device == AUTO and gpus:
        return [gpus[k % len(gpus)] for k in range(jobs)]
    return [device] * jobs


def share_threads(cores: int, jobs: int) -> int:
    """Threads of each job."""
    return max(1, cores // jobs)


def describe_jobs(jobs: int, *, max_minutes: float | None) -> str:
    """What a reader of seconds has to know; empty where methods ran one after another."""
    if jobs == 1:
        return ""
    fewer = "; within the time budget each got less done than it would alone" if max_minutes is not None else ""
    return (
        f"Up to {jobs} methods ran at once and shared the machine: their seconds are more than they would be alone, "
        f"and are no measure of one method beside another{fewer}."
    )


def _is_cpu(device: str, available: Sequence[str]) -> bool:
    return device == "cpu" or (device == AUTO and available[0] == "cpu")
