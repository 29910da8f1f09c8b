import asyncio
import logging
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.runtime import flow_run

from blocks.provider import Money
from tasks.models import Cost
from tasks.progress import Tally
from tasks.report import live
from tasks.report.live import live_report

SPENT = Cost.of([Money(amount=Decimal("0.06"), unit="USD")])


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks more often than people need it."""
    monkeypatch.setattr(live, "INTERVAL_SECONDS", 0.01)


async def bars_of(run_id: str) -> list[tuple[str | None, Any, str | None]]:
    """Reads the progress artifacts of a run: key, percentage, description."""
    of_run = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[UUID(run_id)]))
    async with get_client() as client:
        artifacts = await client.read_artifacts(artifact_filter=of_run)
    return [(each.key, each.data, each.description) for each in artifacts if each.type == "progress"]


class Shown:
    """Stands in for Prefect's artifacts, and remembers what they were told."""

    def __init__(self, fails: int = 0) -> None:
        self.told: list[tuple[float, str]] = []
        self.calls = 0
        self._fails = fails
        self._called = asyncio.Event()

    async def create(self, progress: float, key: str, description: str) -> UUID:
        """Takes the place of `acreate_progress_artifact`."""
        self._say(progress, description)
        return UUID(int=1)

    async def update(self, artifact_id: UUID, progress: float, description: str) -> UUID:
        """Takes the place of `aupdate_progress_artifact`."""
        assert artifact_id == UUID(int=1)
        self._say(progress, description)
        return artifact_id

    def _say(self, progress: float, description: str) -> None:
        self.calls += 1
        self._called.set()
        if self.calls <= self._fails:
            raise httpx.ConnectError("refused")
        self.told.append((progress, description))

    async def heard(self, calls: int) -> None:
        """Waits until the bar has been told that often."""
        async with asyncio.timeout(30):
            while self.calls < calls:
                self._called.clear()
                await self._called.wait()


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    """A server that takes everything."""
    return instead(monkeypatch, Shown())


def instead(monkeypatch: pytest.MonkeyPatch, shown: Shown) -> Shown:
    monkeypatch.setattr(live, "acreate_progress_artifact", shown.create)
    monkeypatch.setattr(live, "aupdate_progress_artifact", shown.update)
    return shown


async def test_a_run_has_one_bar_that_ends_full() -> None:
    """On the server: one artifact of the flow run, with the last counts and the money, at 100 %."""

    @flow
    async def run() -> str:
        tally = Tally()
        async with live_report(tally):
            tally.change(stage="generating", planned=2)
            await asyncio.sleep(0.2)
            tally.change(made=1, spent=SPENT)
            tally.change(failed=1, stage="archiving")
        return str(flow_run.id)

    assert await bars_of(await run()) == [
        ("progress", 100.0, "complete: 2 of 2 shots · 1 made, 0 running, 1 failed · 0.06 USD spent")
    ]


async def test_a_bar_never_jumps_back(shown: Shown) -> None:
    """The shots of the edits are counted before they are planned; more than was expected does not turn it back."""

    @flow
    async def run() -> None:
        tally = Tally()
        async with live_report(tally):
            await shown.heard(1)
            tally.change(stage="generating", expected=8, planned=4)
            await shown.heard(2)
            tally.change(made=4)
            await shown.heard(3)
            tally.change(stage="edit 1 of 1", planned=8)  # more than was expected, after a review
            await shown.heard(4)
            tally.change(made=8)
            await shown.heard(5)

    await run()

    assert shown.told == [
        (0.0, "planning"),
        (0.0, "generating: 0 of 8 shots · 0 made, 0 running · nothing spent"),
        (50.0, "generating: 4 of 8 shots · 4 made, 0 running · nothing spent"),
        (50.0, "edit 1 of 1: 4 of 12 shots · 4 made, 0 running · nothing spent"),
        (99.0, "edit 1 of 1: 12 of 12 shots · 12 made, 0 running · nothing spent"),
        (100.0, "complete: 12 of 12 shots · 12 made, 0 running · nothing spent"),
    ]


async def test_nothing_new_is_not_told_again(shown: Shown) -> None:
    """A run that waits for its provider asks nothing of the server."""

    @flow
    async def run() -> None:
        async with live_report(Tally()):
            await asyncio.sleep(0.3)

    await run()

    assert shown.told == [(0.0, "planning"), (100.0, "complete")]


async def test_a_run_that_is_stopped_leaves_its_bar_where_it_was(shown: Shown) -> None:
    """A bar that is full would say that everything was made; units are users' texts and stay text."""

    @flow
    async def run() -> None:
        tally = Tally()
        async with live_report(tally):
            spent = Cost.of([Money(amount=Decimal(1), unit="<b>")])
            tally.change(stage="generating", planned=4, made=1, spent=spent)
            await shown.heard(1)
            raise RuntimeError("broke")

    with pytest.raises(RuntimeError, match="broke"):
        await run()

    assert shown.told[-1] == (25.0, "stopped while generating: 1 of 4 shots · 1 made, 0 running · 1 \\<b\\> spent")


async def test_a_server_that_stumbles_is_told_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be said is said at the next look."""
    shown = instead(monkeypatch, Shown(fails=2))

    @flow
    async def run() -> None:
        async with live_report(Tally()):
            await shown.heard(3)

    await run()

    assert shown.told == [(0.0, "planning"), (100.0, "complete")]


async def test_a_server_that_is_away_never_fails_a_run(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """After three vain calls the bar is left alone, which the log says once."""
    shown = instead(monkeypatch, Shown(fails=100))

    @flow
    async def run() -> str:
        async with live_report(Tally()):
            await shown.heard(3)
            await asyncio.sleep(0.1)
        return "made"

    with caplog.at_level(logging.WARNING, logger="prefect.flow_runs"):
        assert await run() == "made"

    assert shown.calls == 3
    assert [record.getMessage() for record in caplog.records if record.name == "prefect.flow_runs"] == [
        "Prefect's server does not take the progress of this run; the run itself goes on."
    ]


async def test_a_server_that_hangs_does_not_hold_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call has its deadline, also the last one."""
    monkeypatch.setattr(live, "API_TIMEOUT_SECONDS", 0.05)

    async def hang(*arguments: Any, **keywords: Any) -> UUID:
        await asyncio.sleep(3600)
        return UUID(int=1)

    monkeypatch.setattr(live, "acreate_progress_artifact", hang)

    @flow
    async def run() -> str:
        async with live_report(Tally()):
            await asyncio.sleep(0)
        return "made"

    assert await asyncio.wait_for(run(), 60) == "made"


async def test_stages_and_tenths_are_logged(shown: Shown, caplog: pytest.LogCaptureFixture) -> None:
    """The run's log has a line for each stage and each further tenth of the shots: few enough to read."""

    @flow
    async def run() -> None:
        tally = Tally()
        async with live_report(tally):
            tally.change(planned=40)
            tally.change(stage="generating")
            for _ in range(8):
                tally.change(made=1)
            tally.change(stage="archiving", spent=SPENT)

    with caplog.at_level(logging.INFO, logger="prefect.flow_runs"):
        await run()

    lines = [record.getMessage() for record in caplog.records if "shots;" in record.getMessage()]
    assert lines == [
        "planning: 0 of 40 shots; 0 made, 0 running · nothing spent",
        "generating: 0 of 40 shots; 0 made, 0 running · nothing spent",
        "generating: 4 of 40 shots; 4 made, 0 running · nothing spent",
        "generating: 8 of 40 shots; 8 made, 0 running · nothing spent",
        "archiving: 8 of 40 shots; 8 made, 0 running · 0.06 USD spent",
    ]


async def test_outside_of_runs_nothing_is_shown(shown: Shown) -> None:
    """A plain call asks no server anything."""
    async with live_report(Tally()):
        await asyncio.sleep(0.05)

    assert shown.calls == 0
