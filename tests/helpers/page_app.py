"""The page of a served API in a browser, and what its tests do over and over."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import simulated
from served import Served

from api.client import Client, RemoteJob
from api.commands.data_folder import KEY

WATCH_POLICY = """
window.violations = [];
document.addEventListener("securitypolicyviolation",
    (event) => window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
"""
# The page asks for what may not be there: whether the service looks into uploads, and whether a result has pictures.
ASKED = ("/inspect", "/pictures/scene.json")


@dataclass
class App:
    """Browser windows of one test. expected: parts of console lines and addresses that the test provokes."""

    browser: Any
    stack: ExitStack
    served: Served
    expected: list[str] = field(default_factory=lambda: list(ASKED))
    complaints: list[str] = field(default_factory=list)
    pages: list[Any] = field(default_factory=list)

    def open(self, fragment: str = "#/", *, width: int = 1200, **context: Any) -> Any:
        """A window of its own, with storage of its own."""
        context.setdefault("viewport", {"width": width, "height": 800})
        opened = self.stack.enter_context(self.browser.new_context(accept_downloads=True, **context))
        opened.set_default_timeout(15_000)
        page = opened.new_page()
        page.add_init_script(WATCH_POLICY)
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.pages.append(page)
        page.goto(f"{self.served.url}/{fragment}")
        return page

    def _note(self, line: Any) -> None:
        if line.type in ("error", "warning"):
            self.complaints.append(f"{line.text} {line.location.get('url', '')}")

    def submit(self, name: str, file: Path, **settings: Any) -> RemoteJob:
        """A job of the simulated method."""
        client = self.client()
        fault = settings.pop("fault", None)
        inputs = simulated.inputs(fault=fault, **{"dates": 2, "seconds": 0.1, **settings})
        return client.submit(client.upload(file), inputs, name=name)

    def finish(self, name: str, file: Path, **settings: Any) -> RemoteJob:
        """The same, waited for."""
        job = self.submit(name, file, **{"seconds": 0.1, **settings})
        return self.client().wait(job.id)

    def client(self) -> Client:
        keyed = (self.served.data / KEY).exists()
        return self.served.client() if keyed else self.stack.enter_context(Client(self.served.url))

    def check(self) -> None:
        violations = [each for page in self.pages for each in page.evaluate("window.violations ?? []")]
        assert violations + [c for c in self.complaints if not any(part in c for part in self.expected)] == []


Start = Callable[..., App]


@pytest.fixture(scope="module")
def open_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Without keys, for all tests of a module that neither stop nor fill it."""
    served = Served(tmp_path_factory.mktemp("app") / "data", auth="none", poll_s=0.1).start()
    yield served
    served.end()


@pytest.fixture
def app(browser: Any, open_service: Served) -> Iterator[App]:
    with ExitStack() as stack:
        opened = App(browser, stack, open_service)
        yield opened
        opened.check()


@pytest.fixture
def own_app(browser: Any, tmp_path: Path) -> Iterator[Start]:
    """A service of the test's own, by its settings."""
    with ExitStack() as stack:
        apps: list[App] = []

        def start(**settings: Any) -> App:
            served = Served(tmp_path / "own", **settings).start()
            stack.callback(served.end)
            apps.append(App(browser, stack, served))
            return apps[-1]

        yield start
        for each in apps:
            each.check()
