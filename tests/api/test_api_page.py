"""The page: for browsers at /, its files below /page/, and JSON for everybody else as ever."""

import gzip
from pathlib import Path

import httpx
import pytest
from service_api import ServedApi, User

from api.routes import page as routes
from seq2seq.page import POLICY, Page

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
INDEX = '<!doctype html><meta name="decloud" content="view"><script type="module" src="page/app.js"></script>'
FILES = {
    "index.html": INDEX,
    "app.js": "export const nothing = 0;\n" * 40,
    "viewer/view.js": "//",
    "vendor/a.min.js": "//",
    "icon.svg": "<svg/>",
    "app.css": "a{}",
    ".hidden": "x",
    "viewer/.git/config": "x",
}


@pytest.fixture(autouse=True)
def static(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "static"
    for path, content in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)
    (tmp_path / "secret").write_text("x")
    (folder / "link.js").symlink_to(tmp_path / "secret")
    monkeypatch.setattr(routes, "_PAGE", Page(folder))
    return folder


@pytest.fixture
def anybody(api: ServedApi) -> User:
    return api.anybody()


def html(anybody: User, **headers: str) -> httpx.Response:
    return anybody.get("/", headers={"Accept": BROWSER, **headers})


def test_a_browser_gets_the_page_which_knows_where_it_is(anybody: User) -> None:
    answer = html(anybody)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.text == INDEX.replace('content="view"', 'content="service"')
    assert answer.headers["content-security-policy"] == POLICY
    assert {"Accept", "Accept-Encoding"} <= {each.strip() for each in answer.headers["vary"].split(",")}
    assert html(anybody, **{"If-None-Match": answer.headers["etag"]}).status_code == 304
    head = anybody.head("/", headers={"Accept": BROWSER})
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/json, text/html;q=0.5", None])
def test_programs_get_what_they_got(anybody: User, accept: str | None) -> None:
    answer = anybody.get("/", headers={"Accept": accept} if accept else {})
    assert answer.headers["content-type"] == "application/json"
    assert {"title", "links"} <= set(answer.json())
    assert "Accept" in answer.headers["vary"]


def test_without_its_files_there_is_json(anybody: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "_PAGE", Page(tmp_path / "nothing"))
    assert html(anybody).headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("app.js", "text/javascript; charset=utf-8"),
        ("viewer/view.js", "text/javascript; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
        ("app.css", "text/css; charset=utf-8"),
    ],
)
def test_its_files_need_no_key(anybody: User, path: str, kind: str) -> None:
    answer = anybody.get(f"/page/{path}")
    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (200, FILES[path], kind)
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["content-security-policy"] == POLICY
    assert anybody.get(f"/page/{path}", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304


def test_texts_travel_packed_where_that_is_understood(anybody: User) -> None:
    packed = anybody.get("/page/app.js", headers={"Accept-Encoding": "gzip"})
    plain = anybody.get("/page/app.js", headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(FILES["app.js"]) / 4
    assert "content-encoding" not in plain.headers
    assert packed.text == plain.text == FILES["app.js"]
    assert packed.headers["etag"] != plain.headers["etag"]
    assert "content-encoding" not in anybody.get("/page/app.js", headers={"Accept-Encoding": "gzip;q=0"}).headers
    with anybody.stream("GET", "/page/app.js", headers={"Accept-Encoding": "br;q=1, gzip;q=0.5"}) as raw:
        assert gzip.decompress(b"".join(raw.iter_raw())).decode() == FILES["app.js"]


@pytest.mark.parametrize(
    "path",
    ["nothing.js", "..%2Fsecret", "../secret", "%2e%2e/secret", ".hidden", "viewer/.git/config", "link.js", "viewer",
     "", "/etc/passwd", "app.js%00"],
)  # fmt: skip
def test_nothing_else_is_served(anybody: User, path: str) -> None:
    answer = anybody.get(f"/page/{path}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
