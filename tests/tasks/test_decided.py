import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from blocks.archive.layout import decision_key
from blocks.errors import ArchiveError
from tasks.again import Reprompt
from tasks.decided import decision_id, decisions_of, keep_decision
from tasks.review import Decision
from tasks.studio import Studio

StudioWith = Callable[..., AbstractAsyncContextManager[Studio]]


def decision(**changes: Any) -> Decision:
    values: dict[str, Any] = {
        "campaign": "cards",
        "edition": "1",
        "step": 0,
        "round": 1,
        "question": "Which of 2 pictures go on?",
        "shown": ("a" * 64, "b" * 64),
        "rejected": ("a" * 64,),
        "again": (Reprompt(sha256="b" * 64, shot_key="c" * 64, prompt="a cup"),),
        "note": "too dull",
        "by": "form",
        "run_id": "0b1",
        "decided_at": datetime(2026, 11, 20, 12, tzinfo=UTC),
    }
    return Decision.model_validate(values | changes)


async def test_a_decision_is_kept_as_it_was_made(studio_with: StudioWith, tmp_path: Path) -> None:
    """It lies in the archive as readable JSON with the version of its format, and reads back as it was."""
    async with studio_with() as studio:
        await keep_decision(decision(), studio)
        assert await decisions_of(studio) == (decision(),)
    file = tmp_path / "archive" / decision_key(decision_id(decision()))
    written = json.loads(file.read_bytes())
    assert (written["format"], written["note"]) == (2, "too dull")
    assert file.stat().st_mode & 0o222 == 0


async def test_a_run_decides_once_at_each_place(studio_with: StudioWith) -> None:
    """A run that comes by again, because it was suspended or its worker died, changes nothing."""
    async with studio_with() as studio:
        await keep_decision(decision(), studio)
        await keep_decision(decision(rejected=(), note="again"), studio)
        assert await decisions_of(studio) == (decision(),)
        await keep_decision(decision(round=2), studio)
        await keep_decision(decision(run_id="0b2"), studio)
        assert len(await decisions_of(studio)) == 3


async def test_decisions_belong_to_their_edition(studio_with: StudioWith) -> None:
    """Another edition, and another campaign whose name runs into its edition, have decisions of their own."""
    async with studio_with() as studio:
        for other in (decision(edition="2"), decision(campaign="card", edition="s1"), decision(campaign="cards\n1")):
            await keep_decision(other, studio)
        assert await decisions_of(studio) == ()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{", "is damaged: bring it back from a backup, or remove it to forget it."),
        (b'{"format": 1}', "is damaged"),
        (b'{"format": 3, "mood": 5}', "has format 3; this version reads formats up to 2: update Kleinbild."),
    ],
)
async def test_what_cannot_be_read_is_said(studio_with: StudioWith, data: bytes, message: str) -> None:
    """A decision that is damaged or newer stops the run before it buys on a wrong footing."""
    async with studio_with() as studio:
        await studio.archive.store.put(decision_key(decision_id(decision())), data)
        with pytest.raises(ArchiveError, match=message):
            await decisions_of(studio)
