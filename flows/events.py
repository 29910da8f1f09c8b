"""What a run tells the world: events that automations in Prefect can act on.

| event | when | who may care |
|---|---|---|
| `kleinbild.campaign.completed` | a campaign or revision is archived and reported | a following flow |
| `kleinbild.budget.exhausted` | a budget or a cap did not reach for all | whoever raises it |
| `kleinbild.account.failed` | a provider refuses the account: key, credit or plan | whoever mends it |
| `kleinbild.review.waiting` | a run waits for a person to choose | the person |

The resource is `kleinbild.campaign.NAME`; Prefect adds the flow run, its deployment and its tags as related resources.
Events are handed to Prefect's own sender, which is at work in every run: telling one neither waits nor fails.
"""

from typing import Any

from prefect.context import FlowRunContext
from prefect.events import emit_event
from prefect.exceptions import EventTooLarge
from pydantic import Field

from blocks.errors import AccountRefused, BudgetExhausted, KleinbildError
from blocks.http import clean_text
from blocks.provider import Frozen
from tasks.models import CampaignResult
from tasks.run_log import run_log
from tasks.shown import one_line
from tasks.studio import RunIdentity

COMPLETED = "kleinbild.campaign.completed"
EXHAUSTED = "kleinbild.budget.exhausted"
ACCOUNT_FAILED = "kleinbild.account.failed"
REVIEW_WAITING = "kleinbild.review.waiting"

MAX_KEEPERS = 1000
"""Named in an event: 66 kB, where Prefect takes 1.5 MB. The archive has them all."""

MAX_TEXT = 1000


class Completed(Frozen):
    """Payload of `kleinbild.campaign.completed`."""

    campaign: str
    edition: str
    title: str
    archive: str
    contact_sheet: str
    pictures: int
    keeper_count: int
    keepers: tuple[str, ...] = Field(description="SHA-256s, in the order of the plan; the first thousand.")
    duplicates: int
    rejected: int
    failed: int
    bought: int
    reused: int
    cost: str


class Exhausted(Frozen):
    """Payload of `kleinbild.budget.exhausted`."""

    campaign: str
    edition: str
    message: str


class AccountFailed(Frozen):
    """Payload of `kleinbild.account.failed`."""

    campaign: str
    edition: str
    provider: str
    kind: str
    message: str


class ReviewWaiting(Frozen):
    """Payload of `kleinbild.review.waiting`."""

    campaign: str
    edition: str
    title: str
    question: str
    pictures: int
    contact_sheet: str


def tell_completed(result: CampaignResult, title: str, contact_sheet: str) -> None:
    """Tells that a run has come to its end, and whether its budget reached for all.

    Args:
        result: What it made.
        title: What people call the campaign.
        contact_sheet: Where a person finds the sheet: an address, or a path.
    """
    keepers = tuple(image.sha256 for image in result.keepers)
    completed = Completed(
        campaign=result.campaign,
        edition=result.edition,
        title=_said(title),
        archive=_said(result.archive),
        contact_sheet=_said(contact_sheet),
        pictures=len(result.images),
        keeper_count=len(keepers),
        keepers=keepers[:MAX_KEEPERS],
        duplicates=len(result.duplicates),
        rejected=len(result.rejected),
        failed=len(result.failures),
        bought=result.bought,
        reused=result.reused,
        cost=str(result.cost),
    )
    _emit(COMPLETED, completed)
    spent = (failure.message for failure in result.failures if failure.kind == BudgetExhausted.__name__)
    for message in list(spent)[:1]:
        _emit(EXHAUSTED, Exhausted(campaign=result.campaign, edition=result.edition, message=_said(message)))


def tell_failure(error: KleinbildError, run: RunIdentity) -> None:
    """Tells what ended a run, where somebody outside of it can mend it: an account, or a budget."""
    if isinstance(error, AccountRefused):
        refused = AccountFailed(
            campaign=run.campaign,
            edition=run.edition,
            provider=error.provider or "unknown",
            kind=type(error).__name__,
            message=_said(str(error)),
        )
        _emit(ACCOUNT_FAILED, refused)
    elif isinstance(error, BudgetExhausted):
        _emit(EXHAUSTED, Exhausted(campaign=run.campaign, edition=run.edition, message=_said(str(error))))


def tell_review_waiting(run: RunIdentity, title: str, *, question: str, pictures: int, contact_sheet: str) -> None:
    """Tells that a run waits for a person to choose."""
    waiting = ReviewWaiting(
        campaign=run.campaign,
        edition=run.edition,
        title=_said(title),
        question=_said(question),
        pictures=pictures,
        contact_sheet=_said(contact_sheet),
    )
    _emit(REVIEW_WAITING, waiting)


def _emit(event: str, payload: Completed | Exhausted | AccountFailed | ReviewWaiting) -> None:
    if FlowRunContext.get() is None:
        return  # outside of runs there is no sender, and Prefect would start a server for this one event
    resource = {
        "prefect.resource.id": f"kleinbild.campaign.{payload.campaign}",
        "prefect.resource.name": payload.campaign,
        "kleinbild.edition": one_line(payload.edition, MAX_TEXT),
    }
    try:
        emit_event(event=event, resource=resource, payload=_as_json(payload))
    except EventTooLarge as error:  # somebody has lowered Prefect's limit
        run_log().warning("The event %s was not sent: %s", event, error)


def _as_json(payload: Frozen) -> dict[str, Any]:
    return payload.model_dump(mode="json")


def _said(text: str) -> str:
    return one_line(clean_text(text, limit=MAX_TEXT), MAX_TEXT)
