"""Which edition a run makes: a name that a person chose, or the period that the run was scheduled for.

A recurring campaign draws new seeds in each edition. What counts is when a run was *meant* to start: a run that is
late, is tried again, or was suspended overnight makes the same edition, and buys nothing twice.
"""

import difflib
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from prefect.context import FlowRunContext

from blocks.errors import BriefError

MAX_LENGTH = 80
_UTC_NAMES = frozenset({"UTC", "Etc/UTC", "Z"})

_PERIODS: dict[str, Callable[[datetime], str]] = {
    # An hour that a clock change repeats is told apart by its offset from UTC.
    "hourly": lambda moment: f"{moment:%Y-%m-%dT%H}" + (f"{moment:%z}" if moment.tzinfo is not UTC else ""),
    "daily": lambda moment: f"{moment:%Y-%m-%d}",
    "weekly": lambda moment: f"{moment:%G-W%V}",
    "monthly": lambda moment: f"{moment:%Y-%m}",
}


def edition_of(text: str, moment: datetime) -> str:
    """Names the edition of a moment: `hourly` 2026-11-20T13, `daily` 2026-11-20, `weekly` 2026-W47, `monthly` 2026-11.

    Days begin at midnight UTC, or where the text says: `daily@Europe/Berlin`. Any other text is an
    edition's own name, but none with `@`, and none that looks like a misspelt period.

    Args:
        text: What the flow was given.
        moment: When the run was meant to start.

    Raises:
        BriefError: There is no such place or period, or the name cannot be one.
    """
    text = text.strip()
    period, at, place = text.partition("@")
    name = _PERIODS.get(period.lower())
    if name is not None:
        return name(moment.astimezone(_zone(place) if at else UTC))
    if at or (text.isalpha() and difflib.get_close_matches(text.lower(), _PERIODS, n=1, cutoff=0.75)):
        # Taken for a name, a misspelt period would be one edition for ever: a schedule that never makes anything new.
        raise BriefError(
            f"edition: there is no period {period[:40]!r}. Write {', '.join(_PERIODS)}, or another word as a name."
        )
    if not text or len(text) > MAX_LENGTH or not text.isprintable():
        raise BriefError(f"edition: has to be a name of 1 to {MAX_LENGTH} characters, got {text[:100]!r}.")
    return text


def meant_to_start() -> datetime:
    """Says when the present flow run was meant to start; now, outside of one.

    Prefect sets it once: neither a retry nor a resumption changes it.
    """
    context = FlowRunContext.get()
    moment = context.flow_run.expected_start_time if context and context.flow_run else None
    return moment or datetime.now(UTC)


def _zone(place: str) -> tzinfo:
    if place in _UTC_NAMES:
        return UTC
    try:
        return ZoneInfo(place)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: the name of a folder of zones
        raise BriefError(f"edition: there is no time zone {place[:100]!r}. Write one such as Europe/Berlin.") from error
