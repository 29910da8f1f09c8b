"""The command line: its groups of commands, its exit codes, and one place where errors become words."""

import argparse
from collections.abc import Sequence

from blocks.errors import KleinbildError
from flows.cli import console, deciding, deduping, exporting, images, making, quarantine, upkeep
from tasks.progress import Progress

EXIT_CODES = """exit codes:
  0  done                                    4  the budget did not reach for all
  1  something unforeseen                    5  the archive is damaged, or cannot be written
  2  the brief or the command line is wrong  6  a provider refused, or could not be reached
  3  credentials or a setting are missing    7  done, but some shots made no picture
  130  stopped with Ctrl-C: run it again to go on; what was bought is not bought twice
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except KleinbildError as error:
        console.show_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        console.show_stopped(Progress())
        return making.STOPPED
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m flows",
        description="From a creative brief to an archive of distinct, traceable pictures.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for group in (making, images, deciding, deduping, upkeep, quarantine, exporting):
        group.add_to(commands)
    return parser
