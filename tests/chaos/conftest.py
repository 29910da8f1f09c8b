"""The world of the chaos tests, once for all of them."""

from collections.abc import Iterator

import pytest

from tests.chaos.world import World, world


@pytest.fixture(scope="session")
def _world() -> Iterator[World]:
    with world() as opened:
        yield opened


@pytest.fixture
def chaos(_world: World) -> World:
    """Sandbox, Prefect server and nursery, with a sandbox that remembers nothing."""
    _world.reset()
    return _world
