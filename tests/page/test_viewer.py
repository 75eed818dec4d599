"""The viewer as a reader uses it: swipe, dates, layers, zoom, permalink, keys, narrow and dark screens."""

import itertools
import re
import time
from typing import Any

import pytest
from page_server import until

STAGE = ".stage"
SHOWN = "[...document.querySelectorAll('canvas.pane:not([hidden])')].map((each) => each.dataset.shown)"


def query(page: Any) -> dict[str, str]:
    """The parameters in the address, once they have been written."""
    page.wait_for_timeout(350)
    found: dict[str, str] = page.evaluate("Object.fromEntries(new URLSearchParams(location.hash.split('?')[1] ?? ''))")
    return found


def shown(page: Any) -> list[str]:
    found: list[str] = page.eval_on_selector_all(
        "canvas.pane:not([hidden])", "all => all.map(each => each.dataset.shown)"
    )
    return found


def until_shown(page: Any, *wanted: str) -> None:
    until(page, f"wanted => (() => {SHOWN})().join() === wanted.join()", list(wanted))


def swipe_of(page: Any) -> float:
    return float(page.locator(STAGE).evaluate("stage => stage.style.getPropertyValue('--swipe')"))


def middle(bundle: Any) -> str:
    """The date nearest to half clouded, which is shown first."""
    clouds = {each["date"]: abs(each["cloud"] - 0.5) for each in bundle.manifest["dates"]}
    return min(clouds, key=lambda date: clouds[date])


def test_the_first_view_is_before_and_after_of_a_date_that_shows_clouds(viewer: Any, bundle: Any) -> None:
    page = viewer.show(bundle.folder)
    date = middle(bundle)
    until_shown(page, f"rgb-before/{date}", f"rgb/{date}")
    assert page.title() == "Fields · Decloud"
    assert page.get_by_text("Simulated", exact=True).is_visible()
    assert page.locator(".date strong").inner_text() == "11 March 2021"
    assert (
        page.locator("canvas.left").get_attribute("aria-label") == "Before · Natural colour, 11 March 2021, 50 % cloud"
    )


def test_the_divider_follows_the_mouse(viewer: Any, bundle: Any) -> None:
    page = viewer.show(bundle.folder)
    box = page.locator(STAGE).bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 200, steps=5)
    page.mouse.up()
    assert swipe_of(page) == pytest.approx(0.25, abs=0.02)
    clip = page.locator("canvas.right").evaluate("c => getComputedStyle(c).clipPath")
    share = float(re.search(r"(\d+(\.\d+)?)%\)$", clip).group(1))  # type: ignore[union-attr]
    assert share == pytest.approx(25, abs=2)
    assert float(query(page)["swipe"]) == pytest.approx(0.25, abs=0.02)
    # The line itself can be taken, too, away from its handle.
    page.mouse.move(box["x"] + box["width"] * swipe_of(page) + 2, box["y"] + 120)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 130, steps=5)
    page.mouse.up()
    assert swipe_of(page) == pytest.approx(0.7, abs=0.02)


def test_the_divider_follows_the_keyboard_and_says_where_it_is(viewer: Any, bundle: Any) -> None:
    page = viewer.show(bundle.folder)
    page.get_by_label("Divider between").focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(60)
    assert swipe_of(page) == pytest.approx(0.52)
    assert (
        page.get_by_label("Divider between").get_attribute("aria-valuetext")
        == "52 % of the width show the left picture"
    )
    page.locator(STAGE).focus()
    page.keyboard.press("[")
    page.keyboard.press("[")
    page.wait_for_timeout(60)
    assert swipe_of(page) == pytest.approx(0.42)


def test_the_slider_and_the_strip_change_the_date(viewer: Any, bundle: Any) -> None:
    page = viewer.show(bundle.folder)
    slider = page.get_by_label("Date", exact=True)
    slider.focus()
    page.keyboard.press("Home")
    until_shown(page, f"rgb-before/{bundle.dates[0]}", f"rgb/{bundle.dates[0]}")
    page.keyboard.press("ArrowRight")
    until_shown(page, f"rgb-before/{bundle.dates[1]}", f"rgb/{bundle.dates[1]}")
    assert slider.get_attribute("aria-valuetext").startswith("14 February 2021, 20 % cloud")
    page.get_by_role("button", name="7 April 2021").click()
    until_shown(page, f"rgb-before/{bundle.dates[-1]}", f"rgb/{bundle.dates[-1]}")
    assert page.locator(".thumb[aria-current=date] .day").inner_text() == "7 Apr"
    page.locator(STAGE).evaluate("stage => stage.blur()")
    page.locator("body").press("ArrowLeft")
    until_shown(page, f"rgb-before/{bundle.dates[-2]}", f"rgb/{bundle.dates[-2]}")


def test_thumbnails_are_drawn_with_the_share_of_cloud(viewer: Any, bundle: Any) -> None:
    page = viewer.show(bundle.folder)
    drawn = """() => [...document.querySelectorAll('.thumb canvas')].every(c => c.toDataURL() !==
        Object.assign(document.createElement('canvas'), {width: c.width, height: c.height}).toDataURL())"""
    until(page, drawn)
    shares = page.eval_on_selector_all(
        ".thumb .cloud i", "all => all.map(i => i.offsetWidth / i.parentElement.offsetWidth)"
    )
    assert shares == pytest.approx([each["cloud"] for each in bundle.manifest["dates"]], abs=0.03)


def test_play_shows_five_dates_a_second_and_stops(viewer: Any, bundle: Any) -> None:
    page = viewer.show(bundle.folder, f"#/view?date={bundle.dates[0]}")
    until(page, "document.querySelectorAll('.thumb canvas').length > 0")
    page.wait_for_timeout(600)
    page.evaluate("""() => { window.seen = []; new MutationObserver(() => seen.push(performance.now()))
        .observe(document.querySelector('.date strong'), {childList: true, characterData: true, subtree: true}); }""")
    page.get_by_role("button", name="Play").click()
    page.wait_for_timeout(1300)
    page.get_by_role("button", name="Pause").click()
    moments = page.evaluate("window.seen")
    assert len(moments) >= 5
    gaps = [after - before for before, after in itertools.pairwise(moments)]
    assert sum(gaps) / len(gaps) == pytest.approx(200, abs=30)
    page.wait_for_timeout(450)
    assert len(page.evaluate("window.seen")) == len(moments)


def test_nothing_moves_by_itself_where_less_motion_is_asked_for(viewer: Any, bundle: Any) -> None:
    page = viewer.show(bundle.folder, reduced_motion="reduce")
    first = shown(page)
    page.wait_for_timeout(700)
    assert shown(page) == first
    assert page.locator(".check input").evaluate("box => getComputedStyle(box).transitionDuration") == "0s"
    page.get_by_role("button", name="Play").click()
    page.wait_for_timeout(500)
    assert shown(page) != first


def test_a_layer_is_shown_on_both_sides_or_on_one(viewer: Any, bundle: Any) -> None:
    page = viewer.show(bundle.folder)
    date = middle(bundle)
    page.get_by_role("radio", name="Vegetation").check(force=True)
    until_shown(page, f"ndvi-before/{date}", f"ndvi/{date}")
    assert page.locator(".ramp .ends").inner_text().split() == ["0", "0.9", "NDVI"]
    assert page.locator(".ramp i").first.evaluate("i => getComputedStyle(i).backgroundColor") == "rgb(246, 239, 216)"
    assert query(page)["layer"] == "ndvi"
    page.get_by_label("Picture on the right").select_option("uncertainty")
    until_shown(page, f"ndvi-before/{date}", f"uncertainty/{date}")
    parameters = query(page)
    assert (parameters["left"], parameters["right"], "layer" in parameters) == ("ndvi-before", "uncertainty", False)
    page.get_by_role("button", name="Exchange left and right").click()
    until_shown(page, f"uncertainty/{date}", f"ndvi-before/{date}")
    page.get_by_role("radio", name="Single").check(force=True)
    until_shown(page, f"ndvi-before/{date}")


def test_clouds_are_marked_where_the_mask_has_them(viewer: Any, bundle: Any, colour: Any) -> None:
    date = middle(bundle)
    page = viewer.show(bundle.folder, f"#/view?date={date}&compare=one&x=48&y=48&zoom=6")
    masked = bundle.mask[bundle.dates.index(date), 0]
    row, column = next((r, c) for r in range(40, 60) for c in range(40, 60) if masked[r, c] == 1)
    size = page.locator(STAGE).evaluate("s => [s.clientWidth, s.clientHeight]")
    at = [(column + 0.5 - 48) * 6 + size[0] / 2, (row + 0.5 - 48) * 6 + size[1] / 2]
    without = colour(page, "right", *at)
    page.get_by_label("Mark clouds and shadows").check()
    page.wait_for_timeout(300)
    with_mark = colour(page, "right", *at)
    share = 150 / 255
    assert with_mark[:3] == pytest.approx(
        [without[k] * (1 - share) + (230, 0, 126)[k] * share for k in range(3)], abs=4
    )
    assert query(page)["mask"] == "1"


def test_an_address_restores_exactly_what_was_seen(viewer: Any, bundle: Any) -> None:
    fragment = "#/view?date=2021-03-02&left=s1&right=false&swipe=0.31&x=30.25&y=61.5&zoom=9.5&px=60,31&show=B08&mask=1"
    page = viewer.show(bundle.folder, fragment)
    page.wait_for_selector(".place .u-over")
    until_shown(page, "s1/2021-03-02", "false/2021-03-02")
    assert swipe_of(page) == 0.31
    assert page.get_by_role("heading", name="Pixel, row 60, column 31").is_visible()
    assert page.get_by_label("Mark clouds").is_checked()
    assert page.get_by_label("Show", exact=True).input_value() == "B08"
    page.locator(STAGE).focus()
    page.keyboard.press("m")
    page.keyboard.press("m")
    parameters = query(page)
    wanted = dict(pair.split("=") for pair in fragment.split("?")[1].split("&"))
    assert parameters == wanted
    # Another address in the same tab, as by a click on a link.
    page.evaluate("location.hash = '#/view?date=2021-04-01&layer=ndvi'")
    until_shown(page, "ndvi-before/2021-04-01", "ndvi/2021-04-01")
    assert page.locator(".place .u-over").count() == 0


def test_the_link_is_copied(viewer: Any, bundle: Any) -> None:
    page = viewer.show(
        bundle.folder, f"#/view?date={bundle.dates[2]}", permissions=["clipboard-read", "clipboard-write"]
    )
    page.locator(STAGE).focus()
    page.keyboard.press("+")
    page.get_by_role("button", name="Copy link").click()
    page.wait_for_selector(".toast")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.url
    assert f"date={bundle.dates[2]}" in copied
    assert "zoom=" in copied


def test_keys_are_explained_and_do_what_is_said(viewer: Any, bundle: Any) -> None:
    page = viewer.show(bundle.folder)
    page.keyboard.press("?")
    assert page.get_by_role("dialog", name="Keys and hints").is_visible()
    page.keyboard.press("Escape")
    assert page.get_by_role("dialog").count() == 0
    date = middle(bundle)
    page.keyboard.press("2")
    until_shown(page, f"false-before/{date}", f"false/{date}")
    page.keyboard.press("s")
    page.wait_for_timeout(60)
    assert page.locator(STAGE).get_attribute("data-way") == "side"
    page.keyboard.press("End")
    until_shown(page, f"false-before/{bundle.dates[-1]}", f"false/{bundle.dates[-1]}")
    page.locator(STAGE).focus()
    page.keyboard.press("ArrowUp")
    moved = query(page)
    page.keyboard.press("0")
    assert float(moved["y"]) < 48
    assert "zoom" not in query(page)


def test_the_last_picture_stays_until_the_next_is_there(viewer: Any, bundle: Any, colour: Any) -> None:
    slow = bundle.dates[6]

    def late(path: str) -> None:
        if slow in path:
            time.sleep(1.5)

    page = viewer.show(bundle.folder, f"#/view?date={bundle.dates[5]}&compare=one&x=48&y=48&zoom=8", instead=late)
    before = colour(page, "right", 300, 300)
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(200)
    assert shown(page) == [""]
    assert colour(page, "right", 300, 300) == before
    until_shown(page, f"rgb/{slow}")
