"""The demo: the whole way of a picture on this machine alone. `make demo`, or `python -m deployments.demo`.

Starts the sandbox, and runs the demo brief on it as anybody would on the command line. The archive is made in the
current folder.
"""

import sys
from pathlib import Path

from deployments.addresses import free_port
from deployments.processes import ServerDidNotStart, run, server

BRIEF = Path(__file__).parent / "briefs" / "coffee-house.yaml"
ARCHIVE = Path(".kleinbild") / "demo"
SANDBOX_PORT = 8765
START_TIMEOUT_SECONDS = 60.0
STOPPED = 130


def main() -> int:
    """Runs the demo; returns the exit code of the campaign."""
    origin = f"http://127.0.0.1:{free_port(SANDBOX_PORT)}"
    sandbox = [sys.executable, "-m", "deployments.sandbox", "--port", origin.rpartition(":")[2], "--latency", "1"]
    print(f"The sandbox stands in for both providers at {origin}; no account, no network.", flush=True)
    command = ["-m", "flows", "campaign", _shown(BRIEF), "--archive", str(ARCHIVE), "--sandbox", origin]
    try:
        with server(sandbox, answers_at=f"{origin}/sandbox/health", timeout_seconds=START_TIMEOUT_SECONDS):
            print(f"$ python {' '.join(command)}", flush=True)
            return run([sys.executable, *command])
    except ServerDidNotStart as error:
        print(f"The demo cannot begin. {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # while the sandbox was starting
        return STOPPED


def _shown(path: Path) -> str:
    """Names a file as a person in the current folder would."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


if __name__ == "__main__":
    sys.exit(main())
