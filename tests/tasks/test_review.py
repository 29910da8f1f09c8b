from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.again import Reprompt, shot_again
from tasks.frame_numbers import UnclearAnswer
from tasks.models import ImageRecord
from tasks.review import Again, Answer, Candidate, Decision, Outcome, Question, Standing, cleaned, decide, understand

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ImageOf = Callable[..., ImageRecord]


@pytest.fixture
def question(image_of: ImageOf) -> Question:
    """Four pictures; the third one repeats another and is not asked about."""
    return Question(
        campaign="cards",
        edition="1",
        title="Cards",
        step=0,
        round=1,
        following="the final contact sheet",
        candidates=tuple(
            Candidate(label=str(number), image=image_of(sha256=f"{number}" * 64), is_asked=number != 3)
            for number in range(1, 5)
        ),
        contact_sheet="/archive/sheets/index.html",
    )


def sha(number: int) -> str:
    return f"{number}" * 64


@pytest.mark.parametrize(
    ("answer", "rejected", "again"),
    [
        (Answer(), [], []),
        (Answer(reject="1, 3"), [1, 3], []),
        (Answer(keep_only="2"), [1, 4], []),
        (Answer(keep_only="2", reject="3"), [1, 3, 4], []),
        (Answer(keep_only="2", again=(Again(number="4", prompt="a cup"),)), [1], [(4, "a cup")]),
        (Answer(again=(Again(number=" 1 ", prompt=" a cup\n"),)), [], [(1, "a cup")]),
    ],
)
def test_an_answer_means_pictures(
    question: Question, answer: Answer, rejected: list[int], again: list[tuple[int, str]]
) -> None:
    """`keep_only` rejects all others that are asked about, but those that are made again; repeats stay as they are."""
    outcome = understand(question, answer)
    assert outcome.rejected == tuple(sha(number) for number in rejected)
    assert [(each.sha256, each.prompt) for each in outcome.again] == [(sha(number), text) for number, text in again]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(reject="5"), "5 cannot be meant here; the frames are 1, 2, 3, 4."),
        (Answer(reject="1-2", keep_only="2"), "2 cannot be both rejected and kept."),
        (
            Answer(reject="1", again=(Again(number="1", prompt="a cup"),)),
            "1 cannot be both rejected and made again.",
        ),
        (
            Answer(again=(Again(number="1", prompt="a cup"), Again(number="1", prompt="a pot"))),
            "1 is to be made again twice: give one text.",
        ),
        (Answer(again=(Again(number="1", prompt=" \x00 "),)), "1 is to be made again, but there is no text for it."),
        (
            Answer(again=(Again(number="1-2", prompt="a cup"),)),
            "'1-2' has to be the number of one frame; the frames are 1, 2, 3, 4.",
        ),
    ],
)
def test_an_answer_that_contradicts_itself_is_refused(question: Question, answer: Answer, message: str) -> None:
    """Nothing is guessed where money and pictures depend on it."""
    with pytest.raises(UnclearAnswer) as refusal:
        understand(question, answer)
    assert str(refusal.value) == message


def test_an_answer_goes_by_the_numbers_of_its_time(question: Question, image_of: ImageOf) -> None:
    """A picture that came in between moves all numbers and the verdicts; nobody saw it, and nothing is said of it."""
    first, second, repeat, fourth = question.candidates
    late = Candidate(label="1", image=image_of(sha256="9" * 64))
    now = question.model_copy(
        update={
            "candidates": (
                late,
                first.model_copy(update={"label": "2", "is_asked": False}),
                second.model_copy(update={"label": "3"}),
                repeat.model_copy(update={"label": "4", "is_asked": True}),
                fourth.model_copy(update={"label": "5"}),
            )
        }
    )

    put = now.as_shown(question.shown)
    answer = Answer(reject="1", again=(Again(number="2", prompt="a cup"),))

    assert put == question
    assert understand(put, answer) == understand(question, answer)
    assert decision_of(put, understand(put, answer)).shown == (sha(1), sha(2), sha(4))


def test_a_picture_that_is_gone_cannot_be_meant(question: Question) -> None:
    """Its number stays its own: it does not pass to another picture."""
    left = question.model_copy(update={"candidates": question.candidates[1:]})

    with pytest.raises(UnclearAnswer, match=r"1 cannot be meant here; the frames are 2, 3, 4\."):
        understand(left.as_shown(question.shown), Answer(reject="1"))


def test_the_same_text_again_is_refused(question: Question, image_of: ImageOf) -> None:
    """With the same seed and text the provider would be paid for the same picture."""
    image = image_of()
    same = image.model_copy(update={"shot_key": shot_again(image, "a mug").key})
    asked = question.model_copy(update={"candidates": (Candidate(label="1", image=same),)})
    with pytest.raises(UnclearAnswer, match="would give the same picture"):
        understand(asked, Answer(again=(Again(number="1", prompt="a mug"),)))


@given(st.text(alphabet=st.characters(codec=None)))
def test_a_cleaned_text_can_be_written_anywhere(text: str) -> None:
    """What people paste may hold control characters and halves of characters; no file, log or database does."""
    clean = cleaned(text)
    assert clean.encode() is not None
    assert "\x00" not in clean
    assert cleaned(clean) == clean


def decision_of(question: Question, outcome: Outcome, minutes: int = 0, **changes: Any) -> Decision:
    made = decide(question, outcome, by="terminal", run_id="run", decided_at=NOON + timedelta(minutes=minutes))
    return made.model_copy(update=changes)


def test_a_decision_is_on_what_was_asked_and_named(question: Question) -> None:
    """A repeat that nobody named is not decided on; it may be asked about when its keeper is gone."""
    assert decision_of(question, Outcome()).shown == (sha(1), sha(2), sha(4))
    assert decision_of(question, Outcome(rejected=(sha(3),))).shown == (sha(1), sha(2), sha(3), sha(4))


def test_of_all_decisions_on_a_picture_the_latest_holds(question: Question) -> None:
    """In whatever order they are read; a picture that the later one did not show keeps the earlier word."""
    reprompt = Reprompt(sha256=sha(2), shot_key="b" * 64, prompt="a cup")
    first = decision_of(question, Outcome(rejected=(sha(1), sha(4)), again=(reprompt,)))
    later = decision_of(question, Outcome(rejected=(sha(2),)), minutes=5, shown=(sha(1), sha(2)))

    for decisions in ([first, later], [later, first]):
        standing = Standing(decisions)
        assert standing.rejected == {sha(2): "rejected in review", sha(4): "rejected in review"}
        assert standing.again(each.image for each in question.candidates) == ()
        assert standing.decided_at(question) == NOON + timedelta(minutes=5)
    assert Standing([first]).rejected[sha(2)] == "made again in review, with another text"


def test_what_stands_can_be_answered_again(question: Question) -> None:
    """A question that is filled in with what was decided means the same decision."""
    outcome = Outcome(
        rejected=(sha(1), sha(3)), again=(Reprompt(sha256=sha(2), shot_key="b" * 64, prompt="a cup, 50% off"),)
    )
    standing = Standing([decision_of(question, outcome)])
    assert understand(question, standing.answer_to(question)) == outcome
    assert Standing([]).answer_to(question) == Answer()
    assert Standing([]).decided_at(question) is None
