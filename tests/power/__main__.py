"""Cuts the power of a writing archive, and counts what was lost of what it had acknowledged: `make power`.

Or `python -m tests.power --cuts N --seed N`. Needs root, for a loop device. Ends with 1 where anything was lost or
corrupt, and where the product without its fsync loses nothing: then the test sees nothing. Ends with 2 where it cannot
be run.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.power.cuts import Result, cut
from tests.power.disk import why_not
from tests.power.writer import Style

CUTS_OF_A_CHECK = 5


def main() -> int:
    """Cuts, and tells."""
    options = _options()
    reason = why_not()
    if reason is not None:
        _say(f"No power can be cut here: {reason}.")
        return 2
    source = random.Random(options.seed)
    crippled = _cut_and_tell("no fsync", CUTS_OF_A_CHECK, source)
    _cut_and_tell("no folder fsync", CUTS_OF_A_CHECK * 2, source)
    kept = _cut_and_tell("as it is", options.cuts, source)
    _say(f"seed {options.seed}")
    return 0 if crippled.lost and not kept.lost and not kept.corrupt else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.power", description="Cuts the power of a writing archive.")
    parser.add_argument("--cuts", type=int, default=50, help="how often (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10_000), help="repeats a draw")
    return parser.parse_args()


def _cut_and_tell(style: Style, cuts: int, source: random.Random) -> Result:
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="power-") as folder:
        result = cut(Path(folder), cuts, style, source)
    _say(
        f"{style:16} {result.cuts:4} cuts {result.promises:7} acknowledged {len(result.lost):7} lost "
        f"{len(result.corrupt):5} corrupt {time.monotonic() - begun:6.1f} s"
    )
    for name in (*result.lost, *result.corrupt) if style == "as it is" else ():
        _say(f"    {name}")
    return result


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
