"""Ctrl-C and SIGTERM: the first asks the work to stop, the second ends the program."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seq2seq.commands.console import Display


@contextmanager
def stop_on_signals(
    display: "Display", line: str = "Stopping after this step; what was learnt is kept. Once more to end at once."
) -> Iterator[threading.Event]:
    """An event that the first Ctrl-C or SIGTERM sets, which shows `line`; the second one ends the program at once."""
    stop = threading.Event()

    def ask_to_stop(number: int, _: object) -> None:
        stop.set()
        signal.signal(number, previous[signal.Signals(number)])
        display.notify(line)

    previous = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
