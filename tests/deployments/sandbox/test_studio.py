"""The studio draws each output once, and forgets only what it can draw again."""

import asyncio

from deployments.sandbox.pictures.recipe import Recipe
from deployments.sandbox.pictures.studio import Studio
from deployments.sandbox.storage import Asset, Storage


def asset_of(storage: Storage, seed: int, references: tuple[str, ...] = ()) -> Asset:
    recipe = Recipe("hills", seed, 128, 128, references=references)
    return storage.add(owner="scenario", name="", mime_type="image/png", width_px=128, height_px=128, recipe=recipe)


async def test_many_who_ask_at_once_get_one_drawing() -> None:
    """Concurrent requests wait for the same drawing; later ones find it in memory."""
    storage = Storage(lambda: 0.0)
    studio = Studio(storage, cache_bytes=10**8)
    asset = asset_of(storage, 1)
    payloads = await asyncio.gather(*(studio.bytes_of(asset) for _ in range(8)))
    assert (len(set(payloads)), await studio.bytes_of(asset) == payloads[0], studio.drawn) == (1, True, 1)
    studio.close()


async def test_what_fell_out_of_memory_is_drawn_again_with_the_same_bytes() -> None:
    """Also an edit, whose source is drawn again first."""
    storage = Storage(lambda: 0.0)
    studio = Studio(storage, cache_bytes=1)
    source = asset_of(storage, 1)
    edited = asset_of(storage, 2, references=(source.asset_id,))
    first = await studio.bytes_of(edited)
    await studio.bytes_of(asset_of(storage, 3))
    assert await studio.bytes_of(edited) == first
    assert studio.drawn == 5
    studio.close()
