import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from blocks.archive.folder_store import FolderStore
from blocks.archive.layout import decision_key
from tasks.again import Reprompt
from tasks.decided import decision_id
from tasks.review import Decision
from tasks.rulings import keep_rulings, restored, told_apart
from tasks.said import Said, said_about

ONE, OTHER = "a" * 64, "b" * 64
AT = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


@pytest.fixture
async def store(tmp_path: Path) -> FolderStore:
    return await FolderStore.open(tmp_path)


def decision(hour: int, **facts: Any) -> Decision:
    known = {
        "campaign": "cards",
        "edition": "1",
        "step": 0,
        "round": 1,
        "question": "Which of 2 pictures go on?",
        "shown": (ONE, OTHER),
        "by": "form",
        "run_id": str(hour),
        "decided_at": AT.replace(hour=hour),
    }
    return Decision.model_validate({**known, **facts})


async def put(store: FolderStore, *decisions: Decision) -> None:
    for each in decisions:
        await store.put_if_absent(decision_key(decision_id(each)), each.model_dump_json().encode())


async def test_what_was_said_of_an_image_is_told_in_order(store: FolderStore) -> None:
    """Kept, rejected, made again, in whatever campaign; decisions on others are not told."""
    again = Reprompt(sha256=ONE, shot_key="c" * 64, prompt="darker")
    await put(
        store,
        decision(13, again=(again,), campaign="pots"),
        decision(11, rejected=(OTHER,), note="too bright"),
        decision(12, rejected=(ONE,), by="terminal"),
        decision(14, shown=(OTHER,)),
    )

    assert [
        (each.decided_at.hour, each.campaign, each.what, each.by, each.note) for each in await said_about(ONE, store)
    ] == [
        (11, "cards", "kept", "form", "too bright"),
        (12, "cards", "rejected", "terminal", ""),
        (13, "pots", "made again", "form", ""),
    ]
    assert [each.what for each in await said_about(OTHER, store)] == ["rejected", "kept", "kept", "kept"]
    assert await said_about("d" * 64, store) == ()


async def test_stars_are_told_also_by_versions_to_come(store: FolderStore) -> None:
    """Fields that nobody knows yet are passed over."""
    written = {**json.loads(decision(11, shown=()).model_dump_json()), "format": 99, "mood": "good"}
    written["stars"] = [{"sha256": ONE, "stars": 4, "by": "me"}]
    await store.put_if_absent(decision_key("sheet-1"), json.dumps(written).encode())

    assert await said_about(ONE, store) == (
        Said(decided_at=AT.replace(hour=11), campaign="cards", edition="1", what="kept", by="form", stars=4),
    )


async def test_a_damaged_decision_hides_no_other(store: FolderStore) -> None:
    """A question about an image is no place to complain of it."""
    await put(store, decision(11))
    await store.put_if_absent(decision_key("damaged"), b"{")

    assert [each.what for each in await said_about(ONE, store)] == ["kept"]


async def test_what_is_said_for_all_campaigns_is_told_too(store: FolderStore) -> None:
    """That a picture was restored, and that it is no duplicate of another one."""
    await keep_rulings([restored(ONE, "command", AT), told_apart(OTHER, ONE, AT.replace(hour=11))], store)

    assert await said_about(ONE, store) == (
        Said(decided_at=AT, campaign="", edition="", what="restored", by="command"),
        Said(
            decided_at=AT.replace(hour=11),
            campaign="",
            edition="",
            what="told apart",
            by="command",
            note=f"no duplicate of {OTHER}",
        ),
    )
    assert [each.what for each in await said_about(OTHER, store)] == ["told apart"]
