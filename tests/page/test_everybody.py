"""For everybody: axe on every state, narrow screens, dark, contrast, touch targets, focus."""

from typing import Any

import pytest
from page_server import LOOKS, until

STATES = {
    "first": "",
    "place": "#/view?px=40,40",
    "box": "#/view?box=10,10,30,40&layer=ndvi&compare=side",
    "nothing": "#/nonsense",
}


@pytest.fixture(scope="session")
def axe() -> Any:
    module = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe checks how accessible the page is"
    )
    return module.Axe()


def issues(axe: Any, page: Any) -> list[str]:
    found = axe.run(page).response["violations"]
    return [
        f"{each['id']}: {node['html'][:120]} {node['failureSummary'][:200]}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing_serious(viewer: Any, bundle: Any, axe: Any, scheme: str, state: str, width: int) -> None:
    wait = {"nothing": ".failure", "first": "canvas.right[data-shown*='/']"}.get(state, ".place .u-over")
    page = viewer.show(
        bundle.folder, STATES[state], wait=wait, color_scheme=scheme, viewport={"width": width, "height": 800}
    )
    assert issues(axe, page) == []
    if state == "first":
        page.keyboard.press("?")
        assert issues(axe, page) == []


@pytest.mark.parametrize(
    "width", [360, 768, 1920, *(pytest.param(width, marks=pytest.mark.slow) for width in (390, 1024))]
)
def test_nothing_sticks_out_at_any_width(viewer: Any, bundle: Any, width: int) -> None:
    page = viewer.show(
        bundle.folder, "#/view?px=40,40", wait=".place .u-over", viewport={"width": width, "height": 740}
    )
    page.wait_for_timeout(200)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    stage = page.locator(".stage").bounding_box()
    assert stage["height"] >= 300
    assert stage["width"] >= min(width, 0.5 * width)
    sticking = page.evaluate("""() => [...document.querySelectorAll(
        '.panel *, header *, .timeline *')].filter((each) => {
        const { width, right } = each.getBoundingClientRect();
        return width > 0 && right > innerWidth + 1 && !each.closest('.strip, .scroll, .unseen, .u-wrap');
    }).map((each) => each.outerHTML.slice(0, 90))""")
    assert sticking == []


@pytest.mark.parametrize("width", [360, 1280])
def test_what_is_touched_is_large_enough(viewer: Any, bundle: Any, width: int) -> None:
    page = viewer.show(
        bundle.folder, "#/view?px=40,40", wait=".place .u-over", viewport={"width": width, "height": 800}
    )
    small = page.evaluate("""() => [...document.querySelectorAll(
        'button, select, a[href], summary, label')].filter((each) => {
        const { width, height } = each.getBoundingClientRect(), after = getComputedStyle(each, '::after');
        const more = after.position === 'absolute' && after.content !== 'none' ? 8 : 0;
        return width > 0 && !each.closest('.skip') && (height + more < 44 || width < 44);
    }).map((each) => each.outerHTML.slice(0, 100))""")
    assert small == []


def test_the_dark_page_is_dark_and_can_be_chosen(viewer: Any, bundle: Any) -> None:
    page = viewer.show(bundle.folder, color_scheme="dark")
    back = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(back) == "rgb(14, 19, 17)"
    page.get_by_role("button", name="Colours: as the system").click()
    assert page.evaluate(back) == "rgb(245, 246, 243)"
    page.get_by_role("button", name="Colours: light").click()
    assert page.evaluate(back) == "rgb(14, 19, 17)"
    page.reload()
    assert page.get_by_role("button", name="Colours: dark").is_visible()


def test_the_content_is_one_step_away_and_every_stop_is_seen(viewer: Any, bundle: Any) -> None:
    page = viewer.show(bundle.folder)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert page.locator(".skip").bounding_box()["y"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    seen = []
    for _ in range(24):
        page.keyboard.press("Tab")
        style = page.evaluate("""() => {
            const here = document.activeElement, after = here.nextElementSibling;
            const outlined = (each) => each && getComputedStyle(each).outlineStyle !== 'none';
            // A radio button's outline is drawn around its words, the divider's around its handle.
            return [here.className || here.tagName,
                outlined(here) || here.type === 'radio' && outlined(after) || here.className === 'swipe'];
        }""")
        seen.append(style)
    # BODY: past the last stop the focus leaves the page.
    assert [name for name, visible in seen if not visible and name != "BODY"] == []
    assert {"stage", "swipe", "dates-slider", "thumb"} <= {name for name, _ in seen}


def test_dates_and_places_are_said(viewer: Any, bundle: Any) -> None:
    page = viewer.show(bundle.folder)
    page.keyboard.press("Home")
    until(page, "document.getElementById('live').textContent === '3 February 2021'")
