import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.errors import BriefError
from tasks.decision_file import MOST_BYTES, DecisionFile, Mark, read_decision_file
from tasks.opinions import Stars
from tasks.review import Decision

SAVED_AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
LATER = SAVED_AT + timedelta(days=1)
A, B, C = ("a" * 64, "b" * 64, "c" * 64)


def document(**changes: Any) -> dict[str, Any]:
    marks = [
        {"sha256": A, "verdict": "reject"},
        {"sha256": B, "verdict": "keep", "stars": 4},
        {"sha256": C, "stars": 0},
    ]
    values: dict[str, Any] = {
        "kind": "kleinbild-decisions",
        "format": 1,
        "archive": "0123456789abcdef" * 2,
        "campaign": "cards",
        "edition": "1",
        "saved_at": "2026-11-20T12:00:00.000Z",
        "marks": marks,
    }
    return values | changes


def read(document: object) -> DecisionFile:
    return read_decision_file(json.dumps(document).encode(), "decisions.json")


def test_a_file_says_what_was_rejected_kept_and_starred() -> None:
    """Stars alone are no decision on a picture: they do not bring back what a review has put aside."""
    file = read(document())

    assert file.decided(LATER) == Decision(
        rejected=(A,),
        campaign="cards",
        edition="1",
        step=0,
        round=0,
        question="Marks on the contact sheet",
        shown=(A, B),
        stars=(Stars(sha256=B, stars=4), Stars(sha256=C, stars=0)),
        by="sheet",
        run_id=f"sheet-{file.id}",
        decided_at=SAVED_AT,
    )


def test_the_same_file_has_the_same_name_and_another_has_another() -> None:
    """Whitespace and the order of keys say nothing; time and marks do."""
    shuffled = dict(reversed(document().items()))

    assert read(shuffled).id == read(document()).id
    assert read(document(saved_at="2026-11-20T12:00:01Z")).id != read(document()).id
    assert read(document(marks=[{"sha256": A, "verdict": "keep"}])).id != read(document()).id


def test_no_decision_comes_from_the_future() -> None:
    """A browser whose clock is wrong, or a file that somebody wrote by hand, does not hold against all later ones."""
    assert read(document(saved_at="9999-12-31T23:59:59Z")).decided(LATER).decided_at == LATER


def test_a_moment_may_be_said_in_any_time_zone() -> None:
    """Only a moment without one could mean anything."""
    there = SAVED_AT.astimezone(timezone(timedelta(hours=9)))

    assert read(document(saved_at=there.isoformat())).saved_at == SAVED_AT


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "other"}, "kind: Input should be 'kleinbild-decisions'"),
        ({"format": 2}, "has format 2; this version reads formats up to 1: update Kleinbild."),
        ({"format": 0}, "format: Input should be 1"),
        ({"extra": 1}, "extra: Extra inputs are not permitted"),
        ({"marks": []}, "marks: Tuple should have at least 1 item"),
        ({"marks": "all"}, "marks: Input should be a valid"),
        ({"marks": [{"sha256": A}]}, "marks.0: Value error, picture aaaaaaaaaaaa has neither a verdict nor stars"),
        ({"marks": [{"sha256": A, "stars": 1}] * 2}, "Value error, picture aaaaaaaaaaaa is marked twice"),
        ({"marks": [{"sha256": A, "stars": 6}]}, "marks.0.stars: Input should be less than or equal to 5"),
        ({"marks": [{"sha256": A, "stars": True}]}, "marks.0.stars: Input should be a valid integer"),
        ({"marks": [{"sha256": A, "stars": 2.0}]}, "marks.0.stars: Input should be a valid integer"),
        ({"marks": [{"sha256": A, "verdict": "delete"}]}, "marks.0.verdict: Input should be 'reject' or 'keep'"),
        ({"marks": [{"sha256": A.upper(), "stars": 1}]}, "marks.0.sha256: String should match pattern"),
        ({"marks": [{"sha256": A + "\n", "stars": 1}]}, "marks.0.sha256: String should match pattern"),
        ({"marks": [{"sha256": "../../../etc/passwd", "stars": 1}]}, "marks.0.sha256: String should match pattern"),
        ({"saved_at": "2026-11-20T12:00:00"}, "saved_at: Input should have timezone info"),
        ({"campaign": ""}, "campaign: String should have at least 1 character"),
        ({"campaign": "x" * 401}, "campaign: String should have at most 400 characters"),
        ({"campaign": "\ud800"}, "Invalid JSON"),
        ({"archive": 7}, "archive: Input should be a valid string"),
    ],
)
def test_what_is_no_decisions_file_is_refused(changes: dict[str, Any], message: str) -> None:
    """The message says what is wrong and where."""
    with pytest.raises(BriefError) as refused:
        read(document(**changes))

    assert message in str(refused.value)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"null", b"\xff\xfe{", b"[" * 100_000, b"{" * 10, b" " * (MOST_BYTES + 1)]
)
def test_what_is_no_json_is_refused(data: bytes) -> None:
    """Also where it is very deep or very large."""
    with pytest.raises(BriefError, match=r"^decisions\.json "):
        read_decision_file(data, "decisions.json")


def test_a_message_is_one_line_and_shows_nothing_of_the_input() -> None:
    """Control characters from a file do not reach a terminal."""
    with pytest.raises(BriefError) as refused:
        read(document(**{"evil\x1b[2J\nkey": 1}))

    assert str(refused.value).isprintable()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@given(field=st.sampled_from(sorted(document())), value=JSON)
def test_any_value_in_any_place_is_read_or_refused(field: str, value: object) -> None:
    """There is no third way: no other error, and what is read is what was written."""
    try:
        file = read(document(**{field: value}))
    except BriefError:
        return
    assert json.loads(file.model_dump_json())[field] not in (None, "", [])


@given(data=st.binary(max_size=200))
def test_any_bytes_are_refused(data: bytes) -> None:
    """No bytes but those of a decisions file are one."""
    with pytest.raises(BriefError):
        read_decision_file(data, "decisions.json")


SHA256S = st.integers(min_value=0, max_value=2**256 - 1).map(lambda number: f"{number:064x}")
MARKS = st.builds(
    Mark,
    sha256=SHA256S,
    verdict=st.sampled_from(["reject", "keep"]),
    stars=st.none() | st.integers(min_value=0, max_value=5),
)


@given(marks=st.lists(MARKS, min_size=1, max_size=8, unique_by=lambda mark: mark.sha256))
def test_every_mark_comes_through(marks: list[Mark]) -> None:
    """Each picture is rejected or kept, and has its stars, as it was marked."""
    decided = read(document(marks=[mark.model_dump(exclude_none=True) for mark in marks])).decided(LATER)

    assert set(decided.rejected) == {mark.sha256 for mark in marks if mark.verdict == "reject"}
    assert decided.shown == tuple(mark.sha256 for mark in marks)
    assert {each.sha256: each.stars for each in decided.stars} == {
        mark.sha256: mark.stars for mark in marks if mark.stars is not None
    }
