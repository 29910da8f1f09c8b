"""A run that comes by a question again, because it began again from its top after the question was put."""

import asyncio
from typing import Any

import pytest
from prefect import flow
from prefect.client.orchestration import get_client

from flows import pausing
from flows.pausing import Answered, answer_in_form
from tasks.brief import ReviewPolicy
from tasks.review import Answer, Candidate, Question
from tests.flows.forms import known_runs, waiting_run
from tests.images import image_record


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks often whether it may go on."""
    monkeypatch.setattr(pausing, "POLL_SECONDS", 0.1)


def question(*digits: str, **changes: Any) -> Question:
    """A question about pictures whose SHA-256 are one digit."""
    facts: dict[str, Any] = {
        "campaign": "cards",
        "edition": "1",
        "title": "Cards",
        "step": 0,
        "round": 1,
        "following": "the final contact sheet",
        "candidates": tuple(
            Candidate(label=str(number), image=image_record(sha256=digit * 64))
            for number, digit in enumerate(digits, start=1)
        ),
        "contact_sheet": "/sheet",
    }
    return Question(**facts | changes)


class Asking:
    """A flow that puts its questions one after the other under the same key, as a run does that begins again."""

    def __init__(self, policy: ReviewPolicy) -> None:
        self._policy = policy
        self.announced: list[Question] = []

    async def run(self, *questions: Question) -> list[Answered]:
        """Runs it to its end."""

        async def announce(question: Question) -> str:
            self.announced.append(question)
            return "page"

        @flow(name="asking")
        async def asking() -> list[Answered]:
            return [await answer_in_form("review-0-1-1", each, self._policy, announce) for each in questions]

        return await asking()


async def test_an_answer_comes_back_with_its_question() -> None:
    """It is asked once. What was filled in and left as it was counts too, with the numbers of its time."""
    first = question("1", "2", earlier=Answer(reject="1", note="dull"))
    later = question("9", "1", "2", earlier=Answer(reject="2", note="dull"))
    asking = Asking(ReviewPolicy(timeout_hours=0.1))
    async with get_client() as client:
        known = await known_runs(client)
        running = asyncio.create_task(asking.run(first, later))
        run = await waiting_run(client, known)
        await client.resume_flow_run(run.id, run_input={"keep_only": "", "note": "fine"})
        answers = await running

    assert asking.announced == [first]
    assert [each.answer for each in answers] == [Answer(reject="1", note="fine")] * 2
    assert [each.question.shown for each in answers] == [first.shown] * 2


async def test_where_nobody_came_nobody_is_asked_again() -> None:
    """A run that went on by itself, and then died, waits no second time and makes up no answer."""
    asking = Asking(ReviewPolicy(timeout_hours=1 / 3600, on_timeout="go_on"))
    answers = await asking.run(question("1", "2"), question("9", "1", "2"))

    assert len(asking.announced) == 1
    assert [each.answer for each in answers] == [None, None]
    assert [len(each.question.candidates) for each in answers] == [2, 2]
