"""The page as one HTML file that opens without a server: its modules, styles and a bundle's files all stand in it.

Modules are `data:` addresses in an import map, because a page opened from disk may load no module beside it. What may
run is stated by hash, so that nothing that stands among the data ever runs.
"""

import base64
import hashlib
import html
import json
import posixpath
import re
from collections.abc import Iterator, Mapping

from seq2seq.errors import MissingDataError
from seq2seq.page import INDEX, Page

# What runs at the start, and what it loads when it is shown in a file; the service's views are left out.
_ROOTS = ("app.js", "viewer/view.js")
_CHARTS = "vendor/uplot/uPlot.iife.min.js"
_NAMED = "decloud/"
_IMPORT = re.compile(r"""(\bfrom |\bimport |\bimport\()(["'])(\.{1,2}/[^"']+)\2""")
_STYLES = re.compile(r'[ \t]*<link rel="stylesheet" href="page/([^"]+)">\n')
_LOADED = re.compile(
    r'[ \t]*<(?:link rel="modulepreload"[^>]*>|script type="module" src="[^"]*"(?: async)?></script>)\n'
)
_ICON = re.compile(r'<link rel="icon"[^>]*>')
_CSS_URL = re.compile(r'url\("(?!data:)([^"]+)"\)')


def single_page(page: Page, title: str, files: Mapping[str, bytes]) -> bytes:
    """The whole file. title: of the result, any text. files: by the address that `decloud view` serves each at.

    Raises `MissingDataError` where the page is not installed.
    """
    index = page.index("file")
    if index is None:
        raise MissingDataError(f"{INDEX}: the page was not installed with decloud; install it again", file=INDEX)
    text = index.content.decode()
    styles = "\n".join(_style(page, path) for path in _STYLES.findall(text))
    modules = dict(_modules(page))
    imports = json.dumps(
        {"imports": {f"{_NAMED}{path}": _data("text/javascript", code) for path, code in modules.items()}}
    )
    scripts = [
        (' type="importmap"', imports),
        ("", _text(page, _CHARTS)),
        (' type="module"', f'import "{_NAMED}{_ROOTS[0]}";'),
    ]
    head = [
        f'<meta http-equiv="Content-Security-Policy" content="{_policy([code for _, code in scripts], styles)}">',
        f'<link rel="icon" href="{_data("image/svg+xml", _text(page, "icon.svg"))}">',
        f"<style>{styles}</style>",
        *(f"<script{kind}>{code}</script>" for kind, code in scripts),
    ]
    text = _ICON.sub("", _LOADED.sub("", _STYLES.sub("", text)))
    text = text.replace("<title>Decloud</title>", f"<title>{html.escape(title)} · Decloud</title>")
    charset = '<meta charset="utf-8">'
    text = text.replace(charset, f"{charset}\n{head[0]}").replace("</head>", "\n".join([*head[1:], "</head>"]))
    return text.replace("</body>", "".join([*map(_embedded, files.items()), "</body>"])).encode()


def embedded_bytes(path: str, size: int) -> int:
    """How much of the page a file of this many bytes takes."""
    return len(_embedded((path, b""))) + 4 * -(-size // 3)


def _embedded(file: tuple[str, bytes]) -> str:
    path, content = file
    return (
        f'<script type="application/octet-stream" data-path="{html.escape(path)}">'
        f"{base64.b64encode(content).decode()}</script>\n"
    )


def _modules(page: Page) -> Iterator[tuple[str, str]]:
    """Path and text of every module that is reached, its imports by name."""
    waiting, known = list(_ROOTS), set(_ROOTS)
    while waiting:
        path = waiting.pop(0)
        code, near = _by_name(path, _text(page, path))
        for each in near:
            if each not in known:
                known.add(each)
                waiting.append(each)
        yield path, code


def _by_name(path: str, code: str) -> tuple[str, list[str]]:
    """A module with its imports by name, and the paths of those that it needs before it runs."""
    needed = []

    def named(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), found[3]))
        if not found[1].endswith("("):
            needed.append(target)
        return f"{found[1]}{found[2]}{_NAMED}{target}{found[2]}"

    return _IMPORT.sub(named, code), needed


def _style(page: Page, path: str) -> str:
    """A stylesheet with the pictures that it names in it."""

    def inside(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), found[1]))
        return f'url("{_data("image/svg+xml", _text(page, target))}")'

    return _CSS_URL.sub(inside, _text(page, path))


def _text(page: Page, path: str) -> str:
    found = page.find(path)
    if found is None:
        raise MissingDataError(
            f"{path}: this file of the page was not installed with decloud; install it again", file=path
        )
    text = found.content.decode()
    if "</script" in text.lower() or "</style" in text.lower():
        raise MissingDataError(f"{path}: this file of the page cannot stand in another", file=path)
    return text


def _data(media_type: str, text: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(text.encode()).decode()}"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _policy(scripts: list[str], styles: str) -> str:
    """Nothing is asked of any server; what may run, and the looks, stand here by hash. Modules are data: addresses."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {' '.join(map(_hash, scripts))} data:",
            f"style-src {_hash(styles)}",
            "img-src data: blob:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
