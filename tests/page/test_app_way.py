"""The whole way in a browser against a real service: from dropping files to a downloaded result."""

import json
import re
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from page_app import App
from page_server import until

from seq2seq.bands import BAND_SETS
from seq2seq.simulation.simulate import simulate, write_simulation

SIMULATED = {"seconds": "1", "steps": "5"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Loose files as a user has them; the simulated method does not look at them."""
    for path, size in {
        "S2/2021-05-01.tif": 4000,
        "S2/2021-05-11.tif": 5000,
        "S1/2021-05-02.tif": 3000,
        ".x": 9,
    }.items():
        (tmp_path / "fields" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "fields" / path).write_bytes(bytes(range(256)) * (size // 256) or b"x")
    return tmp_path / "fields"


def choose_method(page: Any) -> None:
    page.get_by_label("Method", exact=True).select_option("simulated")
    page.get_by_text("Settings of the method").click()
    page.get_by_label("Seconds").fill(SIMULATED["seconds"])


def newest_upload(app: App) -> Path:
    """Where the service stores what came last."""
    files = [path for path in (app.served.data / "files" / "uploads").rglob("*") if path.is_file()]
    return max(files, key=lambda path: path.stat().st_mtime_ns)


def pick(page: Any, folder: Path) -> None:
    page.locator("[data-pick=chooseFolder]").set_input_files(folder)
    page.locator("main").get_by_text("All files are there.", exact=True).wait_for()


def download(page: Any, tmp_path: Path) -> zipfile.ZipFile:
    with page.expect_download() as caught:
        page.get_by_role("link", name="All files (ZIP)").click()
    caught.value.save_as(tmp_path / "result.zip")
    return zipfile.ZipFile(tmp_path / "result.zip")


@pytest.mark.parametrize("width", [360, pytest.param(1200, marks=pytest.mark.slow)])
def test_from_dropping_to_downloading_by_mouse(app: App, folder: Path, tmp_path: Path, width: int) -> None:
    page = app.open("#/", width=width, has_touch=width < 500)
    page.get_by_role("link", name="New job").first.click()
    page.locator(".drop").wait_for()
    assert page.get_by_text("An area").count() == 0  # nothing is fetched here
    pick(page, folder)
    assert page.get_by_label("Name", exact=True).input_value() == "fields"
    choose_method(page)
    page.get_by_role("button", name="Start").click()
    page.get_by_role("heading", name="fields").wait_for()
    page.get_by_text("Done in").wait_for()
    with download(page, tmp_path) as archive:
        assert {"declouded/2021-05-01.tif", "report.json"} <= set(archive.namelist())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("link", name="Read the report").click()
    page.get_by_role("heading", name="Report on fields").wait_for()
    page.get_by_role("link", name="Jobs", exact=True).click()
    page.locator(".job-name", has_text="fields").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_what_arrives_is_what_was_chosen(app: App, folder: Path, tmp_path: Path) -> None:
    """The ZIP that the browser makes, as Python reads it, and the same bytes each time."""
    page = app.open("#/new")
    pick(page, folder)
    stored = newest_upload(app)
    with zipfile.ZipFile(stored) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == ["S1/2021-05-02.tif", "S2/2021-05-01.tif", "S2/2021-05-11.tif"]
        assert archive.read("S2/2021-05-01.tif") == (folder / "S2/2021-05-01.tif").read_bytes()
    first = stored.read_bytes()
    again = app.open("#/new")
    pick(again, folder)
    other = newest_upload(app)
    assert other != stored
    assert other.read_bytes() == first


@pytest.mark.parametrize("fragment", ["#/new", "#/"])
def test_files_can_be_dropped(app: App, folder: Path, fragment: str) -> None:
    """On the form, and on the list of jobs, which leads to the form."""
    page = app.open(fragment)
    page.locator(".drop, .jobs, .welcome").first.wait_for()
    transfer = page.evaluate_handle("""() => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(5000)], "2021-05-01.tif"));
        data.items.add(new File([new Uint8Array(6000)], "2021-05-11.tif"));
        return data; }""")
    page.dispatch_event(".page", "drop", {"dataTransfer": transfer})
    page.locator("main").get_by_text("All files are there.", exact=True).wait_for()
    assert page.get_by_text("2 files, 11 kB").is_visible()


def focus(page: Any, script: str) -> None:
    """Tab until the focused element fits."""
    for _ in range(80):
        if page.evaluate(f"(() => {{ const here = document.activeElement; return {script}; }})()"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"never focused: {script}")


def test_the_same_by_keyboard_alone(app: App, folder: Path) -> None:
    page = app.open("#/")
    # From here on the browser hands file choosers over: told only beside the key, a busy one may be too late.
    page.on("filechooser", lambda chooser: None)
    page.get_by_role("heading", level=1).wait_for()
    focus(page, "here.getAttribute('href') === '#/new'")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="New job").wait_for()
    focus(page, "here.textContent === 'Choose files'")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(sorted((folder / "S2").iterdir()))
    page.locator("main").get_by_text("All files are there.", exact=True).wait_for()
    focus(page, "here.id === 'name'")
    page.keyboard.type(" by keys")
    focus(page, "here.id === 'setting-method'")
    page.keyboard.type("Simulated")
    page.keyboard.type("simulated")
    assert page.get_by_label("Method", exact=True).input_value() == "simulated"
    focus(page, "here.textContent === 'Start'")
    page.keyboard.press("Enter")
    page.get_by_text("Done in").wait_for()
    page.get_by_role("link", name="All files (ZIP)").wait_for()
    focus(page, "here.textContent.startsWith('All files (ZIP)')")
    with page.expect_download() as caught:
        page.keyboard.press("Enter")
    assert caught.value.suggested_filename.endswith(".zip")


def test_a_wrong_setting_is_said_beside_its_field(app: App, folder: Path) -> None:
    app.expected.append("/execution")
    page = app.open("#/new")
    pick(page, folder)
    page.get_by_label("Time limit in minutes").fill("-3")
    page.get_by_text("More settings").click()
    page.get_by_label("Overlap (pixels)", exact=True).fill("9000")
    page.get_by_role("button", name="Start").click()
    page.get_by_text("Please correct the marked settings.").wait_for()
    assert page.locator("#setting-max_minutes-problem").text_content() == "Must be greater than or equal to 0.1"
    assert "512" in page.locator("#setting-overlap_px-problem").text_content()
    assert page.evaluate("document.activeElement.id") == "setting-max_minutes"


def test_start_may_be_pressed_before_all_is_there(app: App, folder: Path) -> None:
    page = app.open("#/new")
    held: list[Any] = []
    page.route("**/uploads", lambda route: held.append(route))
    page.locator("[data-pick=chooseFolder]").set_input_files(folder)
    choose_method(page)
    page.get_by_role("button", name="Start").click()
    page.locator("main").get_by_text("Starts as soon as all files are there.").wait_for()
    held[0].continue_()
    page.get_by_text("Done in").wait_for()


def _said(request: Any) -> str:
    return f"{request.method} {urlsplit(request.url).path} {request.headers.get('upload-offset')}"


def test_an_upload_goes_on_after_a_reload(app: App, tmp_path: Path) -> None:
    app.expected += ["/uploads", "ERR_"]
    (tmp_path / "large").mkdir()
    for name in ("a.tif", "b.tif"):
        (tmp_path / "large" / name).write_bytes(b"0123456789abcdef" * 1_500_000)
    page = app.open("#/new")
    seen: list[str] = []
    page.on("request", lambda request: seen.append(_said(request)))
    cut: list[bool] = []

    def second_is_lost(route: Any) -> None:
        if route.request.method == "PATCH" and route.request.headers.get("upload-offset") != "0" and not cut:
            route.abort()
            return
        route.continue_()

    page.route("**/uploads/*", second_is_lost)
    page.locator("[data-pick=chooseFolder]").set_input_files(tmp_path / "large")
    until(page, "document.querySelector('progress')?.value > 0.3", seconds=20)
    until(page, "JSON.parse(localStorage.getItem('decloud-upload') ?? '{}').sent > 0", seconds=20)
    page.once("dialog", lambda dialog: dialog.accept())
    page.reload()
    cut.append(True)
    seen.clear()
    page.get_by_text("Choose the same files again").wait_for()
    page.locator("[data-pick=chooseFolder]").set_input_files(tmp_path / "large")
    page.locator("main").get_by_text("All files are there.", exact=True).wait_for()
    assert "POST /uploads None" not in seen
    assert int(next(each.split()[2] for each in seen if each.startswith("PATCH"))) > 0
    stored = newest_upload(app)
    with zipfile.ZipFile(stored) as archive:
        assert archive.testzip() is None
    assert page.evaluate("localStorage.getItem('decloud-upload')") is None


def test_run_again_has_the_settings_of_before(app: App, tmp_path: Path, file: Path) -> None:
    job = app.finish("first", file, seconds=0.2)
    page = app.open(f"#/new?from={job.id}")
    assert page.get_by_label("Method", exact=True).input_value() == "simulated"
    assert page.locator("#setting-method_settings-seconds").input_value() == "0.2"
    with page.expect_request("**/execution") as sent:
        page.get_by_role("button", name="Start").click()
    body = json.loads(sent.value.post_data)
    assert body["inputs"]["method_settings"] == {"seconds": 0.2}
    page.get_by_text("Done in").wait_for()


# Interpolation claims something over itself where it left suspected clouds out.
ABOUT_AS_GOOD = "([Aa]s good as|[1-9] % less error than) interpolation"


def test_a_real_result_is_swiped_in_the_viewer_and_its_report_read(app: App, tmp_path: Path) -> None:
    """Nothing simulated but the landscape: the pictures, the viewer and the figures are those of the engine."""
    write_simulation(simulate(dates=4, size=24, bands=BAND_SETS["10m"]), tmp_path / "made")
    page = app.open("#/new")
    page.locator("[data-pick=chooseFolder]").set_input_files(tmp_path / "made" / "input")
    found = page.locator(".found")
    found.get_by_role("heading", name="What is in it").wait_for(timeout=90_000)
    assert found.locator(".cloud-strip li").count() == 4
    pictures = found.locator(".previews img")
    pictures.last.evaluate("async (image) => { while (!image.naturalWidth) await new Promise(requestAnimationFrame); }")
    assert pictures.evaluate_all("(images) => images.map((image) => image.naturalWidth)") == [24] * 4
    assert re.fullmatch(r"As it came on .* 20\d\d, .* % cloud", pictures.first.get_attribute("alt") or "")
    assert [found.get_by_text(each).count() for each in ("4 dates", "Bands B02, B03, B04, B08", "Radar VV, VH")] == [
        1,
        1,
        1,
    ]
    page.get_by_label("Method", exact=True).select_option("linear")
    page.get_by_role("button", name="Start").click()
    page.get_by_role("link", name="Open the viewer").click(timeout=120_000)
    page.locator("canvas.right[data-shown*='/']").wait_for(state="attached")
    page.go_back()
    page.get_by_role("link", name="Read the report").click()
    page.get_by_role("heading", name=re.compile(f"^Where pixels were missing: {ABOUT_AS_GOOD}$")).wait_for()
    assert page.locator(".limits li", has_text="The input is simulated").count() == 1
    page.get_by_role("link", name="Jobs", exact=True).click()
    page.locator(".job", has_text="input").locator("img").first.wait_for()
    page.locator(".job", has_text="input").get_by_text(re.compile(ABOUT_AS_GOOD)).wait_for()
