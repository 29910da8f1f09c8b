"""Repairs an archive: looks at all of it, and mends what can be mended, with the providers' help where they can."""

from contextlib import AsyncExitStack

from blocks.provider import Provider, ProviderName
from blocks.scenario.credentials import ScenarioCredentials
from blocks.sunra.credentials import SunraCredentials
from flows.accounts import credentials_for
from flows.archives import existing_archive
from flows.care.tables import publish_mendings
from flows.care.verifying import look_at
from flows.history import keep_history
from flows.inputs import ArchiveInput
from flows.runnable import runnable
from tasks.account import Credentials
from tasks.care.refetch import refetch
from tasks.care.repair import Believed, Repaired
from tasks.care.repair import repair as mend
from tasks.models import ImageRecord
from tasks.steps import Steps


@runnable(name="repair")
async def repair(
    deep: bool = False,
    archive: ArchiveInput = None,
    scenario: ScenarioCredentials | None = None,
    sunra: SunraCredentials | None = None,
    believe: Believed = "neither",
) -> Repaired:
    """Mends what is damaged in an archive, as far as it can be mended. Buys nothing.

    Rows are made from records, records from rows, small copies from pictures. Pictures that are gone or changed are
    taken from the trash, or fetched again while their provider still has them. What cannot be mended says why.

    Args:
        deep: Decode all pictures first, too.
        archive: Where they are. If left out: the saved block named default, or the folder named archive.
        scenario: Credentials of Scenario; the saved block named default if left out.
        sunra: Credentials of Sunra; the saved block named default if left out.
        believe: Which one counts, record or catalogue, where they say otherwise and nothing tells which is right; the
            other is kept in quarantine. With neither, both stay as they are.

    Raises:
        SetupError: There is no archive.
    """
    block = await existing_archive(archive, may_be_saved=scenario is None and sunra is None)
    async with block.open() as opened, AsyncExitStack() as stack:
        verified = await look_at(opened, deep=deep)
        accounts = _Accounts(stack, scenario, sunra)
        repaired = await mend(verified.findings, opened, accounts.fetch, believed=believe, on_progress=Steps("mended"))
    await publish_mendings(repaired)
    await keep_history()
    return repaired


class _Accounts:
    """Accounts with the providers, each opened when the first picture needs it: most repairs need none."""

    def __init__(
        self, stack: AsyncExitStack, scenario: ScenarioCredentials | None, sunra: SunraCredentials | None
    ) -> None:
        self._stack = stack
        self._scenario = scenario
        self._sunra = sunra
        self._open: dict[ProviderName, tuple[Credentials, Provider]] = {}

    async def fetch(self, record: ImageRecord) -> bytes:
        """Fetches a picture once more from where it was made."""
        if record.provider not in self._open:
            credentials = (await credentials_for([record.provider], self._scenario, self._sunra))[record.provider]
            provider = await self._stack.enter_async_context(credentials.get_provider())
            self._open[record.provider] = credentials, provider
        credentials, provider = self._open[record.provider]
        return await refetch(record, provider, is_sandbox=credentials.sandbox)
