"""The parts that our automations are made of: what happened to a run or a campaign, what did not, and what it says."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from prefect.events.schemas.automations import EventTrigger, Posture

TAG = "kleinbild"
"""Every deployment of ours has it; automations look at runs of deployments that have it."""

RUN = "prefect.flow-run"

_DEPLOYED_AND_TAGGED = [
    {"prefect.resource.id": f"prefect.tag.{TAG}", "prefect.resource.role": "tag"},
    {"prefect.resource.role": "deployment"},
]


def run_became(
    state: str, *, starts: str | Sequence[str] = "*", at_most_every: timedelta = timedelta(0)
) -> EventTrigger:
    """Fires when a run gets into a state.

    Args:
        state: Name of the state, such as `Crashed`.
        starts: How often the run has been started, as a pattern (or any of several) of Prefect's `run-count`.
        at_most_every: What happens within this time after it fired is passed over.
    """
    counted = starts if isinstance(starts, str) else list(starts)
    return EventTrigger(
        posture=Posture.Reactive,
        expect={f"{RUN}.{state}"},
        match={"prefect.resource.id": f"{RUN}.*", "prefect.run-count": counted},
        match_related=_DEPLOYED_AND_TAGGED,
        within=at_most_every,
    )


def run_did_not_become(states: set[str], *, after: set[str], within: timedelta) -> EventTrigger:
    """Fires for each run that got into one state (or sent a `heartbeat`), and into none of the others in time."""
    return EventTrigger(
        posture=Posture.Proactive,
        after={f"{RUN}.{state}" for state in after},
        expect={f"{RUN}.{state}" for state in states},
        for_each={"prefect.resource.id"},
        match={"prefect.resource.id": f"{RUN}.*"},
        match_related=_DEPLOYED_AND_TAGGED,
        within=within,
    )


def campaign_said(event: str, *, campaign: str = "*") -> EventTrigger:
    """Fires on an event of our own, such as `kleinbild.campaign.completed`."""
    return EventTrigger(
        posture=Posture.Reactive,
        expect={event},
        match={"prefect.resource.id": f"kleinbild.campaign.{campaign}"},
        match_related=[],
        within=timedelta(0),
    )


def from_event(field: str) -> Mapping[str, Any]:
    """Takes a field of the event's payload into a parameter, with its type."""
    template = f"{{{{ event.payload.{field} | tojson }}}}"
    return {"__prefect_kind": "json", "value": {"__prefect_kind": "jinja", "template": template}}


def plain(expression: str) -> str:
    """Shows a text of a user or a provider so that it calls nobody and hides no link in a chat."""
    return f"{{{{ {expression} | string | replace('<', '‹') | replace('@', '＠') }}}}"
