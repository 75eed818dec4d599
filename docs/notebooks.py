"""Keeps pages of notebooks to themselves: what would draw formulas and diagrams, which they lack, is from elsewhere."""

import re
from typing import Any

_FROM_ELSEWHERE = re.compile(
    r'<script src="">\s*</script>|<script type="(?:module|text/x-mathjax-config)">.*?</script>', re.DOTALL
)


def on_page_content(html: str, **_: Any) -> str:
    """MkDocs' hook: a notebook without scripts that would load others; any other page as it is."""
    return _FROM_ELSEWHERE.sub("", html) if "jupyter-wrapper" in html else html
