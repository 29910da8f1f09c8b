"""Which credentials a run uses: the blocks it was handed, or the saved ones that are named `default`."""

from collections.abc import Iterable

from blocks.errors import SetupError
from blocks.provider import ProviderName
from blocks.scenario.credentials import ScenarioCredentials
from blocks.sunra.credentials import SunraCredentials
from tasks.account import Credentials

BLOCK_NAME = "default"

SANDBOX_IN_FLIGHT = 32
SANDBOX_SUBMITS_PER_MINUTE = 6000
"""The sandbox is ours: it does not count, unless a test asks it to."""

_ENVIRONMENT = {"scenario": "SCENARIO_SDK_API_KEY and SCENARIO_SDK_API_SECRET", "sunra": "SUNRA_KEY"}


async def credentials_for(
    names: Iterable[ProviderName], scenario: ScenarioCredentials | None, sunra: SunraCredentials | None
) -> dict[ProviderName, Credentials]:
    """Finds the credentials of each provider.

    Args:
        names: The providers that are needed; no other block is loaded.
        scenario: Handed over by the caller; the saved block otherwise.
        sunra: Likewise.

    Raises:
        SetupError: No block is saved; the message says how to save one, and how to run without an account.
    """
    handed: dict[ProviderName, Credentials | None] = {"scenario": scenario, "sunra": sunra}
    return {name: handed[name] or await _saved(name) for name in names}


async def _saved(name: ProviderName) -> Credentials:
    try:
        if name == "scenario":
            return await ScenarioCredentials.aload(BLOCK_NAME)
        return await SunraCredentials.aload(BLOCK_NAME)
    except ValueError as error:  # what Prefect raises when there is no such block
        raise SetupError(
            f"There are no {name} credentials: no block `{name}-credentials/{BLOCK_NAME}` is saved.\n"
            f"  With an account: set {_ENVIRONMENT[name]}, then run `python -m deployments.register`.\n"
            "  Without one: run `python -m deployments.sandbox --port 8765` in another terminal, and add "
            "`--sandbox http://127.0.0.1:8765`."
        ) from error


def sandbox_credentials(url: str) -> tuple[ScenarioCredentials, SunraCredentials]:
    """Makes credentials for the local sandbox, which lets everybody in who knows the word."""
    open_to_all = {"base_url": f"{url.rstrip('/')}/v1", "sandbox": True, "max_in_flight": SANDBOX_IN_FLIGHT}
    scenario = {"api_key": "sandbox-key", "api_secret": "sandbox-secret", "price_per_creative_unit": "0.001"}
    sunra = {"api_key": "sandbox-key", "price_per_image": "0.003", "submits_per_minute": SANDBOX_SUBMITS_PER_MINUTE}
    return (
        ScenarioCredentials.model_validate({**open_to_all, **scenario}),
        SunraCredentials.model_validate({**open_to_all, **sunra}),
    )
