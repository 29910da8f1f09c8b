"""Runs the sandbox on a real port: in the foreground for a person, in a thread for tests."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import uvicorn
from starlette.applications import Starlette

_STOP_SECONDS = 5


class SandboxServer(uvicorn.Server):
    """A server that says when it is really listening, and where."""

    def __init__(self, app: Starlette, *, host: str, port: int, on_ready: Callable[[str], None]) -> None:
        config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=_STOP_SECONDS)
        super().__init__(config)
        self._listener = _listen(host, port)
        self._host = host
        self._on_ready = on_ready

    def run_on_listener(self) -> None:
        """Serve until told to stop."""
        with self._listener:
            self.run(sockets=[self._listener])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then report the address."""
        await super().startup(sockets=sockets)
        host = f"[{self._host}]" if ":" in self._host else self._host
        self._on_ready(f"http://{host}:{self._listener.getsockname()[1]}")


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


@contextlib.contextmanager
def served(app: Starlette, *, host: str = "127.0.0.1", port: int = 0, start_seconds: float = 30.0) -> Iterator[str]:
    """Serve an application in a thread for the length of a ``with`` block.

    Args:
        app: What to serve.
        host: Where to listen.
        port: 0 takes a free one.
        start_seconds: How long the start may take.

    Yields:
        The address, ``http://host:port``, when it is really listening.

    Raises:
        TimeoutError: The server did not start in time.
    """
    ready = threading.Event()
    addresses: list[str] = []

    def report(address: str) -> None:
        addresses.append(address)
        ready.set()

    server = SandboxServer(app, host=host, port=port, on_ready=report)
    thread = threading.Thread(target=server.run_on_listener, name="sandbox", daemon=True)
    thread.start()
    try:
        if not ready.wait(start_seconds):
            raise TimeoutError(f"the sandbox did not start within {start_seconds} seconds")
        yield addresses[0]
    finally:
        server.should_exit = True
        thread.join(_STOP_SECONDS * 2)
