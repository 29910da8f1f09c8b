from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from blocks.errors import InvalidRequest
from blocks.provider import LoraWeight, PictureRequest
from tasks.brief import Brief
from tasks.models import Binding, Prompt, ReferenceUse, Shot, derive_seed
from tasks.plan import check_edits, plan_generation
from tasks.studio import Studio
from tests.conftest import Sandbox

BriefOf = Callable[..., Brief]
OpenStudio = Callable[..., AbstractAsyncContextManager[Studio]]

SCENARIO_MODEL = "model_bfl-flux-2-klein-4b-base"
SUNRA_MODEL = "black-forest-labs/flux-2-klein-4b"

CUP, STYLE = ReferenceUse(role="cup", sha256="c" * 64), ReferenceUse(role="style", sha256="5" * 64)
MUG = Prompt(text="a mug", template="a {mug|jug}", bindings=(Binding(name="choice 1", value="mug"),))
JUG = Prompt(text="a jug", template="a {mug|jug}", bindings=(Binding(name="choice 1", value="jug"),))


def test_what_a_brief_leaves_out_is_made_explicit(brief_of: BriefOf, studio: Studio, sandbox: Sandbox) -> None:
    """A shot says everything that it was made with, even where a vendor changes its defaults one day."""
    assert plan_generation(brief_of(seed=5), [MUG], (), studio) == (
        Shot(
            provider="scenario",
            sandbox=True,
            request=PictureRequest(
                model=SCENARIO_MODEL,
                prompt="a mug",
                seed=derive_seed("generate", 5, "1", "a mug", 0),
                outputs=1,
                width_px=1024,
                height_px=1024,
                steps=28,
                guidance=4.0,
            ),
            prompt=MUG,
            position=0,
        ),
    )
    assert sandbox.jobs() == []


def test_everything_that_a_brief_says_is_sent(brief_of: BriefOf, studio: Studio) -> None:
    """No setting is lost on the way; references are numbered from 1 in the text, in the order of the roles."""
    generate = {
        "model": "model_other",
        "width_px": 768,
        "height_px": 512,
        "steps": 20,
        "guidance": 3.5,
        "outputs": 4,
        "loras": [{"id": "model_x", "scale": 0.8}],
        "references": ["style", "cup"],
    }
    prompt = Prompt(text="@cup lit like @style", template="t")

    assert plan_generation(brief_of(generate=generate), [prompt], (CUP, STYLE), studio) == (
        Shot(
            provider="scenario",
            sandbox=True,
            request=PictureRequest(
                model="model_other",
                prompt="image 2 lit like image 1",
                seed=derive_seed("generate", 0, "1", "@cup lit like @style", 0),
                outputs=4,
                width_px=768,
                height_px=512,
                steps=20,
                guidance=3.5,
                loras=(LoraWeight(id="model_x", scale=0.8),),
                references=(STYLE.sha256, CUP.sha256),
            ),
            prompt=Prompt(text="image 2 lit like image 1", template="t"),
            position=0,
            references=(STYLE, CUP),
        ),
    )


def test_sunra_generates_from_references(brief_of: BriefOf, studio: Studio) -> None:
    """The other provider takes the same brief with its own model, steps and way to say a size."""
    generate = {"provider": "sunra", "references": ["cup"], "aspect_ratio": "16:9", "output_format": "webp"}
    (shot,) = plan_generation(brief_of(generate=generate), [MUG], (CUP,), studio)

    assert (shot.provider, shot.request) == (
        "sunra",
        PictureRequest(
            model=SUNRA_MODEL,
            prompt="a mug",
            seed=derive_seed("generate", 0, "1", "a mug", 0),
            aspect_ratio="16:9",
            steps=4,
            output_format="webp",
            references=(CUP.sha256,),
        ),
    )


@pytest.mark.parametrize(
    ("generate", "size_px"),
    [
        ({}, (1024, 1024)),
        ({"width_px": 512}, (512, 1024)),
        ({"references": ["cup"]}, (None, None)),
        ({"references": ["cup"], "width_px": 512, "height_px": 256}, (512, 256)),
    ],
)
def test_the_size_is_ours_only_where_nothing_else_gives_it(
    brief_of: BriefOf, studio: Studio, generate: dict[str, Any], size_px: tuple[int | None, int | None]
) -> None:
    """With a reference the vendor takes over its shape, unless the brief says another."""
    (shot,) = plan_generation(brief_of(generate=generate), [MUG], (CUP,), studio)

    assert (shot.request.width_px, shot.request.height_px) == size_px


def test_prompts_come_first_then_seeds(brief_of: BriefOf, studio: Studio) -> None:
    """Positions are the order of the contact sheet: all takes of a prompt stand side by side."""
    shots = plan_generation(brief_of(seeds=2), [MUG, JUG], (), studio)

    assert [(shot.position, shot.prompt.text, shot.request.seed) for shot in shots] == [
        (0, "a mug", derive_seed("generate", 0, "1", "a mug", 0)),
        (1, "a mug", derive_seed("generate", 0, "1", "a mug", 1)),
        (2, "a jug", derive_seed("generate", 0, "1", "a jug", 0)),
        (3, "a jug", derive_seed("generate", 0, "1", "a jug", 1)),
    ]


async def keys(brief: Brief, studio_with: OpenStudio, *, edition: str = "1") -> set[str]:
    async with studio_with(edition=edition) as studio:
        return {shot.key for shot in plan_generation(brief, [MUG, JUG], (), studio)}


async def test_planning_again_changes_nothing(brief_of: BriefOf, studio_with: OpenStudio) -> None:
    """The same brief in the same edition is the same work, in any run: nothing is bought twice."""
    assert await keys(brief_of(), studio_with) == await keys(brief_of(), studio_with)


async def test_more_seeds_keep_what_was_there(brief_of: BriefOf, studio_with: OpenStudio) -> None:
    """Raising `seeds` adds pictures, and buys none again."""
    assert await keys(brief_of(seeds=2), studio_with) < await keys(brief_of(seeds=3), studio_with)


@pytest.mark.parametrize(("change", "edition"), [({}, "2"), ({"seed": 1}, "1")])
async def test_edition_and_seed_draw_anew(
    brief_of: BriefOf, studio_with: OpenStudio, change: dict[str, Any], edition: str
) -> None:
    """A new edition, or another seed, makes other pictures of the same prompts: not one is shared."""
    before, after = await keys(brief_of(), studio_with), await keys(brief_of(**change), studio_with, edition=edition)

    assert not before & after
    assert len(before) == len(after) == 2


@pytest.mark.parametrize(
    "change", [{"name": "other"}, {"title": "Other"}, {"budget": {"amount": 1, "unit": "USD"}}, {"archive": "other"}]
)
async def test_the_terms_of_the_work_are_not_the_work(
    brief_of: BriefOf, studio_with: OpenStudio, change: dict[str, Any]
) -> None:
    """Renaming a campaign, or giving it another budget, does not buy its pictures again."""
    assert await keys(brief_of(**change), studio_with) == await keys(brief_of(), studio_with)


@pytest.mark.parametrize(
    ("generate", "message"),
    [
        ({"width_px": 1000}, "generate: width must be a multiple of 16 from 128 to 2048 (Scenario), got 1000"),
        ({"height_px": 2064}, "generate: height must be a multiple of 16 from 128 to 2048 (Scenario), got 2064"),
        ({"width_px": 64}, "generate: width must be a multiple of 16 from 128 to 2048 (Scenario), got 64"),
        ({"steps": 0}, "generate: numInferenceSteps must be from 1 to 100 (Scenario), got 0"),
        ({"guidance": 11}, "generate: guidance must be from 1 to 10 (Scenario), got 11.0"),
        ({"outputs": 5}, "generate: numOutputs must be from 1 to 4 (Scenario), got 5"),
        (
            {"aspect_ratio": "1:1", "output_format": "png"},
            "generate: aspect_ratio cannot be set, give width and height (Scenario), got 1:1; "
            "output_format cannot be set (Scenario), got png",
        ),
        (
            {"references": ["cup"] * 5},
            "generate: referenceImages must be at most 4 items long (Scenario), got 5",
        ),
        ({"provider": "sunra"}, "generate: image_urls must have from 1 to 4 items (Sunra), got 0"),
        (
            {"provider": "sunra", "references": ["cup"], "steps": 9},
            "generate: num_inference_steps must be from 4 to 8 (Sunra), got 9",
        ),
        (
            {"provider": "sunra", "references": ["cup"], "width_px": 512},
            "generate: Sunra takes aspect_ratio instead of width and height",
        ),
        (
            {"provider": "sunra", "references": ["cup"], "outputs": 2},
            "generate: Sunra makes 1 picture per request: ask for more shots instead of outputs, got 2",
        ),
    ],
)
def test_limits_of_the_vendor_are_kept_before_anything_is_sent(
    brief_of: BriefOf, studio: Studio, sandbox: Sandbox, generate: dict[str, Any], message: str
) -> None:
    """The message has the stage, the vendor's name of the field, its limit, and what was asked for."""
    with pytest.raises(InvalidRequest) as caught:
        plan_generation(brief_of(generate=generate), [MUG], (CUP,), studio)

    assert (str(caught.value), caught.value.where) == (message, "generate")
    assert sandbox.jobs() == []


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            {"references": ["cup", "style", "cup", "style"]},
            "edits.1: image_urls must have from 1 to 4 items (Sunra), got 5",
        ),
        ({"guidance": 4}, "edits.1: Sunra has no guidance (its model is distilled): leave it out, got 4"),
        ({"model": "other"}, f"edits.1: model must be {SUNRA_MODEL} (Sunra), got other"),
        (
            {"provider": "scenario", "width_px": 1000},
            "edits.1: width must be a multiple of 16 from 128 to 2048 (Scenario), got 1000",
        ),
        (
            {"provider": "scenario", "references": ["cup", "style", "cup", "style"]},
            "edits.1: referenceImages must be at most 4 items long (Scenario), got 5",
        ),
    ],
)
def test_edits_are_checked_before_their_pictures_exist(
    brief_of: BriefOf, studio: Studio, edit: dict[str, Any], message: str
) -> None:
    """The picture that is edited counts as the first reference: four more are one too many."""
    brief = brief_of(edits=[{"instruction": "warmer"}, {"instruction": "bigger", **edit}])

    with pytest.raises(InvalidRequest) as caught:
        check_edits(brief, studio)

    assert (str(caught.value), caught.value.where) == (message, "edits.1")


def test_edits_within_the_limits_pass(brief_of: BriefOf, studio: Studio) -> None:
    """Three references beside the picture are allowed, and no edits at all are, too."""
    edits = [{"instruction": "put @cup here", "references": ["cup", "style", "cup"]}]

    check_edits(brief_of(edits=edits), studio)
    check_edits(brief_of(), studio)
