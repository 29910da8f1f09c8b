"""The sandbox's command line: ``python -m deployments.sandbox --port 8700``."""

import argparse
import signal
import sys
from pathlib import Path

from pydantic import ValidationError

from deployments.sandbox.app import create_app
from deployments.sandbox.faults import FaultList
from deployments.sandbox.server import SandboxServer
from deployments.sandbox.settings import SCENARIO_KEY, SCENARIO_SECRET, SUNRA_KEY, Settings


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m deployments.sandbox",
        description="A local server that speaks the APIs of Scenario and Sunra and draws real pictures.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8700, help="0 takes a free one (default: %(default)s)")
    parser.add_argument(
        "--latency", type=float, default=0.3, metavar="SECONDS", help="how long a job takes (default: %(default)s)"
    )
    parser.add_argument(
        "--url-ttl", type=float, metavar="SECONDS", help="life of a signed URL (default: Scenario's calendar, a week)"
    )
    parser.add_argument(
        "--repeat-rate",
        type=float,
        default=0.2,
        metavar="SHARE",
        help="share of seeds, 0 to 1, that give nearly the same picture of a prompt, in other bytes, as distilled "
        "models do; 0.9 tries what `target_unique` in a brief does about it (default: %(default)s)",
    )
    parser.add_argument("--max-parallel", type=int, metavar="N", help="refuse more unfinished jobs than this")
    parser.add_argument("--any-key", action="store_true", help="accept any non-empty credentials")
    parser.add_argument("--public-url", metavar="URL", help="origin to put into answers (default: as requested)")
    parser.add_argument("--faults", type=Path, metavar="FILE.json", help="faults to start with, see faults.py")
    return parser.parse_args()


def _faults(path: Path | None) -> FaultList | None:
    return None if path is None else FaultList.model_validate_json(path.read_bytes())


def _say(address: str) -> None:
    print(f"sandbox ready at {address}/v1 (Scenario {SCENARIO_KEY}:{SCENARIO_SECRET}, Sunra {SUNRA_KEY})", flush=True)


def _stop(*_: object) -> None:
    """What uvicorn hands a signal on to, once it has shut down: a person's wish to stop is no failure."""
    raise SystemExit(0)


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    chosen = _arguments()
    settings = Settings(
        latency_seconds=chosen.latency,
        url_ttl_seconds=chosen.url_ttl,
        repeat_rate=chosen.repeat_rate,
        max_parallel=chosen.max_parallel,
        any_key=chosen.any_key,
        public_url=chosen.public_url,
    )
    try:
        app = create_app(settings, faults=_faults(chosen.faults))
    except (OSError, ValidationError) as error:
        sys.exit(f"cannot read the faults file {chosen.faults}: {error}")
    try:
        server = SandboxServer(app, host=chosen.host, port=chosen.port, on_ready=_say)
    except OSError as error:
        sys.exit(f"cannot listen on {chosen.host}:{chosen.port}: {error.strerror}")
    for wish in (signal.SIGINT, signal.SIGTERM):
        signal.signal(wish, _stop)
    server.run_on_listener()


if __name__ == "__main__":
    main()
