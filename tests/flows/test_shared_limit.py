"""The limit that runs share, against a real Prefect server: here, because the server is."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from blocks.errors import SetupError
from blocks.provider import Ticket
from blocks.scenario.credentials import ScenarioCredentials
from deployments.limits import ensure_limit, ensure_limits, limit_name, slots_of
from deployments.sandbox.server import served
from flows import stages
from flows.accounts import sandbox_credentials
from tasks import shared_limit
from tasks.generate import submit
from tasks.purchase import Purchase
from tasks.shared_limit import SharedLimit, open_shared_limit
from tasks.slots import SharedSlots, open_slots
from tests.conftest import Sandbox
from tests.flows.conftest import Workplace

UNUSED_PORT = 9


@pytest.fixture
async def name() -> str:
    """A limit of this test's own, with two slots."""
    name = f"limit-{uuid4().hex}"
    assert await ensure_limit(name, 2) is True
    return name


@pytest.fixture
async def client(prefect_server: str) -> AsyncIterator[PrefectClient]:
    async with get_client() as opened:
        yield opened


@pytest.fixture
async def limit(name: str) -> AsyncIterator[SharedLimit]:
    async with open_shared_limit(name) as opened:
        yield opened


async def taken(client: PrefectClient, name: str) -> int:
    return (await client.read_global_concurrency_limit_by_name(name)).active_slots


async def test_slots_are_taken_and_given_back(limit: SharedLimit, client: PrefectClient) -> None:
    """Two slots are two slots; what is given back can be taken again, and giving back twice frees nothing more."""
    first, second = await limit.take(), await limit.take()
    assert first is not None
    assert second is not None
    assert (await limit.take(), await taken(client, limit.name)) == (None, 2)
    await limit.give_back(first)
    await limit.give_back(first)
    assert await taken(client, limit.name) == 1
    assert await limit.take() is not None
    assert await limit.take() is None


async def test_a_lease_is_renewed_until_it_is_over(limit: SharedLimit) -> None:
    """The server says of a lease whether it is still ours."""
    lease_id = await limit.take()
    assert lease_id is not None
    assert await limit.renew(lease_id) is True
    await limit.give_back(lease_id)
    assert await limit.renew(lease_id) is False


async def test_a_limit_of_none_pauses_all(limit: SharedLimit, client: PrefectClient) -> None:
    """An operator sets it to 0: nobody gets a slot, and nobody fails, until it is raised."""
    await client.update_global_concurrency_limit(limit.name, GlobalConcurrencyLimitUpdate(limit=0))
    assert await limit.take() is None
    await client.update_global_concurrency_limit(limit.name, GlobalConcurrencyLimitUpdate(limit=1))
    assert await limit.take() is not None


async def test_a_limit_that_is_missing_is_refused_at_the_start() -> None:
    """Before anything is bought, with the command that creates it."""
    with pytest.raises(SetupError, match=r"no such global concurrency limit.*deployments.register.*prefect gcl create"):
        async with open_slots(4, "nobody-made-it"):
            pytest.fail("it opened")


async def test_a_limit_that_is_deleted_meanwhile_is_refused(limit: SharedLimit, client: PrefectClient) -> None:
    """No slot is not a slot of nothing."""
    await client.delete_global_concurrency_limit_by_name(limit.name)
    with pytest.raises(SetupError, match="no such global concurrency limit"):
        await limit.take()


async def test_a_server_that_is_away_is_waited_for_but_not_for_ever(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A restart of the server ends no campaign; one that does not come back does, with a sentence about it."""
    nowhere: dict[Any, Any] = {PREFECT_API_URL: f"http://127.0.0.1:{UNUSED_PORT}/api", PREFECT_CLIENT_MAX_RETRIES: 0}
    with temporary_settings(nowhere):
        async with get_client() as client:
            limit = SharedLimit(client, name)
            assert await limit.take() is None
            assert await limit.renew(uuid4()) is True
            await limit.give_back(uuid4())
            with pytest.raises(SetupError, match="does not answer"):
                await limit.check()
            monkeypatch.setattr(shared_limit, "SILENCE_SECONDS", 0.0)
            with pytest.raises(SetupError, match="does not answer"):
                await limit.take()


async def test_a_server_that_is_busy_for_a_moment_is_asked_again_at_once() -> None:
    """SQLite is, often. Prefect's own client would sleep for seconds each time, with the shot waiting."""
    asked: list[str] = []

    async def answer(request: Request) -> Response:
        asked.append(request.url.path.rpartition("/")[2])
        if asked[-1] == "csrf-token":
            return Response("CSRF protection is disabled.", status_code=422)
        if asked[-1] == "busy":
            return JSONResponse({"id": str(uuid4()), "name": "busy", "limit": 1, "active_slots": 0})
        if asked.count("increment-with-lease") < 3:
            return Response(status_code=503)
        return JSONResponse({"lease_id": str(lease_id), "limits": [{"name": "busy"}]})

    lease_id = uuid4()
    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])
    with served(app) as origin, temporary_settings({PREFECT_API_URL: f"{origin}/api", PREFECT_CLIENT_MAX_RETRIES: 0}):
        async with open_shared_limit("busy") as limit:
            assert await limit.take() == lease_id
    assert asked.count("increment-with-lease") == 3


async def test_runs_share_the_limit_and_leave_it_empty(name: str, client: PrefectClient) -> None:
    """Two runs of up to eight shots each have no more than two in flight together, and all end."""
    now: Counter[str] = Counter()

    async def shoot(slots: asyncio.Semaphore | SharedSlots) -> None:
        async with slots:
            now["in flight"] += 1
            now["most"] = max(now["most"], now["in flight"])
            await asyncio.sleep(0.01)
            now["in flight"] -= 1
            now["done"] += 1

    async with open_slots(8, name) as one, open_slots(8, name) as other:
        assert isinstance(one, SharedSlots)
        await asyncio.gather(*(shoot(slots) for slots in (one, other) for _ in range(20)))
    assert now == {"in flight": 0, "most": 2, "done": 40}
    assert await taken(client, name) == 0


def test_a_campaign_holds_slots_of_its_account(
    workplace: Workplace, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is bought is bought while its run holds a slot, and the lease names the flow run; then all is back."""
    name = f"limit-{uuid4().hex}"
    asyncio.run(_made(name))
    seen: list[int] = []

    async def noted(purchase: Purchase) -> Ticket:
        async with get_client() as client:
            seen.append(await taken(client, name))
        return await submit(purchase)

    monkeypatch.setattr(stages, "submit", noted)
    scenario = workplace.scenario.model_copy(update={"shared_limit": name})
    result = workplace.run(workplace.brief(prompts="a {red|blue|green} teapot"), scenario=scenario)

    assert (len(result.images), len(sandbox.jobs())) == (3, 3)
    assert len(seen) == 3
    assert set(seen) <= {1, 2}
    assert asyncio.run(_taken_after(name)) == 0


async def _made(name: str) -> None:
    await ensure_limit(name, 2)


async def _taken_after(name: str) -> int:
    async with get_client() as client:
        return await taken(client, name)


async def test_a_limit_belongs_to_the_operator_once_it_is_there(name: str, client: PrefectClient) -> None:
    """It is created where it is missing; one that is there is never changed."""
    assert await ensure_limit(name, 16) is False
    await client.update_global_concurrency_limit(name, GlobalConcurrencyLimitUpdate(limit=0))
    assert await ensure_limit(name, 16) is False
    assert (await slots_of(name), await slots_of("nobody-made-it")) == (0, None)


async def test_limits_follow_from_credentials(name: str, client: PrefectClient) -> None:
    """One per account that names one, with a line about what is new, and about what differs."""
    scenario, sunra = sandbox_credentials("http://127.0.0.1:1")
    new = f"limit-{uuid4().hex}"
    accounts = (scenario.model_copy(update={"shared_limit": new, "max_in_flight": 5}), sunra)
    assert await ensure_limits(accounts) == [f"created limit {new}: 5 in flight"]
    assert await ensure_limits(accounts) == []
    assert await ensure_limits([scenario.model_copy(update={"shared_limit": name, "max_in_flight": 5})]) == [
        f"kept limit {name}: 2 in flight, not 5; change it with `prefect gcl update {name} --limit N`"
    ]
    assert limit_name(ScenarioCredentials) == "scenario-credentials-default"
