"""The files of a run, as the help shows them: made from the table of products."""

import textwrap

from seq2seq.products import made_by
from seq2seq.products.base import DATE, HTML
from seq2seq.products.choosing import Outputs

# Narrow enough for a terminal of 80 columns.
_ABOUT_WIDTH = 46


def rows() -> list[tuple[str, str]]:
    """Lists files and what they are: those of every run, then those that are asked for, indices as one."""
    always = Outputs().files
    listed = [
        (file.path, product.about if file == product.files[0] else "The same, to be read.")
        for product, file in always
        if file == product.files[0] or file.media_type == HTML
    ]
    asked_for = [product for product in made_by("run") if product not in Outputs().products]
    if any(product.optional for product in asked_for):
        listed.append((f"INDEX/{DATE}.tif", "With --products: a spectral index, such as ndvi, and its uncertainty."))
    cubes = [product for product in asked_for if not product.optional]
    return [*listed, *((product.path, f"With --format {product.format}: {product.about}") for product in cubes)]


def written_files() -> str:
    """Writes a line for each file; Typer leaves the breaks of a paragraph alone that begins with a backspace."""
    indent = max(len(path) for path, _ in rows()) + 4
    lines = [
        textwrap.fill(
            about, indent + _ABOUT_WIDTH, initial_indent=f"  {path}".ljust(indent), subsequent_indent=" " * indent
        )
        for path, about in rows()
    ]
    return "\n".join(["\b", "Writes into OUT:", *lines])
