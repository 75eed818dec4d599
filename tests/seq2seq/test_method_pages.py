"""Every method has a page that says what it is, from whom, and how it differs; and the site leads to it."""

import re

import pytest
from locations import ROOT

from seq2seq.methods import METHODS
from seq2seq.settings import settings_of

FOLDER = ROOT / "docs" / "methods"
NAMES = [info.name for info in METHODS]
# In this order, if they are there; a page may have others between them.
PARTS = ("Idea", "Equation", "Rule", "When", "Cost", "Weights", "From whom", "Of its own", "To be said")
ALWAYS = {"Idea", "When", "From whom", "Of its own"}


def page(name: str) -> str:
    return (FOLDER / f"{name}.md").read_text()


def test_each_method_has_a_page_in_the_navigation_in_the_order_of_the_table_and_no_page_is_of_none() -> None:
    assert {path.stem for path in FOLDER.glob("*.md")} == set(NAMES)
    assert re.findall(r"^ +- methods/([\w-]+)\.md$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_page_says_how_to_call_it_what_it_is_when_and_from_whom(name: str) -> None:
    text = page(name)
    called = "decloud run INPUT OUT" + (f" --method {name}" if name != NAMES[0] else "")
    assert f"`{called}`" in text.splitlines()
    parts = re.findall(r"^\*\*([^*.]+)\.\*\*", text, re.MULTILINE)
    assert set(parts) >= ALWAYS
    known = [PARTS.index(part) for part in parts if part in PARTS]
    assert known == sorted(known)
    assert "Equation" in parts or "Rule" in parts


@pytest.mark.parametrize("info", METHODS, ids=lambda info: info.name)
def test_settings_that_a_page_names_are_those_of_its_method(info) -> None:
    named = set(re.findall(r"--set (\w+)=", page(info.name)))
    assert named <= {each.name for each in settings_of(info.settings)}
