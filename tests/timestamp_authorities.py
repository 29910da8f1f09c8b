"""Time-stamp authorities on this machine: one that answers all alike, and one that never does."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer


@contextmanager
def authority(
    status: int = 200, body: bytes = b"\x30\x00 stamped"
) -> Iterator[tuple[str, list[tuple[str | None, bytes]]]]:
    """An authority that answers all alike, and the questions that it was asked."""
    asked: list[tuple[str | None, bytes]] = []

    class Stub(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append((self.headers["Content-Type"], self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Stub) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/tsa?key=secret", asked
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def silence() -> Iterator[str]:
    """An authority that takes connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/tsa?key=secret"
