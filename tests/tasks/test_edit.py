from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from blocks.errors import BriefError
from blocks.provider import PictureRequest
from tasks.brief import Brief
from tasks.edit import instruction_for, plan_edits
from tasks.models import Binding, ImageRecord, Prompt, ReferenceUse, Shot, derive_seed
from tasks.studio import Studio

BriefOf = Callable[..., Brief]
ImageOf = Callable[..., ImageRecord]
OpenStudio = Callable[..., AbstractAsyncContextManager[Studio]]

CUP, STYLE = ReferenceUse(role="cup", sha256="c" * 64), ReferenceUse(role="style", sha256="5" * 64)
AT_DUSK = Prompt(text="a mug at dusk", template="a mug at ${light}", bindings=(Binding(name="light", value="dusk"),))
LIGHTS = {"light": ["dawn", "dusk"]}


def test_an_edit_is_a_shot_with_a_parent(brief_of: BriefOf, image_of: ImageOf, studio: Studio) -> None:
    """The picture comes first, then the references; `@role` becomes the number by which the model knows them."""
    instruction = 'Put @cup beside it, lit like @style, at ${light}; print "@cup" below'
    as_png = {"aspect_ratio": "1:1", "output_format": "png"}
    brief = brief_of(
        axes=LIGHTS,
        seed=3,
        edits=[{**as_png, "instruction": instruction, "references": ["cup", "style"]}],
    )
    parent = image_of(prompt=AT_DUSK, position=7)
    text = 'Put image 2 beside it, lit like image 3, at dusk; print "@cup" below'

    assert plan_edits(brief, brief.edits[0], [parent], (STYLE, CUP), studio) == (
        Shot(
            provider="sunra",
            sandbox=True,
            request=PictureRequest(
                model="black-forest-labs/flux-2-klein-4b",
                prompt=text,
                seed=derive_seed("edit", 3, "1", parent.sha256, instruction),
                aspect_ratio="1:1",
                steps=4,
                output_format="png",
                references=(parent.sha256, CUP.sha256, STYLE.sha256),
            ),
            prompt=Prompt(text=text, template=instruction, bindings=AT_DUSK.bindings),
            position=7,
            step=1,
            parent_sha256=parent.sha256,
            references=(CUP, STYLE),
        ),
    )


def test_either_provider_edits(brief_of: BriefOf, image_of: ImageOf, studio: Studio) -> None:
    """Scenario edits with its own model and defaults; without a size it keeps the picture's."""
    brief = brief_of(edits=[{"instruction": "warmer", "provider": "scenario"}])
    (shot,) = plan_edits(brief, brief.edits[0], [image_of()], (), studio)

    assert (shot.provider, shot.request) == (
        "scenario",
        PictureRequest(
            model="model_bfl-flux-2-klein-4b-base",
            prompt="warmer",
            seed=derive_seed("edit", 0, "1", "a" * 64, "warmer"),
            steps=28,
            guidance=4.0,
            references=("a" * 64,),
        ),
    )


def test_each_parent_has_its_edit_in_order(brief_of: BriefOf, image_of: ImageOf, studio: Studio) -> None:
    """One shot for each picture, one step further than the picture, with a seed of its own; none of none."""
    brief = brief_of(edits=[{"instruction": "warmer"}])
    parents = [image_of(sha256="1" * 64, position=4), image_of(sha256="2" * 64, position=2, step=1)]
    shots = plan_edits(brief, brief.edits[0], parents, (), studio)

    assert [(shot.parent_sha256, shot.position, shot.step) for shot in shots] == [("1" * 64, 4, 1), ("2" * 64, 2, 2)]
    assert shots[0].request.seed != shots[1].request.seed
    assert plan_edits(brief, brief.edits[0], [], (), studio) == ()


async def keys(
    brief: Brief, parent: ImageRecord, studio_with: OpenStudio, *, edition: str = "1", references: Any = (CUP,)
) -> set[str]:
    async with studio_with(edition=edition) as studio:
        return {shot.key for shot in plan_edits(brief, brief.edits[0], [parent], references, studio)}


EDIT: dict[str, Any] = {"instruction": "make it {warm|warm}", "references": ["cup"]}


async def test_planning_an_edit_again_changes_nothing(
    brief_of: BriefOf, image_of: ImageOf, studio_with: OpenStudio
) -> None:
    """The same step on the same picture is the same work, wherever its parent stood in a plan."""
    brief = brief_of(edits=[EDIT])
    again = brief_of(name="other", edits=[EDIT, {"instruction": "later"}])

    assert await keys(brief, image_of(), studio_with) == await keys(again, image_of(position=8, step=3), studio_with)


@pytest.mark.parametrize(
    ("change", "parent", "more"),
    [
        ({"seed": 1}, {}, {}),
        ({}, {}, {"edition": "2"}),
        ({}, {"sha256": "b" * 64}, {}),
        ({}, {}, {"references": (ReferenceUse(role="cup", sha256="d" * 64),)}),
        ({"edits": [{**EDIT, "instruction": "make it {warm|warm}!"}]}, {}, {}),
        ({"edits": [{**EDIT, "references": []}]}, {}, {}),
        ({"edits": [{**EDIT, "steps": 5}]}, {}, {}),
    ],
    ids=["seed", "edition", "parent", "other bytes", "instruction", "no reference", "steps"],
)
async def test_other_work_is_another_shot(
    brief_of: BriefOf,
    image_of: ImageOf,
    studio_with: OpenStudio,
    change: dict[str, Any],
    parent: dict[str, Any],
    more: dict[str, Any],
) -> None:
    """Seed, edition, picture, references, words and settings: each makes another edit."""
    before = await keys(brief_of(edits=[EDIT]), image_of(), studio_with)
    after = await keys(brief_of(**{"edits": [EDIT], **change}), image_of(**parent), studio_with, **more)

    assert not before & after


def test_axes_stay_what_they_were_in_the_picture(brief_of: BriefOf) -> None:
    """A picture at dusk is edited at dusk; where a picture was bound to nothing, the first value stands."""
    brief = brief_of(
        axes={**LIGHTS, "city": ["Ulm", "Bern"]}, edits=[{"instruction": "${light} in ${city}, $5, #FF5733"}]
    )

    assert instruction_for(brief, brief.edits[0], AT_DUSK, seed=1) == "dusk in Ulm, $5, #FF5733"


def test_choices_of_an_instruction_are_drawn_by_the_seed(brief_of: BriefOf) -> None:
    """The same seed draws the same words; over many seeds every option comes up."""
    brief = brief_of(edits=[{"instruction": "make it {warm|cold|wet}"}])
    drawn = [instruction_for(brief, brief.edits[0], AT_DUSK, seed) for seed in range(30)]

    assert drawn == [instruction_for(brief, brief.edits[0], AT_DUSK, seed) for seed in range(30)]
    assert set(drawn) == {"make it warm", "make it cold", "make it wet"}


def test_a_role_that_the_step_does_not_send_is_refused(brief_of: BriefOf) -> None:
    """Only pictures that are sent have a number; a model would take `@cup` for a word."""
    with pytest.raises(BriefError, match=r"^edits\.0\.instruction: speaks of @cup, which is not among the references"):
        brief_of(edits=[{"instruction": "@cup and @style", "references": ["style"]}])
