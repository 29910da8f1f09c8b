"""Small web servers of this machine: somebody's webhook, and a Prefect server that wants a password."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Webhook(http.server.BaseHTTPRequestHandler):
    """Keeps what it is told."""

    messages: list[dict[str, str]]

    def do_POST(self) -> None:
        """Takes a message."""
        self.messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing on the terminal."""


class Guarded(Webhook):
    """Tells its health, and nothing else."""

    def do_GET(self) -> None:
        """Answers as a Prefect server with a password does."""
        self.send_response(200 if self.path == "/api/health" else 401)
        self.end_headers()


@contextmanager
def listening(kind: type[Webhook]) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Serves on a free port; gives the address, and the messages as they come."""
    messages: list[dict[str, str]] = []
    handler = type(kind.__name__, (kind,), {"messages": messages})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", messages
        server.shutdown()
        thread.join()
