import asyncio
import os
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from blocks.archive.archive import Archive, open_archive
from blocks.archive.layout import object_key
from blocks.archive.ledger import LedgerEntry, ShotState
from deployments.sandbox.faults import MOMENT_OF_KIND
from tasks.gate.quarantine import notes_in
from tests.chaos.books import work_of_entry, work_of_job
from tests.chaos.faulty import hurry, run_once
from tests.chaos.world import World

SHOTS_OF_EACH = 3
SHOTS = 2 * SHOTS_OF_EACH
AMPLE = 100 * SHOTS
EXAMPLES = int(os.environ.get("KLEINBILD_TEST_FAULT_EXAMPLES", "30"))

NEVER_ENDS = {"job_stuck"}
"""A job that the provider never ends has no end in the ledger either: it stays `running`, and is known by its id."""

KINDS = sorted(kind for kind, moment in MOMENT_OF_KIND.items() if moment != "stream" and kind not in NEVER_ENDS)
ERRORS: dict[str, list[Any]] = {
    "scenario": ["Out of memory.", None],
    "sunra": [
        {"code": "invalid_input", "message": "No.", "reason": "content_policy", "retryable": False},
        {"code": "internal_server_error", "message": "Try again.", "retryable": True},
        {"code": "new_code", "message": "Something else."},
        None,
    ],
}
ENDS = {ShotState.DONE, ShotState.FAILED, ShotState.LOST}


@st.composite
def faults(draw: st.DrawFn) -> dict[str, Any]:
    """One fault, with the fields that its kind knows."""
    kind = draw(st.sampled_from(KINDS))
    provider = draw(st.sampled_from(["scenario", "sunra"]))
    fault: dict[str, Any] = {
        "kind": kind,
        "provider": provider,
        "times": draw(st.integers(1, 3)),
        "after": draw(st.integers(0, 2)),
    }
    if kind.endswith("_slow") or kind == "submit_cooldown":
        fault["seconds"] = draw(st.sampled_from([0.05, 0.3]))
    if kind.endswith("_error"):
        refusals = [] if kind == "submit_accepted_error" else [429]  # a refusal of what was accepted would be a lie
        fault["http_status"] = draw(st.sampled_from([500, 502, 503, 504, *refusals]))
    if kind == "job_fails":
        fault["error"] = draw(st.sampled_from(ERRORS[provider]))
        fault["refund"] = provider == "sunra" or draw(st.booleans())
    if kind == "job_status":
        fault["status"] = draw(st.sampled_from(["dreaming", "IN_PROGRESS", ""]))
    return fault


@pytest.mark.timeout(600)  # for all examples together
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink an example takes minutes, and it is short already
)
@given(
    chosen=st.lists(faults(), min_size=1, max_size=4),
    budget_shots=st.sampled_from([2, SHOTS - 1, AMPLE]),
    resubmit_lost=st.booleans(),
)
def test_whatever_goes_wrong_money_and_states_keep_their_rules(
    chaos: World, chosen: list[dict[str, Any]], budget_shots: int, resubmit_lost: bool
) -> None:
    """No shot is bought twice, no budget is passed at any moment, and every state has a way out.

    Twice means: while a job for it may still give a picture. `on_lost: resubmit` allows one more for each lost attempt.
    """
    chaos.reset()
    root = chaos.archive()
    for fault in chosen:
        chaos.sandbox.fault(**fault)
    with pytest.MonkeyPatch.context() as patch:
        hurry(patch)
        run = partial(run_once, chaos.sandbox.origin, root, SHOTS_OF_EACH, resubmit_lost=resubmit_lost)
        assert asyncio.run(run(budget_shots=budget_shots)) == ()
        chaos.sandbox.clear_faults()
        assert asyncio.run(run(budget_shots=AMPLE)) == ()
    asyncio.run(check(root, chaos.sandbox.jobs(), resubmit_lost=resubmit_lost))


async def check(root: Path, jobs: list[dict[str, Any]], *, resubmit_lost: bool) -> None:
    sold = defaultdict(list)
    for job in jobs:
        sold[work_of_job(job)].append(job)
    async with open_archive(str(root)) as archive:
        entries = await archive.ledger.in_states(*ShotState)
        assert len(entries) == SHOTS
        assert set(sold) <= {work_of_entry(entry) for entry in entries}
        for entry in entries:
            await check_shot(entry, sold[work_of_entry(entry)], archive, resubmit_lost=resubmit_lost)


async def check_shot(entry: LedgerEntry, jobs: list[dict[str, Any]], archive: Archive, *, resubmit_lost: bool) -> None:
    shown = f"{entry.state} in attempt {entry.attempt} ({entry.error_code}: {entry.error_message}), jobs: {jobs}"
    past = await archive.ledger.past_attempts(entry.shot_key)
    given_up = sum(attempt.state is ShotState.LOST for attempt in past) if resubmit_lost else 0
    alive = [job for job in jobs if not _has_failed(job)]
    assert entry.state in ENDS, shown
    assert len(alive) <= 1 + given_up, shown
    assert len(jobs) <= len(past) + 1, shown
    if entry.state is ShotState.DONE:
        assert entry.job_id in {job["job_id"] for job in alive}, shown
        assert entry.images, shown
        for sha256 in entry.images:
            assert await archive.store.head(object_key(sha256)) is not None, shown
    elif entry.state is ShotState.FAILED and entry.error_code == "bad_picture":  # each of its downloads was broken
        notes = [note async for _, note in notes_in(archive.store)]
        assert entry.shot_key in {note.shot_key for note in notes if note is not None}, shown
    elif entry.state is ShotState.FAILED:
        assert entry.job_id in {job["job_id"] for job in jobs} - {job["job_id"] for job in alive}, shown
    else:
        assert entry.provider == "sunra" or not alive, shown


def _has_failed(job: dict[str, Any]) -> bool:
    """Sunra's listing shows a failed job as COMPLETED, and charges nothing for it."""
    return bool(job["state"] == "failure" or job["charged"] == 0)
