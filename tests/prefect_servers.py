"""Talking to one of several Prefect servers from the process of the tests."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from prefect.events.clients import PrefectEventsClient
from prefect.events.worker import EventsWorker
from prefect.settings import PREFECT_API_URL, temporary_settings

LAST_EVENTS_SECONDS = 30.0


@contextmanager
def prefect_at(api: str) -> Iterator[None]:
    """Makes the server at this address the one of this process, and sends it its last events while it still lives.

    Prefect keeps one sender of events for the whole process. It would hold on to the first server that it met, and the
    events of every later test would queue, each with its own retries, for a server that is gone.
    """
    EventsWorker.set_client_override(PrefectEventsClient, api_url=api)
    try:
        with temporary_settings({PREFECT_API_URL: api}):
            yield
            with ThreadPoolExecutor(max_workers=1) as thread:  # a thread has no event loop, so that this call waits
                thread.submit(EventsWorker.drain_all, timeout=LAST_EVENTS_SECONDS, at_exit=False).result()
    finally:
        EventsWorker.set_client_override(None)
