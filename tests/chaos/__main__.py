"""Many more kills than the tests have time for, and a large campaign that grows: `make chaos`.

Or `python -m tests.chaos --kills N --grow N --seed N`. Prints the totals; anything that must not be ends it.
"""

import argparse
import random
import sys
import time

from tests.chaos.growing import grow
from tests.chaos.kills import as_table, drawn, kill_until_done
from tests.chaos.world import World, world

SHARE_AT_RANDOM = 0.3
MORE = 10


def main() -> int:
    """Kills, grows, and tells; 1 where growing bought or started too much."""
    options = _options()
    source = random.Random(options.seed)
    with world() as opened:
        begun = time.monotonic()
        deaths = drawn(options.kills, round(options.kills * SHARE_AT_RANDOM), source)
        _say(as_table(kill_until_done(opened, deaths)))
        _say(f"{'seed':34}{options.seed}\n{'minutes':34}{(time.monotonic() - begun) / 60:.1f}")
        return 0 if options.grow == 0 or _has_grown(opened, options.grow) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Kills campaigns until they are done.")
    parser.add_argument("--kills", type=int, default=200, help="processes to kill (default: %(default)s)")
    parser.add_argument("--grow", type=int, default=1000, help="shots of a campaign that grows; 0: none")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10_000), help="repeats a draw")
    return parser.parse_args()


def _has_grown(opened: World, prompts: int) -> bool:
    opened.reset()
    grown = grow(opened, prompts, MORE)
    started = sum(grown.started.values())
    _say(
        f"\nA campaign of {prompts} shots, grown by {MORE} prompts: {len(grown.first)} bought at first, "
        f"{len(grown.then)} then, {grown.reused} reused; {started} task runs started for {len(grown.started)} shots."
    )
    return (len(grown.first), len(grown.then), grown.reused, started) == (prompts, MORE, prompts, 2 * MORE)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
