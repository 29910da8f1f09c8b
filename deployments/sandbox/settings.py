"""What a person can choose when starting the sandbox."""

from dataclasses import dataclass

SCENARIO_KEY = "sandbox-key"
SCENARIO_SECRET = "sandbox-secret"  # noqa: S105 - opens nothing but this sandbox
SUNRA_KEY = "sandbox-key"


@dataclass(frozen=True, slots=True)
class Settings:
    """The sandbox's choices.

    Attributes:
        latency_seconds: From an accepted submit to the finished job; all states in between are spread over it.
        url_ttl_seconds: Life of a signed picture URL. ``None`` follows Scenario's calendar (seven to fourteen days).
        repeat_rate: Share of seeds, 0 to 1, that give nearly the same picture for one prompt, as distilled models do:
            the same composition under grain and exposure of their own, so that no bytes are equal.
        max_parallel: Unfinished jobs one provider accepts before it refuses more; ``None`` is no limit.
        any_key: Accept any non-empty credentials instead of the sandbox's own.
        public_url: Origin to put into answers, ``http://host:port``; ``None`` takes what the request was sent to.
        cache_bytes: Memory for finished pictures. A picture that fell out is drawn again, with the same bytes.
    """

    latency_seconds: float = 0.3
    url_ttl_seconds: float | None = None
    repeat_rate: float = 0.2
    max_parallel: int | None = None
    any_key: bool = False
    public_url: str | None = None
    cache_bytes: int = 256 * 1024 * 1024
