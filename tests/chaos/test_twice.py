import asyncio
import time

from tests.chaos.books import audit
from tests.chaos.orders import brief_of
from tests.chaos.world import World

PROMPTS = 8
UNTIL_BOTH_WAIT_SECONDS = 1.0


def test_the_same_brief_started_twice_at_once_is_bought_once(chaos: World) -> None:
    """Two processes begin the same campaign at the same moment: each shot is bought by one, and used by both."""
    archive = chaos.archive()
    start_at = time.time() + UNTIL_BOTH_WAIT_SECONDS
    both = [chaos.start(archive=archive, brief=brief_of(PROMPTS), start_at=start_at) for _ in range(2)]
    first, second = (child.told() for child in both)

    assert first is not None
    assert second is not None
    assert (first.error, second.error) == (None, None)
    assert (first.failures, second.failures) == ((), ())
    assert first.images == second.images
    assert len(first.images) == 2 * PROMPTS
    assert first.bought + second.bought == len(chaos.sandbox.jobs()) == 2 * PROMPTS
    assert first.bought + first.reused == second.bought + second.reused == 2 * PROMPTS
    books = asyncio.run(audit(archive, chaos.sandbox.jobs()))
    assert (books.submits, books.pictures, books.lost_and_bought, books.lost_unsent) == (16, 16, (), 0)
