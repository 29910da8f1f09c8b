"""Creates the global concurrency limits that all runs of a provider account share.

A limit belongs to the operator once it is there: it may have been raised with the plan, lowered in trouble, or set to 0
to pause all buying. So it is created where it is missing, and never changed; where it differs, that is said.
"""

from collections.abc import Iterable

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

from blocks.scenario.credentials import ScenarioCredentials
from blocks.sunra.credentials import SunraCredentials
from flows.accounts import BLOCK_NAME

AccountCredentials = ScenarioCredentials | SunraCredentials


def limit_name(credentials: type[AccountCredentials], block_name: str = BLOCK_NAME) -> str:
    """Names the limit of an account after the block that holds its keys, such as `scenario-credentials-default`."""
    return f"{credentials.get_block_type_slug()}-{block_name}"


async def ensure_limits(credentials: Iterable[AccountCredentials]) -> list[str]:
    """Creates the limits that credentials name, with as many slots as jobs may be in flight.

    Returns:
        A line about each limit that is new, or that has another number of slots than the credentials say.
    """
    return [line for each in credentials if each.shared_limit for line in await _ensured(each, each.shared_limit)]


async def _ensured(credentials: AccountCredentials, name: str) -> list[str]:
    wanted = credentials.max_in_flight
    if await ensure_limit(name, wanted):
        return [f"created limit {name}: {wanted} in flight"]
    slots = await slots_of(name)
    if slots == wanted:
        return []
    return [f"kept limit {name}: {slots} in flight, not {wanted}; change it with `prefect gcl update {name} --limit N`"]


async def ensure_limit(name: str, slots: int) -> bool:
    """Creates a global concurrency limit; True where it was missing, False where it was left as it is."""
    if await slots_of(name) is not None:
        return False
    async with get_client() as client:
        try:
            await client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, limit=slots))
        except ObjectAlreadyExists:  # somebody else was faster
            return False
    return True


async def slots_of(name: str) -> int | None:
    """Says how many slots a limit has; None where there is no such limit."""
    async with get_client() as client:
        try:
            return (await client.read_global_concurrency_limit_by_name(name)).limit
        except ObjectNotFound:
            return None
