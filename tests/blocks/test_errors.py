import copy
import pickle
import re
from typing import Any

import pytest

from blocks import errors
from blocks.errors import (
    AccountRefused,
    BadPicture,
    BriefError,
    IllegalTransition,
    JobFailed,
    JobTaken,
    KleinbildError,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
)


def all_errors(base: type[KleinbildError] = KleinbildError) -> list[type[KleinbildError]]:
    own = [child for child in base.__subclasses__() if child.__module__ == errors.__name__]
    return [base, *(error for child in own for error in all_errors(child))]


def facts_of(error: type[KleinbildError]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if issubclass(error, BriefError):
        facts |= {"where": "edits.0.references"}
    if issubclass(error, IllegalTransition):
        facts |= {"shot_key": "ab12"}
    if issubclass(error, JobTaken):
        facts |= {"shot_key": "ab12", "job_id": "job_1"}
    if issubclass(error, ProviderError):
        facts |= {"provider": "sunra", "status_code": 403, "code": "X", "request_id": "req_1", "job_id": "pd_1"}
    if issubclass(error, RateLimited):
        facts |= {"retry_after_seconds": 1.5}
    if issubclass(error, BadPicture):
        facts |= {"reason": "cut_short"}
    if issubclass(error, JobFailed):
        facts |= {"retryable": False}
    return facts


@pytest.mark.parametrize("error", all_errors())
@pytest.mark.parametrize("carry", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy], ids=["pickle", "copy"])
def test_every_error_survives_a_change_of_process_with_all_its_facts(error: type[KleinbildError], carry: Any) -> None:
    """Prefect carries errors between processes: the type, the message and every fact arrive."""
    facts = facts_of(error)
    sent = error("what happened", **facts)
    arrived = carry(sent)
    assert type(arrived) is error
    assert str(arrived) == "what happened"
    assert arrived.__dict__ == facts
    assert arrived.exit_code == error.exit_code


@pytest.mark.parametrize("error", all_errors())
def test_every_fact_may_be_left_out(error: type[KleinbildError]) -> None:
    """Unpickling calls the class with the message alone, so each fact has a default."""
    assert error("only a message").__dict__ == dict.fromkeys(facts_of(error))


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    """Readers choose what to catch by the drawing; it names every class, under its real parent."""
    drawn: dict[str, str | None] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"([│ ]*[├└]── )?([A-Z]\w+)(?:$|\s{2,})", line):
            depth = len(found[1] or "") // 4
            path[depth:] = [found[2]]
            drawn[found[2]] = path[depth - 1] if depth else None
    real = {error.__name__: error.__base__.__name__ for error in all_errors() if error.__base__}
    assert drawn == real | {"KleinbildError": None}


def test_no_error_claims_both_that_money_moved_and_that_it_did_not() -> None:
    """The two branches that decide about money exclude each other."""
    accepted_nothing = {error for error in all_errors() if issubclass(error, errors.NothingAccepted)}
    unknown = {error for error in all_errors() if issubclass(error, OutcomeUnknown)}
    assert accepted_nothing & unknown == set()
    assert AccountRefused in accepted_nothing
