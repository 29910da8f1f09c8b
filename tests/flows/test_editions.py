from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.errors import BriefError
from flows.editions import edition_of, meant_to_start

MOMENT = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
FIRST, LAST = MOMENT.replace(year=2020, tzinfo=None), MOMENT.replace(year=2040, tzinfo=None)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "edition"),
    [
        ("hourly", "2026-11-20T23"),
        ("daily", "2026-11-20"),
        ("weekly", "2026-W47"),
        ("monthly", "2026-11"),
        ("daily@Europe/Berlin", "2026-11-21"),
        ("hourly@Europe/Berlin", "2026-11-21T00+0100"),
        ("weekly@Asia/Tokyo", "2026-W47"),
        ("1", "1"),
        ("spring sale", "spring sale"),
        (" Daily ", "2026-11-20"),
        ("hourly@UTC", "2026-11-20T23"),
        ("daily-2", "daily-2"),
        ("dawn", "dawn"),
    ],
)
def test_an_edition_is_a_period_or_a_name(text: str, edition: str) -> None:
    """A schedule draws new pictures each time without anybody writing a date; a name of one's own stays as it is."""
    assert edition_of(text, MOMENT) == edition


@pytest.mark.parametrize("text", ["", " ", "x" * 81, "two\nlines", "bell\x07"])
def test_what_cannot_name_an_edition_is_refused(text: str) -> None:
    """An edition becomes a folder, a heading and part of the money's books."""
    with pytest.raises(BriefError, match=r"edition: has to be a name of 1 to 80 characters"):
        edition_of(text, MOMENT)


@pytest.mark.parametrize("text", ["dayly", "dayly@Europe/Berlin", "Hourli", "nightly@UTC", "teapots@2x"])
def test_a_misspelt_period_is_no_name(text: str) -> None:
    """As a name it would be the same edition each night: a schedule that buys once and never again, without a word."""
    with pytest.raises(BriefError, match="edition: there is no period"):
        edition_of(text, MOMENT)


@pytest.mark.parametrize("text", ["daily@", "daily@Nowhere/Land", "daily@Europe", "daily@../etc/passwd", "daily@\x00"])
def test_a_place_without_a_clock_is_refused(text: str) -> None:
    """A misspelled zone must not turn into UTC: the edition would change at another hour than meant."""
    with pytest.raises(BriefError, match=r"edition: there is no time zone"):
        edition_of(text, MOMENT)


@given(st.datetimes(FIRST, LAST), st.integers(0, 3))
def test_a_nightly_schedule_makes_an_edition_each_night(start: datetime, hour: int) -> None:
    """By the schedule's own clock no night shares an edition with the next, clock changes included."""
    nights = [(start + timedelta(days=day)).replace(hour=hour, tzinfo=BERLIN).astimezone(UTC) for day in range(3)]

    assert len({edition_of("daily@Europe/Berlin", night) for night in nights}) == 3


@given(st.datetimes(FIRST, LAST, timezones=st.just(UTC)))
def test_an_hourly_schedule_makes_an_edition_each_hour(start: datetime) -> None:
    """The hour that a clock change repeats is two hours."""
    hours = [start + timedelta(hours=hour) for hour in range(3)]

    assert len({edition_of("hourly@Europe/Berlin", hour) for hour in hours}) == 3


def test_outside_of_a_run_the_moment_is_now() -> None:
    """`plan` asks for what a run would make that began now."""
    before = datetime.now(UTC)

    assert before <= meant_to_start() <= datetime.now(UTC)
