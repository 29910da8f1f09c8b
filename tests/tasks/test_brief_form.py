from typing import Any

import pytest

from blocks.errors import BriefError
from tasks.brief import Brief, RevisionBrief
from tasks.brief_form import SIZES_PX, BriefForm, RevisionForm
from tasks.brief_reading import read_brief

CUP = {"role": "cup", "source": "cup.png"}


def filled(**fields: Any) -> Brief:
    return read_brief(BriefForm.model_validate(fields).document(), Brief, shown_as="form")


def test_a_form_is_a_small_brief_with_all_else_left_to_its_defaults() -> None:
    """What a person fills in is what is made, and nothing that they did not see."""
    brief = filled(name="teapots", prompts=["a {red|blue} teapot"], seeds=3, shape="portrait")

    assert brief == read_brief(
        {
            "name": "teapots",
            "prompts": ["a {red|blue} teapot"],
            "seeds": 3,
            "generate": {"width_px": 832, "height_px": 1216},
        },
        Brief,
        shown_as="file",
    )


def test_an_edit_is_sent_the_references_that_it_speaks_of() -> None:
    """A picture that an instruction does not name would be paid for, and would confuse the model."""
    hat = {"role": "hat", "source": "hat.png"}
    brief = filled(
        prompts=["a cat"],
        references=[CUP, hat],
        instructions=["Add @cup.", "Put on @hat, beside @cup.", "Make it blue."],
    )

    assert [(edit.instruction, edit.references, edit.provider) for edit in brief.edits] == [
        ("Add @cup.", ("cup",), "sunra"),
        ("Put on @hat, beside @cup.", ("cup", "hat"), "sunra"),
        ("Make it blue.", (), "sunra"),
    ]


def test_a_reference_that_no_edit_speaks_of_is_refused() -> None:
    """Somebody who uploads a picture expects to see it used."""
    with pytest.raises(BriefError, match=r"references: no edit speaks of @cup\. Write @cup where it is meant"):
        filled(prompts=["a cat"], references=[CUP], instructions=["Add a cupboard."])


def test_sizes_are_what_scenario_accepts_and_near_a_megapixel() -> None:
    """Each shape costs about the same, and no choice in a form is one that the provider refuses."""
    for width_px, height_px in SIZES_PX.values():
        assert width_px % 16 == height_px % 16 == 0
        assert min(width_px, height_px) >= 128
        assert max(width_px, height_px) <= 2048
        assert 0.9 < width_px * height_px / 1024**2 < 1.1


def test_a_revision_names_its_editor() -> None:
    """Either provider edits, as far as its API goes."""
    form = RevisionForm.model_validate({"instructions": ["Add @cup."], "references": [CUP], "provider": "scenario"})

    assert read_brief(form.document(), RevisionBrief, shown_as="form") == read_brief(
        {
            "name": "revisions",
            "references": {"cup": "cup.png"},
            "edits": [{"instruction": "Add @cup.", "provider": "scenario", "references": ["cup"]}],
        },
        RevisionBrief,
        shown_as="file",
    )
