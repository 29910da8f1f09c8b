"""How a run waits for a form in Prefect's UI to be filled in.

A run of a deployment is **suspended**: its process ends, and after "Resume" it runs again from its top. All that it had
made is in the ledger and the archive, so it starts no task for that and spends nothing; the answers are kept by Prefect
under the key of their question, and in the archive. No results need to be persisted for this.

A run without a deployment is **paused**: its process waits. So does a run of a deployment that shall go on by itself
when nobody answers, since nobody would wake a suspended one; it holds its worker's place for as long.
"""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext
from prefect.exceptions import FlowPauseTimeout
from prefect.flow_runs import apause_flow_run, asuspend_flow_run
from prefect.input.actions import aread_flow_run_input
from prefect.input.run_input import keyset_from_paused_state
from prefect.states import Paused
from pydantic import ValidationError

from blocks.errors import SetupError
from flows.review_form import ReviewForm, form_for
from tasks.brief import ReviewPolicy
from tasks.frame_numbers import UnclearAnswer
from tasks.review import Answer, Question, timed_out

POLL_SECONDS = 5
"""How often a paused run looks whether it may go on."""

GRACE_SECONDS = 3600
"""When a pause is over, Prefect ends the run as failed; one that goes on by itself has to be faster than that."""


async def answer_in_form(
    key: str, question: Question, policy: ReviewPolicy, announce: Callable[[Question], Awaitable[str]]
) -> Answer | None:
    """Waits until a form is filled in; None where nobody did, and the policy is to go on.

    Args:
        key: Names this question within its flow run; one that was answered before a restart is answered at once.
        question: What the form asks.
        policy: How long it waits.
        announce: Called where the question is new; returns the page above the form.

    Raises:
        ReviewTimedOut: Nobody answered in time, and the run's process was there to notice.
        UnclearAnswer: What was sent does not fit the form, or the run was interrupted while it waited.
        Pause: The run is suspended.
    """
    run = _present_run()
    is_new = key not in (run.empirical_policy.pause_keys or set())
    form = form_for(question.earlier, await announce(question) if is_new else "")
    given: ReviewForm | None
    try:
        if run.deployment_id is not None and run.parent_task_run_id is None and policy.on_timeout == "stop":
            given = await asuspend_flow_run(wait_for_input=form, timeout=_seconds(policy), key=key)
        elif is_new:
            given = await _pause(form, key, policy, run.id)
        else:
            given = await _given_before(form, key)
    except ValidationError as error:
        raise UnclearAnswer("What was sent does not fit the form.") from error
    return None if given is None else given.answer()


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


async def _given_before(form: type[ReviewForm], key: str) -> ReviewForm:
    """Finds the answer to a question of this run's former process."""
    given = await _loaded(form, key)
    if given is None:
        raise UnclearAnswer("The run was interrupted while it waited.")
    return given


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
