from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any, cast

import pytest
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
from prefect.states import exception_to_failed_state

from blocks import errors
from blocks.errors import KleinbildError, RateLimited
from blocks.provider import PictureRequest
from tasks import options
from tasks.generate import collect, submit
from tasks.models import Prompt, Shot
from tasks.options import (
    COLLECT_DELAYS_SECONDS,
    COLLECT_RETRIES,
    MAX_WAIT_SECONDS,
    SUBMIT_DELAYS_SECONDS,
    SUBMIT_RETRIES,
    ShotCache,
    is_safe_to_collect_again,
    is_safe_to_submit_again,
)
from tasks.purchase import Purchase
from tasks.studio import Studio

OpenStudio = Callable[..., AbstractAsyncContextManager[Studio]]

REPEATS: dict[type[BaseException], tuple[bool, bool]] = {
    errors.KleinbildError: (False, False),
    errors.BriefError: (False, False),
    errors.InvalidRequest: (False, False),
    errors.SetupError: (False, False),
    errors.BudgetExhausted: (False, False),
    errors.NotStarted: (False, False),
    errors.ArchiveError: (False, False),
    errors.IllegalTransition: (False, False),
    errors.JobTaken: (False, False),
    errors.ProviderError: (False, False),
    errors.NothingAccepted: (False, False),
    errors.ConnectFailed: (True, False),
    errors.RateLimited: (True, True),
    errors.RequestRejected: (False, False),
    errors.AccountRefused: (False, False),
    errors.OutcomeUnknown: (False, False),
    errors.ProviderUnavailable: (False, True),
    errors.UnexpectedAnswer: (False, False),
    errors.JobFailed: (False, False),
    errors.JobTimedOut: (False, False),
    errors.LinkExpired: (False, True),
    errors.BadPicture: (False, True),
    errors.WrongPicture: (False, False),
    RuntimeError: (False, False),
    TimeoutError: (False, False),
    ConnectionError: (False, False),
}
"""Whether a submit, and whether a collect, that ended with this error may be repeated."""

SHOT = Shot(
    provider="scenario",
    sandbox=True,
    request=PictureRequest(model="m", prompt="a mug", seed=1),
    prompt=Prompt(text="a mug", template="a mug"),
    position=0,
)
RUN = TaskRun(task_key="submit", dynamic_key="1")


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Lets no time pass, and notes how long each pause would have been, in seconds."""
    noted: list[float] = []

    class NoTimePasses:
        @staticmethod
        async def sleep(seconds: float) -> None:
            noted.append(seconds)

    monkeypatch.setattr(options, "asyncio", NoTimePasses)
    return noted


async def may_repeat(error: BaseException) -> tuple[bool, bool]:
    state: State[Any] = await exception_to_failed_state(error)
    return (
        await is_safe_to_submit_again(submit, RUN, state),
        await is_safe_to_collect_again(collect, RUN, state),
    )


def all_below(kind: type[KleinbildError]) -> Iterator[type[KleinbildError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from all_below(child)


@pytest.mark.parametrize("kind", REPEATS)
async def test_only_what_is_safe_is_repeated(kind: type[BaseException], pauses: list[float]) -> None:
    """A submit is repeated with proof that nothing was bought; a collect for all that passes by itself."""
    assert await may_repeat(kind("no")) == REPEATS[kind]
    assert pauses == []


def test_no_error_of_ours_is_forgotten_above() -> None:
    """Whoever adds an error has to say whether it may lead to a second submit."""
    ours = {kind for kind in all_below(KleinbildError) if kind.__module__ == errors.__name__}

    assert ours == {kind for kind in REPEATS if issubclass(kind, KleinbildError)}


@pytest.mark.parametrize("pause_seconds", [0.0, 2.5, MAX_WAIT_SECONDS])
async def test_a_provider_is_given_the_pause_that_it_asks_for(pause_seconds: float, pauses: list[float]) -> None:
    """`Retry-After` is honoured to the second, before the repetition."""
    error = RateLimited("slow down", retry_after_seconds=pause_seconds)

    assert await may_repeat(error) == (True, True)
    assert pauses == [pause_seconds, pause_seconds]


@pytest.mark.parametrize("pause_seconds", [MAX_WAIT_SECONDS + 0.1, 86_400.0, float("inf")])
async def test_nobody_waits_for_hours(pause_seconds: float, pauses: list[float]) -> None:
    """A pause beyond the limit ends the shot instead of holding its slot."""
    error = RateLimited("slow down", retry_after_seconds=pause_seconds)

    assert await may_repeat(error) == (False, False)
    assert pauses == []


def test_each_repetition_has_its_delay() -> None:
    """As many delays as retries, ever longer: what is set here is what the tasks have."""
    for task, retries, delays in (
        (submit, SUBMIT_RETRIES, SUBMIT_DELAYS_SECONDS),
        (collect, COLLECT_RETRIES, COLLECT_DELAYS_SECONDS),
    ):
        assert (task.retries, task.retry_delay_seconds) == (retries, delays)
        assert len(delays) == retries
        assert delays == sorted(delays)


def key_of(cache: ShotCache, purchase: Purchase, **more: Any) -> str:
    context = cast(TaskRunContext, None)  # the key depends on the work, not on who runs it
    return cache.compute_key(context, {"purchase": purchase, **more}, {})


async def test_the_cache_key_names_the_work(studio: Studio) -> None:
    """Stage, version, archive, shot and attempt, in plain text: a person can find the result of a shot."""
    assert key_of(ShotCache(stage="submit"), Purchase(SHOT, studio, 3)) == (
        f"submit/v1/{studio.archive.id}/{SHOT.key}/3"
    )


async def test_other_work_has_another_cache_key(studio: Studio) -> None:
    """Two stages, two versions, two shots or two attempts never share a result."""
    other = SHOT.model_copy(update={"request": SHOT.request.model_copy(update={"seed": 2})})
    purchase = Purchase(SHOT, studio, 0)
    keys = [
        key_of(ShotCache(stage="submit"), purchase),
        key_of(ShotCache(stage="collect"), purchase),
        key_of(ShotCache(stage="submit", version=2), purchase),
        key_of(ShotCache(stage="submit"), Purchase(other, studio, 0)),
        key_of(ShotCache(stage="submit"), Purchase(SHOT, studio, 1)),
    ]

    assert len(set(keys)) == len(keys)


async def test_the_same_work_has_the_same_cache_key_in_every_run(studio_with: OpenStudio) -> None:
    """A later run of another edition finds the result, wherever the shot stands in its plan."""
    cache = ShotCache(stage="collect")
    async with studio_with() as one:
        first = key_of(cache, Purchase(SHOT, one))
    async with studio_with(edition="2") as two:
        moved = SHOT.model_copy(update={"position": 9})
        assert key_of(cache, Purchase(moved, two), ticket="any") == first
