"""The demo: the whole way of a picture on this machine alone. `make demo`, or `python -m deployments.demo`.

Starts the sandbox, and runs the demo brief on it as anybody would on the command line, from the project's root.
"""

import subprocess
import sys
from pathlib import Path

from deployments.addresses import free_port
from deployments.processes import server

BRIEF = Path("deployments") / "briefs" / "coffee-house.yaml"
ARCHIVE = Path(".kleinbild") / "demo"
SANDBOX_PORT = 8765
START_TIMEOUT_SECONDS = 60.0


def main() -> int:
    """Runs the demo; returns the exit code of the campaign."""
    origin = f"http://127.0.0.1:{free_port(SANDBOX_PORT)}"
    sandbox = [sys.executable, "-m", "deployments.sandbox", "--port", origin.rpartition(":")[2], "--latency", "1"]
    print(f"The sandbox stands in for both providers at {origin}; no account, no network.", flush=True)
    with server(sandbox, answers_at=f"{origin}/sandbox/jobs", timeout_seconds=START_TIMEOUT_SECONDS):
        command = ["-m", "flows", "campaign", str(BRIEF), "--archive", str(ARCHIVE), "--sandbox", origin]
        print(f"$ python {' '.join(command)}", flush=True)
        return subprocess.run([sys.executable, *command], check=False).returncode  # noqa: S603  # our own command


if __name__ == "__main__":
    sys.exit(main())
