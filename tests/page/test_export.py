"""`decloud export`: one file opened from disk, with the network off, and nothing that its policy has to forbid."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from page_server import until
from small_result import charted, dates_of, small_result, stored_reflectance
from typer.testing import CliRunner

from seq2seq.commands.main import app

NAME = "a<script>alert(1);&quot;"
SHOWN = "() => [...document.querySelectorAll('canvas.pane')].map(each => each.dataset.shown).join()"
VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation",
    (e) => window.violations.push(`${e.violatedDirective} ${e.blockedURI}`));
"""


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read only, but for the pictures that are kept beside it. Its name would run."""
    return small_result(tmp_path_factory.mktemp("exported"), name=NAME)


def export(result: Path, file: Path, *options: str) -> str:
    done = CliRunner().invoke(app, ["export", str(result), str(file), *options])
    assert done.exit_code == 0, done.output
    assert not list(file.parent.glob(".*.html*")), "something temporary is left"
    return done.output


@pytest.fixture
def opened(browser: Any) -> Iterator[Any]:
    """Opens files; afterwards nothing may have been asked of a network, forbidden or failed."""
    context = browser.new_context(viewport={"width": 1200, "height": 800}, offline=True)
    page = context.new_page()
    page.set_default_timeout(8000)
    complaints: list[str] = []
    asked: list[str] = []
    page.add_init_script(VIOLATIONS)
    page.on("console", lambda line: complaints.append(line.text) if line.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))

    def show(file: Path, fragment: str = "") -> Any:
        page.goto(f"{file.as_uri()}{fragment}")
        page.wait_for_selector("canvas.right[data-shown*='/']", state="attached")
        return page

    yield show
    assert complaints + page.evaluate("window.violations") == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    context.close()


def test_a_file_swipes_and_charts_what_the_images_hold(opened: Any, result: Path, tmp_path: Path) -> None:
    said = export(result, tmp_path / "result.html", "--max-mb", "10")
    assert "Written" in said
    page = opened(tmp_path / "result.html", "#/view?px=40,50&show=B08")
    assert page.title() == f"{NAME} · Decloud"
    assert page.locator("#subject h1").inner_text() == NAME
    until(page, f"({SHOWN})().startsWith('rgb-before/')")
    page.get_by_label("Divider between").focus()
    page.keyboard.press("ArrowRight")
    until(page, "document.querySelector('.stage').style.getPropertyValue('--swipe') === '0.505'")
    slider = page.get_by_label("Date", exact=True)
    slider.focus()
    page.keyboard.press("Home")
    days = dates_of(result)
    until(page, f"({SHOWN})() === 'rgb-before/{days[0]},rgb/{days[0]}'")
    assert page.locator("section.left-out").inner_text().count("GeoTIFF") == 1
    assert page.locator(".place .notice").count() == 0, "all values are in it"
    assert charted(page) == stored_reflectance(result, "B08", 40, 50)


def test_a_small_file_says_what_it_leaves_out_and_charts_the_nearest_values(
    opened: Any, result: Path, tmp_path: Path
) -> None:
    file = tmp_path / "small.html"
    export(result, file, "--max-mb", "0.8")
    assert file.stat().st_size <= 800_000
    page = opened(file, "#/view?px=1,2&show=B08")
    told = page.locator("section.left-out").inner_text()
    step = int(re.search(r"middle of each (\d+) x", told).group(1))  # type: ignore[union-attr]
    assert step > 1
    line = page.locator(".place .notice").inner_text()
    row, column = map(int, re.search(r"row (\d+), column (\d+)", line).groups())  # type: ignore[union-attr]
    assert (row, column) == (1 // step * step + step // 2, 2 // step * step + step // 2)
    assert charted(page) == stored_reflectance(result, "B08", row, column)
    # The last square is cut by the scene's edge: its pixel is inside, too.
    page.goto(f"{file.as_uri()}#/view?px=71,103&show=B08")
    until(page, "document.querySelector('.place h3')?.textContent.includes('71')")
    row, column = map(int, re.search(r"row (\d+), column (\d+)", page.locator(".place .notice").inner_text()).groups())  # type: ignore[union-attr]
    assert (row, column) == (min(71 // step * step + step // 2, 71), min(103 // step * step + step // 2, 103))
    assert charted(page) == stored_reflectance(result, "B08", row, column)


def test_styles_that_were_chosen_are_the_only_ones(opened: Any, result: Path, tmp_path: Path) -> None:
    export(result, tmp_path / "ndvi.html", "--styles", "ndvi,ndvi-before")
    page = opened(tmp_path / "ndvi.html")
    until(page, f"({SHOWN})().startsWith('ndvi-before/')")
    assert page.locator("input[name=theme]").count() == 1
    assert "Natural colour" in page.locator("section.left-out").inner_text()
