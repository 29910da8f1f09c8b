"""How a run waits for a form in Prefect's UI to be filled in.

A run of a deployment is **suspended**: its process ends, and after "Resume" it runs again from its top. All that it had
made is in the ledger and the archive, so it starts no task for that and spends nothing. What was decided is in the
archive; before that, Prefect keeps the answer, and what the numbers in it mean. No results need to be persisted.

A run may also die between an answer and the decision in the archive, or be retried after nobody came. Prefect forgets
then which pauses a run has had, but neither its states nor its answers. So the states say what was answered, and each
time that a question is put it gets a key of its own: `review-<step>-<round>-<try>-<how often it was put>`.

A run without a deployment is **paused**: its process waits. So does a run of a deployment that shall go on by itself
when nobody answers, since nobody would wake a suspended one; it holds its worker's place for as long.
"""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import NamedTuple
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext
from prefect.exceptions import FlowPauseTimeout
from prefect.flow_runs import apause_flow_run, asuspend_flow_run
from prefect.input.actions import aread_flow_run_input
from prefect.input.run_input import Keyset, keyset_from_paused_state
from prefect.states import Paused
from pydantic import ValidationError

from blocks.errors import SetupError
from flows.review_form import Put, ReviewForm, form_for, put_with
from tasks.brief import ReviewPolicy
from tasks.frame_numbers import UnclearAnswer
from tasks.review import Answer, Question, timed_out

POLL_SECONDS = 5
"""How often a paused run looks whether it may go on."""

GRACE_SECONDS = 3600
"""When a pause is over, Prefect ends the run as failed; one that goes on by itself has to be faster than that."""


class Answered(NamedTuple):
    """What was answered: None where nobody did, and the policy is to go on."""

    question: Question
    answer: Answer | None


async def answer_in_form(
    key: str, question: Question, policy: ReviewPolicy, announce: Callable[[Question], Awaitable[str]]
) -> Answered:
    """Waits until a form is filled in, unless it was before this run began again from its top.

    Args:
        key: Names this question within its flow run.
        question: What the form asks.
        policy: How long it waits.
        announce: Called where the question is put; returns the page above the form.

    Returns:
        The answer, and the question as it was put: its numbers are those of the answer.

    Raises:
        ReviewTimedOut: Nobody answered in time, and the run's process was there to notice.
        UnclearAnswer: What was sent does not fit the form.
        Pause: The run is suspended.
    """
    run = _present_run()
    times, answered = await _put_before(key, run.id)
    try:
        if answered is not None:
            return await _given_before(answered, question, policy)
        form = form_for(Put(shown=question.shown, earlier=question.earlier), await announce(question))
        given = await _wait(form, f"{key}-{times + 1}", policy, run)
    except ValidationError as error:
        raise UnclearAnswer("What was sent does not fit the form.") from error
    return Answered(question, None if given is None else given.answer())


async def _put_before(key: str, run_id: UUID) -> tuple[int, Keyset | None]:
    """Tells how often a question was put, and where the form lies that was answered.

    The states of a run tell: what follows a pause is `Running` or `Resuming` if somebody has answered.
    """
    async with get_client() as client:
        states = sorted(await client.read_flow_run_states(run_id), key=lambda state: state.timestamp)
    times, answered = 0, None
    for state, following in pairwise([*states, None]):
        if state is None or not state.is_paused() or not _is_of(key, state.state_details.pause_key):
            continue
        times += 1
        if following is not None and (following.is_running() or following.name == "Resuming"):
            answered = keyset_from_paused_state(state)
    return times, answered


def _is_of(key: str, pause_key: str | None) -> bool:
    return pause_key is not None and pause_key.rpartition("-")[0] == key


async def _given_before(keyset: Keyset, question: Question, policy: ReviewPolicy) -> Answered:
    """Reads an answer together with its question. A run that went on by itself has an empty one."""
    put = await put_with(keyset)
    asked = question.as_shown(put.shown)
    if policy.on_timeout == "go_on" and await aread_flow_run_input(keyset["response"]) is None:
        return Answered(asked, None)
    return Answered(asked, (await form_for(put, "").aload(keyset)).answer())


async def _wait(form: type[ReviewForm], key: str, policy: ReviewPolicy, run: FlowRun) -> ReviewForm | None:
    if run.deployment_id is not None and run.parent_task_run_id is None and policy.on_timeout == "stop":
        return await asuspend_flow_run(wait_for_input=form, timeout=_seconds(policy), key=key)
    return await _pause(form, key, policy, run.id)


async def _pause(form: type[ReviewForm], key: str, policy: ReviewPolicy, run_id: UUID) -> ReviewForm | None:
    seconds = _seconds(policy)
    if policy.on_timeout == "stop":
        try:
            return await apause_flow_run(wait_for_input=form, timeout=seconds, poll_interval=POLL_SECONDS, key=key)
        except FlowPauseTimeout as error:
            raise timed_out(policy) from error
    try:
        async with asyncio.timeout(seconds):
            patience = seconds + GRACE_SECONDS
            return await apause_flow_run(wait_for_input=form, timeout=patience, poll_interval=POLL_SECONDS, key=key)
    except TimeoutError:
        async with get_client() as client:
            await client.resume_flow_run(run_id)  # refused, harmlessly, where somebody has just answered
        return await _loaded(form, key)


async def _loaded(form: type[ReviewForm], key: str) -> ReviewForm | None:
    keyset = keyset_from_paused_state(Paused(pause_key=key))
    if await aread_flow_run_input(keyset["response"]) is None:
        return None
    return await form.aload(keyset)


def _seconds(policy: ReviewPolicy) -> int:
    return max(1, round(policy.timeout_hours * 3600))


def _present_run() -> FlowRun:
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise SetupError("A form can only be waited for in a flow run.")
    return context.flow_run
