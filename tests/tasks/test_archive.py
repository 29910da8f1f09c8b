import json
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from blocks.archive.catalogue import VerdictRow
from blocks.archive.layout import object_key
from blocks.archive.ledger import LedgerEntry
from blocks.archive.signatures import Signature
from blocks.errors import ArchiveError, BriefError
from tasks.archive import archive, archived_images, find_image, images_of_others, read_record, signed_anew
from tasks.dedupe import Known
from tasks.generate import collect
from tasks.models import RECORD_FORMAT, ImageRecord, Shot, Verdict
from tasks.purchase import Purchase
from tasks.records import catalogue_entry
from tasks.signature import SIGNATURE_RULE, signature_row
from tasks.studio import Studio
from tests.tasks.rows import row_of, signature_of

OpenStudio = Callable[..., AbstractAsyncContextManager[Studio]]
ImageOf = Callable[..., ImageRecord]
ShotOf = Callable[..., Shot]


async def made(shot: Shot, studio: Studio) -> tuple[ImageRecord, ...]:
    """Buys a shot and collects it."""
    purchase = Purchase(shot, studio)
    return (await collect.fn(purchase, await purchase.ticket())).images


async def entries_of(studio: Studio, *shots: Shot) -> list[LedgerEntry]:
    return list((await studio.archive.ledger.find(shot.key for shot in shots)).values())


def keeper(image: ImageRecord) -> Verdict:
    return Verdict(sha256=image.sha256, kind="keeper", keeper_sha256=image.sha256, distance_bits=0, reason="first")


async def test_images_of_shots_that_are_done_are_found(studio: Studio, shot_of: ShotOf) -> None:
    """By shot key, in the order of the outputs, as their records were written."""
    one, four = shot_of("one"), shot_of("four", outputs=4)
    expected = {shot.key: await made(shot, studio) for shot in (one, four)}

    found = await archived_images(await entries_of(studio, one, four), studio)
    assert found == expected
    assert [image.output_index for image in found[four.key]] == [0, 1, 2, 3]
    assert await archived_images([], studio) == {}


async def test_a_shot_with_a_missing_image_is_left_out(studio: Studio, shot_of: ShotOf) -> None:
    """Three images of four are not what was bought: the shot is collected again; others are as they were."""
    whole, torn, unsent = shot_of("whole"), shot_of("torn", outputs=4), shot_of("unsent")
    kept = await made(whole, studio)
    images = await made(torn, studio)
    await Purchase(unsent, studio).ticket()
    await studio.archive.store.delete(object_key(images[2].sha256))

    assert await archived_images(await entries_of(studio, whole, torn, unsent), studio) == {whole.key: kept}


async def test_an_image_is_found_by_the_beginning_of_its_name(studio: Studio, shot_of: ShotOf) -> None:
    """As many digits as are needed, in either case; what names none or several is refused with a sentence."""
    images = await made(shot_of(outputs=4), studio)
    image, catalogue = images[0], studio.archive.catalogue
    assert await find_image(image.sha256, catalogue) == image
    assert await find_image(image.sha256[:20].upper(), catalogue) == image
    for name in ("", "g", "../etc", f"{image.sha256}0", "0" * 63 + "1"):
        with pytest.raises(BriefError, match="No image in the archive begins with"):
            await find_image(name, catalogue)


async def test_a_name_of_several_images_is_refused(
    studio: Studio, shot_of: ShotOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message shows which ones, so that a person can go on."""
    images = await made(shot_of(outputs=2), studio)
    entries = await studio.archive.catalogue.entries(image.sha256 for image in images)

    async def both(_: str) -> Any:
        return entries

    monkeypatch.setattr(studio.archive.catalogue, "find_prefix", both)
    with pytest.raises(BriefError, match=f"{images[0].sha256[:12]}, {images[1].sha256[:12]}. Give more digits"):
        await find_image("a", studio.archive.catalogue)


async def test_new_images_are_held_against_those_of_others(studio_with: OpenStudio, shot_of: ShotOf) -> None:
    """Everything of other campaigns and editions, with what is known of it; nothing of one's own."""
    async with studio_with(campaign="mugs") as studio:
        first, second = await made(shot_of("mug"), studio), await made(shot_of("copy"), studio)
        duplicate = Verdict(
            sha256=second[0].sha256,
            kind="duplicate",
            keeper_sha256=first[0].sha256,
            distance_bits=3,
            reason="near",
        )
        await archive.fn([shot_of("mug"), shot_of("copy")], [keeper(first[0]), duplicate], studio)
        assert await images_of_others(studio) == ()
    async with studio_with(edition="1") as studio:
        own = await made(shot_of("card"), studio)
        expected = (
            Known(
                sha256=first[0].sha256,
                signature=signature_row(first[0].checks)[1],
                parent_sha256=None,
                is_keeper=True,
            ),
            Known(
                sha256=second[0].sha256,
                signature=signature_row(second[0].checks)[1],
                parent_sha256=None,
                is_keeper=False,
            ),
        )
        assert await images_of_others(studio) == expected
    async with studio_with(edition="2") as studio:
        assert [each.sha256 for each in await images_of_others(studio)] == [
            *(each.sha256 for each in expected),
            own[0].sha256,
        ]


async def test_an_image_that_was_signed_anew_is_told_with_its_new_signature(studio: Studio, image_of: ImageOf) -> None:
    """Its record, which is never written again, has the old one; an image whose record is up to date is not asked."""
    old, row = image_of(), row_of(range(3))
    new = image_of(sha256="c" * 64, checks=old.checks.model_copy(update={"signature": signature_of()}))
    await studio.archive.catalogue.add([catalogue_entry(old), catalogue_entry(new)])
    await studio.archive.catalogue.put_signatures([Signature(old.sha256, SIGNATURE_RULE, row)])

    expected = Known(sha256=old.sha256, signature=row, parent_sha256=None, is_keeper=False)
    assert await signed_anew([old, new], studio) == (expected,)


async def test_images_that_cannot_be_compared_are_said(
    studio_with: OpenStudio, shot_of: ShotOf, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A signature of another rule says nothing: what repeats such a picture is not found, and nobody would know why."""
    monkeypatch.setattr("tasks.archive.run_log", lambda: logging.getLogger("test"))
    async with studio_with(campaign="mugs") as studio:
        images = await made(shot_of(outputs=2), studio)
        await studio.archive.catalogue.put_signatures([Signature(images[0].sha256, "a rule of tomorrow", b"1")])
    async with studio_with() as studio:
        assert [each.sha256 for each in await images_of_others(studio)] == [images[1].sha256]
    assert caplog.messages == [
        "1 pictures of the archive are signed by another rule, and were not compared: `dedupe --sign` signs them."
    ]


async def test_an_image_that_another_bought_belongs_to_who_uses_it(studio_with: OpenStudio, shot_of: ShotOf) -> None:
    """It is a member of both campaigns, so it is not held against itself in the second one."""
    async with studio_with(campaign="mugs") as studio:
        images = await made(shot_of(), studio)
        await archive.fn([shot_of()], [keeper(images[0])], studio)
    async with studio_with(campaign="cards") as studio:
        await archive.fn([shot_of()], [keeper(images[0])], studio)
        assert await images_of_others(studio) == ()


async def test_members_and_verdicts_are_written_down(studio: Studio, shot_of: ShotOf) -> None:
    """What belongs to the edition and what was said of it, with the rule; a second time replaces the verdicts."""
    shots = [shot_of("one", position=0), shot_of("two", position=1)]
    (one,), (two,) = [await made(shot, studio) for shot in shots]
    near = Verdict(sha256=two.sha256, kind="duplicate", keeper_sha256=one.sha256, distance_bits=9, reason="near")
    near = near.model_copy(update={"rule": "nearer than 27"})
    assert await archive.fn(shots, [keeper(one), near], studio) == 2

    catalogue = studio.archive.catalogue
    assert await catalogue.members_of("cards", "1") == ((shots[0].key, 0, 0), (shots[1].key, 1, 0))
    rows = {row.sha256: row for row in await catalogue.verdicts_of("cards", "1")}
    assert rows[two.sha256] == VerdictRow(
        campaign="cards",
        edition="1",
        sha256=two.sha256,
        kind="duplicate",
        keeper_sha256=one.sha256,
        distance_bits=9,
        reason="near",
        rule="nearer than 27",
    )
    assert rows[one.sha256].kind == "keeper"
    await archive.fn(shots, [keeper(two)], studio)
    assert [row.sha256 for row in await catalogue.verdicts_of("cards", "1")] == [two.sha256]
    assert len(await catalogue.members_of("cards", "1")) == 2


def test_a_record_comes_back_as_it_was_written(image_of: ImageOf) -> None:
    """What is read is what was kept."""
    assert read_record(image_of().model_dump_json()) == image_of()


@pytest.mark.parametrize("added", [{}, {"weather": "rain", "checks": "of another shape"}])
def test_a_record_of_a_newer_format_is_refused(image_of: ImageOf, added: dict[str, Any]) -> None:
    """Whatever a later version adds or changes, the number is read first, and the message says what to do."""
    newer = {**json.loads(image_of().model_dump_json()), "format": RECORD_FORMAT + 1, **added}
    with pytest.raises(ArchiveError, match=f"reads formats up to {RECORD_FORMAT}: update Kleinbild"):
        read_record(json.dumps(newer))
