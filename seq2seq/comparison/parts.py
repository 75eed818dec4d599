"""Finished outcomes on disk, so that a comparison that was stopped, or is made larger, repeats none of them.

A file each in OUT/.parts, named by all that decides the outcome: input, kind of gap, seed, method, settings, version.
Failures are not kept: what was missing may be there next time.
"""

import hashlib
import json
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from seq2seq.comparison.case import CaseName, Outcome
from seq2seq.config import ReconstructionConfig
from seq2seq.writers import write_file

FOLDER = ".parts"
# Counts up when the pixels that are hidden, or what is measured on them, change within a version.
_PROTOCOL = 1


class Parts:
    """The finished outcomes of comparisons to the folder `out`."""

    def __init__(self, out: Path) -> None:
        self._folder = out / FOLDER

    def find(self, fingerprint: str, case: CaseName, config: ReconstructionConfig) -> Outcome | None:
        """The outcome kept of the very same, by whatever name the input goes now; None where there is none."""
        path = self._path(fingerprint, case, config)
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):  # cut off, or of others: made again
            values = json.loads(path.read_text(encoding="utf-8"))
            return Outcome.from_dict({**values, "case": {**values["case"], "input": case.input}})
        return None

    def keep(self, fingerprint: str, outcome: Outcome, config: ReconstructionConfig) -> None:
        """Keeps what has scores. Raises `OutputError`."""
        if outcome.reason is None:
            text = json.dumps(outcome.to_dict(), indent=1)
            write_file(self._path(fingerprint, outcome.case, config), text.encode())

    def _path(self, fingerprint: str, case: CaseName, config: ReconstructionConfig) -> Path:
        decisive = [_PROTOCOL, version("decloud"), fingerprint, case.gap, case.seed, config.recorded()]
        text = json.dumps(decisive, sort_keys=True)
        return (
            self._folder
            / f"{config.method}-{case.gap}-{case.seed}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
        )
