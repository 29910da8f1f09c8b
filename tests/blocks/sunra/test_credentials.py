import pickle
from decimal import Decimal
from typing import Any

import httpx
import pytest
from prefect.blocks.core import Block
from prefect.testing.standard_test_suites.blocks import BlockStandardTestSuite
from pydantic import SecretStr, ValidationError

from blocks.errors import SetupError
from blocks.provider import Money, PictureRequest
from blocks.sunra.credentials import SunraCredentials

KEY = "sk-very-secret-key"


def credentials(**fields: Any) -> SunraCredentials:
    return SunraCredentials.model_validate({"api_key": KEY, **fields})


class TestTheBlock(BlockStandardTestSuite):
    """What Prefect asks of every block."""

    @pytest.fixture
    def block(self) -> type[Block]:
        """The block under test."""
        return SunraCredentials

    def test_has_a_valid_image(self, block: type[Block]) -> None:
        """The suite's own test downloads the logo; tests never leave this machine."""
        assert str(block._logo_url).startswith("https://")


def test_the_defaults_are_the_vendors() -> None:
    """A key is all one needs."""
    assert credentials().model_dump(exclude={"api_key", "block_type_slug"}) == {
        "auth_scheme": "Key",
        "base_url": "https://api.sunra.ai/v1",
        "sandbox": False,
        "max_in_flight": 8,
        "shared_limit": None,
        "submits_per_minute": 100,
        "timeout_seconds": 60.0,
        "max_picture_size_bytes": 64 * 1024 * 1024,
        "price_per_image": None,
        "currency": "USD",
    }
    assert SunraCredentials.get_block_type_name() == "Sunra Credentials"
    assert SunraCredentials.get_block_type_slug() == "sunra-credentials"


def test_the_key_is_not_shown() -> None:
    """Blocks and clients end up in logs, pages and tracebacks with local variables."""
    block = credentials()
    assert block.api_key == SecretStr(KEY)
    assert KEY not in block.model_dump_json()
    for shown in (block, block.get_client(), block.get_provider()):
        assert KEY not in f"{shown} {shown!r} {vars(shown)}"


@pytest.mark.parametrize("field", ["auth_scheme", "max_in_flight", "timeout_seconds", "price_per_image", "sandbox"])
def test_a_key_in_the_wrong_field_is_not_shown(field: str) -> None:
    """People paste into the wrong field; the error names the field and not the value."""
    with pytest.raises(ValidationError, match=field) as caught:
        credentials(**{field: KEY})
    assert KEY not in str(caught.value)
    assert KEY not in repr(caught.value)


@pytest.mark.parametrize("key", ["", "sk with space", "sk-\n", "schlüssel", "sk-\x00"])
def test_a_key_that_fits_no_header_is_found_before_a_submit(key: str) -> None:
    """Found while sending, it would look like a lost answer; and it is not shown here either."""
    with pytest.raises(SetupError, match="api_key of the Sunra Credentials block") as caught:
        credentials(api_key=key).get_client()
    assert not key or key not in str(caught.value)


@pytest.mark.parametrize("url", ["", "api.sunra.ai/v1", "ftp://api.sunra.ai", "https://", "http://["])
def test_an_address_that_is_none_is_found_before_a_submit(url: str) -> None:
    """The message shows what an address looks like."""
    with pytest.raises(SetupError, match=r"such as https://api\.sunra\.ai/v1"):
        credentials(base_url=url).get_provider()


@pytest.mark.parametrize(
    "wrong",
    [{"max_in_flight": 0}, {"submits_per_minute": 0}, {"timeout_seconds": 0}, {"price_per_image": "-1"}],
)
def test_limits_have_limits(wrong: dict[str, Any]) -> None:
    """A zero would wait for ever, a negative price would fill the budget."""
    with pytest.raises(ValidationError):
        credentials(**wrong)


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:1/v1", "http://127.0.0.1:1/v1/"])
async def test_what_is_set_reaches_the_wire(base_url: str) -> None:
    """Address, key and its form; one price."""
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json={"status": "IN_QUEUE"})

    block = credentials(base_url=base_url, auth_scheme="Bearer", price_per_image="0.0030", currency="EUR")
    async with block.get_provider(httpx.MockTransport(answer)) as provider:
        await provider.status("pd_1")
        request = PictureRequest(model=provider.capabilities.model, prompt="p", seed=1)
        assert await provider.price(request, []) == Money(amount=Decimal("0.0030"), unit="EUR")
    assert [str(request.url) for request in sent] == ["http://127.0.0.1:1/v1/queue/requests/pd_1/status?logs=1"]
    assert sent[0].headers["authorization"] == f"Bearer {KEY}"


def test_money_is_not_converted_without_a_rate() -> None:
    """The unit is already the currency, or nobody knows."""
    block = credentials(currency="EUR")
    euros = Money(amount=Decimal(3), unit="EUR")
    assert block.in_currency(euros) is euros
    assert block.in_currency(Money(amount=Decimal(3), unit="CU")) is None


def test_a_block_travels_to_another_process() -> None:
    """Prefect hands blocks to tasks in other processes."""
    arrived = pickle.loads(pickle.dumps(credentials(price_per_image="0.003")))
    assert arrived == credentials(price_per_image="0.003")
