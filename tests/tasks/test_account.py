import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest

from blocks.archive.layout import object_key
from blocks.errors import AccountRefused, ArchiveError, ProviderError, ProviderUnavailable, RateLimited
from blocks.provider import LoraWeight, Money, PictureRequest
from tasks.account import Account
from tasks.models import Shot, sha256_of
from tasks.studio import Studio
from tests.conftest import Sandbox
from tests.tasks.conftest import Instead

ShotOf = Callable[..., Shot]


@pytest.fixture
def account(studio: Studio) -> Account:
    """The account with Scenario, open over the sandbox."""
    return studio.account("scenario")


@pytest.fixture
def asked(account: Account) -> list[PictureRequest]:
    """The requests whose price the provider was asked for."""
    requests: list[PictureRequest] = []
    price = account.provider.price

    async def noted(request: PictureRequest, handles: Sequence[str]) -> Money | None:
        requests.append(request)
        return await price(request, handles)

    account.provider = Instead(account.provider, price=noted)
    return requests


async def kept(studio: Studio, data: bytes) -> str:
    """Puts a picture into the archive."""
    await studio.archive.store.put_if_absent(object_key(sha256_of(data)), data)
    return sha256_of(data)


async def test_a_price_is_asked_once_for_all_alike(
    account: Account, asked: list[PictureRequest], shot_of: ShotOf
) -> None:
    """Prompt and seed change no price; many that ask at the same moment share one question."""
    requests = [shot_of(f"mug {number}", seed=number).request for number in range(20)]
    prices = await asyncio.gather(*(account.price(request, ()) for request in requests))

    assert prices == [Money(amount=Decimal("0.25"), unit="CU")] * 20
    assert asked == requests[:1]


@pytest.mark.parametrize(
    "change",
    [
        {"steps": 2},
        {"width_px": 256},
        {"height_px": 256},
        {"outputs": 2},
        {"guidance": 3.0},
        {"loras": (LoraWeight(id="lora"),)},
        {"model": "other"},
    ],
)
async def test_what_may_change_a_price_is_asked_for(
    change: dict[str, Any], account: Account, asked: list[PictureRequest], shot_of: ShotOf
) -> None:
    """Whatever differs beside text, seed and pictures has a question of its own."""
    request = shot_of().request
    other = request.model_copy(update=change)
    for each in (request, other):
        try:
            await account.price(each, ())
        except ProviderError:  # the sandbox knows neither the LoRA nor the model
            assert each is other
    assert asked == [request, other]


async def test_references_change_a_price_by_their_number(
    account: Account, asked: list[PictureRequest], shot_of: ShotOf
) -> None:
    """Two requests with one reference each are alike, one with two is not."""

    async def free(request: PictureRequest, handles: Sequence[str]) -> Money:
        asked.append(request)
        return Money(amount=Decimal(len(handles)), unit="CU")

    account.provider = Instead(account.provider, price=free)
    prices = [
        await account.price(shot_of(references=names).request, names) for names in (("a",), ("b",), ("a", "b"), ())
    ]
    assert [price.amount for price in prices if price] == [1, 1, 2, 0]
    assert len(asked) == 3


@pytest.mark.parametrize("error", [ProviderUnavailable("away"), RateLimited("slow down")])
@pytest.mark.usefixtures("impatient")
async def test_a_price_is_asked_again_when_the_provider_was_away(
    account: Account, shot_of: ShotOf, error: Exception
) -> None:
    """Asking buys nothing, so it is repeated; what failed is not remembered for the next shot."""
    troubles = [error, error, error, error]
    price = account.provider.price

    async def away(*given: Any) -> Money | None:
        if troubles:
            raise troubles.pop()
        return await price(*given)

    account.provider = Instead(account.provider, price=away)
    with pytest.raises(type(error)):
        await account.price(shot_of().request, ())
    assert await account.price(shot_of().request, ()) == Money(amount=Decimal("0.25"), unit="CU")


async def test_a_refused_account_is_told_to_everybody(account: Account, shot_of: ShotOf) -> None:
    """What no request could escape is no unknown price."""

    async def refuses(*_: object) -> Money:
        raise AccountRefused("no")

    account.provider = Instead(account.provider, price=refuses)
    outcomes = await asyncio.gather(
        *(account.price(shot_of(seed=seed).request, ()) for seed in (1, 2)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [AccountRefused] * 2


async def test_who_gives_up_does_not_take_the_answer_from_others(account: Account, shot_of: ShotOf) -> None:
    """One shot that is cancelled while it waits for a price leaves the question of the others alone."""
    may_answer = asyncio.Event()

    async def slow(*_: object) -> Money:
        await may_answer.wait()
        return Money(amount=Decimal(1), unit="CU")

    account.provider = Instead(account.provider, price=slow)
    first, second = (asyncio.create_task(account.price(shot_of(seed=seed).request, ())) for seed in (1, 2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait({first})
    may_answer.set()
    assert await second == Money(amount=Decimal(1), unit="CU")


async def test_a_picture_is_uploaded_once_for_many_shots(
    account: Account,
    studio: Studio,
    make_picture: Callable[..., Any],
    encode: Callable[..., bytes],
    sandbox: Sandbox,
) -> None:
    """However many shots use it at once, the provider gets it once: a second upload would meet the fault."""
    sandbox.fault("upload_error", after=2, times=None)
    cup, style = [await kept(studio, encode(make_picture(number), "PNG")) for number in (1, 2)]
    wanted = [(cup, style), (style,), (cup,), (style, cup), ()]
    handles = await asyncio.gather(*(account.handles(each, studio.archive.store) for each in wanted))

    assert sandbox.struck() == [0]
    by_name = dict(zip((cup, style), handles[0], strict=True))
    assert by_name[cup] != by_name[style]
    assert handles == [tuple(by_name[name] for name in names) for names in wanted]


@pytest.mark.usefixtures("impatient")
async def test_an_upload_that_failed_is_tried_again(
    account: Account, studio: Studio, make_picture: Callable[..., Any], encode: Callable[..., bytes], sandbox: Sandbox
) -> None:
    """It has bought nothing, so it is repeated; when it failed for good, the next shot that needs it tries anew."""
    sandbox.fault("upload_dropped", times=4)
    cup = await kept(studio, encode(make_picture(), "PNG"))
    with pytest.raises(ProviderUnavailable):
        await account.handles([cup], studio.archive.store)
    (handle,) = await account.handles([cup], studio.archive.store)
    assert (await account.handles([cup], studio.archive.store), sandbox.struck()) == ((handle,), [4])


async def test_a_picture_that_the_archive_does_not_have_is_named(account: Account, studio: Studio) -> None:
    """What an edit needs and is gone is an error that names it, before anything is bought."""
    with pytest.raises(ArchiveError, match="abab"):
        await account.handles(["ab" * 32], studio.archive.store)


@pytest.mark.parametrize(
    ("file_format", "media_type"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp")]
)
async def test_an_upload_says_what_it_is(
    file_format: str,
    media_type: str,
    account: Account,
    studio: Studio,
    make_picture: Callable[..., Any],
    encode: Callable[..., bytes],
) -> None:
    """The type comes from the bytes, the name from their hash: nothing of a person's file name goes out."""
    sent: list[tuple[str, str]] = []

    async def upload(data: bytes, kind: str, name: str) -> str:
        sent.append((kind, name))
        return "handle"

    account.provider = Instead(account.provider, upload=upload)
    cup = await kept(studio, encode(make_picture(), file_format))
    await account.handles([cup], studio.archive.store)
    assert sent == [(media_type, f"{cup[:16]}.{file_format.lower()}")]


def test_money_is_said_in_the_unit_of_a_budget(account: Account, studio: Studio) -> None:
    """Its own unit as it is, the block's currency by its rate, anything else not at all."""
    units = Money(amount=Decimal(5), unit="CU")
    assert account.in_unit(units, "CU") == units
    assert account.in_unit(units, "USD") == Money(amount=Decimal("0.005"), unit="USD")
    assert account.in_unit(units, "EUR") is None
    assert studio.account("sunra").in_unit(units, "USD") is None
