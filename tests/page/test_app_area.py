"""A job of an area in place of files, where the operator allows a catalogue: form, checks, what is sent."""

import json
from pathlib import Path
from typing import Any

from page_app import App

# Nobody listens there: a worker that fetches is refused at once, and tries again.
CATALOGS = "earth-search,http://127.0.0.1:9/v1"
RING = [[4.6, 50.6], [4.63, 50.6], [4.615, 50.62], [4.6, 50.6]]
WEST, EAST = "West (longitude)", "East (longitude)"
SIDES = {WEST: "4.6", "South (latitude)": "50.6", EAST: "4.63", "North (latitude)": "50.62"}


def fill(page: Any, **values: str) -> None:
    for label, value in values.items():
        page.get_by_label(label).fill(value)


def test_an_area_is_checked_beside_its_fields_and_sent_as_any_client_sends_it(own_app: Any) -> None:
    app: App = own_app(auth="none", input_catalogs=CATALOGS)
    app.expected += ["400"]
    page = app.open("#/new")
    page.get_by_label("An area", exact=True).check()
    page.get_by_role("button", name="Start").click()
    page.get_by_text("West (longitude): give degrees from −180 to 180, such as 4.6.").wait_for()
    page.get_by_text("Choose the first and the last day.").wait_for()
    assert page.evaluate("document.activeElement.id") == "area-west"
    fill(page, **SIDES)
    page.get_by_label(WEST).fill("4.7")
    page.get_by_label(WEST).blur()
    page.get_by_text("West must be less than east.").wait_for()
    page.get_by_label(WEST).fill("4.6")
    page.get_by_text("2.1 km × 2.2 km, about 212 × 223 pixels of 10 m").wait_for()
    page.get_by_label("First day").fill("2021-10-31")
    page.get_by_label("Last day").fill("2021-05-01")
    page.get_by_label("Last day").blur()
    page.get_by_text("The last day is before the first.").wait_for()
    page.get_by_label("First day").fill("2021-05-01")
    page.get_by_label("Last day").fill("2021-10-31")
    page.get_by_text("Will take about").wait_for()
    page.get_by_label(EAST).fill("170")  # the service alone knows how much is fetched
    page.locator("#area-place-problem", has_text="at most 120,560,400 are fetched").wait_for()
    page.get_by_label(EAST).fill("4.63")
    page.get_by_label("Catalogue").select_option("http://127.0.0.1:9/v1")
    page.get_by_label("Name", exact=True).fill("by numbers")
    page.get_by_role("button", name="Start").click()
    page.get_by_role("heading", name="by numbers").wait_for()
    (job,) = app.client().jobs()
    sequence = {"area": [4.6, 50.6, 4.63, 50.62], "dates": "2021-05-01/2021-10-31", "catalog": "http://127.0.0.1:9/v1"}
    assert job.values["inputs"]["sequence"] == sequence
    page.goto(f"{app.served.url}/#/new?from={job.id}")
    page.get_by_role("heading", name="Run again").wait_for()
    assert page.get_by_label(EAST).input_value() == "4.63"
    assert page.get_by_label("First day").input_value() == "2021-05-01"
    assert page.get_by_label("Catalogue").input_value() == "http://127.0.0.1:9/v1"


def test_an_outline_gives_its_box_and_is_drawn(own_app: Any, tmp_path: Path) -> None:
    app: App = own_app(auth="none", input_catalogs=CATALOGS)
    page = app.open("#/new", width=360)
    outline = tmp_path / "farm.geojson"
    outline.write_text(json.dumps({"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [RING]}}))
    # Dropped where files are dropped, it is no sequence to upload.
    page.locator("[data-pick=chooseFiles]").set_input_files(outline)
    page.get_by_text("about 212 × 223 pixels of 10 m").wait_for()
    sides = [page.get_by_label(label).input_value() for label in SIDES]
    assert sides == list(SIDES.values())
    assert page.get_by_label("Name", exact=True).input_value() == "farm"
    assert page.locator(".outline path").get_attribute("d").count("L") == len(RING) - 1
    for pasted, says in (
        ('{"coordinates": [[650000, 5600000]]}', "in WGS 84"),
        ('{"type": "FeatureCollection", "features": []}', "There are no coordinates"),
        ("<kml/>", "This is no GeoJSON"),
    ):
        if not page.get_by_label("Paste it here").is_visible():
            page.get_by_text("From an outline (GeoJSON)").click()
        page.get_by_label("Paste it here").fill(pasted)
        page.locator("#area-geojson-problem", has_text=says).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert [page.get_by_label(label).input_value() for label in SIDES] == sides
