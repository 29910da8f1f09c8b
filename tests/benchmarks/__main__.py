"""Benchmarks, as ratios to a named peer in the same run: `make bench`, or `python -m tests.benchmarks [NAME …]`."""

import sys

from tests.benchmarks import archive, campaign, ingest, likeness, near, signing

BENCHMARKS = {
    "campaign": campaign.main,
    "archive": archive.main,
    "ingest": ingest.main,
    "signing": signing.main,
    "near": near.main,
    "likeness": likeness.main,
}
LONG = {"ten-million": near.ten_million}
"""Only where they are asked for."""


def main(names: list[str]) -> int:
    """Runs the named benchmarks, or all."""
    known = BENCHMARKS | LONG
    unknown = set(names) - set(known)
    if unknown:
        print(f"Unknown: {', '.join(sorted(unknown))}. Known: {', '.join(known)}.", file=sys.stderr)
        return 2
    for name in names or BENCHMARKS:
        known[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
