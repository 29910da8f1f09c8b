import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.settings import PREFECT_API_URL, temporary_settings

from blocks.errors import SetupError
from flows import pausing, review
from flows.asking import reviewing
from flows.revise import revise
from tasks.brief import RevisionBrief
from tasks.brief_reading import read_brief
from tasks.models import CampaignResult
from tasks.review import Again, Answer, Decision, Question, ReviewTimedOut
from tests.conftest import Sandbox
from tests.flows.conftest import Workplace
from tests.flows.forms import form_of, known_runs, waiting_run

PROMPTS = "a {red|blue|green|black} teapot"


class Person:
    """Answers from a list, and remembers the questions."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.questions: list[Question] = []

    def __call__(self, question: Question) -> Answer:
        """Gives the next answer; keeps everything when there is none left."""
        self.questions.append(question)
        return self._answers.pop(0) if self._answers else Answer()


def asked(question: Question) -> list[tuple[str, str]]:
    return [(each.label, each.image.request.prompt) for each in question.asked]


def decisions(workplace: Workplace) -> list[Decision]:
    files = list((workplace.archive / "decisions").glob("*.json"))
    return sorted((Decision.model_validate_json(file.read_bytes()) for file in files), key=lambda each: each.decided_at)


def bought(sandbox: Sandbox) -> list[tuple[str, int]]:
    return [(job["request"]["prompt"], int(job["request"]["seed"])) for job in sandbox.jobs()]


def test_the_run_goes_on_with_what_is_kept(workplace: Workplace, sandbox: Sandbox) -> None:
    """A rejected picture is archived with its verdict, is no keeper, and is never edited."""
    brief = workplace.brief(prompts=PROMPTS, edits=[{"instruction": "Turn it into a watercolor."}])
    person = Person(Answer(reject="2, 4", note="too dull"))
    with reviewing(person):
        result = workplace.run(brief, review=True)

    generated = [image for image in result.images if image.step == 0]
    assert [asked(question) for question in person.questions] == [
        [("1", "a red teapot"), ("2", "a blue teapot"), ("3", "a green teapot"), ("4", "a black teapot")]
    ]
    parents = [image.parent_sha256 for image in result.images if image.step == 1]
    assert parents == [generated[0].sha256, generated[2].sha256]
    assert len(sandbox.jobs("sunra")) == 2
    assert [(v.sha256, v.reason) for v in result.rejected] == [
        (generated[1].sha256, "rejected in review"),
        (generated[3].sha256, "rejected in review"),
    ]
    assert not {v.sha256 for v in result.rejected} & {image.sha256 for image in result.keepers}
    [decision] = decisions(workplace)
    assert (decision.by, decision.note, decision.step, decision.round) == ("callback", "too dull", 0, 1)
    assert decision.shown == tuple(image.sha256 for image in generated)
    assert decision.rejected == (generated[1].sha256, generated[3].sha256)


def test_a_picture_is_made_again_with_another_text(workplace: Workplace, sandbox: Sandbox) -> None:
    """The new one is bought once, with the seed and the settings of the old one, and is asked about alone."""
    brief = workplace.brief(prompts=PROMPTS)
    person = Person(Answer(again=(Again(number="2", prompt="a {blue} cup, 50% @full"),)))
    with reviewing(person):
        result = workplace.run(brief, review=True)

    requests = [job["request"] for job in sandbox.jobs()]
    old = next(each for each in requests if each["prompt"] == "a blue teapot")
    new = next(each for each in requests if each["prompt"] == "a {blue} cup, 50% @full")
    assert new == {**old, "prompt": "a {blue} cup, 50% @full"}
    assert len(requests) == 5
    assert [asked(question) for question in person.questions][1:] == [[("5", "a {blue} cup, 50% @full")]]
    assert [image.request.prompt for image in result.keepers] == [
        "a red teapot",
        "a green teapot",
        "a black teapot",
        "a {blue} cup, 50% @full",
    ]
    assert [v.reason for v in result.rejected] == ["made again in review, with another text"]
    assert result.bought == 5


def test_each_further_edit_waits_for_a_review(workplace: Workplace, sandbox: Sandbox) -> None:
    """It asks after generation and between two edits, never after the last; roles are counted in new texts too."""
    person = Person(Answer(keep_only="1"), Answer(again=(Again(number="1", prompt="Put @cup on top."),)))
    with reviewing(person):
        result = workplace.run(workplace.brief_with_edits(), review=True)

    assert [(q.step, q.round, [label for label, _ in asked(q)]) for q in person.questions] == [
        (0, 1, ["1", "2"]),
        (1, 1, ["1A"]),
        (1, 2, ["1B"]),
    ]
    assert [job["request"]["prompt"] for job in sandbox.jobs("sunra")] == [
        "Add the cup of image 2 to the table.",
        "Put image 2 on top.",
        "Turn it into a watercolor.",
    ]
    first, again, last = (image for image in result.images if image.step > 0)
    assert (again.parent_sha256, again.request.seed) == (first.parent_sha256, first.request.seed)
    assert last.parent_sha256 == again.sha256


def test_decisions_hold_for_later_runs(workplace: Workplace, sandbox: Sandbox) -> None:
    """Without a review the same edition gives the reviewed result again, and buys nothing."""
    brief = workplace.brief(prompts=PROMPTS, edits=[{"instruction": "Turn it into a watercolor."}])
    with reviewing(Person(Answer(reject="1", again=(Again(number="3", prompt="a glass teapot"),)))):
        first = workplace.run(brief, review=True)
    jobs = len(sandbox.jobs())
    second = workplace.run(brief)

    assert (second.images, second.verdicts) == (first.images, first.verdicts)
    assert (second.bought, len(sandbox.jobs())) == (0, jobs)
    assert len(decisions(workplace)) == 2


def test_a_second_review_begins_with_what_was_decided(workplace: Workplace, sandbox: Sandbox) -> None:
    """Another run of the edition asks again, filled in; what is decided otherwise holds from then on."""
    brief = workplace.brief(prompts=PROMPTS)
    with reviewing(Person(Answer(reject="4, 1", again=(Again(number="3", prompt="a glass teapot"),)))):
        workplace.run(brief, review=True)
    person = Person(Answer(reject="4"))
    with reviewing(person):
        second = workplace.run(brief, review=True)

    question = person.questions[0]
    assert question.earlier == Answer(reject="1, 4", again=(Again(number="3", prompt="a glass teapot"),))
    assert question.decided_at == decisions(workplace)[0].decided_at
    assert [image.request.prompt for image in second.keepers] == ["a red teapot", "a blue teapot", "a green teapot"]
    assert workplace.run(brief).keepers == second.keepers
    assert len(sandbox.jobs()) == 5


def test_a_repeat_of_what_is_rejected_gets_its_turn(workplace: Workplace) -> None:
    """A rejected picture leads nobody: what repeated it is distinct now, and is asked about before it goes on."""
    alike = {"scope": "campaign", "distance_bits": 96}
    questions: list[Question] = []

    def reject_the_leaders(question: Question) -> Answer:
        questions.append(question)
        leaders = ", ".join(each.label for each in question.asked)
        return Answer(reject=leaders if len(questions) == 1 else "")

    with reviewing(reject_the_leaders):
        result = workplace.run(workplace.brief(seeds=3, dedupe=alike), review=True)

    first, second = questions
    assert len(first.asked) < len(first.candidates) == 6
    promoted = {each.label for each in second.asked}
    assert promoted
    assert promoted <= {each.label for each in first.candidates if not each.is_asked}
    assert {image.sha256 for image in result.keepers} == {each.image.sha256 for each in second.asked}


def test_edits_of_archived_pictures_are_reviewed_too(workplace: Workplace, sandbox: Sandbox) -> None:
    """`revise` asks between its edits, with the numbers of its own sheet; there is no question before the first one."""
    parents = [image.sha256 for image in workplace.run(workplace.brief()).images]
    edits = [{"instruction": "Turn it into a watercolor."}, {"instruction": "Add a frame."}]
    brief = read_brief({"name": "frames", "edits": edits}, RevisionBrief, shown_as="brief")
    person = Person(Answer(reject="2A"))
    with reviewing(person):
        result = revise(parents, brief, review=True, **workplace.terms)

    assert [(q.step, [label for label, _ in asked(q)]) for q in person.questions] == [(1, ["1A", "2A"])]
    assert person.questions[0].following == "edit 2 of 2, “Add a frame.”"
    assert [image.step for image in result.images] == [1, 1, 2]
    assert len(sandbox.jobs("sunra")) == 3


def test_a_run_that_has_to_stop_asks_nobody(workplace: Workplace, sandbox: Sandbox) -> None:
    """Where the money is gone nothing can follow an answer: the next run asks."""
    person = Person()
    with reviewing(person):
        brief = workplace.brief(prompts=PROMPTS, budget={"amount": "0.5", "unit": "CU"})
        result = workplace.run(brief, review=True)
    assert person.questions == []
    assert len(result.failures) == 2
    assert len(sandbox.jobs()) == 2


def test_an_answer_that_cannot_be_meant_is_asked_for_again(workplace: Workplace) -> None:
    """A number that is not there, or a text that the provider refuses, fails nothing: the message stands on top."""
    person = Person(
        Answer(reject="99"), Answer(again=(Again(number="1", prompt="a red teapot"),)), Answer(keep_only="2")
    )
    with reviewing(person):
        result = workplace.run(workplace.brief(), review=True)

    assert [question.complaint for question in person.questions] == [
        "",
        "99 cannot be meant here; the frames are 1, 2.",
        "The new text for 1 is the old one, and would give the same picture.",
    ]
    assert person.questions[1].earlier == Answer(reject="99")
    assert [image.request.prompt for image in result.keepers] == ["a blue teapot"]


def test_nobody_to_ask_is_refused_before_anything_is_bought(workplace: Workplace, sandbox: Sandbox) -> None:
    """Without a terminal, a function or a server a review cannot be; the run says so while it is free."""
    with temporary_settings({PREFECT_API_URL: None}), pytest.raises(SetupError, match="nobody to ask"):
        workplace.run(workplace.brief(review=True))
    assert sandbox.jobs() == []


@asynccontextmanager
async def waiting(workplace: Workplace, **terms: Any) -> AsyncIterator[asyncio.Task[CampaignResult]]:
    """A local campaign in the background, which ends with the context."""
    run = asyncio.create_task(workplace.run_in_loop(workplace.brief(**terms), review=True))
    try:
        yield run
    finally:
        run.cancel()
        await asyncio.wait({run})


async def test_a_local_run_waits_for_the_form(
    workplace: Workplace, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It shows numbered pictures and where the contact sheet is, goes on with the answer, and records who gave it."""
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(pausing, "POLL_SECONDS", 0.1)
    monkeypatch.setattr(
        review, "tell_review_waiting", lambda run, title, **facts: told.append({"title": title, **facts})
    )
    async with get_client() as client:
        known = await known_runs(client)
        async with waiting(workplace, title="Tea <b>pots</b>") as running:
            run = await waiting_run(client, known)
            form = await form_of(client, run)
            assert form is not None
            assert form.page.count("data:image/jpeg;base64,") == 2
            assert "**1**<br>a red teapot" in form.page
            assert "<b>" not in form.page
            assert (workplace.archive / "sheets/teapots/1/index.html").is_file()
            assert str(workplace.archive / "sheets/teapots/1/index.html") in form.page
            refused = await client.resume_flow_run(run.id, run_input={"reject": "the ugly one"})
            assert refused.status.value == "REJECT"
            await client.resume_flow_run(run.id, run_input={"reject": "7"})
            again = await waiting_run(client, known)
            form = await form_of(client, again)
            assert form is not None
            assert "**Please look again:** 7 cannot be meant here" in form.page
            assert form.schema["properties"]["reject"]["default"] == "7"
            await client.resume_flow_run(run.id, run_input={"reject": "", "keep_only": "2"})
            result = await running
    assert [image.request.prompt for image in result.keepers] == ["a blue teapot"]
    sheet = str(workplace.archive / "sheets/teapots/1/index.html")
    waiting_for = {"question": "Which of 2 pictures go on?", "pictures": 2, "contact_sheet": sheet}
    assert told == [{"title": "Tea <b>pots</b>", **waiting_for}] * 2
    [decision] = decisions(workplace)
    assert (decision.by, decision.run_id) == ("form", str(run.id))
    assert len(sandbox.jobs()) == 2


async def test_nobody_comes_and_the_run_stops(workplace: Workplace, sandbox: Sandbox) -> None:
    """By default a run whose time is out ends as failed; what it made is archived, and the next run buys nothing."""
    terms = {"timeout_hours": 2 / 3600, "on_timeout": "stop"}
    with pytest.raises(ReviewTimedOut, match="Nobody answered within"):
        await workplace.run_in_loop(workplace.brief(review=terms))

    async with get_client() as client:
        [run] = await client.read_flow_runs(limit=1, sort=FlowRunSort.START_TIME_DESC)
        assert run.state is not None
        assert run.state.type is StateType.FAILED
    assert decisions(workplace) == []
    later = await workplace.run_in_loop(workplace.brief())
    assert (later.bought, later.reused, len(later.keepers)) == (0, 2, 2)


async def test_nobody_comes_and_the_run_goes_on(workplace: Workplace, sandbox: Sandbox) -> None:
    """With `go_on` a run whose time is out keeps all distinct pictures and edits them; nobody has decided anything."""
    terms = {"timeout_hours": 2 / 3600, "on_timeout": "go_on"}
    brief = workplace.brief(review=terms, edits=[{"instruction": "Turn it into a watercolor."}])
    result = await workplace.run_in_loop(brief)

    assert len(result.images) == 4
    assert result.rejected == ()
    assert len(sandbox.jobs("sunra")) == 2
    assert decisions(workplace) == []
