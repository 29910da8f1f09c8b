"""How Prefect runs our tasks, in one place: retries with a typed condition, and cache keys that name the work.

Two facts of Prefect 3.8 shape this file. The built-in policy `INPUTS` does not contain the task, so two tasks with
equal arguments share results: our keys name stage, version, archive and shot. And a delay asked for by a provider has
no place among the retry settings: the condition, which is awaited, waits.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from prefect.cache_policies import CachePolicy
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
from prefect.tasks import Task

from blocks.errors import RateLimited
from tasks.decisions import decision_on
from tasks.purchase import Purchase

SUBMIT_RETRIES = 6
SUBMIT_DELAYS_SECONDS = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0]
COLLECT_RETRIES = 4
COLLECT_DELAYS_SECONDS = [1.0, 2.0, 5.0, 10.0]
RETRY_JITTER = 0.3

MAX_WAIT_SECONDS = 300.0
"""A provider that asks for a longer pause than this ends the shot instead; a later run takes it up."""


async def is_safe_to_submit_again(task: Task[Any, Any], run: TaskRun, state: State[Any]) -> bool:
    """Tells whether a submit may be repeated: only with proof that nothing was accepted, after the pause asked for."""
    error = await state.aresult(raise_on_failure=False)
    return decision_on(error).submits_again and await _waited(error)


async def is_safe_to_collect_again(task: Task[Any, Any], run: TaskRun, state: State[Any]) -> bool:
    """Tells whether collecting may be repeated. It buys nothing, so everything that passes by itself may."""
    error = await state.aresult(raise_on_failure=False)
    return decision_on(error).collects_again and await _waited(error)


async def _waited(error: BaseException) -> bool:
    """Waits as long as a provider asks to; False where that is too long."""
    pause_seconds = error.retry_after_seconds if isinstance(error, RateLimited) else None
    if pause_seconds is None:
        return True
    if pause_seconds > MAX_WAIT_SECONDS:
        return False
    await asyncio.sleep(pause_seconds)
    return True


@dataclass
class ShotCache(CachePolicy):
    """Caches a stage's small result under the shot key.

    Attributes:
        stage: Which of the stages; two stages of one shot never share a result.
        version: Raised when the meaning of the result changes.
    """

    stage: str = ""
    version: int = 1

    def compute_key(
        self, task_ctx: TaskRunContext, inputs: dict[str, Any], flow_parameters: dict[str, Any], **kwargs: Any
    ) -> str:
        """Names the work: stage, version, archive (its images are elsewhere in another) and shot.

        The attempt is part of it, so that a shot that is tried again does not meet the receipt of its failure.
        """
        purchase: Purchase = inputs["purchase"]
        archive_id = purchase.studio.archive.id
        return f"{self.stage}/v{self.version}/{archive_id}/{purchase.shot.key}/{purchase.attempt}"
