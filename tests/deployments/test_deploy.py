from typing import Any
from uuid import UUID

import pytest
from prefect.client.schemas.responses import DeploymentResponse

from deployments.deploy import _compared

LIMIT = {"id": str(UUID(int=3)), "name": "nightly", "active": True, "active_slots": 0, "slot_decay_per_second": 0}
BEFORE: dict[str, Any] = {
    "id": str(UUID(int=1)),
    "name": "nightly",
    "flow_id": str(UUID(int=2)),
    "global_concurrency_limit": {**LIMIT, "limit": 1},
    "concurrency_options": {"collision_strategy": "ENQUEUE"},
    "work_pool_name": "kleinbild",
    "work_queue_name": "default",
    "enforce_parameter_schema": True,
}


def deployment(**changes: Any) -> DeploymentResponse:
    return DeploymentResponse.model_validate({**BEFORE, **changes})


@pytest.mark.parametrize(
    "change",
    [
        {"global_concurrency_limit": {**LIMIT, "limit": 2}},
        {"global_concurrency_limit": None},
        {"concurrency_options": {"collision_strategy": "CANCEL_NEW"}},
        {"work_pool_name": "other"},
        {"work_queue_name": "other"},
        {"enforce_parameter_schema": False},
        {"paused": True},
        {"parameters": {"edition": "2"}},
        {"entrypoint": "flows.other"},
    ],
    ids=str,
)
def test_what_was_changed_is_said_to_be_updated(change: dict[str, Any]) -> None:
    """An operator who reads `unchanged` relies on it: limit, strategy, pool and schema count as well."""
    assert _compared("campaign/nightly", deployment(**change), deployment()).outcome == "updated"


@pytest.mark.parametrize(
    "change", [{}, {"global_concurrency_limit": {**LIMIT, "limit": 1, "active_slots": 1}}], ids=str
)
def test_what_happens_meanwhile_is_no_change(change: dict[str, Any]) -> None:
    """A run that holds a slot changes nothing about its deployment."""
    assert _compared("campaign/nightly", deployment(**change), deployment()).outcome == "unchanged"
