"""Tables that the site makes of the code: a page has `<!-- table: NAME -->` where one of `TABLES` goes."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import typer

_PLACE = re.compile(r"<!-- table: (\w+) -->")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """MkDocs' hook: the page with its tables. A name that is none of `TABLES` is a KeyError, which ends the build."""
    return _PLACE.sub(lambda place: TABLES[place[1]](), markdown)


def settings() -> str:
    """The options of `decloud run`, in the groups that its help has."""
    from seq2seq.commands.main import app

    command: Any = typer.main.get_command(app)
    options = [option for option in command.commands["run"].params if option.param_type_name == "option"]
    panels: dict[str, list[Any]] = {}
    for option in options:
        panels.setdefault(option.rich_help_panel, []).append(option)
    return "\n\n".join(f"**{panel}**\n\n{table(('option', ''), map(_row, inside))}" for panel, inside in panels.items())


def outputs() -> str:
    """What a result has, as the process description says it."""
    from api.process.description import description

    found = description("", "")["outputs"].items()
    return table(("output", ""), ((f"`{name}`", f"{each['title']}. {each['description']}") for name, each in found))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; a cell's own bars are escaped."""
    return "\n".join(_lines(head, rows))


def _lines(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    for cells in (head, ["---"] * len(head), *rows):
        yield "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _row(option: Any) -> tuple[str, str]:
    name = option.opts[0] if option.is_flag or not option.metavar else f"{option.opts[0]} {option.metavar}"
    return f"`{name}`", str(option.help)


TABLES: dict[str, Callable[[], str]] = {"settings": settings, "outputs": outputs}
