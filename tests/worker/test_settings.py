"""Settings: final when read, refused in one line that names them."""

from pathlib import Path

import pytest

from worker.errors import InvalidSettings
from worker.settings import Settings, load_settings, unknown_variables


def test_everything_follows_the_data_folder(tmp_path: Path) -> None:
    settings = load_settings(data=tmp_path)
    assert settings.database_url == f"sqlite:///{tmp_path}/decloud.db"
    assert settings.storage_url == f"file://{tmp_path}/files"
    assert settings.work_dir == tmp_path / "work"
    assert settings.embedded


def test_the_environment_is_read_and_empty_values_are_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DECLOUD_DATABASE_URL", "postgresql://db/decloud")
    monkeypatch.setenv("DECLOUD_BROKER_URL", "")
    monkeypatch.setenv("DECLOUD_RESOURCE_CLASSES", "cpu, gpu16")
    monkeypatch.setenv("DECLOUD_STORAGE_OPTIONS", '{"region": "eu"}')
    settings = load_settings(port=80)
    assert (settings.database_url, settings.port) == ("postgresql://db/decloud", 80)
    assert settings.embedded
    assert settings.resource_classes == ("cpu", "gpu16")
    assert settings.storage_options == {"region": "eu"}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"auth": "none", "host": "0.0.0.0"}, "auth is none and host is 0.0.0.0"),
        ({"heartbeat_s": 40}, "heartbeat_s 40 is more than half of lease_s 60"),
        ({"port": 99999}, r"port \(DECLOUD_PORT\)"),
        ({"prot": 80}, r"prot \(DECLOUD_PROT\)"),
        ({"max_queued_per_owner": 0}, "max_queued_per_owner"),
        ({"resource_classes": " , "}, "resource_classes is empty"),
        ({"resource_classes": "cpu,light"}, "resource_classes has light, which is of inspections alone"),
        (
            {"signing_secret": "hunter2"},
            r"signing_secret \(DECLOUD_SIGNING_SECRET\): has 7 characters, must have at least 16",
        ),
        ({"public_url": "sat.example.org"}, r"public_url \(DECLOUD_PUBLIC_URL\): must be an address such as https://"),
        ({"public_url": "ftp://sat.example.org"}, "with http or https"),
        ({"public_url": "javascript:alert(1)"}, "with http or https"),
        ({"public_url": "https:///path"}, "with http or https"),
        ({"public_url": "https://ann:hunter2@sat.example.org"}, "must have no user, query or fragment"),
        ({"public_url": "https://sat.example.org/?a=1"}, "must have no user, query or fragment"),
        ({"webhook_secret": "hunter2"}, r"\(DECLOUD_WEBHOOK_SECRET\): must be whsec_ and base64 of 24 to 64"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(values: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidSettings, match=said) as refused:
        load_settings(**values)
    assert "\n" not in str(refused.value)


def test_no_keys_are_needed_on_loopback_alone() -> None:
    for host in ("127.0.0.1", "::1", "localhost"):
        assert load_settings(auth="none", host=host).auth == "none"


def test_secrets_do_not_show() -> None:
    secret = "aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMg=="
    settings = Settings(
        database_url=f"postgresql://u:{secret}@db/decloud",
        broker_url=f"redis://:{secret}@redis",
        storage_options={"secret_access_key": secret},
        signing_secret=secret,
        webhook_secret=f"whsec_{secret}",
    )
    assert secret not in repr(settings)
    assert secret not in str(settings)
    with pytest.raises(InvalidSettings) as refused:
        load_settings(storage_options=secret)
    assert secret not in str(refused.value)


def test_variables_that_do_not_exist_are_named_with_the_nearest_that_do() -> None:
    names = [
        "DECLOUD_MAX_UPLOAD_BYTE",
        "DECLOUD_XYZZY_PLUGH",
        "decloud_pord",
        "DECLOUD_PORT",
        "PATH",
        "MY_DECLOUD_PORT",
    ]
    assert unknown_variables(names) == [
        "DECLOUD_MAX_UPLOAD_BYTE is no setting and has no effect; DECLOUD_MAX_UPLOAD_BYTES is one",
        "DECLOUD_XYZZY_PLUGH is no setting and has no effect",
        "decloud_pord is no setting and has no effect; DECLOUD_PORT is one",
    ]


def test_every_setting_and_every_variable_of_the_client_is_known() -> None:
    names = [f"DECLOUD_{name.upper()}" for name in Settings.model_fields]
    assert unknown_variables([*names, "DECLOUD_SERVER", "DECLOUD_KEY"]) == []
