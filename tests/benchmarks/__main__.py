"""Benchmarks, as ratios to a named peer in the same run: `make bench`, or `python -m tests.benchmarks [NAME …]`."""

import sys

from tests.benchmarks import archive, campaign, ingest

BENCHMARKS = {"campaign": campaign.main, "archive": archive.main, "ingest": ingest.main}


def main(names: list[str]) -> int:
    """Runs the named benchmarks, or all."""
    unknown = set(names) - set(BENCHMARKS)
    if unknown:
        print(f"Unknown: {', '.join(sorted(unknown))}. Known: {', '.join(BENCHMARKS)}.", file=sys.stderr)
        return 2
    for name in names or BENCHMARKS:
        BENCHMARKS[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
