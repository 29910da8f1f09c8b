import asyncio
import re
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, ArtifactFilterType
from prefect.client.schemas.sorting import ArtifactSort

from tasks.report import artifacts
from tests.flows.conftest import Workplace


async def latest_pages(count: int) -> dict[str, tuple[UUID, str]]:
    """Reads the newest Markdown artifacts of one flow run from the server: key, id, text."""
    of_pages = ArtifactFilter(type=ArtifactFilterType(any_=["markdown"]))
    async with get_client() as client:
        [newest] = await client.read_artifacts(artifact_filter=of_pages, sort=ArtifactSort.CREATED_DESC, limit=1)
        assert newest.flow_run_id is not None
        of_run = ArtifactFilter(
            flow_run_id=ArtifactFilterFlowRunId(any_=[newest.flow_run_id]),
            type=ArtifactFilterType(any_=["markdown"]),
        )
        pages = await client.read_artifacts(artifact_filter=of_run)
    assert len(pages) == count
    return {each.key or "": (each.id, str(each.data)) for each in pages}


async def test_a_campaign_shows_its_keepers_page_by_page(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the server: a page for each part of the keepers, prompt and seed under each picture, links that lead there."""
    monkeypatch.setattr(artifacts, "PICTURES_PER_PAGE", 1)

    result = await workplace.run_in_loop(workplace.brief())

    pages = await latest_pages(2)
    (_, first), (second_id, second) = pages["teapots-contact-sheet"], pages["teapots-contact-sheet-2"]
    assert f"[teapots-contact-sheet-2](/artifacts/artifact/{second_id})" in first
    shown = re.findall(r"base64,([A-Za-z0-9+/=]+)\)<br>\*\*(\d+)\*\* ([\w ]+)<br>seed (\d+) \|", first + second)
    assert [(label, prompt, int(seed)) for _, label, prompt, seed in shown] == [
        (str(number), image.request.prompt, image.request.seed) for number, image in enumerate(result.keepers, start=1)
    ]
    assert "| 2 | 2 | 0 | 0 | 2 | 0 |" in first
    assert "| 2 | 2 |" not in second


async def test_a_report_that_cannot_be_shown_does_not_fail_the_run(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pictures are paid for and the contact sheet is written: a server that is away is not worth the run."""

    async def unreachable(*_: object, **__: object) -> None:
        raise httpx.ConnectError("away")

    monkeypatch.setattr(artifacts, "acreate_markdown_artifact", unreachable)
    result = await workplace.run_in_loop(workplace.brief())

    assert len(result.keepers) == 2
    assert await asyncio.to_thread(Path(result.contact_sheet).is_file)
