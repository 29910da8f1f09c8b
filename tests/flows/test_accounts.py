from decimal import Decimal

import pytest

from blocks.errors import SetupError
from blocks.provider import Money, ProviderName
from blocks.scenario.credentials import ScenarioCredentials
from blocks.sunra.credentials import SunraCredentials
from deployments.register import blocks_from, save
from flows.accounts import BLOCK_NAME, credentials_for, sandbox_credentials


async def test_credentials_that_are_handed_over_are_used() -> None:
    """No block is loaded for a provider whose credentials the caller brought, nor for one that is not needed."""
    scenario, sunra = sandbox_credentials("http://127.0.0.1:8765")

    one = await credentials_for(["scenario"], scenario, None)
    assert list(one) == ["scenario"]
    assert one["scenario"] is scenario
    both = await credentials_for(["sunra", "scenario"], scenario, sunra)
    assert list(both) == ["sunra", "scenario"]
    assert both["sunra"] is sunra
    assert await credentials_for([], None, None) == {}


async def test_the_saved_block_is_used_otherwise() -> None:
    """A block that `deployments.register` has saved is found, with its secret."""
    said = await save(blocks_from({"SUNRA_KEY": "a-key"}))
    assert said[0] == "saved sunra-credentials/default"
    try:
        found = (await credentials_for(["sunra"], None, None))["sunra"]
    finally:
        await SunraCredentials.adelete(BLOCK_NAME)

    assert isinstance(found, SunraCredentials)
    assert found.api_key.get_secret_value() == "a-key"


@pytest.mark.parametrize(
    ("name", "variables"), [("scenario", "SCENARIO_SDK_API_KEY and SCENARIO_SDK_API_SECRET"), ("sunra", "SUNRA_KEY")]
)
async def test_without_credentials_two_ways_are_shown(name: ProviderName, variables: str) -> None:
    """The message names the block, the variables that make it, and the way without an account."""
    with pytest.raises(SetupError) as caught:
        await credentials_for([name], None, None)

    said = str(caught.value)
    assert f"{name}-credentials/{BLOCK_NAME}" in said
    assert f"set {variables}, then run `python -m deployments.register`" in said
    assert "python -m deployments.sandbox" in said


@pytest.mark.parametrize("url", ["http://127.0.0.1:8765", "http://127.0.0.1:8765/"])
def test_the_sandbox_is_one_address_for_both(url: str) -> None:
    """Both APIs are below /v1 of the sandbox; its shots are marked as such, and have prices in money."""
    scenario, sunra = sandbox_credentials(url)

    assert (scenario.base_url, sunra.base_url) == ("http://127.0.0.1:8765/v1",) * 2
    assert (scenario.sandbox, sunra.sandbox) == (True, True)
    assert isinstance(scenario, ScenarioCredentials)
    assert scenario.in_currency(Money(amount=Decimal(2), unit="CU")) == Money(amount=Decimal("0.002"), unit="USD")
    assert sunra.price_per_image == Decimal("0.003")
