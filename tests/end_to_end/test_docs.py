"""The site of docs/: complete, made of the code where it can be, and in need of nothing from anywhere."""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
from locations import ROOT

import decloud
from seq2seq.config import SETTINGS
from seq2seq.methods import METHODS
from seq2seq.readers.formats import FORMATS
from seq2seq.report.schema import HoldoutReport, Report
from seq2seq.settings import settings_of
from seq2seq.validation.settings import ValidationSettings

# What a browser loads without being asked.
LOADED = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "link": "href",
}
# Links that say something and load nothing.
SAID = {"canonical", "prev", "next"}
NOTEBOOKS = sorted((ROOT / "docs").rglob("*.ipynb"))
FOREIGN = re.compile(r"(?:[a-z]+:)?//", re.IGNORECASE)


class Loaded(HTMLParser):
    """Addresses of all that a page loads, and the ids of its sections."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids.add(given.get("id", ""))
        self.addresses += re.findall(r"url\(['\"]?([^'\")]+)", given.get("style", ""))
        if tag in LOADED and not SAID & set(given.get("rel", "").split()):
            self.addresses.append(given.get(LOADED[tag], ""))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as `make docs` does; or what it has just built, where DOCS_SITE names that."""
    if built := os.environ.get("DOCS_SITE"):
        return Path(built)
    folder = tmp_path_factory.mktemp("docs") / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    spec = spec_from_file_location("docs_tables", ROOT / "docs" / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_page_loads_anything_from_another_host(site: Path) -> None:
    pages = {path: Loaded(path.read_text()) for path in site.rglob("*.html")}
    assert len(pages) > 15
    loaded = {(path.name, address) for path, page in pages.items() for address in page.addresses}
    assert any(address.endswith(".css") for _, address in loaded)
    assert any(address.endswith(".js") for _, address in loaded)
    assert {each for each in loaded if FOREIGN.match(each[1])} == set()


def test_no_script_in_a_page_loads_another_one_from_another_host(site: Path) -> None:
    pages = {path.name: path.read_text() for path in site.rglob("*.html")}
    assert any("jupyter-wrapper" in text for text in pages.values())
    loaded = re.compile(r"""(?:import\s*\(?|src\s*=|from)\s*["'](?:https?:)?//""")
    assert [name for name, text in pages.items() if loaded.search(text)] == []


def test_the_page_of_a_notebook_shows_what_its_cells_made(site: Path) -> None:
    """Pictures, a score, a dataset and the files that were written: it has run."""
    page = (site / "notebook.html").read_text()
    assert page.count("data:image/png;base64,") >= 3
    for words in ("hidden pixels", "xarray.Dataset", "report.html", "<strong>Reconstruction</strong>"):
        assert words in page, words
    assert "Traceback" not in page


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_kept_without_outputs_and_uses_public_names_alone(path: Path) -> None:
    cells = json.loads(path.read_text())["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert len(sources) > 5
    assert [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")] == []
    used = set()
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "decloud":
                used.add(node.attr)
            imported = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            imported += [name.name for name in node.names] if isinstance(node, ast.Import) else []
            assert [name for name in imported if name.split(".")[0] in ("seq2seq", "api", "worker")] == []
    assert used
    assert used - set(decloud.__all__) == set()


def test_a_notebook_that_fails_fails_the_site(tmp_path: Path) -> None:
    """A site of one notebook, with the settings of ours."""
    (said,) = re.findall(r"( {2}- mkdocs-jupyter:\n(?: {6}.*\n)+)", (ROOT / "mkdocs.yml").read_text())
    assert "cache: false" in said, "what an earlier version of the code did is not shown"
    (tmp_path / "mkdocs.yml").write_text(f"site_name: failing\nplugins:\n{said}")
    notebook = json.loads(NOTEBOOKS[0].read_text())
    code = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    notebook["cells"] = [{**code, "source": ["assert False, 'a cell that fails'"]}]
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.ipynb").write_text(json.dumps(notebook))
    command = [sys.executable, "-m", "mkdocs", "build", "--strict"]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode != 0
    assert "a cell that fails" in done.stdout + done.stderr


def test_no_style_sheet_loads_anything_from_another_host(site: Path) -> None:
    sheets = list(site.rglob("*.css"))
    assert sheets
    for sheet in sheets:
        text = sheet.read_text()
        addresses = re.findall(r"(?:url\(|@import)\s*['\"]?([^'\")]+)", text)
        assert [address for address in addresses if FOREIGN.match(address)] == [], sheet.name


def test_the_pages_are_read_from_the_folder_without_a_server(site: Path) -> None:
    for path in site.rglob("*.html"):
        if path.name != "404.html":
            addresses = [each for each in Loaded(path.read_text()).addresses if not each.startswith("data:")]
            assert [each for each in addresses if each and not (path.parent / each.split("?")[0]).exists()] == []


def test_every_public_name_has_its_section(site: Path) -> None:
    found = Loaded((site / "python.html").read_text()).ids
    assert {name for name in decloud.__all__ if name != "__version__" and f"decloud.{name}" not in found} == set()


def test_the_table_of_settings_has_every_setting(tables: ModuleType) -> None:
    shown = tables.on_page_markdown("<!-- table: settings -->")
    assert [each.name for each in SETTINGS if f"`--{each.name.replace('_', '-')}" not in shown] == []
    assert "`--set NAME=VALUE`" in shown
    assert "recipe" not in shown


def test_the_table_of_methods_has_every_method_with_every_setting_its_default_and_range(tables: ModuleType) -> None:
    parts = re.split(r"^## ([\w-]+)$", tables.on_page_markdown("<!-- table: methods -->"), flags=re.MULTILINE)
    shown = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert list(shown) == [info.name for info in METHODS]
    assert [info.name for info in METHODS if f"| `{info.name}` | **{info.title}.** {info.about}" not in parts[0]] == []
    rows = {
        f"| `{each.name}` | `{each.default_text}` | {each.values_text} | {each.about} |": info.name
        for info in METHODS
        for each in settings_of(info.settings)
    }
    assert len(rows) > 50
    assert [row for row, name in rows.items() if row not in shown[name]] == []


def test_the_table_of_the_proof_has_every_setting_of_it(tables: ModuleType) -> None:
    shown = tables.on_page_markdown("<!-- table: validation -->")
    declared = settings_of(ValidationSettings)
    assert len(declared) > 10
    assert [each.name for each in declared if f"| `{each.name}` | `{each.default_text}` |" not in shown] == []


def test_the_table_of_formats_has_every_format(tables: ModuleType) -> None:
    shown = tables.on_page_markdown("<!-- table: formats -->")
    assert [known.name for known in FORMATS if f"`{known.example}`" not in shown or known.name not in shown] == []


def test_every_table_is_on_a_page_and_one_that_does_not_exist_ends_the_build(tables: ModuleType) -> None:
    pages = "".join(path.read_text() for path in (ROOT / "docs").rglob("*.md"))
    assert {*re.findall(r"<!-- table: (\w+) -->", pages)} == set(tables.TABLES)
    with pytest.raises(KeyError, match="nothing"):
        tables.on_page_markdown("<!-- table: nothing -->")


def test_a_cell_with_a_bar_stays_one_cell(tables: ModuleType) -> None:
    assert tables.table(("a", "b"), [("x|y", "z")]).splitlines()[-1] == r"| x\|y | z |"


def test_what_is_said_to_survive_is_made_to_happen_by_a_test_of_that_name() -> None:
    """`test_x.py::name`, and `::name` for another one of the file named before it."""
    named = re.findall(r"`(test_\w+\.py)?(?:::(\w+))?`", (ROOT / "docs" / "reliability.md").read_text())
    tests = {path.name: path.read_text() for path in (ROOT / "tests").rglob("test_*.py")}
    missing, file, count = [], "", 0
    for given, name in (each for each in named if any(each)):
        file, count = given or file, count + 1
        if file not in tests or (name and f"def {name}(" not in tests[file]):
            missing.append(f"{file}::{name}")
    assert count > 60
    assert missing == []


def test_the_page_on_the_report_names_every_part_of_it() -> None:
    page = (ROOT / "docs" / "report.md").read_text()
    parts = [*Report.__dataclass_fields__, *(f"holdout.{name}" for name in HoldoutReport.__dataclass_fields__)]
    named = {part for part in parts if f"`{part}`" in page}
    # The count of hidden pixels and the sentence on them say themselves.
    assert set(parts) - named == {"holdout", "training", "holdout.pixels", "holdout.explanation"}


@pytest.mark.parametrize(("package", "first"), [("seq2seq", "commands/"), ("worker", "app, alive")])
def test_in_the_pictures_of_the_architecture_each_folder_imports_only_what_stands_below_it(
    package: str, first: str
) -> None:
    (picture,) = re.findall(rf"^```\n({first}.*?)^```", (ROOT / "docs" / "architecture.md").read_text(), re.M | re.S)
    order = re.findall(r"^(\w+)/", picture, re.MULTILINE)
    folders = {path.parent.name for path in (ROOT / package).glob("*/__init__.py")}
    assert set(order) == folders
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (table,) = [contract["allowed"] for contract in contracts if contract["type"] == "folders"]
    allowed = {name: re.findall(rf"{package}\.(\w+)", rest) for name, rest in (line.split(":") for line in table)}
    upwards = {
        (folder, other)
        for folder in order
        for other in allowed[f"{package}.{folder}"]
        if order.index(other) < order.index(folder)
    }
    assert upwards == set()


def test_links_of_the_readme_lead_somewhere() -> None:
    targets = re.findall(r"\]\(([^)#:]+)(?:#[\w-]+)?\)", (ROOT / "README.md").read_text())
    assert len(targets) > 5
    assert [target for target in targets if not (ROOT / target).exists()] == []
