"""Staying signed in: the whole way by cookie, in all tabs, until it is over."""

from pathlib import Path
from typing import Any

from page_app import App

from worker.access import keys
from worker.database.connections import Database


def sign_in(page: Any, key: str) -> None:
    page.get_by_label("Your key").fill(key)
    page.get_by_label("Stay signed in on this browser").check()
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Sign out").wait_for()


def test_who_stays_signed_in_needs_no_key_until_signing_out_or_its_end(own_app: Any, file: Path) -> None:
    app: App = own_app()
    app.expected += ["401"]
    done = app.finish("done before", file, seconds=0.1)
    page = app.open("#/")
    page.get_by_label("Your key").fill("dcl_000000000000_nonsense")
    page.get_by_label("Stay signed in on this browser").check()
    page.keyboard.press("Enter")
    page.get_by_text("The service does not know this key.").wait_for()
    sign_in(page, app.served.key)
    assert page.evaluate("[document.cookie, Object.values(sessionStorage).join(), JSON.stringify(localStorage)]") == [
        "", "", "{}",
    ]  # fmt: skip
    # Uploading, submitting, cancelling, downloading.
    page.goto(f"{app.served.url}/#/new")
    page.locator("[data-pick=chooseFiles]").set_input_files(file)
    page.locator("main").get_by_text("All files are there.", exact=True).wait_for()
    page.get_by_role("button", name="Start").click()
    page.get_by_role("heading", name="fields").wait_for()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("The job was cancelled before it was done.").wait_for()
    page.goto(f"{app.served.url}/#/jobs/{done.id}")
    with page.expect_download() as caught:
        page.get_by_role("link", name="All files (ZIP)").click()
    assert caught.value.path().stat().st_size > 1000
    tab = page.context.new_page()
    tab.goto(f"{app.served.url}/#/")
    tab.get_by_role("button", name="Sign out").click()
    tab.get_by_role("heading", name="A key is needed").wait_for()
    page.goto(f"{app.served.url}/#/")
    page.get_by_role("heading", name="A key is needed").wait_for()
    sign_in(page, app.served.key)
    keys.revoke(Database(f"sqlite:///{app.served.data / 'decloud.db'}"), app.served.key.split("_")[1])
    page.wait_for_timeout(2500)  # longer than a key is trusted
    page.get_by_role("link", name="New job").first.click()
    page.get_by_text("You are no longer signed in").wait_for()
