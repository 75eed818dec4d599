"""Two results in one viewer; a job's in a service; the page as one file with all in it."""

import base64
import json
import shutil
from pathlib import Path
from typing import Any

from page_server import PAGE, until

SHOWN = "() => [...document.querySelectorAll('canvas.pane')].map(each => each.dataset.shown).join()"


def beside(bundle: Any, folder: Path, **changed: Any) -> Path:
    """The bundle and a second one beside it, `other/pictures`, whose red is another."""
    shutil.copytree(bundle.folder, folder)
    shutil.copytree(bundle.folder / "pictures", folder / "other" / "pictures")
    manifest = bundle.manifest | {"title": "Interpolation"} | changed
    (folder / "other" / "pictures" / "scene.json").write_text(json.dumps(manifest))
    return folder


def test_two_results_are_laid_over_each_other(viewer: Any, bundle: Any, tmp_path: Path) -> None:
    folder = beside(bundle, tmp_path / "two")
    page = viewer.show(folder, f"#/view?with=other/pictures&date={bundle.dates[2]}")
    until(page, f"({SHOWN})() === '2.rgb/{bundle.dates[2]},rgb/{bundle.dates[2]}'")
    assert page.locator("#subject h1").inner_text() == "Fields · Compared with Interpolation"
    assert page.get_by_label("Picture on the left").locator("option:checked").inner_text() == (
        "Interpolation · After · Natural colour"
    )
    page.get_by_role("radio", name="Vegetation").check(force=True)
    until(page, f"({SHOWN})() === '2.ndvi/{bundle.dates[2]},ndvi/{bundle.dates[2]}'")
    page.wait_for_timeout(350)
    assert "with=other/pictures" in page.url
    assert "layer=ndvi" in page.url


def test_a_date_that_only_one_has_is_said(viewer: Any, bundle: Any, tmp_path: Path) -> None:
    folder = beside(bundle, tmp_path / "two", dates=bundle.manifest["dates"][:4])
    page = viewer.show(folder, f"#/view?with=other/pictures&date={bundle.dates[6]}")
    until(page, "document.querySelector('.missing').textContent === 'Interpolation has no such date'")


def test_other_grids_are_not_laid_over_each_other(viewer: Any, bundle: Any, tmp_path: Path) -> None:
    folder = beside(bundle, tmp_path / "two", width=50)
    page = viewer.show(folder, "#/view?with=other/pictures", wait=".failure")
    assert "different grids (96 × 96 and 50 × 96)" in page.locator(".failure").inner_text()


def test_another_server_is_never_asked(viewer: Any, bundle: Any) -> None:
    page = viewer.show(bundle.folder, "#/view?with=http://example.org/pictures", wait=".failure")
    assert "There is no page at this address." in page.locator(".failure").inner_text()


def test_a_file_may_hold_the_bundle_itself(viewer: Any, bundle: Any, tmp_path: Path) -> None:
    """The page with `content="file"` reads what stands in it, and asks for nothing else."""
    wanted = [path for path in (bundle.folder / "pictures").rglob("*") if path.is_file()]
    wanted += list((bundle.folder / "declouded").iterdir())
    scripts = [
        f'<script type="application/octet-stream" data-path="{path.relative_to(bundle.folder).as_posix()}">'
        f"{base64.b64encode(path.read_bytes()).decode()}</script>"
        for path in wanted
    ]
    html = (PAGE / "index.html").read_text().replace('content="service"', 'content="file"')
    html = html.replace("</body>", "\n".join([*scripts, "</body>"]))
    asked: list[str] = []

    def answer(path: str) -> tuple[int, bytes] | None:
        asked.append(path)
        return (200, html.encode()) if path == "/single.html" else None

    page = viewer.show(tmp_path, "single.html#/view?px=40,40", instead=answer, wait=".place .u-over")
    until(page, f"({SHOWN})().includes('rgb/')")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="This date (GeoTIFF)").click()
    assert Path(waiting.value.path()).stat().st_size > 1000
    assert [path for path in asked if not path.startswith(("/page/", "/single.html"))] == []


def test_a_job_of_a_service_is_viewed_with_the_key_and_its_version(viewer: Any, bundle: Any, tmp_path: Path) -> None:
    """What a service serves lies under jobs/ID; the pasted key goes along, and the tag that lets files be kept."""
    job = tmp_path / "jobs" / "abc"
    shutil.copytree(bundle.folder / "pictures", job / "pictures")
    shutil.copytree(bundle.folder / "declouded", job / "results" / "declouded")
    (job / "pictures" / "scene.json").write_text(json.dumps(bundle.manifest | {"v": "t1"}))
    page = viewer.show(tmp_path, "#/jobs/abc/view?px=40,40", place="service", wait=".place .u-over")
    page.evaluate("sessionStorage.setItem('decloud-key', 'secret')")
    requests: list[Any] = []
    page.on("request", lambda each: requests.append(each))
    page.reload()
    page.wait_for_selector(".place .u-over")
    until(page, f"({SHOWN})().includes('rgb/')")
    data = [each for each in requests if "/pictures/" in each.url]
    assert all(each.headers.get("authorization") == "Bearer secret" for each in data)
    assert sum(each.url.endswith("scene.json") for each in data) == 1  # asked for early, not again
    assert {each.url for each in data if not each.url.endswith("?v=t1")} == {
        f"{viewer.address}jobs/abc/pictures/scene.json"
    }
    with page.expect_download() as waiting:
        page.get_by_role("link", name="This date (GeoTIFF)").click()
    assert Path(waiting.value.path()).read_bytes()[:2] in (b"II", b"MM")


def test_what_was_refused_early_is_asked_again(viewer: Any, bundle: Any) -> None:
    """Before a key was pasted, say."""
    refused: list[str] = []

    def answer(path: str) -> tuple[int, bytes] | None:
        if not path.endswith("scene.json") or refused:
            return None
        refused.append(path)
        return 401, b""

    viewer.expected.append("401")
    viewer.show(bundle.folder, instead=answer)
    assert refused == ["/pictures/scene.json"]
