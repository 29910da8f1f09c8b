"""Which automations tell people something, where a block that can notify is saved. All texts in them are hostile."""

from datetime import timedelta
from uuid import UUID

from prefect.events.actions import SendNotification
from prefect.events.schemas.automations import AutomationCore, CompoundTrigger, TriggerTypes

from deployments.triggers import campaign_said, plain, run_became

_CAMPAIGN = f"{plain('event.payload.campaign')}, edition {plain('event.payload.edition')}"
_MESSAGE = plain("event.payload.message")

NOTIFICATION = "kleinbild: tell people"
"""How the names of these automations begin."""

_NEVER_STARTED = "0"


def notifications(block: UUID, *, crashed_for_good: list[str]) -> list[AutomationCore]:
    """Lists the automations that notify.

    Args:
        block: Id of a saved block that can notify.
        crashed_for_good: Numbers of starts, as patterns, after which a crashed run does not go back to the queue.
    """
    return [
        _tell(
            block,
            "when a budget is used up",
            campaign_said("kleinbild.budget.exhausted"),
            subject=f"Budget used up: {_CAMPAIGN}",
            body=_MESSAGE,
        ),
        _tell(
            block,
            "when an account is refused",
            campaign_said("kleinbild.account.failed"),
            subject=f"{plain('event.payload.provider')} refuses the account",
            body=f"{_CAMPAIGN}\n{_MESSAGE}",
        ),
        _tell(
            block,
            "when a review waits",
            campaign_said("kleinbild.review.waiting"),
            subject=f"Waiting for your review: {_CAMPAIGN}",
            body=f"{plain('event.payload.question')}\n{plain('event.payload.contact_sheet')}",
        ),
        _tell(
            block,
            "when a run fails",
            CompoundTrigger(
                require="any",
                within=timedelta(0),
                triggers=[run_became("Failed"), run_became("Crashed", starts=[_NEVER_STARTED, *crashed_for_good])],
            ),
            subject=f"{plain('flow_run.name')}: {plain('flow_run.state.name')}",
            body=f"{plain('flow_run.state.message')}\n{{{{ flow_run|ui_url }}}}",
        ),
    ]


def _tell(block: UUID, when: str, trigger: TriggerTypes, *, subject: str, body: str) -> AutomationCore:
    return AutomationCore(
        name=f"{NOTIFICATION} {when}",
        description="To be told elsewhere: `python -m deployments.deploy --notify BLOCK-TYPE/NAME`.",
        trigger=trigger,
        actions=[SendNotification(block_document_id=block, subject=subject, body=body)],
    )
