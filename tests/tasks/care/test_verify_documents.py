from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from blocks.archive.archive import Archive
from blocks.archive.layout import (
    decision_key,
    edition_key,
    object_key,
    quarantine_reason_key,
    quarantine_repeat_key,
    repeat_key,
)
from tasks.care.findings import FindingKind
from tasks.edition_file import put_verdicts
from tasks.models import ImageRecord
from tasks.rulings import keep_rulings, told_apart
from tasks.trash import put_in_place
from tests.tasks.care.looking import found
from tests.tasks.care.upkeep import overwrite
from tests.tasks.gate.spoilt import GOOD


@pytest.mark.parametrize(
    "key",
    [
        decision_key("review-0123"),
        decision_key("ruling-0123"),
        edition_key("0123"),
        repeat_key("1" * 64, 0),
        quarantine_reason_key("2" * 64),
        quarantine_repeat_key("2" * 64, "1" * 64, 0),
    ],
)
@pytest.mark.parametrize("harm", [b"", b"{", b"\xff", b'{"format": 99}'])
async def test_documents_that_cannot_be_read_are_damage(
    key: str, harm: bytes, archive: Archive, images: Sequence[ImageRecord]
) -> None:
    """They stop runs, or are missed when the database is lost: nobody is to hear of it only then."""
    await archive.store.put_if_absent(key, harm)
    assert await found(archive) == [(FindingKind.UNREADABLE, key)]


async def test_documents_that_are_whole_are_none(archive: Archive, images: Sequence[ImageRecord]) -> None:
    """Each kind as it is written; what a later version puts beside them is not ours to judge."""
    ruling = told_apart(images[0].sha256, images[1].sha256, datetime.now(UTC))
    await keep_rulings([ruling], archive.store)
    await put_verdicts(images[0].campaign, images[0].edition, [], archive)
    await archive.store.put_if_absent(repeat_key("1" * 64, 0), images[0].model_dump_json().encode())
    await archive.store.put_if_absent(decision_key("of-tomorrow"), b"?")
    overwrite(archive, object_key(images[0].sha256), b"damaged")
    await put_in_place(object_key(images[0].sha256), GOOD["PNG"], archive.store)  # leaves a note in quarantine

    assert await found(archive) == []
