"""The pictures: the same recipe draws the same bytes, seeds differ, repeats nearly do not, edits keep their source."""

from dataclasses import replace
from itertools import combinations

import imagehash
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.sandbox.pictures.effects import EFFECTS
from deployments.sandbox.pictures.palette import named_colours
from deployments.sandbox.pictures.recipe import Recipe
from deployments.sandbox.pictures.sizes import fitted_size
from deployments.sandbox.pictures.studio import render
from tests.deployments.sandbox.conftest import grey_thumbnail, opened

PROMPTS = (
    "a teapot and fruit, still life",
    "misty mountains",
    "city skyline at dusk",
    "botanical leaves",
    "abstract poster",
    "bauhaus pattern",
)


def drawn(prompt: str, seed: int, side_px: int = 128, **more: float) -> bytes:
    return render(Recipe(prompt, seed, side_px, side_px, **more), [])  # type: ignore[arg-type] # only repeat_rate


def hash_of(payload: bytes) -> imagehash.ImageHash:
    return imagehash.phash(opened(payload))


@pytest.mark.parametrize("output_format", ["png", "jpeg", "webp"])
def test_a_picture_has_the_format_and_size_of_its_recipe(output_format: str) -> None:
    """Any size on the grid, in RGB."""
    picture = opened(render(Recipe("a vase", 1, 336, 144, output_format), []))
    assert (picture.format, picture.size, picture.mode) == (output_format.upper(), (336, 144), "RGB")


def test_the_largest_size_works() -> None:
    """2048 pixels a side, both upright and square."""
    assert opened(drawn("hills", 1, 2048)).size == (2048, 2048)
    assert opened(render(Recipe("hills", 1, 128, 2048), [])).size == (128, 2048)


def test_the_same_recipe_gives_the_same_bytes() -> None:
    """And every part of it counts: seed, steps, LoRAs, words."""
    recipe = Recipe("a teapot", 3, 128, 128)
    others = [
        replace(recipe, seed=4),
        replace(recipe, steps=4),
        replace(recipe, loras=(("model_x", 1.0),)),
        replace(recipe, prompt="a red teapot"),
    ]
    payloads = [render(one, []) for one in (recipe, *others)]
    assert render(recipe, []) == payloads[0]
    assert len(set(payloads)) == len(payloads)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_seeds_of_one_prompt_look_different(prompt: str) -> None:
    """Perceptual hashes of different compositions are mostly more than 16 of 64 bits apart, never within 6."""
    hashes = [hash_of(drawn(prompt, seed)) for seed in range(14)]
    distances = [one - other for one, other in combinations(hashes, 2)]
    assert min(distances) > 6
    assert sum(distance > 16 for distance in distances) / len(distances) > 0.95


def test_some_seeds_repeat_the_favourite_composition() -> None:
    """About one in five: other bytes, nearly the same picture; without a repeat rate there is none."""
    recipes = [Recipe("a teapot", seed, 128, 128, repeat_rate=0.2) for seed in range(200)]
    compositions = [recipe.composition_seed for recipe in recipes]
    favourite = max(compositions, key=compositions.count)
    repeated = [recipe for recipe in recipes if recipe.composition_seed == favourite]
    assert 25 <= len(repeated) <= 55
    assert len(set(compositions)) == 200 - len(repeated) + 1
    payloads = [render(recipe, []) for recipe in repeated[:6]]
    assert len(set(payloads)) == 6
    assert max(hash_of(one) - hash_of(other) for one, other in combinations(payloads, 2)) <= 6
    assert len({replace(recipe, repeat_rate=0.0).composition_seed for recipe in recipes}) == 200


def test_colours_of_the_prompt_tint_the_picture() -> None:
    """Words and hex codes alike: the mean of red pictures is redder than that of blue ones."""
    means = {
        colour: np.mean(
            [np.asarray(opened(drawn(f"{colour} bauhaus", seed))).mean((0, 1)) for seed in range(6)], axis=0
        )
        for colour in ("crimson red", "#1040c0")
    }
    redness = {colour: mean[0] - mean[2] for colour, mean in means.items()}
    assert redness["crimson red"] > redness["#1040c0"] + 40


def test_colours_are_read_from_words_and_codes() -> None:
    """In the order of the text; money, percents and other numbers are no colours."""
    assert named_colours("a #FF5733 kettle, #0f0 lid, navy, $5, 50%, #12345") == [
        (255, 87, 51),
        (0, 255, 0),
        (29, 47, 92),
    ]


EDITS = (
    "make it night",
    "heavy snow",
    "as a watercolor",
    "at sunset",
    "pencil sketch",
    "neon",
    "paint it blue",
    "add a hat",
)


@pytest.mark.parametrize("prompt", EDITS)
def test_an_edit_still_shows_its_source(prompt: str, photograph: bytes) -> None:
    """Inside any frame, the grey values of the result follow those of the source; yet the picture has changed."""
    result = render(Recipe(prompt, 1, 320, 240, references=("a",)), [photograph])
    before, after = (grey_thumbnail(payload)[4:-4, 4:-4] for payload in (photograph, result))
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.8
    change = np.abs(np.asarray(opened(result), float) - np.asarray(opened(photograph), float)).mean()
    assert change > 2


def test_words_of_an_edit_change_it_their_way(photograph: bytes) -> None:
    """Night is darker, snow is lighter than the source."""
    night, snow = (
        grey_thumbnail(render(Recipe(prompt, 1, 320, 240, references=("a",)), [photograph])).mean()
        for prompt in ("make it night", "heavy snow")
    )
    assert night < grey_thumbnail(photograph).mean() - 20 < snow


@pytest.mark.parametrize("effect", [effect for _, effect in EFFECTS], ids=lambda effect: effect.__name__)
def test_every_effect_takes_any_size(effect: object) -> None:
    """Down to a few pixels, and gives back the same size in RGB."""
    name = next(pattern for pattern, one in EFFECTS if one is effect).pattern.split("|")[0].removeprefix("\\b(")
    tiny = render(Recipe("a vase", 1, 16, 16), [])
    result = opened(render(Recipe(name.replace("u?", "u"), 1, 128, 144, references=("a",)), [tiny]))
    assert (result.mode, result.size) == ("RGB", (128, 144))


@pytest.mark.parametrize(("prompt", "least"), [("put them together", 3.0), ("in the style of image 2", 3.0)])
def test_further_references_come_into_the_picture(prompt: str, least: float, photograph: bytes) -> None:
    """With two other second references, the same edit gives two clearly different pictures."""
    red, green = (drawn(f"{colour} bauhaus", 2) for colour in ("red", "green"))
    recipe = Recipe(prompt, 1, 320, 240, references=("a", "b"))
    one, other = (np.asarray(opened(render(recipe, [photograph, second])), float) for second in (red, green))
    assert np.abs(one - other).mean() > least


@given(st.floats(0.1, 10))
def test_fitted_sizes_are_on_the_grid(ratio: float) -> None:
    """Multiples of 16 within the model's limits, at most a little over a megapixel."""
    width, height = fitted_size(ratio)
    assert (width % 16, height % 16) == (0, 0)
    assert 128 <= width <= 2048
    assert 128 <= height <= 2048
    assert width * height <= 1024 * 1024 * 1.05


def test_an_edit_can_change_nothing_or_everything() -> None:
    """For tests of whoever measures edits: what was given comes back under other grain, or a picture of its own."""
    source = drawn("a teapot and fruit, still life", 1)
    recipe = Recipe("misty mountains", 2, 128, 128, references=("a",))
    nothing = render(replace(recipe, edits="nothing"), [source])

    assert nothing != source
    assert np.abs(grey_thumbnail(nothing) - grey_thumbnail(source)).max() < 6
    assert render(replace(recipe, edits="everything"), [source]) == drawn("misty mountains", 2)
