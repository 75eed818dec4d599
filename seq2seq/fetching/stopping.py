"""A question, whether to stop, as a check that raises."""

from collections.abc import Callable

from seq2seq.errors import Stopped
from seq2seq.progress import ShouldStop


def stop_check(should_stop: ShouldStop) -> Callable[[], None]:
    """A function that raises `Stopped` once `should_stop` says so."""

    def check() -> None:
        if should_stop():
            raise Stopped("stopped")

    return check
