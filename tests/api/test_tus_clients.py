"""Clients of tus that are not ours: tus-js-client, the reference, and tuspy; whole, side by side, cut and resumed."""

import hashlib
import io
import json
import os
import shutil
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from locations import ROOT
from service_api import ServedApi, User
from service_storages import pattern
from tus_requests import stored

HERE = ROOT / "tests" / "tus_js"
# Where `npm ci --prefix tests/tus_js` puts it, unless it is elsewhere.
MODULES = Path(os.environ.get("DECLOUD_TUS_JS", HERE / "node_modules"))
PIECE_BYTES = 256 << 10
BROKEN = 17
SIDE_BY_SIDE = {"parallelUploads": 4}

needs_js = pytest.mark.skipif(
    shutil.which("node") is None or not (MODULES / "tus-js-client").is_dir(),
    reason="tus-js-client is not there: npm ci --prefix tests/tus_js, or DECLOUD_TUS_JS=.../node_modules",
)


class JsClient:
    """tus-js-client, a process for each upload, remembering what was begun in one file."""

    def __init__(self, user: User, folder: Path, content: bytes) -> None:
        self.user, self.file, self.content = user, folder / "fields.zip", content
        self.file.write_bytes(content)
        self.remembered = folder / "remembered.json"

    def run(self, *, source: str = "file", break_after: int = 0, **options: Any) -> subprocess.CompletedProcess[str]:
        asked = {
            "modules": str(MODULES.resolve()),
            "endpoint": f"{self.user.api.url}/uploads",
            "key": self.user.key,
            "file": str(self.file),
            "remembered": str(self.remembered),
            "breakAfter": break_after,
            "source": source,
            "options": {"chunkSize": PIECE_BYTES, **options},
        }
        command = ["node", str(HERE / "upload.cjs"), json.dumps(asked)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def check(self, ran: subprocess.CompletedProcess[str]) -> dict[str, Any]:
        """The whole file is there, by the address that the client has, and nothing else of it."""
        assert ran.returncode == 0, ran.stderr
        address = ran.stdout.strip().removeprefix(self.user.api.url)
        told = self.user.get(address).json()
        assert (told["state"], told["name"]) == ("complete", "fields.zip")
        assert told["sha256"] == hashlib.sha256(self.content).hexdigest()
        assert stored(self.user, address) == self.content
        return dict(told)


def received(api: ServedApi) -> float:
    """Bytes of uploads that have come so far."""
    return float(api.app.state.services.metrics.received._value.get())


@pytest.fixture
def js(user: User, tmp_path: Path) -> JsClient:
    return JsClient(user, tmp_path, pattern(2_500_001))


@needs_js
@pytest.mark.parametrize(
    "options",
    [
        {},
        SIDE_BY_SIDE,
        {"uploadDataDuringCreation": True},
        {"overridePatchMethod": True},
        {"source": "stream", "uploadLengthDeferred": True},
        {**SIDE_BY_SIDE, "uploadDataDuringCreation": True, "overridePatchMethod": True, "chunkSize": 10**9},
    ],
    ids=["in pieces", "side by side", "with the first request", "by POST", "length unknown", "all at once"],
)
def test_tus_js_client_uploads_a_file(js: JsClient, options: dict[str, Any]) -> None:
    js.check(js.run(**options))
    (only,) = js.user.get("/uploads").json()["uploads"]
    assert only["length"] == len(js.content)


@needs_js
@pytest.mark.parametrize("options", [{}, SIDE_BY_SIDE], ids=["in a row", "side by side"])
def test_tus_js_client_goes_on_after_a_power_cut(api: ServedApi, js: JsClient, options: dict[str, Any]) -> None:
    before = received(api)
    broken = js.run(break_after=1_300_000, **options)
    assert broken.returncode == BROKEN, broken.stderr
    ran = js.run(**options)
    assert "1 earlier" in ran.stderr
    js.check(ran)
    assert received(api) - before == len(js.content)  # no byte twice


@needs_js
def test_tus_js_client_divides_a_file_of_fewer_bytes_than_parts(user: User, tmp_path: Path) -> None:
    small = JsClient(user, tmp_path, b"ab")
    small.check(small.run(source="bytes", **SIDE_BY_SIDE))


@needs_js
def test_tus_js_client_that_missed_the_last_answer_sends_nothing_twice(
    api: ServedApi, js: JsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = api.app.state.services.intake.join

    async def lost(final: Any) -> Any:
        await finish(final)
        raise ConnectionResetError("the answer is lost")

    with monkeypatch.context() as cut:
        cut.setattr(api.app.state.services.intake, "join", lost)
        assert js.run(**SIDE_BY_SIDE, retryDelays=[]).returncode == 1
    before = received(api)
    js.check(js.run(**SIDE_BY_SIDE))
    assert received(api) == before


class _Kept(io.BytesIO):
    """tuspy closes what it is given before it reads it."""

    def close(self) -> None:
        self.seek(0)


@pytest.mark.parametrize("checksums", [False, True], ids=["plain", "checked"])
def test_tuspy_uploads_a_file_and_goes_on_with_a_broken_one(user: User, tmp_path: Path, checksums: bool) -> None:
    tuspy = pytest.importorskip("tusclient.client", reason="tuspy is not installed: pip install tuspy")
    storage = pytest.importorskip("tusclient.storage.filestorage")
    content = pattern(1_500_001)
    client = tuspy.TusClient(f"{user.api.url}/uploads", headers={"Authorization": f"Bearer {user.key}"})

    def upload(pieces: int | None) -> Any:
        """The uploader when so many pieces are sent, or all."""
        with closing(storage.FileStorage(str(tmp_path / "remembered.json"))) as remembered:
            uploader = client.uploader(
                file_stream=_Kept(content),
                chunk_size=PIECE_BYTES,
                metadata={"filename": "fields.zip"},
                store_url=True,
                url_storage=remembered,
                upload_checksum=checksums,
            )
            began = uploader.offset
            for _ in range(pieces or 0):
                uploader.upload_chunk()
            if pieces is None:
                uploader.upload()
            return uploader.url, began

    address, began = upload(2)
    assert began == 0
    assert upload(None) == (address, 2 * PIECE_BYTES)
    told = user.get(address).json()
    assert (told["state"], told["name"]) == ("complete", "fields.zip")
    assert told["sha256"] == hashlib.sha256(content).hexdigest()
