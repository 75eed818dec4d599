"""The service's views for everybody: axe, narrow screens, dark, touch targets, focus; and screenshots of them."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
from page_app import App
from page_server import LOOKS, PAGE, until

VIEWS = {"jobs": "#/", "new": "#/new", "watch": "#/jobs/ID", "report": "#/jobs/ID/report"}
READY = {"jobs": ".job", "new": "#setting-method", "watch": ".downloads", "report": ".facts"}


@pytest.fixture(scope="session")
def axe() -> Any:
    module = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe checks how accessible a page is")
    return module.Axe()


@pytest.fixture
def finished(app: App, file: Path) -> str:
    """The id of a finished job, made once."""
    known = [job for job in app.client().jobs() if job.status == "successful"]
    return str(known[0].id if known else app.finish("Meadows", file).id)


def show(app: App, name: str, job_id: str, **context: Any) -> Any:
    page = app.open(VIEWS[name].replace("ID", job_id), **context)
    page.locator(READY[name]).first.wait_for()
    return page


def too_small(page: Any) -> list[str]:
    """What is touched and not large enough for a finger."""
    found: list[str] = page.evaluate("""() => [...document.querySelectorAll(
        'button, select, a.button, summary, label.check, .segments label')].filter((each) => {
        const { width, height } = each.getBoundingClientRect(), after = getComputedStyle(each, '::after');
        const more = after.position === 'absolute' && after.content !== 'none' ? 8 : 0;
        return width > 0 && (height + more < 44 || width < 44);
    }).map((each) => each.outerHTML.slice(0, 100))""")
    return found


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
@pytest.mark.parametrize("name", VIEWS)
def test_axe_finds_nothing_serious_and_what_is_touched_is_large_enough(
    app: App, finished: str, axe: Any, name: str, width: int, scheme: str
) -> None:
    page = show(app, name, finished, width=width, color_scheme=scheme)
    assert too_small(page) == []
    for fold in page.locator("summary").all():
        fold.click()
    issues = [
        f"{each['id']}: {node['html'][:120]} {node['failureSummary'][:200]}"
        for each in axe.run(page).response["violations"]
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]
    assert issues == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_every_stop_of_the_keyboard_is_seen(app: App, finished: str) -> None:
    for name in VIEWS:
        page = show(app, name, finished)
        for _ in range(30):
            page.keyboard.press("Tab")
            seen = page.evaluate("""() => { const here = document.activeElement, after = here.nextElementSibling;
                const outlined = (each) => each && getComputedStyle(each).outlineStyle !== 'none';
                return here === document.body || outlined(here) || outlined(after) || here.outerHTML.slice(0, 90); }""")
            assert seen is True, (name, seen)


def test_the_report_prints_without_what_is_for_the_screen(app: App, finished: str) -> None:
    page = show(app, "report", finished)
    page.emulate_media(media="print")
    assert page.get_by_role("button", name="Print").count() == 0
    assert not page.locator("#header").is_visible()
    assert page.locator(".facts").is_visible()


def test_every_text_of_the_service_is_used() -> None:
    text = (PAGE / "jobs" / "text.js").read_text(encoding="utf-8")
    others = "\n".join(
        path.read_text(encoding="utf-8")
        for path in PAGE.rglob("*.js")
        if path.name != "text.js" and "vendor" not in str(path)
    )
    keys = set(re.findall(r"^    (\w+): ", text, re.M))
    assert sorted(key for key in keys if not re.search(rf"\b{key}\b", others)) == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of screenshots; PAGE_SCREENSHOTS names one that keeps them."""
    folder = Path(os.environ.get("PAGE_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.slow
def test_screenshots(app: App, finished: str, folder: Path) -> None:
    """Views that other tests look at, to be looked at by people."""
    for name in VIEWS:
        for width in (360, 1280):
            page = show(app, name, finished, width=width)
            page.wait_for_timeout(300)
            page.screenshot(path=folder / f"app-{name}-{width}.png", full_page=True)


def test_a_welcome(app: App, folder: Path) -> None:
    page = app.open("#/new")
    page.route("**/jobs?*", lambda route: route.fulfill(json={"jobs": [], "links": []}))
    page.goto(f"{app.served.url}/#/")
    page.get_by_text("See your fields without the clouds").wait_for()
    until(page, "document.querySelectorAll('.steps li').length === 3")
    page.screenshot(path=folder / "app-welcome.png")
    page.get_by_role("button", name="Try the sample").click()
    page.get_by_role("heading", name="Simulated fields").wait_for()
    job = next(app.client().jobs())
    app.client().cancel(job.id)
    assert job.values["inputs"] == {"sequence": {"sample": "fields"}, "max_minutes": 1}
