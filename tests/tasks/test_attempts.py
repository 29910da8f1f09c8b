from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from blocks.archive.ledger import LedgerEntry, ShotState
from tasks.attempts import attempt_after, failed_since, may_try_again
from tests.money import usd


def failed_entry(**facts: Any) -> LedgerEntry:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    given = {"billed": None, "error_code": None, "retryable": None, "attempt": 1, **facts}
    return LedgerEntry(
        shot_key="k",
        provider="sunra",
        sandbox=True,
        request_json="{}",
        campaign="cards",
        edition="1",
        run_id="r",
        state=ShotState.FAILED,
        reserved=None,
        job_id="j",
        images=(),
        error_message=None,
        created_at=now,
        sent_at=now,
        updated_at=now,
        **given,
    )


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, False),
        ({"retryable": True}, True),
        ({"retryable": True, "billed": usd(1), "attempt": 9}, True),
        ({"retryable": False}, False),
        ({"retryable": False, "billed": usd(0)}, False),
        ({"retryable": False, "error_code": "service_provider_error"}, False),
        ({"billed": usd(0)}, True),
        ({"billed": usd(0), "attempt": 9}, True),
        ({"billed": usd(1)}, False),
        ({"error_code": "unsafe_content"}, False),
        ({"error_code": "service_provider_error"}, True),
        ({"error_code": "service_provider_error", "attempt": 2}, False),
        ({"error_code": "internal_server_error", "billed": usd(1)}, True),
    ],
)
def test_what_failed_is_tried_again_only_where_that_makes_sense(facts: dict[str, Any], expected: bool) -> None:
    """The provider's own word counts first; then a free attempt; then, once, trouble that was the provider's own."""
    assert may_try_again(failed_entry(**facts)) is expected


@pytest.mark.parametrize(
    ("state", "attempt"),
    [
        (ShotState.RESERVED, 2),
        (ShotState.SENDING, 2),
        (ShotState.RUNNING, 2),
        (ShotState.DONE, 2),
        (ShotState.LOST, 3),
        (ShotState.FAILED, 3),
        (ShotState.RELEASED, 3),
    ],
)
def test_a_run_goes_on_with_what_is_open_and_begins_anew_after_an_end(state: ShotState, attempt: int) -> None:
    """Prefect keeps a receipt under this number: the one of a failed attempt must not be met again."""
    entry = failed_entry(attempt=2).model_copy(update={"state": state})

    assert (attempt_after(entry), attempt_after(None)) == (attempt, 0)


@pytest.mark.parametrize(
    ("state", "hours", "expected"),
    [
        (ShotState.FAILED, 1, True),
        (ShotState.FAILED, -1, False),
        (ShotState.RELEASED, 1, False),
        (ShotState.LOST, 1, False),
        (ShotState.RUNNING, 1, False),
    ],
)
def test_a_run_that_begins_again_leaves_what_it_saw_fail(state: ShotState, hours: int, expected: bool) -> None:
    """What an earlier run saw fail, what was never bought and what is open is its business as before."""
    entry = failed_entry(retryable=True).model_copy(update={"state": state})

    assert failed_since(entry, entry.updated_at - timedelta(hours=hours)) is expected
    assert not failed_since(entry, None)
    assert not failed_since(None, entry.updated_at)
