"""What is used and what is left, over HTTP, for the client and on the command line."""

import json

import pytest
from service_api import ServedApi, User

from api.client import Client
from api.commands.main import main


def test_it_counts_what_is_there_against_what_the_key_may(api: ServedApi) -> None:
    user = api.user(max_queued_per_owner=3, max_stored_bytes_per_owner=1000, max_upload_bytes=500)
    first, second = user.submit(), user.submit()
    user.post(f"/uploads/{user.upload(b'x' * 100)}/inspect")
    api.claim(first)
    api.finish(second, {"report.json": b"y" * 50})
    stored = 100 + len(b"bytes of a sequence") + (api.job(second).result_bytes or 0)
    told = user.get("/usage").json()
    assert told["stored_bytes"] == {"used": stored, "limit": 1000, "left": 1000 - stored}
    assert told["queued"] == {"used": 0, "limit": 3, "left": 3}
    assert told["inspections"] == {"used": 1, "limit": 3, "left": 2}
    assert told["running"]["used"] == 1
    assert told["uploads"] == 2
    assert told["limits"]["upload_bytes"] == 500
    assert told["last_30_days"]["jobs"] == {"running": 1, "successful": 1}
    assert told["last_30_days"]["run_s"] >= 0


def test_nobody_sees_what_others_use(api: ServedApi, user: User) -> None:
    user.submit()
    told = api.user().get("/usage").json()
    assert (told["queued"]["used"], told["stored_bytes"]["used"], told["last_30_days"]["jobs"]) == (0, 0, {})
    assert api.anybody().get("/usage").status_code == 401


def test_the_client_and_the_command_say_the_same(user: User, capsys: pytest.CaptureFixture[str]) -> None:
    user.submit()
    with Client(user.api.url, user.key) as client:
        told = client.usage()
    assert told["queued"]["used"] == 1
    assert usage(user, "--json", capsys=capsys) == json.dumps(told, indent=2) + "\n"
    lines = usage(user, capsys=capsys).splitlines()
    assert lines[1].split() == ["Waiting", "1", "of", "20,", "19", "left"]
    assert lines[-1].startswith("30 days  1 accepted; 0 minutes")


def usage(user: User, *options: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["usage", "--server", user.api.url, "--key", str(user.key), *options])
    assert not ended.value.code
    return capsys.readouterr().out
