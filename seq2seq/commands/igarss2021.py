"""`decloud benchmark --protocol igarss2021`: the paper's own evaluation on somebody's sequence, beside its table."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq.commands.stopping import stop_on_signals
from seq2seq.errors import Stopped
from seq2seq.extras import naming_extra

if TYPE_CHECKING:
    from rich.console import Console

    from seq2seq.comparison.benchmark import Plan


def run_protocol(console: "Console", inputs: Sequence[Path], out: Path, plan: "Plan", *, quiet: bool) -> None:
    """Runs it and prints the table with its notes."""
    from rich.table import Table

    from seq2seq.commands.console import open_display

    with naming_extra():
        from seq2seq.comparison.igarss2021 import NOTES, benchmark_igarss2021
        from seq2seq.comparison.protocol_table import HEAD, cells
    with open_display(console, quiet=quiet) as display, stop_on_signals(display, "Stopping.") as stop:
        try:
            lines = benchmark_igarss2021(inputs, out, plan, on_progress=display, should_stop=stop.is_set)
        except Stopped as stopped:
            raise Stopped("stopped; nothing was written") from stopped
    if quiet:
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for number, heading in enumerate(HEAD[:-1]):
        table.add_column(heading, justify="right" if number > 1 else "left")
    for line in lines:
        table.add_row(*cells(line)[:-1])
    console.print(table)
    for note in NOTES:
        console.print(f"note  {note}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"Table {out / 'table.md'}", markup=False, highlight=False, soft_wrap=True)
