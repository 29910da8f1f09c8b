"""Shows the contact sheets of an archive in browsers of this machine: `python -m deployments.sheets ARCHIVE`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from deployments.sheets.app import create_app

HOST = "127.0.0.1"
PORT = 8780
STOP_SECONDS = 3


def main(arguments: Sequence[str] | None = None) -> None:
    """Serves until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(
        prog="python -m deployments.sheets",
        description="Show the contact sheets of an archive in browsers of this machine. Nothing can be changed there.",
    )
    parser.add_argument("archive", type=Path, metavar="ARCHIVE", help="folder of the archive")
    parser.add_argument("--port", type=int, default=PORT, help="where to listen on 127.0.0.1 (default: %(default)s)")
    options = parser.parse_args(arguments)
    app = create_app(options.archive.expanduser().absolute())
    print(f"Contact sheets of {options.archive} at http://{HOST}:{options.port}", flush=True)
    uvicorn.run(
        app,
        host=HOST,
        port=options.port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=STOP_SECONDS,
    )


if __name__ == "__main__":
    main()
