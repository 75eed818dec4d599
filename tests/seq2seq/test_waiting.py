"""Threads of the arithmetic wait asleep, in every process that loads it, unless somebody has decided otherwise."""

import os
import subprocess
import sys

import pytest

from seq2seq.waiting import DECIDING, SPINS, let_waiting_threads_sleep


@pytest.mark.parametrize(
    "program",
    [
        "seq2seq.run.pipeline",
        "api.commands.main, seq2seq.run.pipeline",
        "worker.child.run_job, seq2seq.run.pipeline",
        "decloud, torch",
    ],
)
def test_it_is_decided_before_torch_or_lightgbm_are_loaded(program: str) -> None:
    """Whoever loads one of them finds the setting there."""
    watching = f"""
import os, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name in ("torch", "lightgbm"):
            print(os.environ.get("GOMP_SPINCOUNT"))
            os._exit(0)
sys.meta_path.insert(0, Watch())
import {program}
"""
    environment = {name: value for name, value in os.environ.items() if name not in DECIDING}
    ended = subprocess.run([sys.executable, "-c", watching], env=environment, capture_output=True, text=True)
    assert ended.stdout.strip() == str(SPINS), ended.stderr


@pytest.mark.parametrize("name", DECIDING)
def test_who_has_decided_is_left_alone(name: str) -> None:
    environment = {name: "decided"}
    let_waiting_threads_sleep(environment)
    assert environment == {name: "decided"}
