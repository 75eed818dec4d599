"""Tables that the site makes of the code: a page has `<!-- table: NAME -->` where one of `TABLES` goes."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from textwrap import indent
from typing import Any

import typer

_HEAD = ("setting", "default", "values", "")
# Whether a format is sent as a file of its own.
_CONTAINER = {False: "A folder or ZIP", True: "A file"}
_PLACE = re.compile(r"<!-- table: (\w+) -->")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """MkDocs' hook: the page with its tables. A name that is none of `TABLES` is a KeyError, which ends the build."""
    return _PLACE.sub(lambda place: TABLES[place[1]](), markdown)


def settings() -> str:
    """The options of `decloud run`, in the groups that its help has."""
    from seq2seq.commands.main import app

    command: Any = typer.main.get_command(app)
    parameters = command.commands["run"].params
    options = [each for each in parameters if each.param_type_name == "option" and not each.hidden]
    panels: dict[str, list[Any]] = {}
    for option in options:
        panels.setdefault(option.rich_help_panel, []).append(option)
    return "\n\n".join(f"**{panel}**\n\n{table(('option', ''), map(_row, inside))}" for panel, inside in panels.items())


def files() -> str:
    """What a run writes, file by file."""
    from seq2seq.commands.written import rows

    return table(("file", ""), ((f"`OUT/{path}`", about) for path, about in rows()))


def outputs() -> str:
    """What a result has, as the process description says it."""
    from api.process.description import description
    from api.process.processes import find_process
    from seq2seq.processes import DECLOUD

    found = description(find_process(DECLOUD), "", "")["outputs"].items()
    return table(("output", ""), ((f"`{name}`", f"{each['title']}. {each['description']}") for name, each in found))


def indices() -> str:
    """The spectral indices: names, formulas, sources."""
    from seq2seq.products.indices import INDICES

    rows = ((f"`{each.name.lower()}`", each.title, f"`{each.formula}`", f"[source]({each.source})") for each in INDICES)
    return table(("`--products`", "", "formula", ""), rows)


def methods() -> str:
    """All methods, then the settings of each; those for ablations are folded."""
    from seq2seq.methods import METHODS

    names = table(("`--method`", ""), ((f"`{info.name}`", _about(info)) for info in METHODS))
    return "\n\n".join([names, *(f"## {info.name}\n\n{_declared_by(info.settings)}" for info in METHODS)])


def formats() -> str:
    """Every format that is read, by the name of one of its files."""
    from seq2seq.readers.formats import FORMATS, is_single_file

    rows = ((f"`{each.example}`", f"{_CONTAINER[is_single_file(each)]} with {each.name}") for each in FORMATS)
    return table(("for example", ""), rows)


def datasets() -> str:
    """The published data sets that are read."""
    from seq2seq.datasets import DATASETS

    rows = ((f"`{each.name}`", f"**{each.title}.** {each.about} {each.source}. {each.licence}.") for each in DATASETS)
    return table(("`DATASET`", ""), rows)


def protocols() -> str:
    """Each protocol: its metrics, published rows and notes."""
    from seq2seq.evaluation import PROTOCOLS

    return "\n\n".join(map(_protocol, PROTOCOLS))


def _protocol(each: Any) -> str:
    metrics = table(
        ("metric", "better", "over samples", ""),
        (
            (f"{metric.name}, {metric.unit}".strip(", "), ("lower", "higher")[metric.higher_is_better],
             metric.aggregation.name, metric.about)
            for metric in each.metrics
        ),
    )  # fmt: skip
    head = ("published", *(metric.name for metric in each.metrics), "source", "certainty")
    rows = [
        (row.method, *(_figure(row.values.get(metric.name)) for metric in each.metrics), row.source, row.certainty)
        for row in each.published
    ]
    notes = "\n".join(f"- {note}" for note in each.notes)
    parts = (f"### {each.name}", f"**{each.title}**, of `{each.dataset}`. {each.about}", metrics)
    return "\n\n".join([*parts, *([table(head, rows)] if rows else []), notes])


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; a cell's own bars are escaped."""
    return "\n".join(_lines(head, rows))


def _lines(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    for cells in (head, ["---"] * len(head), *rows):
        yield "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _about(info: Any) -> str:
    source = f" {info.source}." if info.source else ""
    return f"**{info.title}.** {info.about}{' Needs Sentinel-1.' if info.needs_s1 else ''}{source}"


def validation() -> str:
    """The settings of the proof."""
    from seq2seq.validation.settings import ValidationSettings

    return _declared_by(ValidationSettings)


def _declared_by(kind: type) -> str:
    """A table of the settings that people reach for, and a folded one of the others."""
    from seq2seq.settings import settings_of

    declared = settings_of(kind)
    parts = ["" if declared else "It has no settings of its own."]
    plain, advanced = ([each for each in declared if each.advanced == kind] for kind in (False, True))
    if plain:
        parts.append(table(_HEAD, map(_setting, plain)))
    if advanced:
        inside = table(_HEAD, map(_setting, advanced))
        parts.append(f'??? note "{len(advanced)} hyper-parameters, for ablations"\n\n{indent(inside, " " * 4)}')
    return "\n\n".join(part for part in parts if part)


def _setting(each: Any) -> tuple[str, str, str, str]:
    return f"`{each.name}`", f"`{each.default_text}`", each.values_text, each.about


def _row(option: Any) -> tuple[str, str]:
    first, *others = option.opts
    names = [first if option.is_flag or not option.metavar else f"{first} {option.metavar}", *others]
    return ", ".join(f"`{name}`" for name in names), str(option.help)


TABLES: dict[str, Callable[[], str]] = {
    "settings": settings,
    "files": files,
    "outputs": outputs,
    "indices": indices,
    "methods": methods,
    "validation": validation,
    "formats": formats,
    "datasets": datasets,
    "protocols": protocols,
}
