"""The API of `decloud serve`: uvicorn in a thread of its own, so that signals are the program's."""

import logging
import socket
import threading
from types import TracebackType

import uvicorn
from fastapi import FastAPI

from api.app import begin_shutdown
from api.commands.data_folder import CannotServe
from api.http.protocol import http_protocol
from worker.settings import Settings

_log = logging.getLogger(__name__)

# Answers that take longer are cut off when the server stops; uploads go on after the restart.
_LAST_ANSWERS_S = 5
_IDLE_S = 75
_STARTS_WITHIN_S = 60.0


class ApiThread:
    """Serves the application inside `with`. Sets `over` should it end by itself.

    Raises `CannotServe` where it does not start, and where it has ended by itself.
    """

    def __init__(self, settings: Settings, app: FastAPI, listener: socket.socket, over: threading.Event) -> None:
        config = uvicorn.Config(
            app,
            http=http_protocol(settings),
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_LAST_ANSWERS_S,
            timeout_keep_alive=_IDLE_S,
        )
        self._server, self._over = _Server(config, app), over
        self._thread = threading.Thread(target=self._run, args=(listener,), name="api")

    def __enter__(self) -> None:
        self._thread.start()
        self._server.ready.wait(_STARTS_WITHIN_S)
        if not self._server.started:
            self._server.should_exit = True
            raise CannotServe("the API did not start; the log says why")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        ended_itself = not self._thread.is_alive()
        self._server.should_exit = True
        self._thread.join()
        if ended_itself and error is None:
            raise CannotServe("the API ended by itself; the log says why")

    def _run(self, listener: socket.socket) -> None:
        try:
            self._server.run(sockets=[listener])
        except Exception:
            _log.exception("API failed")
        finally:
            self._server.ready.set()
            self._over.set()


class _Server(uvicorn.Server):
    """Says when it answers, and ends streams before it waits for their end."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self._app = app

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        begin_shutdown(self._app)
        await super().shutdown(sockets)
