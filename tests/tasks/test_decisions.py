import pytest

from blocks import errors
from blocks.errors import KleinbildError
from tasks.decisions import DECISIONS, Decision, decision_on


@pytest.mark.parametrize(
    ("error", "decision"),
    [
        (errors.ConnectFailed("x"), Decision(submits_again=True)),
        (errors.RateLimited("x"), Decision(submits_again=True, collects_again=True)),
        (errors.RequestRejected("x"), Decision()),
        (errors.OutcomeUnknown("x"), Decision()),
        (errors.JobFailed("x"), Decision()),
        (errors.JobTimedOut("x"), Decision()),
        (errors.ProviderUnavailable("x"), Decision(collects_again=True)),
        (errors.AccountRefused("x"), Decision(ends_run=True)),
        (errors.BudgetExhausted("x"), Decision(ends_run=True)),
        (errors.ArchiveError("x"), Decision(ends_run=True)),
        (errors.IllegalTransition("x"), Decision()),
        (errors.JobTaken("x"), Decision()),
        (errors.InvalidRequest("x"), Decision()),
        (ValueError("x"), Decision()),
    ],
)
def test_each_failure_has_its_consequence(error: Exception, decision: Decision) -> None:
    """The class says it, or the nearest class above; what is not ours is repeated by nobody."""
    assert decision_on(error) == decision


def test_only_proof_allows_a_second_submit() -> None:
    """Whoever adds a line to the table cannot make an unknown outcome be sent again."""
    repeated = [kind for kind, decision in DECISIONS.items() if decision.submits_again]

    assert all(issubclass(kind, errors.NothingAccepted) for kind in repeated)
    assert decision_on(KleinbildError("x")) == Decision()
