"""Jinja templates of this folder: text is escaped unless a template itself wrote it, an unknown name is an error."""

import base64
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from seq2seq.progress import format_duration
from seq2seq.report import figures


@cache
def template(name: str) -> Template:
    """The template in the file `name`."""
    environment = Environment(
        loader=PackageLoader("seq2seq", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "fixed": figures.fixed,
        "percent": figures.percent,
        "signed": figures.signed,
        "thousands": figures.thousands,
        "coordinate": figures.coordinate,
        "or_dash": figures.or_dash,
        "duration": format_duration,
        "base64": lambda content: base64.b64encode(content).decode(),
    }
    environment.globals |= {"difference": figures.difference}
    return environment.get_template(name)
