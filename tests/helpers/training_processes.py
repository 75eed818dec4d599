"""`decloud fit` on the toy data set, in several processes as torchrun starts them."""

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from locations import HELPERS, ROOT
from safetensors.torch import load_file
from torch import Tensor

_LONGEST_S = 100


def learn_in_processes(
    processes: int, method: str, folder: Path, out: Path, settings: Mapping[str, Any]
) -> tuple[dict[str, Tensor], list[str]]:
    """Learns for 6 steps of 4 samples. Returns the weights and what each process said."""
    options = [f"--set={name}={value}" for name, value in settings.items()]
    command = [
        sys.executable, str(HELPERS / "toy_dataset.py"), "fit", "--method", method, "toy", str(folder), "--out",
        str(out), "--steps", "6", "--batch", "4", "--device", "cpu", *options,
    ]  # fmt: skip
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {
        "WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(HELPERS)]),
    }  # fmt: skip
    started = [
        subprocess.Popen(
            command, env={**os.environ, **shared, "RANK": str(rank)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        for rank in range(processes)
    ]
    said = [each.communicate(timeout=_LONGEST_S)[0].decode() for each in started]
    assert [each.returncode for each in started] == [0] * processes, said
    return load_file(out), said
