"""Signed URLs: their expiry by the calendar, and that nothing forged is allowed."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.sandbox.signing import Signer, calendar_expiry


@pytest.mark.parametrize(
    ("made", "dies"),
    [
        ("2026-03-01", "2026-03-14"),
        ("2026-03-07", "2026-03-14"),
        ("2026-03-08", "2026-03-21"),
        ("2026-02-21", "2026-02-28"),
        ("2024-02-15", "2024-02-29"),
        ("2026-12-22", "2027-01-07"),
        ("2026-01-31", "2026-02-07"),
    ],
)
def test_urls_die_by_the_calendar(made: str, dies: str) -> None:
    """As Scenario's CDN page tells it, at the end of the day in UTC."""
    moment = datetime.fromisoformat(f"{made}T10:00:00+00:00")
    assert calendar_expiry(moment) == datetime.fromisoformat(f"{dies}T23:59:59+00:00")


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)))  # noqa: DTZ001 - hypothesis wants naive bounds
def test_a_url_lives_about_one_to_two_weeks(naive: datetime) -> None:
    """Never less than the 24 hours that are promised."""
    moment = naive.replace(tzinfo=UTC)
    life = calendar_expiry(moment) - moment
    assert 6 <= life.days <= 16


@given(st.text())
def test_what_was_not_signed_is_not_allowed(query: str) -> None:
    """Any text as a query is answered with no, never with an error."""
    assert Signer(60).allows("/assets/a.png", query, 0.0) is False


def test_another_signers_url_is_not_allowed() -> None:
    """Each sandbox has its own key."""
    path, _, query = Signer(60).sign("/assets/a.png", {"p": "100"}, 0.0).partition("?")
    assert Signer(60).allows(path, query, 0.0) is False
