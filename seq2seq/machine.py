"""How several processes share a machine: how many there are, and what each gets of it."""

from collections.abc import Sequence

from seq2seq.errors import ConfigError

AUTO = "auto"
MOST_PROCESSES = 256
_CORES_EACH = 2
RULE = "auto: one for each GPU, else one for every two cores"


def parse_count(name: str, text: str) -> int | None:
    """Reads a number, or `auto`: None. name: of the option. Raises `ConfigError`."""
    if text.strip() == AUTO:
        return None
    if not (text.strip().isdecimal() and 1 <= int(text) <= MOST_PROCESSES):
        raise ConfigError(f"{name} is {text!r}, must be auto or a whole number from 1 to {MOST_PROCESSES}")
    return int(text)


def auto_count(device: str, available: Sequence[str], cores: int) -> int:
    """As many as do not take from each other what makes them quick.

    device: as asked for. available: names of devices, see `devices.available_devices`.
    """
    if _is_cpu(device, available):
        return max(1, cores // _CORES_EACH)
    return len(set(share_devices(device, available, len(available))))


def share_devices(device: str, available: Sequence[str], count: int) -> list[str]:
    """The device of each process: GPUs in turn where `auto` means a GPU, else the one that was asked for."""
    gpus = [name for name in available if name.startswith("cuda")]
    if device == AUTO and gpus:
        return [gpus[k % len(gpus)] for k in range(count)]
    return [device] * count


def share_threads(cores: int, count: int) -> int:
    """Threads of each process."""
    return max(1, cores // count)


def _is_cpu(device: str, available: Sequence[str]) -> bool:
    return device == "cpu" or (device == AUTO and available[0] == "cpu")
