"""The same pictures through a campaign: ledger, checks, fingerprints, dedupe, archive and contact sheet included."""

import json
import sys
import time
from pathlib import Path

from flows.accounts import sandbox_credentials
from flows.campaign import campaign
from tasks.brief import Axis, Brief, Generation


def main(sandbox: str, folder: str, shots: str, in_flight: str, size_px: str, seed: str) -> None:
    begun = time.perf_counter()
    scenario, sunra = sandbox_credentials(sandbox)
    brief = Brief(
        name="bench",
        prompts=("a still life, number ${number}",),
        axes=(Axis(name="number", values=tuple(str(number) for number in range(int(shots)))),),
        seed=int(seed),
        generate=Generation(width_px=int(size_px), height_px=int(size_px)),
    )
    scenario.max_in_flight = int(in_flight)
    result = campaign(brief, archive=Path(folder, "archive"), scenario=scenario, sunra=sunra)
    print(json.dumps({"seconds": time.perf_counter() - begun, "pictures": len(result.images)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
