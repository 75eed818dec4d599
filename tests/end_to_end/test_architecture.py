"""The rules that keep each new thing one new file, held against the source itself."""

import ast
import io
import re
import tokenize
from functools import cache
from pathlib import Path

import pytest
from locations import ROOT

from seq2seq.config import SETTINGS
from seq2seq.earlier_names import RECIPES
from seq2seq.methods import METHODS
from seq2seq.products import PRODUCTS

PACKAGES = ("decloud", "seq2seq", "api", "worker")
SOURCES = tuple(sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")))
LONGEST_FILE, LONGEST_FUNCTION, MOST_METHODS = 300, 40, 12
# A reason stands beside what is longer: on its line or on the one above, of a file among its first lines.
REASON = re.compile(r"# long: \S+ \S+")
FIRST_LINES = 5

# Who works with any method, and so may know none.
OF_ANY_METHOD = ("seq2seq/run", "seq2seq/validation", "seq2seq/report", "api", "worker")
# Interpolation in time is the engine's own candidate, whatever the method.
INTERPOLATION = {"linear", "nearest"}
# Names of methods that are words of any code.
ORDINARY = {"best"}
NAMES = {
    "methods": {info.name for info in METHODS} - INTERPOLATION,
    "settings": {each.name for each in SETTINGS},
    "outputs": {product.name for product in PRODUCTS},
}
# Goes with the next release.
EARLIER_NAMES = "seq2seq/earlier_names.py"

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def excused(path: Path, node: Function | ast.ClassDef) -> bool:
    """Whether a reason stands on the line of `def` or `class`, or on the line above it and its decorators."""
    lines = path.read_text().splitlines()
    first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
    return any(REASON.search(lines[number - 1]) for number in (node.lineno, first - 1))


def test_no_file_is_longer_than_a_screenful_of_screens_without_a_reason() -> None:
    texts = {path: path.read_text().splitlines() for path in SOURCES}
    assert len(texts) > 200
    long = {path: len(lines) for path, lines in texts.items() if len(lines) > LONGEST_FILE}
    assert [
        f"{place(path)} {count}"
        for path, count in long.items()
        if not any(map(REASON.search, texts[path][:FIRST_LINES]))
    ] == []


def test_no_function_is_longer_than_a_screen_without_a_reason() -> None:
    functions = [(path, node) for path in SOURCES for node in ast.walk(tree(path)) if isinstance(node, Function)]
    assert len(functions) > 1000
    assert [
        f"{place(path)} {node.name} {length}"
        for path, node in functions
        if (length := (node.end_lineno or 0) - node.lineno + 1) > LONGEST_FUNCTION and not excused(path, node)
    ] == []


def test_no_class_has_more_methods_than_are_read_at_once_without_a_reason() -> None:
    classes = [(path, node) for path in SOURCES for node in ast.walk(tree(path)) if isinstance(node, ast.ClassDef)]
    assert len(classes) > 200
    assert [
        f"{place(path)} {node.name} {count}"
        for path, node in classes
        if (count := sum(isinstance(each, Function) for each in node.body)) > MOST_METHODS and not excused(path, node)
    ] == []


def words_in_code(path: Path) -> set[str]:
    """Words of names and texts; comments and docstrings, which explain, are none."""
    explained = {
        body[0].lineno
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Module | ast.ClassDef | Function)
        and (body := node.body)
        and isinstance(body[0], ast.Expr)
        and isinstance(body[0].value, ast.Constant)
    }
    # NumPy has a function of the name of a method.
    source = path.read_text().replace("np.median(", "np.(")
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    spoken = [each for each in tokens if each.type in (tokenize.NAME, tokenize.STRING)]
    return {word for each in spoken if each.start[0] not in explained for word in re.findall(r"\w+", each.string)}


def test_who_works_with_any_method_names_none() -> None:
    places = [path for path in SOURCES if place(path).startswith(OF_ANY_METHOD)]
    assert len(places) > 150
    names = NAMES["methods"] - ORDINARY
    assert {place(path) for path in places if names & words_in_code(path)} == set()


def test_nothing_is_decided_by_the_name_of_a_method() -> None:
    names = "|".join(NAMES["methods"] | set(RECIPES))
    decided = re.compile(rf"\brecipe\s*[!=]=|[!=]=\s*[\"'](?:{names})[\"']")
    assert decided.search('if config.method == "guided":')
    assert {place(path) for path in SOURCES if decided.search(path.read_text())} == set()


def module_level_lists(path: Path, names: set[str]) -> set[str]:
    """Variables of the module in whose values at least two of `names` stand as texts."""
    return {
        f"{place(path)} {ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)}"
        for node in tree(path).body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        and len(names & {each.value for each in ast.walk(node.value) if isinstance(each, ast.Constant)}) > 1
    }  # fmt: skip


@pytest.mark.parametrize("kind", NAMES)
def test_no_module_lists_what_a_table_has(kind: str) -> None:
    assert len(NAMES[kind]) > 1
    listed = {each for path in SOURCES for each in module_level_lists(path, NAMES[kind])}
    # One method may predict what is another by itself: candidates are declared with it.
    listed -= {each for each in listed if re.fullmatch(r"seq2seq/methods/\S+ INFO", each)}
    assert {each for each in listed if not each.startswith(EARLIER_NAMES)} == set()


def test_such_a_list_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "listed.py"
    module.write_text('"""Of guided."""\n\nKNOWN = {"seed": 1, "device": ("cpu", "seed")}\n\nguided = KNOWN\n')
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    assert module_level_lists(module, NAMES["settings"]) == {"listed.py KNOWN"}
    assert words_in_code(module) >= {"guided", "seed"}
    assert "Of" not in words_in_code(module)
