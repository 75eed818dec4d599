"""Whether an attempt has stored more of the work than it began with. Time and retries are no measure of that."""

from pathlib import Path

from seq2seq.workspace import Baseline
from worker.running.job_folder import INPUT, OUT, Fetched, workspace_of


class Advance:
    """Compares what lies in the attempt's `folder` with what lay there when this was made.

    whole: what was fetched, the imported input and the finished result count as well; they reach no other machine.
    """

    def __init__(self, folder: Path, *, whole: bool) -> None:
        self._folder, self._stages = folder, (INPUT, OUT) if whole else ()
        self._before = self._done()
        self._baseline = Baseline(workspace_of(folder))

    def look(self) -> bool:
        """Returns whether something is there that was not."""
        return bool(self._done() - self._before) or self._baseline.is_surpassed()

    def _done(self) -> set[str]:
        done = {name for name in self._stages if (self._folder / name).exists()}
        return done | ({"fetched"} if self._stages and Fetched.read(self._folder) else set())
