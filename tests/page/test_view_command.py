"""`decloud view` as a user starts it: its address in a browser that reaches this machine alone, until Ctrl-C."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from locations import ROOT
from page_server import until
from small_result import charted, dates_of, small_result, stored_reflectance

SHOWN = "() => [...document.querySelectorAll('canvas.pane')].map(each => each.dataset.shown).join()"


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_result(tmp_path_factory.mktemp("viewed"))


@pytest.fixture
def running(result: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command and the address that it prints. A proxy that leads nowhere stands for the network that is off."""
    dead = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    command = [sys.executable, "-m", "decloud", "view", str(result), "--no-browser"]
    started = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, **dead, "PYTHONPATH": str(ROOT)}
    )
    said = []
    assert started.stdout is not None
    for line in started.stdout:
        said.append(line)
        if found := re.search(r"http://127\.0\.0\.1:\d+/", line):
            yield started, found[0]
            break
    else:
        pytest.fail(f"no address: {said}")
    started.kill()
    started.wait()
    started.stdout.close()


def test_a_result_is_seen_swiped_and_asked_without_a_network_until_ctrl_c(
    browser: Any, result: Path, running: tuple[subprocess.Popen[str], str]
) -> None:
    process, address = running
    context = browser.new_context(viewport={"width": 1200, "height": 800})
    elsewhere: list[str] = []

    def only_here(route: Any) -> None:
        if route.request.url.startswith(address):
            route.continue_()
        else:
            elsewhere.append(route.request.url)
            route.abort()

    context.route("**/*", only_here)
    page = context.new_page()
    page.set_default_timeout(15000)
    complaints: list[str] = []
    page.on("console", lambda line: complaints.append(line.text) if line.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{address}#/view?px=33,65&show=B08")
    page.wait_for_selector("canvas.right[data-shown*='/']", state="attached")
    assert page.locator("#subject h1").inner_text() == "cloud-free"
    _swipe(page)
    days = dates_of(result)
    slider = page.get_by_label("Date", exact=True)
    slider.focus()
    page.keyboard.press("End")
    until(page, f"({SHOWN})() === 'rgb-before/{days[-1]},rgb/{days[-1]}'")
    assert charted(page) == stored_reflectance(result, "B08", 33, 65)
    with page.expect_download() as waiting:
        page.get_by_role("link", name="This date (GeoTIFF)").click()
    assert Path(waiting.value.path()).read_bytes() == (result / "declouded" / f"{days[-1]}.tif").read_bytes()
    assert complaints + elsewhere == []
    context.close()
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    process.wait(timeout=20)
    assert time.monotonic() - began < 10
    assert process.returncode == 0


def _swipe(page: Any) -> None:
    """With the mouse, to a quarter."""
    box = page.locator(".stage").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 200, steps=4)
    page.mouse.up()
    until(page, "Math.abs(document.querySelector('.stage').style.getPropertyValue('--swipe') - 0.25) < 0.02")
