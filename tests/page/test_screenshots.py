"""Screenshots of the viewer. PAGE_SCREENSHOTS names a folder that keeps them: to look at a change, for the README."""

import os
from pathlib import Path
from typing import Any

import pytest
from page_server import until
from PIL import Image

WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 360, "height": 740}
SHOTS = {
    "viewer": ("#/view?date=2021-03-11&swipe=0.52", {"viewport": WIDE}),
    "viewer-dark": (
        "#/view?date=2021-03-11&px=50,40",
        {"viewport": WIDE, "color_scheme": "dark"},
    ),
    "viewer-phone": ("#/view?date=2021-03-11&layer=false", {"viewport": NARROW}),
}


@pytest.mark.parametrize("name", ["viewer", *(pytest.param(name, marks=pytest.mark.slow) for name in list(SHOTS)[1:])])
def test_a_screenshot_shows_the_scene(viewer: Any, bundle: Any, tmp_path: Path, name: str) -> None:
    fragment, context = SHOTS[name]
    page = viewer.show(bundle.folder, fragment, **context)
    until(page, "performance.getEntriesByName('interactive').length > 0")
    page.wait_for_timeout(1200)
    folder = Path(os.environ.get("PAGE_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{name}.png")
    with Image.open(folder / f"{name}.png") as shot:
        box = page.locator(".stage").bounding_box()
        stage = shot.convert("RGB").crop((int(box["x"]), int(box["y"]), int(box["width"]), int(box["height"])))
        assert len(stage.getcolors(1 << 24) or ()) > 500
