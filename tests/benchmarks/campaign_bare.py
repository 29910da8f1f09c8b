"""The peer: what one would write in an afternoon. Submit, poll, fetch, write; nothing remembered or checked."""

import asyncio
import json
import sys
import time
from pathlib import Path

import httpx

MODEL = "model_bfl-flux-2-klein-4b-base"
FIRST_POLL_SECONDS = 1.0
POLL_SECONDS = 0.2


async def make(
    client: httpx.AsyncClient, files: httpx.AsyncClient, slots: asyncio.Semaphore, body: dict, to: Path
) -> None:
    async with slots:
        answer = (await client.post(f"/generate/custom/{MODEL}", json=body)).raise_for_status().json()
        job_id = answer["job"]["jobId"]
        await asyncio.sleep(FIRST_POLL_SECONDS)
        while True:
            job = (await client.get(f"/jobs/{job_id}")).raise_for_status().json()["job"]
            if job["status"] == "success":
                break
            await asyncio.sleep(POLL_SECONDS)
        asset_id = job["metadata"]["assetIds"][0]
        asset = (await client.get(f"/assets/{asset_id}", params={"originalAssets": "true"})).raise_for_status().json()
        picture = (await files.get(asset["asset"]["url"])).raise_for_status().content
        to.write_bytes(picture)


async def main(sandbox: str, folder: str, shots: str, in_flight: str, size_px: str, seed: str) -> None:
    begun = time.perf_counter()
    target = Path(folder, "bare")
    target.mkdir(parents=True)
    slots = asyncio.Semaphore(int(in_flight))
    limits = httpx.Limits(max_connections=2 * int(in_flight))
    client = httpx.AsyncClient(
        base_url=f"{sandbox}/v1", auth=("sandbox-key", "sandbox-secret"), limits=limits, timeout=60
    )
    async with client, httpx.AsyncClient(limits=limits, timeout=60) as files:
        size = {"width": int(size_px), "height": int(size_px), "numInferenceSteps": 28, "guidance": 4, "numOutputs": 1}
        bodies = [
            {"prompt": f"a still life, number {n}", "seed": 1000 * int(seed) + n, **size} for n in range(int(shots))
        ]
        await asyncio.gather(*(make(client, files, slots, body, target / f"{body['seed']}.png") for body in bodies))
    pictures = len(list(target.iterdir()))
    print(json.dumps({"seconds": time.perf_counter() - begun, "pictures": pictures}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
