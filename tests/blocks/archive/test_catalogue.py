from datetime import UTC, datetime, timedelta

import pytest

from blocks.archive.catalogue import Catalogue, CatalogueEntry, Member, VerdictRow
from blocks.archive.signatures import Signature, Signed
from blocks.errors import ArchiveError

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def sha(number: int) -> str:
    return f"{number:064x}"


def entry(number: int, **facts: object) -> CatalogueEntry:
    known: dict[str, object] = {
        "sha256": sha(number),
        "size_bytes": 1_500_000,
        "media_type": "image/png",
        "width_px": 1024,
        "height_px": 768,
        "shot_key": sha(1000 + number),
        "provider": "scenario",
        "model": "flux-2-klein-4b",
        "prompt": "a teapot, “blue” é 😀",
        "seed": 2_147_483_647,
        "parent_sha256": None,
        "campaign": "teapots",
        "edition": "e",
        "step": 0,
        "fingerprint": bytes(range(24)),
        "signature_rule": "rule/1",
        "signature": bytes(range(200)),
        "made_at": NOON + timedelta(seconds=number),
        "record_json": '{"a": 1}',
    }
    return CatalogueEntry.model_validate(known | facts)


def verdict(number: int, campaign: str = "teapots", **facts: object) -> VerdictRow:
    known: dict[str, object] = {
        "campaign": campaign,
        "edition": "e",
        "sha256": sha(number),
        "kind": "keeper",
        "reason": "first of its kind",
        "rule": "v1",
    }
    return VerdictRow.model_validate(known | facts)


async def test_an_entry_comes_back_as_it_was_given(catalogue: Catalogue) -> None:
    """Every column survives the round trip."""
    given = (
        entry(1),
        entry(2, seed=None, fingerprint=b"", signature=b"", signature_rule="", parent_sha256=sha(1), step=1),
    )
    await catalogue.add(given)
    assert await catalogue.get(sha(1)) == given[0]
    assert await catalogue.get(sha(2)) == given[1]
    assert await catalogue.get(sha(3)) is None
    assert await catalogue.count() == 2


async def test_adding_again_changes_nothing(catalogue: Catalogue) -> None:
    """An image is known by its bytes: the first record stands."""
    await catalogue.add([entry(1)])
    await catalogue.add([entry(1, prompt="another"), entry(2)])
    await catalogue.add([])
    assert await catalogue.get(sha(1)) == entry(1)
    assert await catalogue.count() == 2


async def test_a_prompt_that_no_database_takes_is_kept_readable(catalogue: Catalogue) -> None:
    """A strange prompt must not keep a paid picture out of the catalogue."""
    await catalogue.add([entry(1, prompt="tea\0pot")])
    assert await catalogue.get(sha(1)) == entry(1, prompt="tea\ufffdpot")


async def test_entries_come_in_the_order_asked_for(catalogue: Catalogue) -> None:
    """Unknown ones are left out, repeated ones come once, and more than one statement can name are found."""
    await catalogue.add(entry(number) for number in range(700))
    asked = [sha(699), sha(5), "unknown", *(sha(number) for number in range(700))]
    found = await catalogue.entries(asked)
    assert [image.sha256 for image in found] == [sha(699), sha(5), *(sha(n) for n in range(699) if n != 5)]
    assert await catalogue.entries([]) == ()


async def test_images_are_found_by_the_first_digits(catalogue: Catalogue) -> None:
    """People type a few digits, in either case; what is no digit finds nothing, and no pattern works."""
    first, second = entry(1, sha256="ab" + "0" * 62), entry(2, sha256="ab" + "f" * 62)
    await catalogue.add([second, first, entry(3, sha256="ac" + "0" * 62)])
    assert await catalogue.find_prefix("AB") == (first, second)
    assert await catalogue.find_prefix("abf") == (second,)
    assert await catalogue.find_prefix("ab" + "f" * 62) == (second,)
    assert await catalogue.find_prefix("ab", limit=1) == (first,)
    for prefix in ("", "%", "a_", "xyz", "0" * 65, "' OR 1=1"):
        assert await catalogue.find_prefix(prefix) == ()


async def test_children_are_the_edits_of_an_image(catalogue: Catalogue) -> None:
    """The oldest comes first; grandchildren are not children."""
    edits = [entry(number, parent_sha256=sha(1), step=1) for number in (3, 2)]
    await catalogue.add([entry(1), *edits, entry(4, parent_sha256=sha(2), step=2)])
    assert await catalogue.children_of(sha(1)) == (edits[1], edits[0])
    assert await catalogue.children_of(sha(4)) == ()


async def test_images_of_a_campaign_follow_its_shots(catalogue: Catalogue) -> None:
    """In the order of positions, with what another campaign bought for the same shot."""
    shared = entry(1, campaign="older")
    two_of_a_shot = (entry(2, shot_key="shot-2"), entry(3, shot_key="shot-2"))
    await catalogue.add([shared, *two_of_a_shot, entry(4)])
    shots = [(shared.shot_key, 1, 0), ("shot-2", 0, 0), ("not made yet", 2, 1)]
    await catalogue.add_members("teapots", "e", shots)
    await catalogue.add_members("teapots", "e", shots)
    await catalogue.add_members("teapots", "f", [("shot-2", 0, 0)])
    assert await catalogue.images_of("teapots", "e") == (*two_of_a_shot, shared)
    assert await catalogue.images_of("teapots", "f") == two_of_a_shot
    assert await catalogue.members_of("teapots", "e") == (
        Member("shot-2", 0, 0),
        Member(shared.shot_key, 1, 0),
        Member("not made yet", 2, 1),
    )


async def test_signatures_of_the_others(catalogue: Catalogue) -> None:
    """A campaign is compared with what is neither made by it nor part of it; images without signature are skipped."""
    await catalogue.add(
        [
            entry(2, parent_sha256=sha(1)),
            entry(1, edition="f"),
            entry(3, campaign="older", signature_rule="rule/2"),
            entry(4, campaign="older", shot_key="shared"),
            entry(5, campaign="older", signature=b"", signature_rule=""),
        ]
    )
    await catalogue.add_members("teapots", "e", [("shared", 0, 0)])
    signature = bytes(range(200))
    one, two, three, four = (
        Signed(sha(1), "rule/1", signature, parent_sha256=None, is_repeat=False),
        Signed(sha(2), "rule/1", signature, parent_sha256=sha(1), is_repeat=False),
        Signed(sha(3), "rule/2", signature, parent_sha256=None, is_repeat=False),
        Signed(sha(4), "rule/1", signature, parent_sha256=None, is_repeat=False),
    )
    assert await catalogue.signatures() == (one, two, three, four)
    assert await catalogue.signatures(exclude_campaign="teapots", exclude_edition="e") == (one, three)
    assert await catalogue.signatures(exclude_campaign="teapots") == (three,)
    assert await catalogue.signatures(exclude_campaign="none") == (one, two, three, four)
    assert await catalogue.signatures(made_before=NOON + timedelta(seconds=3)) == (one, two)
    assert await catalogue.sha256s() == {sha(number) for number in range(1, 6)}


async def test_signing_anew_replaces_signatures(catalogue: Catalogue) -> None:
    """Each in its place, whatever the rule; an image without a signature gets one, and no image loses one."""
    await catalogue.add([entry(1), entry(2, signature=b"", signature_rule=""), entry(3)])
    await catalogue.put_signatures([Signature(sha(1), "rule/2", b"new"), Signature(sha(2), "rule/2", b"first")])
    await catalogue.put_signatures([])
    await catalogue.put([entry(3, signature=b"", signature_rule="")])
    assert await catalogue.entries([sha(1), sha(2), sha(3)]) == (
        entry(1, signature_rule="rule/2", signature=b"new"),
        entry(2, signature_rule="rule/2", signature=b"first"),
        entry(3),
    )


def test_a_record_does_not_undo_what_was_signed_anew() -> None:
    """A row by another rule is newer than its record; one by the same rule has to say the same."""
    made = entry(1)
    newer = entry(1, prompt="another", signature_rule="rule/2", signature=b"new")
    assert made.signed_as(newer) == entry(1, signature_rule="rule/2", signature=b"new")
    assert made.signed_as(entry(1, signature=b"damaged")) == made
    assert made.signed_as(entry(1, signature=b"", signature_rule="")) == made
    assert made.signed_as(None) == made


async def test_no_picture_is_held_to_what_repeats_or_is_rejected(catalogue: Catalogue) -> None:
    """A verdict of any campaign says so: such an image leads nobody."""
    await catalogue.add([entry(1), entry(2), entry(3)])
    await catalogue.put_verdicts("cups", "e", [verdict(1, "cups", kind="rejected"), verdict(2, "cups")])
    await catalogue.put_verdicts("teapots", "e", [verdict(3, kind="duplicate"), verdict(2)])
    found = {each.sha256: each.is_repeat for each in await catalogue.signatures()}
    assert found == {sha(1): True, sha(2): False, sha(3): True}


async def test_verdicts_are_replaced_as_a_whole(catalogue: Catalogue) -> None:
    """A new dedupe leaves nothing of the one before, and touches no other campaign."""
    duplicate = verdict(2, kind="duplicate", keeper_sha256=sha(1), distance_bits=3, reason="3 bits")
    await catalogue.put_verdicts("teapots", "e", [verdict(9)])
    await catalogue.put_verdicts("cups", "e", [verdict(1, "cups")])
    await catalogue.put_verdicts("teapots", "e", [duplicate, verdict(1)])
    assert await catalogue.verdicts_of("teapots", "e") == (verdict(1), duplicate)
    assert await catalogue.verdicts_for(sha(1)) == (verdict(1, "cups"), verdict(1))
    assert await catalogue.verdicts_for(sha(9)) == ()
    await catalogue.put_verdicts("teapots", "e", [])
    assert await catalogue.verdicts_of("teapots", "e") == ()


async def test_verdicts_that_cannot_be_put_leave_the_old_ones(catalogue: Catalogue) -> None:
    """A verdict of another edition, or two on one image, change nothing."""
    await catalogue.put_verdicts("teapots", "e", [verdict(1)])
    with pytest.raises(ArchiveError, match="belongs to cups e, so it cannot be put into teapots e"):
        await catalogue.put_verdicts("teapots", "e", [verdict(2, "cups")])
    with pytest.raises(ArchiveError):
        await catalogue.put_verdicts("teapots", "e", [verdict(2), verdict(2)])
    assert await catalogue.verdicts_of("teapots", "e") == (verdict(1),)
