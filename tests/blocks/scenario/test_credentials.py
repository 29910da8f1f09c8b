import base64
from decimal import Decimal
from typing import Any

import httpx
import pytest
from prefect.blocks.core import Block
from prefect.testing.standard_test_suites.blocks import BlockStandardTestSuite
from pydantic import SecretStr, ValidationError

from blocks.provider import Money
from blocks.scenario.credentials import ScenarioCredentials
from tests.blocks.scenario.conftest import Vendor


class TestAsPrefectWantsABlock(BlockStandardTestSuite):
    """Prefect's own rules for a block: description, documentation, fields and a loading example."""

    @pytest.fixture
    def block(self) -> type[Block]:
        """The block that the suite looks at."""
        return ScenarioCredentials

    def test_has_a_valid_image(self, block: type[Block]) -> None:
        """The suite would download the logo; tests stay on this machine, so only the address is looked at."""
        assert str(block._logo_url).startswith("https://")


def _credentials(**fields: Any) -> ScenarioCredentials:
    return ScenarioCredentials(api_key=SecretStr("the-key"), api_secret=SecretStr("the-secret"), **fields)


def test_defaults_are_those_of_the_vendor() -> None:
    """Key and secret are enough: everything else has a value that works."""
    shown = _credentials().model_dump(exclude={"api_key", "api_secret"})
    assert {name: value for name, value in shown.items() if name != "block_type_slug"} == {
        "base_url": "https://api.cloud.scenario.com/v1",
        "project_id": None,
        "sandbox": False,
        "max_in_flight": 8,
        "shared_limit": None,
        "timeout_seconds": 60.0,
        "deadline_seconds": 300.0,
        "max_picture_size_bytes": 67_108_864,
        "price_per_creative_unit": None,
        "currency": "USD",
    }


async def test_no_key_shows_anywhere() -> None:
    """Neither the block, nor what it opens, shows key or secret or their Basic form."""
    credentials = _credentials()
    async with credentials.get_client() as client, credentials.get_provider() as provider:
        shown = [repr(credentials), str(credentials), credentials.model_dump_json(), repr(client), repr(provider)]
        shown += [repr(vars(client)), repr(vars(provider)), repr(client._api.headers)]
    basic = base64.b64encode(b"the-key:the-secret").decode()
    assert [text for text in shown for secret in ("the-key", "the-secret", basic) if secret in text] == []


async def test_a_pasted_line_end_is_no_part_of_the_key(vendor: Vendor) -> None:
    """Keys come from files and clipboards; white space around them would be a refused account."""
    vendor.says(json={"job": {"jobId": "job_1", "status": "queued"}})
    pasted = ScenarioCredentials(api_key=SecretStr(" the-key\n"), api_secret=SecretStr("the-secret\r\n"))
    async with pasted.get_client(transport=httpx.MockTransport(vendor)) as client:
        await client.job("job_1")
    sent = vendor.requests[0].headers["authorization"].removeprefix("Basic ")
    assert base64.b64decode(sent) == b"the-key:the-secret"


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/v1", "http://localhost:8000/v1", "http://[::1]:8000/v1"])
async def test_a_local_stand_in_needs_no_encryption(url: str, vendor: Vendor) -> None:
    """The API's address is a setting, with its version; on this machine plain HTTP is enough."""
    vendor.says(json={"job": {"jobId": "job_1", "status": "queued"}})
    async with _credentials(base_url=url).get_client(transport=httpx.MockTransport(vendor)) as client:
        await client.job("job_1")
    assert str(vendor.requests[0].url) == f"{url}/jobs/job_1"


def test_a_stand_in_elsewhere_has_to_be_called_one() -> None:
    """Keys of a real account never travel unencrypted; a sandbox in another container may be plain HTTP."""
    with pytest.raises(ValidationError, match="must begin with https://"):
        _credentials(base_url="http://sandbox:8000/v1")
    assert _credentials(base_url="http://sandbox:8000/v1", sandbox=True).sandbox


@pytest.mark.parametrize("url", ["", "api.cloud.scenario.com", "ftp://api.cloud.scenario.com/v1", "https://"])
def test_an_address_has_to_be_one(url: str) -> None:
    """A wrong address is found when the block is made, and the error shows no key."""
    with pytest.raises(ValidationError, match="base_url must be a web address") as caught:
        _credentials(base_url=url)
    assert "the-key" not in str(caught.value)


@pytest.mark.parametrize(
    ("rate", "money", "expected"),
    [
        (Decimal("0.009"), Money(amount=Decimal("17.75"), unit="CU"), Money(amount=Decimal("0.15975"), unit="EUR")),
        (Decimal(0), Money(amount=Decimal(5), unit="CU"), Money(amount=Decimal(0), unit="EUR")),
        (None, Money(amount=Decimal(5), unit="CU"), None),
        (None, Money(amount=Decimal(5), unit="EUR"), Money(amount=Decimal(5), unit="EUR")),
        (Decimal("0.009"), Money(amount=Decimal(5), unit="USD"), None),
    ],
)
def test_creative_units_have_a_price_only_where_one_is_given(
    rate: Decimal | None, money: Money, expected: Money | None
) -> None:
    """The API knows creative units only; without a rate the money is unknown, not zero, and never a guess."""
    assert _credentials(price_per_creative_unit=rate, currency="EUR").in_currency(money) == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"max_in_flight": 0},
        {"timeout_seconds": 0},
        {"deadline_seconds": -1},
        {"max_picture_size_bytes": 0},
        {"price_per_creative_unit": Decimal(-1)},
    ],
)
def test_limits_have_to_make_sense(fields: dict[str, Any]) -> None:
    """A limit of nothing would be found in the middle of a paid run."""
    with pytest.raises(ValidationError):
        _credentials(**fields)


@pytest.mark.parametrize("wrong", [{"base_url": "ftp://x"}, {"max_in_flight": 0}, {"timeout_seconds": "the-key"}])
def test_a_refused_block_does_not_show_its_keys(wrong: dict[str, Any]) -> None:
    """Left alone, pydantic prints the whole block beside what is wrong with it, and the message ends in a log."""
    with pytest.raises(ValidationError) as caught:
        _credentials(**wrong)
    assert [secret for secret in ("the-key", "the-secret") if secret in f"{caught.value} {caught.value!r}"] == []
