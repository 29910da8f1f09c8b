"""Draws each output once, in a thread, when somebody first asks for it, and keeps what fits into memory."""

import asyncio
import os
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor

from deployments.sandbox.pictures.drawing import draw
from deployments.sandbox.pictures.editing import edit
from deployments.sandbox.pictures.encoding import encode
from deployments.sandbox.pictures.recipe import Recipe
from deployments.sandbox.storage import Asset, Storage


class Studio:
    """Turns assets into bytes.

    Args:
        storage: Where the references of a recipe are found.
        cache_bytes: Memory for drawn pictures; the one used longest ago goes first, and is drawn again when needed.
    """

    def __init__(self, storage: Storage, cache_bytes: int) -> None:
        self._storage = storage
        self._cache_bytes = cache_bytes
        self._held_bytes = 0
        self._cache: OrderedDict[str, bytes] = OrderedDict()
        self._under_way: dict[str, asyncio.Task[bytes]] = {}
        self._pool = ThreadPoolExecutor(max_workers=os.cpu_count(), thread_name_prefix="sandbox-draw")
        self.drawn = 0

    async def bytes_of(self, asset: Asset) -> bytes:
        """The picture's bytes, drawn at most once while they stay in memory."""
        if asset.payload is not None:
            return asset.payload
        if asset.asset_id in self._cache:
            self._cache.move_to_end(asset.asset_id)
            return self._cache[asset.asset_id]
        task = self._under_way.get(asset.asset_id)
        if task is None:
            task = asyncio.create_task(self._draw(asset))
            self._under_way[asset.asset_id] = task
            task.add_done_callback(lambda _: self._under_way.pop(asset.asset_id, None))
        # A client that hangs up must not stop the drawing that others wait for.
        return await asyncio.shield(task)

    async def _draw(self, asset: Asset) -> bytes:
        recipe = asset.recipe
        if recipe is None:
            raise LookupError(f"asset {asset.asset_id} has neither bytes nor a recipe")
        references = [await self.bytes_of(parent) for parent in self._parents(recipe)]
        loop = asyncio.get_running_loop()
        payload = await loop.run_in_executor(self._pool, render, recipe, references)
        self.drawn += 1
        self._keep(asset.asset_id, payload)
        return payload

    def _parents(self, recipe: Recipe) -> list[Asset]:
        found = (self._storage.find(asset_id) for asset_id in recipe.references)
        return [asset for asset in found if asset is not None]

    def _keep(self, asset_id: str, payload: bytes) -> None:
        self._cache[asset_id] = payload
        self._held_bytes += len(payload)
        while self._held_bytes > self._cache_bytes and len(self._cache) > 1:
            _, dropped = self._cache.popitem(last=False)
            self._held_bytes -= len(dropped)

    def clear(self) -> None:
        """Forget every drawn picture."""
        self._cache.clear()
        self._held_bytes = 0
        self.drawn = 0

    def close(self) -> None:
        """Let the drawing threads go."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def render(recipe: Recipe, references: list[bytes]) -> bytes:
    """Draw one picture, or edit the first reference, and encode it. Pure, and safe in any thread."""
    is_edit = references and recipe.edits != "everything"
    picture = edit(recipe, references) if is_edit else draw(recipe)
    return encode(picture, recipe.output_format)
