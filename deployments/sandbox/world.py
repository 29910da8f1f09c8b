"""One running sandbox: its settings, its clock, and everything it remembers."""

import time
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from deployments.sandbox.faults import Fault, FaultBox
from deployments.sandbox.jobs import JobBook, Provider
from deployments.sandbox.pictures.studio import Studio
from deployments.sandbox.replies import fault_reply, pause
from deployments.sandbox.settings import Settings
from deployments.sandbox.signing import Signer
from deployments.sandbox.storage import Asset, Storage, from_base64
from deployments.sandbox.uploads import Upload


class World:
    """What all routes share. Everything happens on one event loop, so nothing here needs a lock."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self.clock = clock
        self.jobs = JobBook(clock)
        self.faults = FaultBox()
        self.storage = Storage(clock)
        self.signer = Signer(settings.url_ttl_seconds)
        self.studio = Studio(self.storage, settings.cache_bytes)
        self.uploads: dict[str, Upload] = {}
        self.expected_files: dict[str, str] = {}  # Sunra's announced uploads: token -> file name

    def reset(self) -> None:
        """Forget jobs, pictures and faults."""
        self.jobs.clear()
        self.faults.clear()
        self.storage.clear()
        self.studio.clear()
        self.uploads.clear()
        self.expected_files.clear()

    def origin(self, request: Request) -> str:
        """``scheme://host:port`` to put into the URLs of an answer."""
        return self.settings.public_url or f"{request.url.scheme}://{request.url.netloc}"

    def crowded(self, provider: Provider) -> bool:
        """Whether the provider already works on as many jobs as it accepts."""
        limit = self.settings.max_parallel
        return limit is not None and self.jobs.unfinished(provider) >= limit

    def duration_seconds(self, fault: Fault | None) -> float:
        """How long a job accepted now takes, given the fault that bends it."""
        if fault is not None and fault.kind == "job_slow":
            return self.settings.latency_seconds + (10.0 if fault.seconds is None else fault.seconds)
        return self.settings.latency_seconds

    async def trouble(self, moment: str, provider: str, text: str) -> tuple[Fault | None, Response | None]:
        """The fault that strikes a request at this moment, and its answer where that is the same for both APIs."""
        fault = self.faults.take(moment, provider, text)
        if fault is None:
            return None, None
        await pause(fault)
        return fault, fault_reply(fault, default_status=403 if moment == "file" else 503)

    def asset_behind(self, url: str, origin: str) -> Asset | None:
        """The picture that a URL or data URI means, as far as the sandbox can know without leaving this machine."""
        if url.startswith("data:"):
            payload = from_base64(url)
            return None if payload is None else self.storage.add_upload("sunra", "data-uri", payload)
        parts = urlsplit(url)
        if f"{parts.scheme}://{parts.netloc}" != origin:
            return None
        match parts.path.split("/"):
            case ["", "assets", file_name] if self.signer.allows(parts.path, parts.query, self.clock()):
                return self.storage.find(file_name.partition(".")[0])
            case ["", "sunra", "files", name, _] | ["", "uploads", name]:
                return self.storage.find(name)
            case _:
                return None


def world_of(request: Request) -> World:
    """The sandbox that serves this request."""
    world = request.app.state.world
    if not isinstance(world, World):
        raise TypeError("this application was not made by create_app")
    return world
