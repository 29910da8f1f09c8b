from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from prefect import flow, tags
from prefect.client.orchestration import PrefectClient, get_client
from prefect.runtime import flow_run

from flows import naming
from flows.inputs import BriefInput, RevisionInput
from flows.naming import campaign_run_name, label_run, revise_run_name, tags_of
from tests.flows.conftest import small_brief


def form(**changes: Any) -> Any:
    """What the UI sends in place of a brief: not the type of the flow's parameter, which is made of it."""
    return small_brief(**changes)


@flow(name="campaign", flow_run_name=campaign_run_name)
async def campaign_like(brief: BriefInput, edition: str = "1") -> tuple[str, str]:
    return str(flow_run.id), str(flow_run.name)


@flow(name="campaign", flow_run_name=campaign_run_name, validate_parameters=False)
async def unchecked_campaign(brief: Any, edition: str = "1") -> tuple[str, str]:
    return str(flow_run.id), str(flow_run.name)


@flow(name="revise", flow_run_name=revise_run_name)
async def revise_like(images: list[str], brief: RevisionInput, edition: str = "1") -> tuple[str, str]:
    return str(flow_run.id), str(flow_run.name)


async def test_a_campaign_is_named_by_title_edition_and_shots() -> None:
    """Prompts times seeds, and the edits that follow; the server knows the run by the same name."""
    edits = [{"instruction": "Make it night."}, {"instruction": "Add snow."}]

    run_id, name = await campaign_like(form(seeds=3, edits=edits, title="Tea for two"), edition="2026-11")

    assert name == "Tea for two · edition 2026-11 · 6 shots + 2 edits"
    async with get_client() as client:
        assert (await client.read_flow_run(UUID(run_id))).name == name


async def test_an_edition_is_named_as_it_is_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    """A nightly run carries its date, and the default of the flow's signature where nothing was given."""
    monkeypatch.setattr(naming, "meant_to_start", lambda: datetime(2026, 11, 20, 3, 0, tzinfo=UTC))

    _, nightly = await campaign_like(form(prompts="a pot"), edition="daily")
    _, once = await campaign_like(form(prompts="a pot"))

    assert nightly == "teapots · edition 2026-11-20 · 1 shot"
    assert once == "teapots · edition 1 · 1 shot"


async def test_a_campaign_with_a_target_is_named_by_it() -> None:
    """How many shots it takes is known when it is over."""
    _, name = await campaign_like(form(target_unique=1200, seeds=3))

    assert name == "teapots · edition 1 · until 1,200 distinct"


async def test_raw_parameters_are_understood(tmp_path: Path) -> None:
    """What the form sent, before anything has looked at it, names the run as well as a model does."""
    path = tmp_path / "cups.yaml"
    path.write_text("name: cups\nprompts: a {red|blue} cup\n", encoding="utf-8")

    _, of_file = await unchecked_campaign({"file": str(path)})
    _, of_path = await unchecked_campaign(str(path))
    _, of_document = await unchecked_campaign(small_brief())

    assert [of_file, of_path, of_document] == [
        "cups · edition 1 · 2 shots",
        "cups · edition 1 · 2 shots",
        "teapots · edition 1 · 2 shots",
    ]


@pytest.mark.parametrize(
    ("brief", "edition", "name"),
    [
        ({"file": "/nowhere/gone.yaml"}, "1", "campaign · gone.yaml"),
        ("/nowhere/gone\n.yaml", "1", "campaign · gone .yaml"),
        ({"name": "teapots", "prompts": "{"}, "1", "campaign · teapots"),
        ({"name": "teapots", "prompts": "a pot"}, "daily@Atlantis", "campaign · teapots"),
        ({"name": ["a"], "prompts": "a pot"}, "1", "campaign"),
        (None, "1", "campaign"),
        (7, "1", "campaign"),
        ("a" * 5000, "1", f"campaign · {'a' * 108}…"),
    ],
)
async def test_a_brief_that_cannot_be_read_gives_a_plain_name(brief: Any, edition: str, name: str) -> None:
    """A name never fails a run: the run itself says what is wrong with its brief."""
    _, given = await unchecked_campaign(brief, edition=edition)

    assert given == name


async def test_a_title_cannot_forge_a_line() -> None:
    """A title is a user's text: its name is one printable line, and short enough for a list."""
    title = "Tea\x1b[31m\nINFO | all is well " + "x" * 150

    _, name = await campaign_like(form(title=title, prompts="a pot"), edition="e" * 80)

    assert name.isprintable()
    assert name.startswith("Tea [31m INFO | all is well")
    assert len(name) <= 120


async def test_a_revision_is_named_by_its_pictures() -> None:
    """How many pictures go in, and how many edits each of them gets."""
    revision: Any = {"name": "teapots", "edits": [{"instruction": "Make it night."}]}

    _, name = await revise_like(["a" * 64], revision)

    assert name == "teapots · edition 1 · 1 picture + 1 edit"


def test_outside_of_runs_a_name_is_plain() -> None:
    """Whoever calls it without Prefect gets a name and no error."""
    assert campaign_run_name() == "campaign"
    assert revise_run_name() == "revise"


def test_tags_say_campaign_edition_and_sandbox() -> None:
    """One tag for each thing that people filter by."""
    assert tags_of("teapots", "2026-11-20", sandbox=True) == ("campaign: teapots", "edition: 2026-11-20", "sandbox")
    assert tags_of("teapots", "1\n2", sandbox=False) == ("campaign: teapots", "edition: 1 2")


@flow
async def labelled() -> tuple[str, list[str]]:
    await label_run("teapots", "1", sandbox=True)
    return str(flow_run.id), list(flow_run.tags)


async def test_a_run_keeps_the_tags_of_its_deployment() -> None:
    """Ours come in addition, on the server and in the context that events are made from."""
    with tags("team-a"):
        run_id, in_context = await labelled()

    async with get_client() as client:
        on_server = (await client.read_flow_run(UUID(run_id))).tags
    assert sorted(on_server) == ["campaign: teapots", "edition: 1", "sandbox", "team-a"]
    assert sorted(in_context) == sorted(on_server)


async def test_tags_never_fail_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is away for now costs the run its tags, and nothing else."""

    async def away(*arguments: Any, **keywords: Any) -> None:
        raise httpx.ConnectError("refused")

    monkeypatch.setattr(PrefectClient, "update_flow_run", away)

    _, in_context = await labelled()

    assert in_context == []


async def test_outside_of_runs_there_is_nothing_to_label(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain call asks no server anything."""
    asked: list[str] = []
    monkeypatch.setattr(naming, "get_client", lambda: asked.append("a client"))

    await label_run("teapots", "1", sandbox=True)

    assert asked == []
