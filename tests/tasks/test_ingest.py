from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from pathlib import Path

import pytest

from blocks.archive.layout import object_key, record_key, thumbnail_key
from blocks.errors import BadPicture, LinkExpired, ProviderUnavailable, WrongPicture
from blocks.http import redact_url
from blocks.provider import JobStatus
from blocks.waiting import wait_until_final
from tasks import ingest as module
from tasks.archive import read_record
from tasks.gate.admit import Expected, admit
from tasks.gate.quarantine import Quarantined
from tasks.ingest import ingest
from tasks.measured import Checks
from tasks.models import Shot, sha256_of
from tasks.purchase import Purchase
from tasks.studio import Studio
from tests.conftest import Sandbox
from tests.tasks.care.upkeep import overwrite

OpenStudio = Callable[..., AbstractAsyncContextManager[Studio]]
ShotOf = Callable[..., Shot]

pytestmark = pytest.mark.usefixtures("impatient")


async def finished(shot: Shot, studio: Studio) -> JobStatus:
    """Buys a shot and waits until its job has ended."""
    purchase = Purchase(shot, studio)
    ticket = await purchase.ticket()
    account = purchase.account
    return await wait_until_final(account.provider, ticket.job_id, deadline_seconds=30, pace=account.pace)


def kept(studio: Studio, folder: str) -> list[bytes]:
    """The content of everything that lies in one folder of the archive; without the reasons, in quarantine."""
    files = sorted(path for path in (Path(studio.archive.root) / folder).rglob("*") if path.is_file())
    return [path.read_bytes() for path in files if folder != "quarantine" or path.suffix != ".json"]


def reasons(studio: Studio) -> list[Quarantined]:
    """Why bytes lie in quarantine."""
    files = (Path(studio.archive.root) / "quarantine").rglob("*.json")
    return [Quarantined.model_validate_json(path.read_bytes()) for path in files]


async def test_a_picture_is_kept_with_everything_about_it(studio: Studio, shot_of: ShotOf, sandbox: Sandbox) -> None:
    """The bytes lie under their hash as they came, beside them the record, and the catalogue knows it word for word."""
    shot = shot_of(position=7)
    status = await finished(shot, studio)
    (record,) = await ingest(shot, status, studio)

    data = await studio.archive.store.get(object_key(record.sha256))
    assert sha256_of(data) == record.sha256
    assert read_record((await studio.archive.store.get(record_key(record.sha256))).decode()) == record
    assert (await studio.archive.store.get(thumbnail_key(record.sha256))).startswith(b"\xff\xd8")
    entry = await studio.archive.catalogue.get(record.sha256)
    assert entry is not None
    assert read_record(entry.record_json) == record
    assert (record.shot_key, record.request, record.prompt, record.position) == (
        shot.key,
        shot.request,
        shot.prompt,
        7,
    )
    assert (record.job_id, record.campaign, record.edition, record.sandbox) == (status.job_id, "cards", "1", True)
    assert (record.checks.width_px, record.checks.height_px, record.checks.size_bytes) == (128, 128, len(data))
    assert record.cost == status.billed
    assert record.checks == admit(data, Expected(), "it").checks


async def test_the_outputs_of_one_job_stay_in_order_and_share_its_bill(studio: Studio, shot_of: ShotOf) -> None:
    """Four outputs are four records, numbered as the provider numbers them; the shares add up to the bill."""
    shot = shot_of(outputs=4)
    status = await finished(shot, studio)
    records = await ingest(shot, status, studio)

    provider = studio.account("scenario").provider
    originals = [(await provider.download(each)).data for each in await provider.pictures(status)]
    assert [record.sha256 for record in records] == [sha256_of(data) for data in originals]
    assert [record.output_index for record in records] == [0, 1, 2, 3]
    assert status.billed is not None
    assert [record.cost.amount for record in records if record.cost] == [status.billed.amount / 4] * 4
    assert await studio.archive.catalogue.count() == 4


async def test_the_same_bytes_twice_are_one_image(studio: Studio, shot_of: ShotOf) -> None:
    """A second shot that makes the very same bytes adds no file; the record that was written first stays."""
    default, spelled_out = shot_of(steps=None), shot_of(steps=28)
    (first,) = await ingest(default, await finished(default, studio), studio)
    (second,) = await ingest(spelled_out, await finished(spelled_out, studio), studio)

    assert (second.sha256, second.shot_key) == (first.sha256, spelled_out.key)
    assert (len(kept(studio, "objects")), len(kept(studio, "records"))) == (1, 1)
    assert read_record(kept(studio, "records")[0].decode()) == first
    entry = await studio.archive.catalogue.get(first.sha256)
    assert entry is not None
    assert read_record(entry.record_json) == first


async def test_good_bytes_take_the_place_of_damaged_ones(studio: Studio, shot_of: ShotOf) -> None:
    """A picture that comes once more, paid or not, is not thrown away because something has its name."""
    shot = shot_of()
    status = await finished(shot, studio)
    (record,) = await ingest(shot, status, studio)
    overwrite(studio.archive, object_key(record.sha256), b"damaged")
    await ingest(shot, status, studio)

    assert [sha256_of(data) for data in kept(studio, "objects")] == [record.sha256]
    assert kept(studio, "quarantine") == [b"damaged"]


@pytest.mark.parametrize("kind", ["file_cut", "file_dropped", "file_html"])
async def test_a_transfer_that_goes_wrong_is_repeated(
    kind: str, studio: Studio, shot_of: ShotOf, sandbox: Sandbox
) -> None:
    """What was paid for is asked for again; a transfer that was cut leaves nothing behind."""
    sandbox.fault(kind, times=2)
    status = await finished(shot_of(), studio)
    (record,) = await ingest(shot_of(), status, studio)

    assert sandbox.struck() == [2]
    assert [sha256_of(data) for data in kept(studio, "objects")] == [record.sha256]
    assert kept(studio, "quarantine") == []


async def test_a_link_of_scenario_is_renewed(studio: Studio, shot_of: ShotOf, sandbox: Sandbox) -> None:
    """A URL that has expired is asked for afresh, and the right one of several."""
    sandbox.fault("file_error", after=1, times=2)
    shot = shot_of(outputs=3)
    records = await ingest(shot, await finished(shot, studio), studio)

    assert (sandbox.struck(), [record.output_index for record in records]) == ([2], [0, 1, 2])
    assert len({record.sha256 for record in records}) == 3


@pytest.mark.parametrize("provider", ["scenario", "sunra"])
async def test_a_link_that_stays_dead_is_a_clear_error(
    provider: str, studio: Studio, shot_of: ShotOf, edit_of: ShotOf, sandbox: Sandbox
) -> None:
    """Scenario's is renewed as often as a transfer is repeated; Sunra's at once is what it is. Nothing is stored."""
    sandbox.fault("file_error", provider=provider, times=None)
    shot = shot_of() if provider == "scenario" else edit_of()
    before = kept(studio, "objects")
    with pytest.raises(LinkExpired):
        await ingest(shot, await finished(shot, studio), studio)

    assert sandbox.struck() == [module.DOWNLOAD_ATTEMPTS if provider == "scenario" else 1]
    assert (kept(studio, "objects"), kept(studio, "records")) == (before, [])


async def test_a_transfer_that_never_succeeds_has_an_end(studio: Studio, shot_of: ShotOf, sandbox: Sandbox) -> None:
    """After a number of attempts the error is told; the shot is still bought, for a later run to collect."""
    sandbox.fault("file_cut", times=None)
    with pytest.raises(ProviderUnavailable, match="broke off"):
        await ingest(shot_of(), await finished(shot_of(), studio), studio)
    assert (sandbox.struck(), kept(studio, "objects")) == ([module.DOWNLOAD_ATTEMPTS], [])


async def test_a_page_instead_of_a_picture_is_refused(studio: Studio, shot_of: ShotOf, sandbox: Sandbox) -> None:
    """What calls itself HTML is an answer about the picture, which is still there: refused, and asked for again."""
    sandbox.fault("file_html", times=None)
    with pytest.raises(ProviderUnavailable, match="text/html, not a picture"):
        await ingest(shot_of(), await finished(shot_of(), studio), studio)
    assert (kept(studio, "objects"), kept(studio, "records"), kept(studio, "quarantine")) == ([], [], [])


async def test_bytes_of_another_type_lie_in_quarantine(studio: Studio, shot_of: ShotOf, sandbox: Sandbox) -> None:
    """A text that is announced as a picture was paid for: it is kept, apart from the pictures."""
    sandbox.fault("file_wrong_type", times=None)
    status = await finished(shot_of(), studio)
    with pytest.raises(BadPicture, match="is no PNG, JPEG or WebP picture"):
        await ingest(shot_of(), status, studio)
    assert kept(studio, "quarantine") == [b"this is not a picture"]
    (remote,) = await studio.account("scenario").provider.pictures(status)
    [why] = reasons(studio)
    assert why.bought is not None
    assert (why.bought.shot, why.bought.campaign, why.bought.cost) == (shot_of(), "cards", status.billed)
    assert [why] == [
        Quarantined(
            shot_key=shot_of().key,
            job_id=status.job_id,
            reason=f"The picture of {shot_of().label} is no PNG, JPEG or WebP picture.",
            declared_type="image/png",
            refusal="unknown_type",
            output_index=0,
            url=redact_url(remote.url),
            bought=why.bought,
        )
    ]
    assert (kept(studio, "objects"), kept(studio, "records"), await studio.archive.catalogue.count()) == ([], [], 0)


async def test_a_picture_that_came_short_lies_in_quarantine(studio: Studio, shot_of: ShotOf, sandbox: Sandbox) -> None:
    """Half a picture, announced as whole, is found by decoding all of it; the next attempt has the whole one."""
    sandbox.fault("file_truncated")
    status = await finished(shot_of(), studio)
    with pytest.raises(BadPicture) as caught:
        await ingest(shot_of(), status, studio)
    assert (type(caught.value), caught.value.reason) == (BadPicture, "cut_short")
    (half,) = kept(studio, "quarantine")
    assert kept(studio, "objects") == []

    (record,) = await ingest(shot_of(), status, studio)
    (whole,) = kept(studio, "objects")
    assert (sha256_of(whole), whole[: len(half)], len(half)) == (record.sha256, half, len(whole) // 2)


async def test_a_picture_of_another_size_is_not_what_was_bought(studio: Studio, shot_of: ShotOf) -> None:
    """It lies in quarantine, whole; the shot is not collected again, since another download would bring the same."""
    status = await finished(shot_of(), studio)
    asked = shot_of(width_px=256, height_px=256)
    with pytest.raises(WrongPicture, match="has 128 x 128 pixels, where 256 x 256 were asked for"):
        await ingest(asked, status, studio)

    (data,) = kept(studio, "quarantine")
    assert data.startswith(b"\x89PNG")
    assert [(why.shot_key, why.refusal) for why in reasons(studio)] == [(asked.key, "wrong_size")]
    assert (kept(studio, "objects"), kept(studio, "records")) == ([], [])


async def test_a_reason_that_was_written_before_can_be_read() -> None:
    """Archives keep what an earlier version has put into quarantine."""
    old = '{"shot_key": "a", "job_id": "j", "reason": "r", "declared_type": null}'
    assert Quarantined.model_validate_json(old) == Quarantined(
        shot_key="a", job_id="j", reason="r", declared_type=None, refusal=None, output_index=None, url=None
    )


async def test_an_unknown_bill_stays_unknown(studio: Studio, edit_of: ShotOf) -> None:
    """Sunra says no cost: the record claims none, and not a cost of nothing."""
    status = await finished(edit_of(), studio)
    (record,) = await ingest(edit_of(), status, studio)
    assert (record.cost, status.billed) == (None, None)
    assert record.cost != Decimal(0)


async def test_what_content_credentials_say_is_noted(
    studio: Studio, shot_of: ShotOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the bytes as they came, behind the gate and before the record is written for ever."""

    def read(checks: Checks, data: bytes) -> Checks:
        return checks.model_copy(update={"credentials_issuer": "A vendor", "credentials_state": sha256_of(data)})

    monkeypatch.setattr(module, "with_credentials", read)
    (record,) = await ingest(shot_of(), await finished(shot_of(), studio), studio)

    assert (record.checks.credentials_issuer, record.checks.credentials_state) == ("A vendor", record.sha256)
