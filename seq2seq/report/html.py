"""HTML and SVG as values: text is escaped because it is text, and only what was built here is markup."""

from html import escape


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Child = str | Markup | None
# Elements that have no end tag.
_VOID = frozenset({"img", "meta", "br", "hr"})


def element(tag: str, *children: Child, **attributes: str | float | None) -> Markup:
    """`<tag attributes>children</tag>`. Children that are not `Markup` are escaped; None is left out.

    Attribute names lose a trailing underscore (`class_`), other underscores become hyphens (`stroke_width`).
    """
    opening = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(_text(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    if tag in _VOID:
        return Markup(f"<{tag}{opening}>")
    return Markup(f"<{tag}{opening}>{join(*children)}</{tag}>")


def join(*children: Child) -> Markup:
    """One after the other, escaped where they are text."""
    return Markup("".join(c if isinstance(c, Markup) else escape(c) for c in children if c is not None))


def table(head: list[Child], rows: list[list[Child]], *, class_: str | None = None) -> Markup:
    """A table that scrolls by itself on narrow screens; the first cell of a row is its name."""
    header = element("tr", *(element("th", cell, scope="col") for cell in head))
    body = [
        element("tr", element("th", row[0], scope="row"), *(element("td", cell) for cell in row[1:])) for row in rows
    ]
    inner = element("table", element("thead", header), element("tbody", *body), class_=class_)
    return element("div", inner, class_="scroll")


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"
