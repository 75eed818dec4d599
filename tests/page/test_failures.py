"""What is missing, damaged or hostile: a clear line, and whatever is there is still shown."""

import gzip
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from page_server import until

FAILURE = ".failure"
HOSTILE = '<img src=x onerror="window.hacked=1">"\'=cmd|calc'


def failure(viewer: Any, folder: Any, **more: Any) -> str:
    # Chromium itself tells of every answer that is an error.
    viewer.expected.append("Failed to load resource")
    text: str = viewer.show(folder, wait=FAILURE, **more).locator(FAILURE).inner_text()
    return text


def test_an_unknown_version_is_named(viewer: Any, own_bundle: Any) -> None:
    own_bundle.rewrite(version=7)
    assert "These pictures are of version 7; this page reads version 1." in failure(viewer, own_bundle.folder)


def test_a_damaged_manifest_is_named(viewer: Any, own_bundle: Any) -> None:
    (own_bundle.folder / "pictures" / "scene.json").write_text('{"version": 1, "tit')
    said = failure(viewer, own_bundle.folder)
    assert "it is no valid JSON" in said
    assert "pictures/scene.json" in said


def test_an_incomplete_manifest_says_what_it_lacks(viewer: Any, own_bundle: Any) -> None:
    own_bundle.rewrite(dates=[])
    assert "(scene.json) is incomplete: dates is missing." in failure(viewer, own_bundle.folder)


@pytest.mark.parametrize(
    ("status", "line"), [(404, "is not there"), (410, "has expired"), (403, "may not see"), (500, "(500)")]
)
def test_a_refused_manifest_says_why(viewer: Any, bundle: Any, status: int, line: str) -> None:
    said = failure(viewer, bundle.folder, instead=lambda path: (status, b"") if path.endswith("scene.json") else None)
    assert line in said


def test_there_is_no_page_at_a_made_up_address(viewer: Any, bundle: Any) -> None:
    assert "There is no page at this address." in failure(viewer, bundle.folder, fragment="#/nonsense")


def test_without_the_input_the_result_is_shown_alone(viewer: Any, own_bundle: Any) -> None:
    manifest = own_bundle.manifest
    styles = [each for each in manifest["styles"] if not each["name"].endswith("-before")]
    arrays = {name: each for name, each in manifest["cube"]["arrays"].items() if name == "after"}
    own_bundle.rewrite(styles=styles, cube=manifest["cube"] | {"arrays": arrays})
    page = viewer.show(own_bundle.folder, "#/view?px=40,40&show=B04")
    page.wait_for_selector(".place .u-over")
    shown = page.eval_on_selector_all("canvas.pane", "all => all.map(each => each.dataset.shown)")
    assert all(each.startswith("rgb/") for each in shown)
    value = own_bundle.after[own_bundle.dates.index(shown[0].split("/")[1]), 2, 40, 40] * 1e-4
    assert f"Result {value:.4f}" in page.locator(".values").inner_text()


@pytest.mark.parametrize("missing", ["s1", "sigma", "mask"])
def test_without_one_of_the_arrays_the_rest_is_charted(viewer: Any, own_bundle: Any, missing: str) -> None:
    manifest = own_bundle.manifest
    arrays = {name: each for name, each in manifest["cube"]["arrays"].items() if name != missing}
    styles = [each for each in manifest["styles"] if each["name"] not in (missing, "uncertainty")]
    own_bundle.rewrite(styles=styles, cube=manifest["cube"] | {"arrays": arrays})
    shutil.rmtree(own_bundle.folder / "pictures" / "cube" / missing)
    page = viewer.show(own_bundle.folder, "#/view?px=40,40")
    page.wait_for_selector(".place .u-over")
    assert page.locator(".place .u-wrap").count() == (2 if missing == "s1" else 3)
    assert page.get_by_text("Radar (Sentinel-1), dB").count() == (0 if missing == "s1" else 1)
    assert page.get_by_role("radio", name="Radar").count() == (0 if missing == "s1" else 1)
    assert page.get_by_label("Mark clouds").count() == (0 if missing == "mask" else 1)
    assert ("90 % range" in page.locator(".values").inner_text()) == (missing != "sigma")


def test_without_values_the_pictures_are_there(viewer: Any, own_bundle: Any) -> None:
    own_bundle.rewrite(cube=None)
    page = viewer.show(own_bundle.folder, "#/view?px=40,40")
    assert page.get_by_text("This result has no values to chart, only pictures.").is_visible()


def test_a_chunk_that_is_not_there_is_no_data(viewer: Any, own_bundle: Any) -> None:
    for name in ("before", "after"):
        (own_bundle.folder / "pictures" / "cube" / name / "c" / "0" / "0" / "1" / "1").unlink()
    viewer.expected.append("Failed to load resource")
    page = viewer.show(own_bundle.folder, "#/view?px=40,40")
    page.wait_for_selector(".place .u-over")
    assert page.locator(".values").inner_text() == ""
    page.get_by_text("As a table").click()
    page.wait_for_selector("tbody tr")
    assert set(page.locator("tbody tr td:nth-child(2)").all_inner_texts()) == {"no data"}


@pytest.mark.parametrize(
    ("body", "line"),
    [(b"no gzip", "damaged in block 1/1"), (gzip.compress(b"short"), "damaged in block 1/1"), (None, "refused (500)")],
    # gzip writes the time, and every worker of a test run has to find the same names.
    ids=["no gzip", "too short", "refused"],
)
def test_a_damaged_chunk_is_named(viewer: Any, bundle: Any, body: bytes | None, line: str) -> None:
    answer = (500, b"") if body is None else (200, body)
    viewer.expected.append("Failed to load resource")
    page = viewer.show(
        bundle.folder, "#/view?px=40,40", instead=lambda path: answer if path.endswith("after/c/0/0/1/1") else None
    )
    page.wait_for_selector(".place .notice")
    said = page.locator(".place .notice").inner_text()
    assert said.startswith("The values could not be read.")
    assert line in said
    # Another place is read all the same.
    page.locator(".stage").focus()
    page.evaluate("location.hash = '#/view?px=10,10'")
    page.wait_for_selector(".place .u-over")


def test_a_picture_that_is_not_there_is_named_and_the_other_shown(viewer: Any, bundle: Any) -> None:
    viewer.expected.append("Failed to load resource")
    date = bundle.dates[3]
    page = viewer.show(
        bundle.folder, f"#/view?date={date}", instead=lambda path: (404, b"") if f"rgb-before/{date}" in path else None
    )
    until(page, "document.querySelector('.missing').textContent !== ''")
    assert page.locator(".missing").inner_text() == "Before · Natural colour of 2 March 2021 is not there."
    page.keyboard.press("ArrowRight")
    until(page, "document.querySelector('.missing').textContent === ''")


def test_play_goes_on_over_a_picture_that_is_not_there(viewer: Any, bundle: Any) -> None:
    viewer.expected.append("Failed to load resource")
    page = viewer.show(
        bundle.folder,
        f"#/view?date={bundle.dates[1]}",
        instead=lambda path: (404, b"") if bundle.dates[2] in path else None,
    )
    page.wait_for_timeout(500)
    page.get_by_role("button", name="Play").click()
    until(page, f"document.querySelector('canvas.right').dataset.shown === 'rgb/{bundle.dates[4]}'")


def test_wrong_parameters_take_their_defaults(viewer: Any, bundle: Any) -> None:
    page = viewer.show(
        bundle.folder,
        "#/view?date=never&layer=x&left=__proto__&right=2.rgb&swipe=7&x=a&y=1&zoom=-3&px=99999,-1&compare=constructor&show=evil",
    )
    assert page.locator(".stage").get_attribute("data-way") == "swipe"
    assert page.locator(".stage").evaluate("s => s.style.getPropertyValue('--swipe')") == "0.5"
    assert page.locator(".place .u-over").count() == 0


def test_texts_of_files_stay_texts(viewer: Any, own_bundle: Any) -> None:
    manifest = own_bundle.manifest
    manifest["dates"][4] |= {"date": HOSTILE, "s1_date": HOSTILE, "file": HOSTILE + "/../../x"}
    manifest["bands"][0]["name"] = HOSTILE
    manifest["cube"]["arrays"]["after"]["bands"] = [HOSTILE, *manifest["cube"]["arrays"]["after"]["bands"][1:]]
    legend = {"unit": HOSTILE, "low": HOSTILE, "high": HOSTILE, "colours": [f"red;{HOSTILE}", "url(/x)"]}
    style = {"name": HOSTILE, "title": HOSTILE, "of": HOSTILE, "bands": [HOSTILE], "legend": legend}
    manifest["styles"].append(style)
    manifest |= dict.fromkeys(("title", "made", "credit", "crs"), HOSTILE)
    manifest |= {"notes": [HOSTILE], "s1_bands": [HOSTILE]}
    own_bundle.rewrite(**(manifest | {"downloads": [{"title": HOSTILE, "path": "javascript:alert(1)"}]}))
    viewer.expected.append("Failed to load resource")
    page = viewer.show(own_bundle.folder, "#/view?px=40,40", wait=".place .u-over")
    page.get_by_role("button", name="Next date").click()
    page.keyboard.press("End")
    page.get_by_text("As a table").click()
    page.get_by_label("Show", exact=True).select_option(HOSTILE)
    page.get_by_label("Picture on the right").select_option(HOSTILE)
    page.locator(".stage").hover()
    page.wait_for_timeout(300)
    assert page.evaluate("window.hacked") is None
    assert page.locator("img").count() == 0
    assert page.locator("#subject h1").inner_text() == HOSTILE
    hrefs = page.eval_on_selector_all("a[href]", "all => all.map(a => a.href)")
    assert all(href.startswith(viewer.address) for href in hrefs), hrefs
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download the values").click()
    text = Path(waiting.value.path()).read_text(encoding="utf-8")
    assert not re.search(r"(^|[,\n])[=@]", text)


def test_hostile_json_is_no_prototype(viewer: Any, own_bundle: Any) -> None:
    manifest = json.dumps(own_bundle.manifest)[:-1] + ', "__proto__": {"polluted": 1}}'
    (own_bundle.folder / "pictures" / "scene.json").write_text(manifest)
    page = viewer.show(own_bundle.folder)
    assert page.evaluate("({}).polluted") is None
