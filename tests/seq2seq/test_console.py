"""Progress: bars that end, and logs that stay short."""

from io import StringIO

import pytest
from rich.console import Console

from seq2seq.commands.console import BarDisplay, LineDisplay, SilentDisplay, format_duration, open_display
from seq2seq.progress import Progress


class Clock:
    """A clock that goes on by one second whenever it is read."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def a_run() -> list[Progress]:
    fit = [Progress("fitting", step, 100, loss=0.1, holdout_psnr=25.0, eta_s=100.0 - step) for step in range(101)]
    return [Progress("reading"), *fit, Progress("writing", 0, 3), Progress("writing", 3, 3)]


def test_a_log_holds_the_start_and_the_end_of_each_phase_and_few_lines_between() -> None:
    lines: list[str] = []
    display = LineDisplay(lines.append, interval_s=40, clock=Clock())
    for progress in a_run():
        display(progress)
    assert lines[0] == "reading"
    assert lines[1] == "fitting 0/100, loss 0.1, held-out 25.00 dB, 1 min 40 s left"
    assert "fitting 100/100, loss 0.1, held-out 25.00 dB, 0 s left" in lines
    assert lines[-2:] == ["writing 0/3", "writing 3/3"]
    assert len(lines) <= 8


def test_messages_are_always_shown_and_never_read_as_markup() -> None:
    lines: list[str] = []
    LineDisplay(lines.append)(Progress("reading", message="2021-01-01 [bold] is empty"))
    assert lines == ["2021-01-01 [bold] is empty", "reading"]
    terminal = StringIO()
    with open_display(Console(file=terminal, force_terminal=True, width=100), quiet=False) as display:
        display(Progress("reading", message="2021-01-01 [bold] is empty"))
    assert "2021-01-01 [bold] is empty" in terminal.getvalue()


def test_a_terminal_gets_one_bar_for_each_phase() -> None:
    terminal = StringIO()
    with open_display(Console(file=terminal, force_terminal=True, width=120), quiet=False) as display:
        assert isinstance(display, BarDisplay)
        for progress in a_run():
            display(progress)
    last_frame = terminal.getvalue().rsplit("Reading", 1)[1]
    assert "Fitting" in last_frame
    assert "100/100" in last_frame
    assert "3/3" in last_frame


def test_a_file_gets_lines_without_control_characters() -> None:
    log = StringIO()
    with open_display(Console(file=log), quiet=False) as display:
        for progress in a_run():
            display(progress)
    assert "\x1b" not in log.getvalue()
    assert "\r" not in log.getvalue()


def test_quiet_says_nothing() -> None:
    log = StringIO()
    with open_display(Console(file=log, force_terminal=True), quiet=True) as display:
        assert isinstance(display, SilentDisplay)
        display(Progress("reading", message="anything"))
        display.notify("anything")
    assert log.getvalue() == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3599.9, "1 h 00 min"),
        (7800, "2 h 10 min"),
    ],
)
def test_durations_are_read_easily(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_progress_beyond_the_end_is_our_bug() -> None:
    with pytest.raises(ValueError, match="step 4 of 3 in phase 'writing'"):
        Progress("writing", 4, 3)
