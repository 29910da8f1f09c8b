import logging
import random

import pytest

from tests.chaos.kills import as_table, drawn, every_place, kill_until_done
from tests.chaos.world import World

RANDOM_KILLS = 3


@pytest.mark.timeout(600)  # for some twenty processes and their restarts together
def test_a_campaign_that_is_killed_anywhere_pays_once_and_keeps_what_it_paid(chaos: World) -> None:
    """Killed with SIGKILL at every place of a shot's way, for each provider, and at random instants.

    Each shot is submitted once, every picture that was paid is in the archive, and the sums agree; what cannot be
    known (Sunra's answer was lost) is lost by name, and counted.
    """
    places = [death for death in every_place() if death.place != "random instant"]
    deaths = drawn(len(places) + RANDOM_KILLS, RANDOM_KILLS, random.Random(3))
    tally = kill_until_done(chaos, deaths)

    logging.getLogger(__name__).info("%s", as_table(tally))
    assert set(tally.kills) == {death.shown for death in every_place()}
    assert tally.killed == len(places) + RANDOM_KILLS
    assert sum(books.pictures for books in tally.books) > 0
