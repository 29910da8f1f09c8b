from collections.abc import Callable

import pytest

from blocks.archive.archive import Archive
from blocks.archive.layout import object_key
from blocks.archive.signatures import Signature
from tasks import signing_anew
from tasks.models import ImageRecord
from tasks.signature import FINGERPRINT_BYTES, SIGNATURE_RULE, signature_row
from tasks.signing_anew import sign_anew
from tests.tasks.care.upkeep import filled, overwrite


async def signatures(archive: Archive) -> dict[str, tuple[str, bytes]]:
    return {each.sha256: (each.rule, each.signature) for each in await archive.catalogue.signatures()}


async def test_what_another_rule_has_signed_is_signed_anew(
    archive: Archive, image_of: Callable[..., ImageRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at ingest, to the bit; batch by batch; what is signed already is not read; and once is enough."""
    monkeypatch.setattr(signing_anew, "BATCH", 2)
    records = await filled(archive, image_of)
    expected = {record.sha256: signature_row(record.checks) for record in records}
    await archive.catalogue.put_signatures(
        [Signature(each.sha256, "an older rule", bytes(FINGERPRINT_BYTES)) for each in records[:3]]
    )
    overwrite(archive, object_key(records[3].sha256), b"not read")
    steps: list[tuple[int, int]] = []
    signed = await sign_anew(archive, on_progress=lambda done, due: steps.append((done, due)))

    assert (signed.signed, signed.unreadable, steps) == (3, (), [(2, 3), (3, 3)])
    assert await signatures(archive) == expected
    assert (await sign_anew(archive)).signed == 0


async def test_what_cannot_be_read_keeps_what_it_had(archive: Archive, image_of: Callable[..., ImageRecord]) -> None:
    """A picture that is gone or broken is named, and the others are signed."""
    broken, gone, fine, _ = await filled(archive, image_of)
    old = [Signature(each.sha256, "an older rule", b"old") for each in (broken, gone, fine)]
    await archive.catalogue.put_signatures(old)
    overwrite(archive, object_key(broken.sha256), b"no picture")
    await archive.store.delete(object_key(gone.sha256))
    signed = await sign_anew(archive)

    assert signed.signed == 1
    assert {each.key for each in signed.unreadable} == {object_key(each.sha256) for each in (broken, gone)}
    found = await signatures(archive)
    assert (found[broken.sha256], found[fine.sha256][0]) == (("an older rule", b"old"), SIGNATURE_RULE)
