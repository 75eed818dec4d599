"""`decloud methods`: the methods here, and the settings of each."""

from typing import Annotated

import typer


def methods(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One method, with its settings.")] = None,
) -> None:
    """List the methods, or the settings of one: for --method and --set of `decloud run`."""
    from rich.console import Console
    from rich.table import Table

    from seq2seq.methods import METHODS, find_method
    from seq2seq.settings import settings_of

    console = Console()
    table = Table(box=None, pad_edge=False, header_style="bold", show_header=name is not None)
    if name is None:
        for info in METHODS:
            table.add_row(info.name, info.about + (" Needs Sentinel-1." if info.needs_s1 else ""))
        console.print(table)
        console.print("\nSettings of one: decloud methods NAME", style="dim", highlight=False)
        return
    info = find_method(name)
    console.print(f"{info.name}: {info.title}. {info.about}", highlight=False)
    if info.source:
        console.print(info.source, style="dim", highlight=False)
    settings = settings_of(info.settings)
    if not settings:
        console.print("It has no settings of its own.")
        return
    for heading in ("setting", "default", "values", "what"):
        table.add_column(heading)
    for each in settings:
        table.add_row(each.name, each.default_text, each.values_text, each.about)
    console.print(table)
    example = f"--method {name} --set {settings[0].name}={settings[0].default_text}"
    console.print(f"\nFor example: decloud run INPUT OUT {example}", style="dim", highlight=False)
