"""What a run is called in the Prefect UI, and the tags it is found by.

Prefect asks for the name before our flow begins. A name is never worth a failure: where the brief cannot be read the
run has a plain name, and says what is wrong in its own words a moment later.
"""

import asyncio
import inspect
from pathlib import Path
from typing import Any

import httpx
from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext
from prefect.exceptions import PrefectException
from prefect.runtime import flow_run

from blocks.errors import KleinbildError
from flows.editions import edition_of, meant_to_start
from flows.inputs import read_brief_input, read_revision_input
from tasks.brief import Brief, RevisionBrief
from tasks.expand import expand
from tasks.shown import one_line

MAX_NAME = 120
MAX_TITLE = 60
API_TIMEOUT_SECONDS = 5.0


def campaign_run_name() -> str:
    """Names the present run of `campaign`: `teapots · edition 2026-11-20 · 48 shots + 2 edits`.

    With a target it is `… · until 100 distinct`.
    """
    try:
        brief = read_brief_input(flow_run.parameters.get("brief"))
        return _run_name(brief, f"{_generated(brief)}{_plus_edits(brief)}")
    except (KleinbildError, ValueError, OSError):  # what reading a wrong brief or a missing file can raise
        return _plain_name("campaign")


def revise_run_name() -> str:
    """Names the present run of `revise`: `teapots · edition 1 · 3 pictures + 2 edits`."""
    try:
        brief = read_revision_input(flow_run.parameters.get("brief"))
        images = flow_run.parameters.get("images")
        pictures = len(images) if isinstance(images, list | tuple) else 0
        return _run_name(brief, f"{_counted(pictures, 'picture')}{_plus_edits(brief)}")
    except (KleinbildError, ValueError, OSError):  # as above
        return _plain_name("revise")


def tags_of(campaign: str, edition: str, *, sandbox: bool) -> tuple[str, ...]:
    """Lists what a run is filtered by in the UI."""
    tags = (f"campaign: {campaign}", f"edition: {edition}", *(("sandbox",) if sandbox else ()))
    return tuple(one_line(tag, MAX_NAME) for tag in tags)


async def label_run(campaign: str, edition: str, *, sandbox: bool) -> None:
    """Adds our tags to those that the present flow run has from its deployment; outside of runs it does nothing.

    A server that is away for now costs the run its tags, and nothing else.
    """
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return
    tags = sorted({*context.flow_run.tags, *tags_of(campaign, edition, sandbox=sandbox)})
    try:
        async with asyncio.timeout(API_TIMEOUT_SECONDS), get_client() as client:
            response = await client.update_flow_run(context.flow_run.id, tags=tags)
            response.raise_for_status()
    except (TimeoutError, httpx.HTTPError, PrefectException):
        return
    context.flow_run.tags = tags  # events and later readers of the context see what the server has


def _run_name(brief: RevisionBrief, what: str) -> str:
    edition = edition_of(str(_parameter("edition")), meant_to_start())
    return one_line(f"{one_line(brief.title or brief.name, MAX_TITLE)} · edition {edition} · {what}", MAX_NAME)


def _plain_name(flow: str) -> str:
    """Names a run whose brief cannot be read: by its file, or by what the brief calls itself."""
    brief = flow_run.parameters.get("brief")
    if isinstance(brief, dict):
        brief = brief.get("file") or brief.get("title") or brief.get("name")
    name = brief.name if isinstance(brief, RevisionBrief) else Path(brief).name if isinstance(brief, str | Path) else ""
    return one_line(f"{flow} · {name}" if name else flow, MAX_NAME)


def _parameter(name: str) -> Any:
    """Looks a parameter of the present run up, or the default in the flow's signature."""
    context = FlowRunContext.get()
    if name in flow_run.parameters or context is None or context.flow is None:
        return flow_run.parameters.get(name)
    return inspect.signature(context.flow.fn).parameters[name].default


def _generated(brief: Brief) -> str:
    if brief.target_unique is not None:
        return f"until {brief.target_unique:,} distinct"
    return _counted(len(expand(brief)) * brief.seeds, "shot")


def _plus_edits(brief: RevisionBrief) -> str:
    return f" + {_counted(len(brief.edits), 'edit')}" if brief.edits else ""


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
