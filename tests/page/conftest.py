"""The page in a real browser. Every page fails its test for a CSP violation, an error in the console or in a script."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from bundle_example import Bundle, write_bundle
from page_server import Answer, page_server

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WATCH_POLICY = """
window.violations = [];
document.addEventListener("securitypolicyviolation",
    (event) => window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
"""


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's chromium, or whichever BROWSER_PATH names."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser and is not installed")
    found = os.environ.get("BROWSER_PATH") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("no chromium is installed to show the page in")
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle that tests only read."""
    return write_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def own_bundle(bundle: Bundle, tmp_path: Path) -> Bundle:
    """A copy of the bundle that a test may spoil."""
    shutil.copytree(bundle.folder, tmp_path / "own")
    return Bundle(tmp_path / "own", bundle.dates, bundle.before, bundle.after, bundle.sigma, bundle.mask, bundle.s1)


@dataclass
class Viewer:
    """Pages of one test: `show` opens one over a folder. expected: parts of console lines that a test provokes."""

    browser: Any
    stack: ExitStack
    expected: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    pages: list[Any] = field(default_factory=list)
    address: str = ""

    def serve(self, folder: Path, instead: Answer = lambda path: None, place: str = "view") -> str:
        """Serves a folder for the rest of the test."""
        self.address = self.stack.enter_context(page_server(folder, instead, place))
        return self.address

    def show(
        self,
        folder: Path,
        fragment: str = "",
        *,
        instead: Answer = lambda path: None,
        wait: str = "canvas.right[data-shown*='/']",
        place: str = "view",
        **context: Any,
    ) -> Any:
        """Opens the page, 1200 x 800 unless told, and waits until the picture is drawn."""
        context.setdefault("viewport", {"width": 1200, "height": 800})
        opened = self.stack.enter_context(self.browser.new_context(accept_downloads=True, **context))
        opened.set_default_timeout(8000)
        page = opened.new_page()
        page.add_init_script(WATCH_POLICY)
        page.on(
            "console", lambda line: self.complaints.append(line.text) if line.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.pages.append(page)
        page.goto(self.serve(folder, instead, place) + fragment)
        page.wait_for_selector(wait, state="attached")
        return page

    def check(self) -> None:
        """Fails for what a browser complained about."""
        violations = [each for page in self.pages for each in page.evaluate("window.violations ?? []")]
        unexpected = [line for line in self.complaints if not any(part in line for part in self.expected)]
        assert violations + unexpected == []


@pytest.fixture
def viewer(browser: Any) -> Iterator[Viewer]:
    """Opens pages; afterwards nobody may have complained."""
    with ExitStack() as stack:
        opened = Viewer(browser, stack)
        yield opened
        opened.check()


@pytest.fixture
def colour() -> Callable[..., list[int]]:
    """Reads the RGBA of a pane's canvas at a point given in CSS pixels of the stage."""

    def read(page: Any, side: str, x: float, y: float) -> list[int]:
        script = """([side, x, y]) => {
            const pane = document.querySelector(`canvas.${side}`), ratio = pane.width / pane.clientWidth;
            const copy = Object.assign(document.createElement("canvas"), {width: 1, height: 1});
            const context = copy.getContext("2d", {willReadFrequently: true});
            context.drawImage(pane, -Math.floor(x * ratio), -Math.floor(y * ratio));
            return [...context.getImageData(0, 0, 1, 1).data]; }"""
        value: list[int] = page.evaluate(script, [side, x, y])
        return value

    return read
