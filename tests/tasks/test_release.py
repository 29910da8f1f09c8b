"""Pictures that the gate refused, taken in by a person."""

from datetime import UTC, datetime

import pytest

from blocks.archive.archive import open_archive
from blocks.archive.layout import object_key, quarantine_key, quarantine_reason_key, record_key, thumbnail_key
from blocks.archive.ledger import ShotState
from blocks.archive.store import Store
from blocks.errors import ArchiveError, BadPicture, BriefError
from flows.stages import make_pictures
from tasks import ingest
from tasks import release as module
from tasks.care.sweep import sweep
from tasks.gate.admit import Expected
from tasks.gate.quarantine import Quarantined, note_on
from tasks.generate import collect, submit
from tasks.models import Release, Shot
from tasks.purchase import Purchase
from tasks.release import held_in, release
from tasks.studio import Studio
from tests.conftest import Sandbox
from tests.money import cu
from tests.tasks.buying import PRICE_CU, state_of
from tests.tasks.care.upkeep import overwrite
from tests.tasks.conftest import OpenStudio, ShotOf
from tests.tasks.gate.files import encoded, scene

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("impatient")


async def refused(shot: Shot, studio: Studio) -> str:
    """Buys a shot whose picture the gate does not let in; returns the SHA-256 of what lies in quarantine."""
    purchase = Purchase(shot, studio)
    ticket = await submit.fn(purchase)
    with pytest.raises(BadPicture) as caught:
        await collect.fn(purchase, ticket)
    await purchase.give_up_if_hopeless(caught.value)
    [held] = await held_in(studio.archive)
    return held.sha256


@pytest.fixture
def wrong_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the gate expect another size than was asked for, as where a provider makes a picture of another one."""

    class Larger(Expected):
        @classmethod
        def of(cls, request: object, declared_type: str | None) -> Expected:
            return Expected(declared_type=declared_type, width_px=512)

    monkeypatch.setattr(ingest, "Expected", Larger)


@pytest.mark.usefixtures("wrong_size")
async def test_a_released_picture_is_a_picture_of_its_campaign(
    studio: Studio, shot_of: ShotOf, sandbox: Sandbox
) -> None:
    """With a record that says who took it in, when, and why it was refused; its shot is done, and not bought again."""
    shot = shot_of()
    sha256 = await refused(shot, studio)
    [held] = await held_in(studio.archive)
    assert held.note is not None
    assert held.note.bought is not None
    assert (held.is_kept, held.note.refusal, held.note.bought.cost) == (False, "wrong_size", cu(PRICE_CU))
    record = await release(sha256[:9].upper(), studio.archive, by="Ada", now=NOW)

    assert record.released == Release(by="Ada", at=NOW, reason=held.note.reason)
    assert record.checks.flags == ("released",)
    assert (record.cost, record.prompt, record.shot_key, record.output_index) == (
        cu(PRICE_CU),
        shot.prompt,
        shot.key,
        0,
    )
    entry = await state_of(studio, shot)
    assert (entry.state, entry.images, entry.error_code) == (ShotState.DONE, (sha256,), None)
    for key in (object_key(sha256), record_key(sha256), thumbnail_key(sha256), quarantine_key(sha256)):
        assert await studio.archive.store.head(key) is not None
    made = await make_pictures([shot], studio)
    assert (made.images, made.reused, made.failures) == ((record,), 1, ())
    assert [each.is_kept for each in await held_in(studio.archive)] == [True]
    assert len(sandbox.jobs()) == 1


@pytest.mark.usefixtures("wrong_size")
async def test_a_release_that_was_killed_is_asked_for_again(
    studio: Studio, shot_of: ShotOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it ended; the record that is there stays, with the first person and the first moment."""
    sha256 = await refused(shot_of(), studio)

    async def killed(*_: object) -> bool:
        raise ArchiveError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(type(studio.archive.ledger), "accept", killed)
        with pytest.raises(ArchiveError, match="killed"):
            await release(sha256, studio.archive, by="Ada", now=NOW)
    record = await release(sha256, studio.archive, by="Grace", now=NOW.replace(hour=13))

    assert record.released is not None
    assert (record.released.by, record.released.at) == ("Ada", NOW)
    assert (await state_of(studio, shot_of())).state is ShotState.DONE


async def test_what_is_no_picture_stays_where_it_is(studio: Studio, shot_of: ShotOf, sandbox: Sandbox) -> None:
    """Whoever opens the archive has to find pictures in it."""
    sandbox.fault("file_wrong_type", times=None)
    sha256 = await refused(shot_of(), studio)
    with pytest.raises(BadPicture, match="is no complete PNG, JPEG or WebP picture"):
        await release(sha256, studio.archive, by="Ada", now=NOW)

    assert await studio.archive.store.head(record_key(sha256)) is None
    assert (await state_of(studio, shot_of())).state is ShotState.FAILED


async def test_a_shot_that_is_open_or_made_is_left_alone(studio: Studio, shot_of: ShotOf, sandbox: Sandbox) -> None:
    """Another download may bring a good picture, or has brought it."""
    sandbox.fault("file_truncated")
    purchase = Purchase(shot_of(), studio)
    ticket = await submit.fn(purchase)
    with pytest.raises(BadPicture):
        await collect.fn(purchase, ticket)
    [held] = await held_in(studio.archive)
    with pytest.raises(ArchiveError, match="Its shot is running: another download may bring a good picture"):
        await release(held.sha256, studio.archive, by="Ada", now=NOW)
    await collect.fn(purchase, ticket)
    with pytest.raises(ArchiveError, match="Its job has brought another picture in its place"):
        await release(held.sha256, studio.archive, by="Ada", now=NOW)


@pytest.mark.usefixtures("wrong_size")
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ({"data": encoded(scene(), "PNG")}, "has changed since it came"),
        ({"note": b"{"}, "Nothing says for which shot"),
        (
            {"note": b'{"shot_key": "", "job_id": "", "reason": "r", "declared_type": null}'},
            "Nothing says for which shot",
        ),
        ({"note": b'{"shot_key": "s", "job_id": "j", "reason": "r", "declared_type": null}'}, "does not know its shot"),
    ],
    ids=["changed", "no note", "damaged here", "unknown shot"],
)
async def test_what_nothing_is_known_of_is_not_taken_in(
    spoil: dict[str, bytes], said: str, studio: Studio, shot_of: ShotOf
) -> None:
    """A record says where a picture comes from, or there is none."""
    sha256 = await refused(shot_of(), studio)
    keys = {"data": quarantine_key(sha256), "note": quarantine_reason_key(sha256)}
    for what, data in spoil.items():
        overwrite(studio.archive, keys[what], data)
    with pytest.raises(ArchiveError, match=said):
        await release(sha256, studio.archive, by="Ada", now=NOW)


@pytest.mark.usefixtures("wrong_size")
async def test_a_note_of_an_earlier_version_is_enough(studio: Studio, shot_of: ShotOf) -> None:
    """It says neither shot nor cost; the ledger does."""
    sha256 = await refused(shot_of(), studio)
    [held] = await held_in(studio.archive)
    assert held.note is not None
    old = held.note.model_copy(update={"bought": None}).model_dump_json(exclude_none=True)
    overwrite(studio.archive, quarantine_reason_key(sha256), old.replace(', "declared_type"', "").encode())
    record = await release(sha256, studio.archive, by="Ada", now=NOW)

    assert (record.prompt, record.campaign, record.cost) == (shot_of().prompt, "cards", cu(PRICE_CU))


@pytest.mark.parametrize("name", ["", "abc", "zz"])
async def test_a_name_that_means_nothing_is_refused(name: str, studio: Studio) -> None:
    """With the command that lists what there is."""
    with pytest.raises(BriefError, match="python -m flows quarantine"):
        await release(name, studio.archive, by="Ada", now=NOW)


@pytest.mark.usefixtures("wrong_size")
async def test_nothing_is_swept_beside_it(
    studio_with: OpenStudio, shot_of: ShotOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its bytes and its record a picture is named by nothing."""
    async with studio_with() as studio:
        sha256 = await refused(shot_of(), studio)

    async def meanwhile(name: str, store: Store) -> Quarantined | None:
        with pytest.raises(ArchiveError, match=r"Runs are at work on this archive \(1: release-"):
            await sweep(opened, is_dry=False)
        return await note_on(name, store)

    monkeypatch.setattr(module, "note_on", meanwhile)
    async with open_archive(studio.archive.root) as opened:
        record = await release(sha256, opened, by="Ada", now=NOW)
        assert await opened.store.head(object_key(record.sha256)) is not None
