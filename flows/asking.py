"""Who is asked about pictures: a function, of which the terminal is one, or whoever fills in the form of the run."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from prefect.context import FlowRunContext
from prefect.settings import get_current_settings

from blocks.errors import BriefError, SetupError
from flows.pausing import answer_in_form
from tasks.brief import ReviewPolicy
from tasks.review import Answer, Channel, Outcome, Question, timed_out

MAX_TRIES = 10
"""A function that is no person could give the same wrong answer for ever."""

RENUMBERED = "More pictures have come since, and the numbers are new."

Asker = Callable[[Question], Answer | Awaitable[Answer]]


class _Callback(NamedTuple):
    ask: Asker
    channel: Channel


class Given(NamedTuple):
    """What somebody answered to which question, and where; no outcome where nobody did, and the run goes on."""

    question: Question
    outcome: Outcome | None
    by: Channel


_callback: ContextVar[_Callback | None] = ContextVar("kleinbild_asker", default=None)


@contextmanager
def reviewing(ask: Asker, channel: Channel = "callback") -> Iterator[None]:
    """Has every review that is wanted while the context is open answered by a function, which may be async.

    Example:
        ```python
        with reviewing(lambda question: Answer(reject="2, 5")):
            campaign(brief, review=True)
        ```
    """
    token = _callback.set(_Callback(ask, channel))
    try:
        yield
    finally:
        _callback.reset(token)


def refuse_unless_askable(policy: ReviewPolicy | None) -> None:
    """Refuses a review that nobody could answer, before anything is bought.

    Raises:
        SetupError: There is no function to ask, and no server whose form could be filled in.
    """
    if policy is None or _callback.get() is not None:
        return
    if FlowRunContext.get() is None or get_current_settings().api.url is None:
        raise SetupError(
            "A review is wanted, but there is nobody to ask. Run it in a terminal, or set PREFECT_API_URL to a Prefect "
            "server (`make serve` starts one) and answer in its UI; in Python, `with reviewing(ask):` asks a function."
        )


async def ask(
    question: Question,
    policy: ReviewPolicy,
    *,
    understood: Callable[[Question, Answer], Outcome],
    announce: Callable[[Question], Awaitable[str]],
) -> Given:
    """Asks until the answer can be used.

    Args:
        question: What to ask.
        policy: How long to wait.
        understood: Makes sense of an answer to a question, or raises `BriefError`: then that is said, and it is asked
            again.
        announce: Tells the world that a form waits, and returns the page above it.

    Raises:
        ReviewTimedOut: Nobody answered in time.
        Pause: The run is suspended; Prefect's signal, which ends the process in order.
    """
    callback = _callback.get()
    by: Channel = "form" if callback is None else callback.channel
    number = 0
    while True:
        number += 1
        put, typed = question, None
        try:
            if callback is None:
                key = f"review-{question.step}-{question.round}-{number}"
                put, typed = await answer_in_form(key, question, policy, announce)
            else:
                typed = await _answer_of(callback, question, policy)
            return Given(put, None if typed is None else understood(put, typed), by)
        except BriefError as error:
            if callback is not None and callback.channel == "callback" and number >= MAX_TRIES:
                raise
            question = _complaining(question, put, typed or Answer(), str(error))


def _complaining(question: Question, put: Question, typed: Answer, complaint: str) -> Question:
    """Asks again, filled in with what was typed, unless the numbers in it mean other pictures by now."""
    if put.shown == question.shown:
        return question.model_copy(update={"complaint": complaint, "earlier": typed})
    return question.model_copy(update={"complaint": f"{complaint} {RENUMBERED}", "earlier": Answer()})


async def _answer_of(callback: _Callback, question: Question, policy: ReviewPolicy) -> Answer | None:
    try:
        async with asyncio.timeout(policy.timeout_hours * 3600):
            answer = callback.ask(question)
            return await answer if inspect.isawaitable(answer) else answer
    except TimeoutError as error:
        if policy.on_timeout == "go_on":
            return None
        raise timed_out(policy) from error
