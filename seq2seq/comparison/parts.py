"""Finished outcomes on disk, so that a comparison that was stopped, or is made larger, repeats none of them.

A file each in OUT/.parts, named by all that decides the outcome: input, kind of gap, seed, method, settings, version.
Failures are not kept: what was missing may be there next time. Pictures lie beside it, in a file of the case and one of
the method; an outcome that should have them and whose file is gone is made again.
"""

import hashlib
import json
import zipfile
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from seq2seq.comparison.case import CaseName, Outcome
from seq2seq.config import ReconstructionConfig
from seq2seq.report.method_pictures import CasePicture, MethodPicture, packed, unpacked
from seq2seq.writers import write_file

FOLDER = ".parts"
# What decides a case beside its name: all settings but these.
_OF_METHODS = ("method", "method_settings")
# Of the file of an outcome: whether pictures lie beside it.
_PICTURED = "pictured"
# Counts up when the pixels that are hidden, or what is measured on them, change within a version.
_PROTOCOL = 2


class Parts:
    """The finished outcomes of comparisons to the folder `out`."""

    def __init__(self, out: Path) -> None:
        self._folder = out / FOLDER
        self._cases: dict[Path, CasePicture] = {}

    def find(self, fingerprint: str, case: CaseName, config: ReconstructionConfig) -> Outcome | None:
        """The outcome kept of the very same, by whatever name the input goes now; None where there is none."""
        path = self._path(fingerprint, case, config)
        # cut off, or of others: made again
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile):
            values = json.loads(path.read_text(encoding="utf-8"))
            pictured = values.pop(_PICTURED)
            outcome = Outcome.from_dict({**values, "case": {**values["case"], "input": case.input}})
            if not pictured:
                return outcome
            shown = self._case(self._case_path(fingerprint, case, config))
            return replace(outcome, picture=MethodPicture.from_bytes(_picture_of(path).read_bytes(), shown))
        return None

    def keep(self, fingerprint: str, outcome: Outcome, config: ReconstructionConfig) -> None:
        """Keeps what has scores. Raises `OutputError`."""
        if outcome.reason is not None:
            return
        path, picture = self._path(fingerprint, outcome.case, config), outcome.picture
        if picture is not None:  # first, so that an outcome on disk has its pictures
            of_case = self._case_path(fingerprint, outcome.case, config)
            write_file(of_case, packed(picture.case.to_arrays()))
            write_file(_picture_of(path), picture.to_bytes())
        text = json.dumps({**outcome.to_dict(), _PICTURED: picture is not None}, indent=1)
        write_file(path, text.encode())

    def _case(self, path: Path) -> CasePicture:
        """One in memory, however many methods show it."""
        if path not in self._cases:
            self._cases[path] = CasePicture.from_arrays(unpacked(path.read_bytes()))
        return self._cases[path]

    def _path(self, fingerprint: str, case: CaseName, config: ReconstructionConfig) -> Path:
        return self._named(config.method, fingerprint, case, config.recorded(), ".json")

    def _case_path(self, fingerprint: str, case: CaseName, config: ReconstructionConfig) -> Path:
        shared = {name: value for name, value in config.recorded().items() if name not in _OF_METHODS}
        return self._named("case", fingerprint, case, shared, ".npz")

    def _named(self, name: str, fingerprint: str, case: CaseName, settings: dict[str, Any], suffix: str) -> Path:
        decisive = [_PROTOCOL, version("decloud"), fingerprint, case.gap, case.seed, settings]
        text = json.dumps(decisive, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        return self._folder / f"{name}-{case.gap}-{case.seed}-{digest}{suffix}"


def _picture_of(path: Path) -> Path:
    return path.with_suffix(".npz")
