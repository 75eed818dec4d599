"""The page's code as files: small, self-contained, vendored unchanged, no markup from strings."""

import gzip
import hashlib
import re

import pytest
from page_server import PAGE

from seq2seq.page import Page

CODE = sorted(path for path in PAGE.rglob("*") if path.suffix in (".js", ".css", ".html"))
OURS = [path for path in CODE if "vendor" not in path.parts]
MOST_BYTES = 110_000
# Asked for when somebody uploads, watches or reads a report: no first view waits for it.
LATER = ("vendor/tus/", "watch/", "report/")
MOST_BYTES_LATER = 35_000


def test_a_first_view_needs_at_most_120_kb_as_sent() -> None:
    page, names = Page(), [path.relative_to(PAGE).as_posix() for path in CODE]
    sizes = {name: len(gzip.compress(page.find(name).content, 6)) for name in names}  # type: ignore[union-attr]
    later = {name: size for name, size in sizes.items() if name.startswith(LATER)}
    assert sum(sizes.values()) - sum(later.values()) <= MOST_BYTES, sizes
    assert sum(later.values()) <= MOST_BYTES_LATER, later


def test_comments_stay_here_and_code_and_licences_are_sent() -> None:
    """Lines of comment are taken out by their beginning, so that nothing of ours may look like one and be none."""
    for path in OURS:
        sent = Page().find(path.relative_to(PAGE).as_posix()).content.decode()  # type: ignore[union-attr]
        kept = path.read_text(encoding="utf-8").splitlines()
        missing = [line.strip() for line in kept if line not in sent.splitlines()]
        assert all(line.startswith(("//", "/*", "*")) or line.endswith("*/") for line in missing), path
        assert not any("\n" in literal for literal in re.findall(r"`[^`]*`", sent)), path
    for path in CODE:
        if path not in OURS:
            assert Page().find(path.relative_to(PAGE).as_posix()).content == path.read_bytes()  # type: ignore[union-attr]


def test_vendored_files_are_what_the_list_says() -> None:
    listed = dict(
        re.findall(r"^\| (\S+) \|.*\| ([0-9a-f]{64}) \|$", (PAGE / "vendor" / "VENDORED.md").read_text(), re.M)
    )
    files = {
        str(path.relative_to(PAGE / "vendor")): path
        for path in (PAGE / "vendor").rglob("*.*")
        if path.name != "VENDORED.md"
    }
    files |= {str(path.relative_to(PAGE / "vendor")): path for path in (PAGE / "vendor").rglob("LICENSE")}
    assert {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()} == listed


@pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(PAGE)))
def test_our_code_is_plain_and_asks_nobody_else(path: object) -> None:
    text = path.read_text(encoding="utf-8")  # type: ignore[attr-defined]
    for forbidden in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "webgl",
    ):
        assert forbidden not in text
    outside = set(re.findall(r"https?://[^\s'\"`)<]+", text)) - {"http://www.w3.org/2000/svg", "http://page.invalid/"}
    assert outside == set()
    assert len(text.splitlines()) <= 300


def test_markup_has_no_script_or_style_of_its_own() -> None:
    for path in PAGE.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text)


def test_english_stands_in_one_file() -> None:
    """Sentences elsewhere would not be translated: a capital and two words in a row in a literal."""
    sentence = re.compile(r"""["'`]([A-Z][a-z]+ [a-z]+[^"'`]*)["'`]""")
    found = {
        (path.name, each)
        for path in OURS
        if path.suffix == ".js" and path.name != "text.js"
        for line in path.read_text(encoding="utf-8").splitlines()
        if not line.lstrip().startswith(("//", "*", "/*"))
        for each in sentence.findall(line)
    }
    assert found == set()


def test_every_text_is_used() -> None:
    text = (PAGE / "text.js").read_text(encoding="utf-8")
    others = "\n".join(path.read_text(encoding="utf-8") for path in OURS if path.name != "text.js")
    keys = set(re.findall(r"^    (\w+): ", text, re.M))
    unused = sorted(key for key in keys if not re.search(rf"\b{key}\b", others))
    assert unused == []


def test_all_modules_of_the_first_view_are_asked_for_at_once() -> None:
    """A browser learns of a module's imports only when it has read it: the list in the page spares those rounds."""
    listed = set(re.findall(r'<link rel="modulepreload" href="page/([^"]+)">', (PAGE / "index.html").read_text()))
    needed, open_ = set(), ["app.js", "viewer/view.js"]
    while open_:
        name = open_.pop()
        needed.add(name)
        found = re.findall(r'^import .*"(\.[^"]+)";$', (PAGE / name).read_text(encoding="utf-8"), re.M)
        names = {str((PAGE / name).parent.joinpath(each).resolve().relative_to(PAGE)) for each in found}
        open_ += sorted(names - needed)
    assert listed == needed - {"app.js", "early.js"}  # which are scripts of the page
