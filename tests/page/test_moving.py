"""Moving about: fingers, wheel, single pixels, positions on the ground, scenes with a pyramid."""

import re
from typing import Any

import pytest
from bundle_example import write_large_pictures

STAGE = ".stage"


def query(page: Any) -> dict[str, str]:
    """The parameters in the address, once they have been written."""
    page.wait_for_timeout(350)
    found: dict[str, str] = page.evaluate("Object.fromEntries(new URLSearchParams(location.hash.split('?')[1] ?? ''))")
    return found


def swipe_of(page: Any) -> float:
    return float(page.locator(STAGE).evaluate("stage => stage.style.getPropertyValue('--swipe')"))


class Fingers:
    """Touches of the screen, as the browser gets them from a telephone."""

    def __init__(self, page: Any) -> None:
        self.session = page.context.new_cdp_session(page)

    def __call__(self, kind: str, *points: tuple[float, float]) -> None:
        touches = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        self.session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})


def touched(viewer: Any, bundle: Any) -> tuple[Any, dict[str, float], Fingers]:
    page = viewer.show(bundle.folder, has_touch=True, is_mobile=True, viewport={"width": 390, "height": 844})
    return page, page.locator(STAGE).bounding_box(), Fingers(page)


def test_the_divider_follows_a_finger(viewer: Any, bundle: Any) -> None:
    page, box, touch = touched(viewer, bundle)
    y = box["y"] + box["height"] / 2
    touch("touchStart", (box["width"] / 2, y))
    for x in range(5):
        touch("touchMove", (box["width"] * (0.5 + 0.06 * x), y))
    touch("touchEnd")
    page.wait_for_timeout(80)
    assert swipe_of(page) == pytest.approx(0.74, abs=0.03)


def test_two_fingers_zoom_and_one_moves(viewer: Any, bundle: Any) -> None:
    page, box, touch = touched(viewer, bundle)
    y = box["y"] + 90
    touch("touchStart", (100, y), (140, y))
    touch("touchMove", (80, y), (160, y))
    touch("touchEnd")
    fitting = min(box["width"], box["height"]) - 24
    before = query(page)
    assert float(before["zoom"]) == pytest.approx(2 * fitting / 96, rel=0.05)
    touch("touchStart", (100, y))
    touch("touchMove", (130, y))
    touch("touchMove", (160, y))
    touch("touchEnd")
    after = query(page)
    assert float(before["x"]) - float(after["x"]) == pytest.approx(60 / float(before["zoom"]), rel=0.1)


def test_zoomed_in_each_square_is_one_pixel(viewer: Any, bundle: Any, colour: Any) -> None:
    page = viewer.show(bundle.folder, f"#/view?date={bundle.dates[1]}&x=48&y=48&zoom=40&compare=one")
    size = page.locator(STAGE).evaluate("s => [s.clientWidth, s.clientHeight]")
    for row, column in ((47, 48), (48, 48), (50, 44)):
        left, top = (column - 48) * 40 + size[0] / 2, (row - 48) * 40 + size[1] / 2
        seen = {tuple(colour(page, "right", left + dx, top + dy)) for dx in (3, 20, 37) for dy in (3, 20, 37)}
        bands = bundle.after[bundle.dates.index(bundle.dates[1]), [2, 1, 0], row, column] * 1e-4
        assert seen == {(*(int(value) for value in (bands / 0.22 * 255).clip(0, 255)), 255)}


def test_the_wheel_keeps_what_is_under_the_cursor(viewer: Any, bundle: Any) -> None:
    page = viewer.show(bundle.folder, "#/view?x=48&y=48&zoom=6")
    box = page.locator(STAGE).bounding_box()
    at = (box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.3)
    page.mouse.move(*at)
    page.wait_for_timeout(60)
    before = page.locator(".position").inner_text()
    assert re.search(r"50\.\d{5}° N, 3\.\d{5}° E", before)
    page.mouse.wheel(0, -300)
    page.wait_for_timeout(60)
    page.mouse.move(at[0], at[1] + 0.4)
    page.wait_for_timeout(60)
    pick = re.compile(r"row (\d+), column (\d+)")
    assert pick.search(page.locator(".position").inner_text()).groups() == pick.search(before).groups()  # type: ignore[union-attr]
    assert float(query(page)["zoom"]) > 8


def test_the_position_agrees_with_the_grid(viewer: Any, bundle: Any) -> None:
    page = viewer.show(bundle.folder, "#/view?x=10&y=20&zoom=30")
    box = page.locator(STAGE).bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2 + 30, box["y"] + box["height"] / 2 - 20)
    page.wait_for_timeout(60)
    assert "row 19, column 11" in page.locator(".position").inner_text()
    x, y = map(
        float, re.search(r"x (\d+\.\d), y (\d+\.\d) \(EPSG:32631\)", page.locator(".position").inner_text()).groups()
    )  # type: ignore[union-attr]
    assert (x, y) == pytest.approx((500110, 5600000 - 193.3), abs=0.6)
    longitude, latitude = (
        float(each) for each in re.findall(r"(\d+\.\d{5})°", page.locator(".position").inner_text())[::-1]
    )
    assert (longitude, latitude) == pytest.approx((3.0011, 50.5 - 19.33e-4), abs=1.1e-5)


def test_the_scale_bar_has_a_round_length_and_the_right_width(viewer: Any, bundle: Any) -> None:
    page = viewer.show(bundle.folder, "#/view?x=48&y=48&zoom=5")
    assert page.locator(".bar").inner_text() == "200 m"
    assert page.locator(".bar").evaluate("bar => bar.offsetWidth") == 100  # 20 pixels of 10 m at 5 px each


def test_a_large_scene_is_shown_whole_and_its_cells_by_need(viewer: Any, tmp_path: Any, colour: Any) -> None:
    large = write_large_pictures(tmp_path / "large")
    asked: list[str] = []
    page = viewer.show(large.folder, instead=lambda path: asked.append(path))
    assert not [path for path in asked if re.search(r"/\d+/\d+_\d+\.webp$", path)]
    page.evaluate("location.hash = '#/view?compare=one&x=700&y=700&zoom=12'")
    page.wait_for_timeout(800)
    cells = {path.split("rgb/")[1] for path in asked if re.search(r"/rgb/.*/\d+_\d+\.webp$", path)}
    date = page.evaluate("document.querySelector('canvas.right').dataset.shown").split("/")[1]
    assert cells == {f"{date}/0/2_2.webp"}
    row = column = 700
    expected = large.after[large.dates.index(date), [2, 1, 0], row, column] * 1e-4
    size = page.locator(STAGE).evaluate("s => [s.clientWidth, s.clientHeight]")
    seen = colour(page, "right", size[0] / 2 + 6, size[1] / 2 + 6)
    assert seen == [*(int(value) for value in (expected / 0.22 * 255).clip(0, 255)), 255]
