"""The socket that `decloud serve` listens at."""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from api.commands.data_folder import CannotServe


@contextmanager
def listen(host: str, port: int) -> Iterator[socket.socket]:
    """A bound socket; port 0 is any free one. Raises `CannotServe`."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise CannotServe(f"{host}: is no address of this machine ({error.strerror})") from error
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(1)  # now, so that another server's claim to the port shows
        except OSError as error:
            raise CannotServe(_why_not_bound(host, port, error)) from error
        yield listener


def _why_not_bound(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is in use; choose another with --port (0: any that is free)"
    if error.errno == errno.EACCES:
        return f"no permission for port {port}; choose one above 1023 with --port"
    return f"{host} port {port}: cannot be served ({error.strerror})"


def url_of(host: str, listener: socket.socket) -> str:
    """The address of the server, as a client on this machine writes it."""
    port = listener.getsockname()[1]
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}"
