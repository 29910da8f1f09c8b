import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.report.wording import MOST_WORDS, Change, changes_between

WORDS = st.lists(st.sampled_from(["a", "red", "blue", "pot", ",", ".", " ", "\n", "é", "茶"]), max_size=30).map("".join)


def test_changed_words_are_marked_with_the_rest_as_it_is() -> None:
    """The space before a word is not what changed."""
    assert changes_between("Keep the pot, at dusk.", "Keep the pot, at high noon.") == (
        Change(kind="same", text="Keep the pot, at"),
        Change(kind="same", text=" "),
        Change(kind="removed", text="dusk"),
        Change(kind="added", text="high noon"),
        Change(kind="same", text="."),
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Keep the pot.", "Keep the pot."),
        ("Keep the pot at dusk.", "Turn everything into a watercolor"),
        ("word " * (MOST_WORDS + 1), "word " * MOST_WORDS),
        ("", ""),
    ],
    ids=["equal", "unlike", "long", "empty"],
)
def test_no_change_is_marked_where_it_would_say_nothing(before: str, after: str) -> None:
    """Equal texts, texts with little in common, and texts too long for a glance are shown as they are."""
    assert changes_between(before, after) == ()


@given(before=WORDS, after=WORDS)
def test_both_texts_can_be_read_off_the_changes(before: str, after: str) -> None:
    """Nothing of either text is lost or invented."""
    changes = changes_between(before, after)

    if changes:
        assert "".join(change.text for change in changes if change.kind != "removed") == after
        assert "".join(change.text for change in changes if change.kind != "added") == before
