"""A campaign of 200 shots beside a bare asyncio + httpx script that makes the same requests on the same sandbox.

Both have 32 jobs in flight and a provider that takes one second. The bare script submits, polls, asks for the asset,
downloads, and writes a file: no ledger, no checks, no dedupe, no archive, no orchestrator. The two run in turn, in
processes of their own, each time with other seeds, so that neither finds a picture drawn already.

Two figures are told: the work (from the first to the last line of the job itself) and the whole process (imports and
start-up included). A Prefect server is running, as with `make serve`.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from deployments.addresses import free_port
from deployments.processes import server

SHOTS = 200
IN_FLIGHT = 32
LATENCY_SECONDS = 1.0
PAIRS = 3
SIZE_PX = 512


def main() -> None:
    """Runs the pairs and prints the ratios."""
    with tempfile.TemporaryDirectory(prefix="kleinbild-bench-") as folder:
        sandbox, prefect = (f"http://127.0.0.1:{free_port(port)}" for port in (8766, 4266))
        environment = {
            **os.environ,
            "PREFECT_HOME": f"{folder}/prefect",
            "PREFECT_API_URL": f"{prefect}/api",
            "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
        }
        Path(folder, "prefect").mkdir()
        os.environ["PREFECT_HOME"] = environment["PREFECT_HOME"]
        serve_sandbox = [*_python("deployments.sandbox"), "--port", _port(sandbox), "--latency", str(LATENCY_SECONDS)]
        serve_prefect = [*_python("prefect"), "server", "start", "--host", "127.0.0.1", "--port", _port(prefect)]
        with (
            server(serve_sandbox, answers_at=f"{sandbox}/sandbox/health", timeout_seconds=60),
            server(serve_prefect, answers_at=f"{prefect}/api/health", timeout_seconds=120),
        ):
            _report([_pair(sandbox, folder, number, environment) for number in range(PAIRS)])


def _pair(sandbox: str, folder: str, number: int, environment: dict[str, str]) -> dict[str, tuple[float, float]]:
    arguments = [sandbox, f"{folder}/{number}", str(SHOTS), str(IN_FLIGHT), str(SIZE_PX)]
    order = ("bare", "kleinbild") if number % 2 == 0 else ("kleinbild", "bare")
    seeds = {"bare": 2 * number, "kleinbild": 2 * number + 1}
    return {
        who: _timed([*_python(f"tests.benchmarks.campaign_{who}"), *arguments, str(seeds[who])], environment)
        for who in order
    }


def _timed(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Returns the seconds of the work, as the child tells them, and of the whole process."""
    begun = time.perf_counter()
    answer = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    whole_seconds = time.perf_counter() - begun
    told = json.loads(answer.stdout.splitlines()[-1])
    if told["pictures"] != SHOTS:
        raise SystemExit(f"{command} made {told['pictures']} pictures of {SHOTS}.")
    return told["seconds"], whole_seconds


def _report(pairs: list[dict[str, tuple[float, float]]]) -> None:
    print(
        f"{SHOTS} shots of {SIZE_PX}x{SIZE_PX}, {IN_FLIGHT} in flight, "
        f"a provider of {LATENCY_SECONDS:g} s; {PAIRS} pairs"
    )
    print(f"{'':16}{'bare, s':>10}{'kleinbild, s':>14}{'ratio':>8}")
    for index, what in enumerate(("work", "whole process")):
        ratios = []
        for pair in pairs:
            bare, ours = pair["bare"][index], pair["kleinbild"][index]
            ratios.append(ours / bare)
            print(f"{what:16}{bare:>10.2f}{ours:>14.2f}{ours / bare:>8.2f}")
        print(f"{what:16}{'median':>24}{statistics.median(ratios):>8.2f}")


def _python(module: str) -> list[str]:
    return [sys.executable, "-m", module]


def _port(origin: str) -> str:
    return origin.rpartition(":")[2]
