"""The pages of docs/contributing/ followed to the letter, in a copy of the packages: file, line, and it is there."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from locations import ROOT
from markdown import Markdown

from seq2seq.methods import METHODS

PAGES = ("method", "format", "product")
_BLOCK = re.compile(r'^```python title="([^"]+)"\n(.*?)^```', re.MULTILINE | re.DOTALL)
_TABLE = re.compile(r"^(\w+): [^\n]* = \(\n(.*?)^\)", re.MULTILINE | re.DOTALL)

_SEEN = """
import json, sys
from pathlib import Path
from starlette.testclient import TestClient
from typer.testing import CliRunner
import seq2seq
from api.app import create_app
from seq2seq.commands.main import app
from worker.settings import Settings
seen = {"home": seq2seq.__file__}
for words in ("run --help", "methods", "methods composite"):
    seen[words] = " ".join(CliRunner().invoke(app, words.split()).output.replace("│", " ").split())
with TestClient(create_app(Settings(data=Path(sys.argv[1])))) as client:
    seen["process"] = client.get("/processes/decloud").json()
print(json.dumps(seen))
"""


class _Loader(yaml.SafeLoader):
    """mkdocs.yml as it is; tags that name Python objects are left aside."""


_Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)


def shown(page: str) -> str:
    """The Markdown of a page with its snippets in place, as the site's own settings put them."""
    declared = yaml.load((ROOT / "mkdocs.yml").read_text(), _Loader)["markdown_extensions"]
    (snippets,) = [each["pymdownx.snippets"] for each in declared if "pymdownx.snippets" in each]
    paths = [str(ROOT / base) for base in snippets["base_path"]]
    reader = Markdown(
        extensions=["pymdownx.snippets"],
        extension_configs={"pymdownx.snippets": {**snippets, "base_path": paths}},
    )
    text = (ROOT / "docs" / "contributing" / f"{page}.md").read_text()
    return "\n".join(reader.preprocessors["snippet"].run(text.splitlines()))


def follow(page: str, root: Path) -> None:
    """The new file as the page shows it, and its import and its entry in the table."""
    (new, content), (table, lines) = _BLOCK.findall(shown(page))
    assert not (root / new).exists()
    (root / new).write_text(content)
    (root / table).write_text(with_entry((root / table).read_text(), lines))


def with_entry(module: str, shown_lines: str) -> str:
    """`module` with the import that is shown behind its own, and the entries that are shown at its table's end."""
    (name, entries), (statement,) = _TABLE.findall(shown_lines)[0], re.findall(r"^from .+", shown_lines, re.MULTILINE)
    (table,) = [found for found in _TABLE.finditer(module) if found[1] == name]
    behind = list(re.finditer(r"^from .+\n", module, re.MULTILINE))[-1].end()
    added = "".join(line for line in entries.splitlines(keepends=True) if line.strip() != "...")
    assert added
    return module[:behind] + statement + "\n" + module[behind : table.end(2)] + added + module[table.end(2) :]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What users see of the program after all three pages have been followed."""
    root = tmp_path_factory.mktemp("followed")
    for package in ("api", "decloud", "seq2seq", "worker"):
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    for page in PAGES:
        follow(page, root)
    environment = {**os.environ, "PYTHONPATH": str(root), "COLUMNS": "200", "NO_COLOR": "1"}
    command = [sys.executable, "-c", _SEEN, str(root / "data")]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert Path(found["home"]).is_relative_to(root)
    return found


def test_the_method_is_offered_by_commands_and_service(seen: dict[str, Any]) -> None:
    assert f"{METHODS[-1].name}, composite" in seen["run --help"]
    assert "composite Each pixel's quantile over time" in seen["methods"]
    assert "quantile 0.5 0 to 1 0.5 is the median." in seen["methods composite"]
    assert "composite" in seen["process"]["inputs"]["method"]["schema"]["enum"]


def test_the_format_is_named_by_commands_and_service(seen: dict[str, Any]) -> None:
    words = "file with NumPy arrays of a sequence, as in fields.npz"
    assert words in seen["run --help"]
    assert words in seen["process"]["inputs"]["sequence"]["description"]


def test_the_product_is_offered_by_commands_and_service(seen: dict[str, Any]) -> None:
    assert "brightness/DATE.tif Mean of the visible bands of each cloud-free image." in seen["run --help"]
    assert seen["process"]["outputs"]["brightness"]["title"] == "Brightness"


@pytest.mark.parametrize("page", PAGES)
def test_the_file_on_the_page_is_the_one_that_is_tried_in_a_run(page: str) -> None:
    """`test_added_method`, `test_added_format` and `test_added_product` run it."""
    helper = {"method": "composite_method", "format": "npz_format", "product": "brightness_product"}[page]
    (_, content), _ = _BLOCK.findall(shown(page))
    assert content.strip() == (ROOT / "tests" / "helpers" / f"{helper}.py").read_text().strip()
