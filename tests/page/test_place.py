"""What a click tells: values equal to the files', series worked out here by other means, table, CSV, boxes, keys."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from bundle_example import BANDS, NODATA, SCALE
from page_server import until

from seq2seq.interpolation import linear_interpolation

CHART = ".place .u-over"


def pixel(page: Any, row: int, column: int) -> None:
    """Clicks a pixel where the stage shows it."""
    script = """([row, column]) => {
        const { x, y, zoom } = Object.fromEntries(new URLSearchParams(location.hash.split('?')[1]));
        const { clientWidth, clientHeight } = document.querySelector('.stage');
        return [(column + .5 - x) * zoom + clientWidth / 2, (row + .5 - y) * zoom + clientHeight / 2]; }"""
    at = page.evaluate(script, [row, column])
    page.locator(".stage").click(position={"x": at[0], "y": at[1]})
    page.wait_for_selector(CHART)


def test_values_under_a_resting_mouse_are_read_before_the_click(viewer: Any, bundle: Any) -> None:
    page = viewer.show(bundle.folder, "#/view?x=48&y=48&zoom=10")
    asked: list[str] = []
    page.on("request", lambda each: asked.append(each.url))
    page.locator(".stage").hover(position={"x": 200, "y": 200})
    page.wait_for_timeout(300)
    assert {each.split("/cube/")[1].split("/")[0] for each in asked if "/c/" in each} == set(
        bundle.manifest["cube"]["arrays"]
    )
    asked.clear()
    page.locator(".stage").click(position={"x": 200, "y": 200})
    page.wait_for_selector(CHART)
    assert [each for each in asked if "/c/" in each] == []


def downloaded(page: Any) -> list[dict[str, str]]:
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download the values").click()
    text = Path(waiting.value.path()).read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text)))


def interpolated(bundle: Any, band: str, row: int, column: int) -> Any:
    """By the package's own interpolation: another program than the page's."""
    before = bundle.before[:, BANDS.index(band), row, column]
    observed = (bundle.mask[:, 0, row, column] == 0) & (before != NODATA)
    days = np.array(bundle.dates, dtype="datetime64[D]").astype(np.float32)
    pixels = (before * SCALE).astype(np.float32)[:, None, None, None]
    return linear_interpolation(pixels, observed[:, None, None], days)[:, 0, 0, 0]


@pytest.mark.parametrize(("row", "column", "band"), [(50, 40, "B04"), (31, 64, "B11"), (95, 95, "B08")])
def test_a_click_tells_the_values_of_the_files_exactly(
    viewer: Any, bundle: Any, row: int, column: int, band: str
) -> None:
    x, y = min(column, 88), min(row, 88)
    page = viewer.show(bundle.folder, f"#/view?x={x}&y={y}&zoom=20&show={band}&compare=one")
    pixel(page, row, column)
    assert page.locator(".place h3").inner_text() == f"Pixel, row {row}, column {column}"
    rows = downloaded(page)
    assert [each["date"] for each in rows] == list(bundle.dates)
    linear = interpolated(bundle, band, row, column)
    for t, (date, told) in enumerate(zip(bundle.dates, rows, strict=True)):
        with rasterio.open(bundle.folder / "declouded" / f"{date}.tif") as image:
            stored = image.read(BANDS.index(band) + 1)[row, column]
        assert told[f"{band}_result"] == f"{stored * SCALE:.4f}"
        before, masked = bundle.before[t, BANDS.index(band), row, column], bundle.mask[t, 0, row, column] != 0
        assert told["seen"] == ("masked" if masked else "observed")
        assert told[f"{band}_{told['seen']}"] == f"{before * SCALE:.4f}"
        assert told[f"{band}_{'observed' if masked else 'masked'}"] == ""
        assert float(told[f"{band}_interpolated"]) == pytest.approx(linear[t], abs=2e-6)
        half = 1.6449 * bundle.sigma[t, BANDS.index(band), row, column] * 1e-5
        assert float(told[f"{band}_low_90"]) == pytest.approx(stored * SCALE - half, abs=1e-6)
        assert float(told[f"{band}_high_90"]) == pytest.approx(stored * SCALE + half, abs=1e-6)
        assert float(told["s1_VH_db"]) == pytest.approx(bundle.s1[t, 1, row, column] / 100)


def test_the_chart_holds_the_same_numbers_to_the_last_bit(viewer: Any, bundle: Any) -> None:
    page = viewer.show(bundle.folder, "#/view?x=48&y=48&zoom=10")
    told = page.evaluate("""async () => {
        const { loadBundle } = await import('/page/viewer/bundle.js');
        const { Place } = await import('/page/viewer/place.js');
        const place = await Place.read(await loadBundle('pictures/'), {top: 70, left: 20, bottom: 71, right: 21});
        return ['B02', 'B08'].map((band) => { const { observed, masked, after } = place.over(band);
            return [...after, ...observed.map((v, t) => Number.isNaN(v) ? masked[t] : v)]; }); }""")
    for band, values in zip(("B02", "B08"), told, strict=True):
        stored = [array[:, BANDS.index(band), 70, 20].astype(float) for array in (bundle.after, bundle.before)]
        assert values == [*(stored[0] * SCALE), *(stored[1] * SCALE)]


def test_the_index_is_of_the_files_bands_and_stays_within_bounds(viewer: Any, bundle: Any) -> None:
    page = viewer.show(bundle.folder, "#/view?x=48&y=48&zoom=10&px=40,50")
    page.wait_for_selector(CHART)
    assert page.get_by_label("Show", exact=True).input_value() == "ndvi"
    red, nir = (bundle.after[:, BANDS.index(band), 40, 50].astype(float) for band in ("B04", "B08"))
    rows = downloaded(page)
    assert [float(each["ndvi_result"]) for each in rows] == pytest.approx((nir - red) / (nir + red), abs=6e-5)
    sigma = [bundle.sigma[:, BANDS.index(band), 40, 50] * 1e-5 for band in ("B04", "B08")]
    red, nir = red * SCALE, nir * SCALE
    half = 1.6449 * 2 * np.hypot(red * sigma[1], nir * sigma[0]) / (nir + red) ** 2
    assert [float(each["ndvi_high_90"]) for each in rows] == pytest.approx(
        np.minimum((nir - red) / (nir + red) + half, 1), abs=1e-5
    )


def test_a_box_is_the_mean_of_what_was_observed(viewer: Any, bundle: Any) -> None:
    page = viewer.show(bundle.folder, "#/view?x=48&y=48&zoom=8&show=B03&compare=one")
    page.get_by_role("radio", name="Box").check(force=True)
    stage = page.locator(".stage").bounding_box()
    corner = [stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2]
    page.mouse.move(corner[0] - 8 * 18.5, corner[1] - 8 * 10.5)
    page.mouse.down()
    page.mouse.move(corner[0] + 8 * 5.5, corner[1] + 8 * 20.5, steps=4)
    page.mouse.up()
    page.wait_for_selector(CHART)
    rows, columns = slice(37, 69), slice(29, 54)
    assert page.locator(".place h3").inner_text() == "Box of 32 × 25 pixels"
    page.wait_for_timeout(350)
    assert "box=37,29,69,54" in page.url
    told = downloaded(page)
    band = BANDS.index("B03")
    for t, each in enumerate(told):
        before, after = (array[t, band, rows, columns] * SCALE for array in (bundle.before, bundle.after))
        observed = bundle.mask[t, 0, rows, columns] == 0
        assert float(each["share_observed"]) == pytest.approx(observed.mean(), abs=6e-4)
        assert float(each["B03_result"]) == pytest.approx(after.mean(), abs=1e-6)
        if observed.any():
            assert float(each["B03_observed"]) == pytest.approx(before[observed].mean(), abs=1e-6)
        else:
            assert each["B03_observed"] == ""


def test_shift_draws_a_box(viewer: Any, bundle: Any) -> None:
    page = viewer.show(bundle.folder, "#/view?compare=one")
    stage = page.locator(".stage").bounding_box()
    page.keyboard.down("Shift")
    page.mouse.move(stage["x"] + stage["width"] / 2 - 60, stage["y"] + 200)
    page.mouse.down()
    page.mouse.move(stage["x"] + stage["width"] / 2, stage["y"] + 260, steps=3)
    page.mouse.up()
    page.keyboard.up("Shift")
    page.wait_for_selector(CHART)
    assert page.locator(".place h3").inner_text().startswith("Box of")


def test_a_box_too_large_to_read_is_refused(viewer: Any, own_bundle: Any) -> None:
    own_bundle.rewrite(width=600, height=600)
    page = viewer.show(own_bundle.folder, "#/view?box=0,0,300,300")
    assert page.get_by_role("alert").inner_text() == "A box may have up to 256 × 256 pixels. Draw a smaller one."


def test_the_pixel_moves_by_arrow_keys_and_is_told_as_a_table(viewer: Any, bundle: Any) -> None:
    page = viewer.show(bundle.folder, "#/view?x=48.5&y=30.5&zoom=10&show=B04&date=2021-03-02")
    page.locator(".stage").focus()
    page.keyboard.press("p")
    page.wait_for_selector(CHART)
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    until(page, "document.querySelector('.place h3')?.textContent === 'Pixel, row 31, column 50'")
    page.get_by_text("As a table").click()
    page.wait_for_selector("tbody tr")
    table = page.get_by_role("table", name="B04 over time")
    first = [cell.strip() for cell in table.locator("tbody tr").nth(3).locator("td").all_inner_texts()]
    value = bundle.after[3, BANDS.index("B04"), 31, 50] * SCALE
    assert first[4] == f"{value:.4f}"
    assert first[0] == ("clear" if bundle.mask[3, 0, 31, 50] == 0 else "cloud or shadow")
    page.keyboard.press("Escape")
    page.wait_for_selector(CHART, state="detached")
    assert page.get_by_text("Click the picture").is_visible()


def test_a_click_on_the_chart_goes_to_its_date(viewer: Any, bundle: Any) -> None:
    page = viewer.show(bundle.folder, f"#/view?px=50,50&date={bundle.dates[2]}")
    page.wait_for_selector(CHART)
    # The chart is drawn anew as more values arrive: Playwright looks it up again for each of these.
    chart = page.locator(CHART).first
    width = chart.evaluate("over => over.clientWidth")
    chart.hover(position={"x": width - 3, "y": 40})
    chart.click(position={"x": width - 2, "y": 40})
    until(page, f"document.querySelector('canvas.right').dataset.shown.endsWith('{bundle.dates[-1]}')")
    assert page.locator(".chart figcaption", has_text="Spectrum on 7 April 2021").is_visible()


def test_no_data_at_a_place_is_no_value(viewer: Any, bundle: Any) -> None:
    page = viewer.show(bundle.folder, "#/view?px=1,1&show=B02")
    page.wait_for_selector(CHART)
    rows = downloaded(page)
    assert {each["seen"] for each in rows} == {"none"}
    assert {each["B02_observed"] + each["B02_masked"] + each["B02_interpolated"] for each in rows} == {""}


def test_files_are_offered(viewer: Any, bundle: Any) -> None:
    page = viewer.show(bundle.folder, f"#/view?date={bundle.dates[4]}")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="This date (GeoTIFF)").click()
    wanted = bundle.folder / "declouded" / f"{bundle.dates[4]}.tif"
    assert Path(waiting.value.path()).read_bytes() == wanted.read_bytes()
    assert waiting.value.suggested_filename == wanted.name
    with page.expect_download() as waiting:
        page.get_by_role("link", name="All files (ZIP)").click()
    assert Path(waiting.value.path()).read_bytes() == (bundle.folder / "results.zip").read_bytes()
