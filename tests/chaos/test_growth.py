from tests.chaos.growing import grow
from tests.chaos.orders import brief_of
from tests.chaos.world import World

PROMPTS = 60
MORE = 10


def test_a_campaign_that_grows_buys_what_is_new_and_starts_nothing_for_the_rest(chaos: World) -> None:
    """Ten more prompts are ten more shots, with two task runs for each of them, and none for what is done."""
    grown = grow(chaos, PROMPTS, MORE)
    prompts = brief_of(PROMPTS + MORE)["prompts"]

    assert grown.first == tuple(sorted(prompts[:PROMPTS]))
    assert grown.then == tuple(sorted(prompts[PROMPTS:]))
    assert grown.reused == PROMPTS
    assert sorted(grown.started.values()) == [2] * MORE
