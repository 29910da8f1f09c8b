"""A relay to a time-stamp authority (RFC 3161), which gives it a deadline.

The signing library asks the authority by itself, cannot be interrupted, and waits for 30 seconds at the least (seen in
c2pa-python 0.38.1). So it is given an address of this process, where each question is passed on and is answered in
time, whatever becomes of it. Only hashes pass here; the path is drawn anew, so that nobody else asks by this way.
"""

import os
import queue
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpx

TIMEOUT_SECONDS = 20.0
"""For one time stamp, whatever it waits for: names, connection, answer. Less than the library's own."""

LONGER_SECONDS = 60.0
"""After this, a question that nobody waits for any more is given up."""

MAX_QUESTION_BYTES = 100_000
MAX_ANSWER_BYTES = 1_000_000
"""Many times what a time stamp has, with all of its certificates."""

QUERY_TYPE = "application/timestamp-query"

_HERE = "127.0.0.1"
_NO_PROXY = ("NO_PROXY", "no_proxy")


class _Answer(NamedTuple):
    status: int
    media_type: str
    body: bytes
    failure: str = ""


class TimestampRelay:
    """An open relay.

    Attributes:
        address: What the library is to ask.
        failure: Why the newest question that failed did so, as a sentence; empty where none has.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.failure = ""


@contextmanager
def open_relay(authority: str) -> Iterator[TimestampRelay]:
    """Opens a relay for `with`; it serves any number of threads.

    Args:
        authority: Web address of the time-stamp authority.
    """
    path = f"/{secrets.token_urlsafe()}"

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the base class names it so
            if self.path != path:
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            question = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), MAX_QUESTION_BYTES))
            answer = _in_time(authority, question)
            relay.failure = answer.failure or relay.failure
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.media_type)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:  # the base class names it so
            pass

    with ThreadingHTTPServer((_HERE, 0), Handler) as server, _not_by_proxy():
        relay = TimestampRelay(f"http://{_HERE}:{server.server_port}{path}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield relay
        finally:
            server.shutdown()
            thread.join()


def _in_time(authority: str, question: bytes) -> _Answer:
    """Asks in a thread of its own, which may go on for as long as it likes when nobody waits for it any more."""
    answers: queue.SimpleQueue[_Answer] = queue.SimpleQueue()
    threading.Thread(target=lambda: answers.put(_ask(authority, question)), daemon=True).start()
    try:
        return answers.get(timeout=TIMEOUT_SECONDS)
    except queue.Empty:
        said = f"The time-stamp authority {_shown(authority)} did not answer within {TIMEOUT_SECONDS:g} seconds."
        return _Answer(HTTPStatus.GATEWAY_TIMEOUT, "text/plain", b"", said)


def _ask(authority: str, question: bytes) -> _Answer:
    shown, headers = _shown(authority), {"Content-Type": QUERY_TYPE}
    try:
        with httpx.stream("POST", authority, content=question, headers=headers, timeout=LONGER_SECONDS) as answer:
            body = _read(answer)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        said = f"The time-stamp authority {shown} could not be asked: {type(error).__name__}."
        return _Answer(HTTPStatus.BAD_GATEWAY, "text/plain", b"", said)
    if body is None:
        said = f"The time-stamp authority {shown} sent too much, or too slowly, to be a time stamp."
        return _Answer(HTTPStatus.BAD_GATEWAY, "text/plain", b"", said)
    failure = "" if answer.is_success else f"The time-stamp authority {shown} answered {answer.status_code}."
    return _Answer(answer.status_code, answer.headers.get("Content-Type", ""), body, failure)


def _read(answer: httpx.Response) -> bytes | None:
    """Reads an answer; None for one without end, in bytes or in time: httpx limits only the wait for each part."""
    end_seconds = time.monotonic() + LONGER_SECONDS
    body = b""
    for part in answer.iter_bytes():
        body += part
        if len(body) > MAX_ANSWER_BYTES or time.monotonic() > end_seconds:
            return None
    return body


def _shown(authority: str) -> str:
    """The host alone: an address may hold a password or a key."""
    return urlsplit(authority).hostname or "of the Signing Certificate block"


@contextmanager
def _not_by_proxy() -> Iterator[None]:
    """Keeps the library from sending what is meant for this machine to a proxy; the relay itself uses the proxy."""
    if not getproxies():
        yield
        return
    before = {name: os.environ.get(name) for name in _NO_PROXY}
    for name, value in before.items():
        os.environ[name] = f"{value},{_HERE}" if value else _HERE
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
