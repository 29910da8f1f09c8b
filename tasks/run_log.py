"""The log of a run, as people read it in the Prefect UI: how it begins, what fails and why, what came of it.

Outside of runs it is silent. Texts of users and providers go in as one printable line without the queries of URLs, so
that they can neither forge a line nor carry the signature of a link. Prefect's own log of a run is thinned out here:
it spends a line on every task that ended well, and a traceback on every failure that we raised on purpose.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence

from prefect.exceptions import MissingContextError
from prefect.logging import get_run_logger

from blocks.errors import KleinbildError
from blocks.http import clean_text
from tasks.advice import advice_on
from tasks.estimate import Estimate
from tasks.models import CampaignResult, Failure, Flagged
from tasks.placeholders import said_of_placeholders
from tasks.rounds import yield_line
from tasks.shown import one_line, sentence
from tasks.studio import Studio

Log = logging.Logger | logging.LoggerAdapter[logging.Logger]

MAX_TEXT = 300
MAX_REASONS = 20
"""Lines about failures; a campaign of thousands of shots can fail in as many words."""

_ENDED_WELL = ("Finished in state Completed", "Finished in state Cached")
"""How Prefect's line on a task that ended well begins."""

_SILENT = logging.Logger("kleinbild.no_run", level=logging.CRITICAL + 1)


def run_log() -> Log:
    """Returns the log of the flow or task run that is at work here; one that says nothing where there is none."""
    try:
        return get_run_logger()
    except MissingContextError:
        return _SILENT


def log_begin(title: str, planned: Estimate, studio: Studio) -> None:
    """Says what this run is going to make, at which price, and where it will lie."""
    target = planned.target_unique
    bound = "at most" if target is None else f"until {target} pictures are distinct, at least"
    run_log().info(
        "%s, edition %s: %s %d shots for %s %s, into %s",
        _said(title),
        _said(studio.run.edition),
        bound,
        planned.shots,
        "at most" if target is None else "at least",
        _said(planned.price),
        _said(str(studio.archive.root)),
    )


def log_failures(failures: Iterable[Failure]) -> None:
    """Says each reason once, with the number of shots that it struck and what a person can do."""
    log = run_log()
    reasons = Counter((failure.kind, failure.message) for failure in failures).most_common()
    for (kind, message), number in reasons[:MAX_REASONS]:
        log.warning("%d × %s: %s %s", number, kind, sentence(_said(message), MAX_TEXT), advice_on(kind))
    if len(reasons) > MAX_REASONS:
        log.warning("… and %d more reasons: the contact sheet has them all.", len(reasons) - MAX_REASONS)


def log_result(result: CampaignResult, contact_sheet: str) -> None:
    """Sums a run up: what failed first, then the figures, the money and where to look: an address or a path."""
    log_failures(result.failures)
    log = run_log()
    log.info(
        "%d pictures: %d keepers, %d near-duplicates, %d rejected; "
        "%d shots failed, %d were bought now, %d are from before; spent %s",
        len(result.images),
        len(result.keepers),
        len(result.duplicates),
        len(result.rejected),
        len(result.failures),
        result.bought,
        result.reused,
        _said(str(result.cost)),
    )
    if result.rounds:
        log.info("Distinct pictures: %s; %s", result.rounds[-1].message, yield_line(result.rounds))
    log_flagged(result.flagged)
    if held_back := said_of_placeholders(result.images):
        log.warning("%s.", held_back)
    log.info("Contact sheet: %s", _said(contact_sheet))


def log_flagged(flagged: Sequence[Flagged]) -> None:
    """Says which edits changed more or less than their step allows, and what became of them."""
    log = run_log()
    for each in flagged[:MAX_REASONS]:
        log.warning("Edit %d, %s: %s", each.step, each.sha256[:12], each.reason)
    if len(flagged) > MAX_REASONS:
        log.warning("… and %d more edits: the contact sheet flags them all.", len(flagged) - MAX_REASONS)


def _said(text: str) -> str:
    return one_line(clean_text(text, limit=10 * MAX_TEXT), MAX_TEXT)


class _WorthReading(logging.Filter):
    """Leaves out that a task ended well, and where in our code an expected failure was raised."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], KleinbildError):
            record.exc_info = None  # the message says what happened; the traceback would say it again in 60 lines
        is_of_task = record.name == "prefect.task_runs" and record.levelno == logging.INFO
        return not (is_of_task and str(record.msg).startswith(_ENDED_WELL))


for _name in ("prefect.flow_runs", "prefect.task_runs"):
    logging.getLogger(_name).addFilter(_WorthReading())
