"""`decloud methods`: the methods here, and the settings of each."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from seq2seq.settings import Setting


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
        table.add_row(each.name, _shown(each), _range(each), each.about)
    console.print(table)
    example = f"--method {name} --set {settings[0].name}={_shown(settings[0])}"
    console.print(f"\nFor example: decloud run INPUT OUT {example}", style="dim", highlight=False)


def _shown(setting: "Setting") -> str:
    return f"{setting.default:g}" if setting.kind is float else str(setting.default)


def _range(setting: "Setting") -> str:
    if setting.choices:
        return ", ".join(map(str, setting.choices))
    if setting.low is None or setting.high is None:
        return "true, false" if setting.kind is bool else "text"
    return f"{setting.low:g} to {setting.high:g}"
