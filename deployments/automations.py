"""What the Prefect server does by itself when something happens to a run: Prefect automations.

All of them look at runs of deployments tagged `kleinbild`; `deployments/deploy.py` puts them onto the server.

Runs that nobody starts. While no worker is there, scheduled runs pile up. A run that is `Late` for six hours is
cancelled, so that a worker that comes back makes a few editions and not all that were missed. (While no server is
there nothing piles up: Prefect schedules three runs ahead.)

Runs that a worker took and never began go back to the queue after half an hour.

Runs that nobody finishes. A run sends heartbeats. Where they stop without an end of the run, its machine is gone: the
run is marked as crashed, and a crashed run goes back to the queue for any worker to finish. It buys nothing again, for
the archive's ledger knows what it has bought, even if the machine was only cut off and comes back.

A heartbeat may arrive late, after the run has ended, was suspended for a review or went back to the queue. So a silent
run is marked in two steps. First it becomes `Silent`, a state of the type PAUSED, for that is what Prefect gives to
running runs only: whatever else a run is doing, the server refuses in one transaction. What is `Silent` is then marked
as crashed. (What is `CRASHED` at once may be anything that has not ended, a run that waits for an answer too.)

It does not go on for ever: a run starts `MAX_STARTS` times at most (resumptions after a review do not count), and one
that crashed before it ever ran, because its code is missing for example, does not go back at all. Nor does it buy again
where it was cancelled and crashed on its way out: it ends at once then, see `flows/unwanted.py`.

Runs that nobody finishes cancelling are ended by the server itself, see `deployments/server.env`.
"""

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, RunDeployment
from prefect.events.schemas.automations import AutomationCore, CompoundTrigger
from pydantic import Field

from blocks.provider import Frozen
from deployments.notifications import notifications
from deployments.triggers import campaign_said, from_event, run_became, run_did_not_become
from flows.unwanted import PUT_BACK

MAX_STARTS = 6

_MAY_START_AGAIN = [str(starts) for starts in range(1, MAX_STARTS)]
_STARTED_TOO_OFTEN = [f"[{MAX_STARTS}-9]", "??*"]
_EVER_STARTED = "!0"

_SILENT = "Silent"

_AT_REST = {"Completed", "Failed", "Cancelled", "Crashed", "Paused", "Suspended", "AwaitingRetry"}
"""States in which nobody waits for a sign of life."""


class Terms(Frozen):
    """How long things are waited for."""

    late: timedelta = Field(default=timedelta(hours=6), description="Then a run that nobody has started is cancelled.")
    silent: timedelta = Field(default=timedelta(seconds=90), description="Three heartbeats: then its machine is gone.")
    never_began: timedelta = Field(
        default=timedelta(minutes=30), description="A container may take long to come; then its worker counts as gone."
    )
    reconcile_after: timedelta = Field(
        default=timedelta(minutes=1), description="A run that ended is known to be gone after 30 s."
    )


def automations(
    deployments: Mapping[str, UUID], *, notification_block: UUID | None = None, terms: Terms | None = None
) -> list[AutomationCore]:
    """Lists all automations.

    Args:
        deployments: Ids by name, such as `reconcile/hourly`.
        notification_block: A saved block that can notify people; without one, nobody is told anything.
        terms: How long things are waited for.
    """
    terms = terms or Terms()
    wanted = [
        _cancel_late_runs(terms.late),
        _notice_silent_runs(terms.silent),
        _mark_silent_runs_as_crashed(terms.silent),
        _queue_runs_that_never_began(terms.never_began),
        _queue_crashed_runs(),
        _reconcile_what_is_left(deployments["reconcile/hourly"], terms.reconcile_after),
        _revise_the_keepers(deployments["revise/on-demand"]),
        _export_what_completed(deployments["export/on-demand"]),
    ]
    if notification_block is not None:
        wanted += notifications(notification_block, crashed_for_good=_STARTED_TOO_OFTEN)
    return wanted


def _cancel_late_runs(late: timedelta) -> AutomationCore:
    return AutomationCore(
        name="kleinbild: cancel runs that nobody starts",
        description=f"A run that is late for {_shown(late)} is cancelled: catching up after downtime is bounded.",
        trigger=run_did_not_become({"*"}, after={"Late"}, within=late),
        actions=[
            ChangeFlowRunState(
                state=StateType.CANCELLED,
                message=f"No worker was there for {_shown(late)}: this edition is left out.",
            )
        ],
    )


def _notice_silent_runs(silent: timedelta) -> AutomationCore:
    return AutomationCore(
        name="kleinbild: notice runs whose machine is gone",
        description=f"A run that sends no heartbeat for {_shown(silent)} is silent. Only running ones can be.",
        trigger=run_did_not_become({"heartbeat", *_AT_REST}, after={"Running", "heartbeat"}, within=silent),
        actions=[ChangeFlowRunState(state=StateType.PAUSED, name=_SILENT, message=_no_sign_of_life(silent))],
    )


def _mark_silent_runs_as_crashed(silent: timedelta) -> AutomationCore:
    return AutomationCore(
        name="kleinbild: mark silent runs as crashed",
        description="A run whose machine is gone has crashed, and goes back to the queue.",
        trigger=run_became(_SILENT),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message=_no_sign_of_life(silent))],
    )


def _queue_runs_that_never_began(never_began: timedelta) -> AutomationCore:
    return AutomationCore(
        name="kleinbild: put runs back that never began",
        description=f"A run that a worker took and did not begin within {_shown(never_began)} goes to another one.",
        trigger=run_did_not_become({"Running", *_AT_REST}, after={"Pending", "Submitting"}, within=never_began),
        actions=[
            ChangeFlowRunState(
                state=StateType.SCHEDULED, name="AwaitingRetry", message="Its worker did not begin it: any other may."
            )
        ],
    )


def _queue_crashed_runs() -> AutomationCore:
    return AutomationCore(
        name="kleinbild: put crashed runs back to the queue",
        description=f"Another worker finishes them; nothing is bought twice. A run starts {MAX_STARTS} times at most.",
        trigger=run_became("Crashed", starts=_MAY_START_AGAIN),
        actions=[ChangeFlowRunState(state=StateType.SCHEDULED, name="AwaitingRetry", message=PUT_BACK)],
    )


def _reconcile_what_is_left(reconcile: UUID, after: timedelta) -> AutomationCore:
    """Runs `reconcile` for runs that do not go back to the queue; once a minute at most, for it serves them all."""
    minute = timedelta(minutes=1)
    return AutomationCore(
        name="kleinbild: reconcile after runs that were cancelled or crashed",
        description="Collects what they had paid for and releases what they had not sent. Buys nothing.",
        trigger=CompoundTrigger(
            require="any",
            within=timedelta(0),
            triggers=[
                run_became("Cancelled", starts=_EVER_STARTED, at_most_every=minute),
                run_became("Crashed", starts=_STARTED_TOO_OFTEN, at_most_every=minute),
            ],
        ),
        actions=[RunDeployment(deployment_id=reconcile, parameters={}, schedule_after=after)],
    )


def _revise_the_keepers(revise: UUID) -> AutomationCore:
    """An example to copy. Its revision has another name than the campaign it follows, or it would follow itself."""
    return AutomationCore(
        name="kleinbild: example, revise the keepers of coffee-house",
        description="When the campaign `coffee-house` completes, its keepers are edited. Off: it spends money.",
        enabled=False,
        trigger=campaign_said("kleinbild.campaign.completed", campaign="coffee-house"),
        actions=[
            RunDeployment(
                deployment_id=revise,
                parameters={
                    "images": from_event("keepers"),
                    "edition": from_event("edition"),
                    "brief": {"name": "coffee-house-by-night", "instructions": ["Make it night."]},
                },
            )
        ],
    )


def _export_what_completed(export: UUID) -> AutomationCore:
    """Each edition goes into a folder of its own; what is there already is not made again.

    A bucket has no such folder: a worker's own one would be meant, so `folder` has to be among the parameters then.
    """
    return AutomationCore(
        name="kleinbild: export each finished campaign",
        description=(
            "Its keepers are copied into the archive's `exports`, marked as made by AI. Off: it takes space. For an "
            "archive in a bucket, give the run a `folder` for each edition, on a disk that its worker keeps."
        ),
        enabled=False,
        trigger=campaign_said("kleinbild.campaign.completed"),
        actions=[
            RunDeployment(
                deployment_id=export,
                parameters={"campaign": from_event("campaign"), "edition": from_event("edition")},
            )
        ],
    )


def _no_sign_of_life(silent: timedelta) -> str:
    return f"No sign of life for {_shown(silent)}: the machine or the process is gone."


def _shown(time: timedelta) -> str:
    seconds = int(time.total_seconds())
    for unit, size in (("hours", 3600), ("minutes", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {unit if seconds > size else unit[:-1]}"
    return f"{seconds} s"
