from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools import validate
from prefect.utilities.schema_tools.validation import build_error_obj, prioritize_placeholder_errors
from pydantic import BaseModel

from blocks.archive.block import ImageArchive
from blocks.errors import BriefError
from flows.campaign import campaign
from flows.inputs import BudgetInput, read_archive_input, read_brief_input, read_revision_input
from flows.revise import revise
from tasks.brief import Brief
from tests.flows.conftest import small_brief

FORM = {"name": "teapots", "prompts": ["a teapot"]}


def errors_in_form(parameters: dict[str, Any]) -> list[Any]:
    """What the server answers to a form, by field."""
    schema = parameter_schema(campaign.fn).model_dump_for_openapi()
    problems = validate(parameters, schema, raise_on_error=False, preprocess=True)
    answer = build_error_obj(prioritize_placeholder_errors(problems))
    found: list[Any] = answer["errors"]
    return found


def test_a_brief_is_read_from_whatever_names_one(tmp_path: Path) -> None:
    """In Python a path, a model or a document; in the form a few fields, or a file: all mean the same brief."""
    path = tmp_path / "brief.yaml"
    path.write_text(yaml.safe_dump(small_brief()), encoding="utf-8")
    expected = Brief.model_validate(small_brief())

    for named in (path, str(path), {"file": str(path)}, {**FORM, "file": str(path)}, small_brief(), expected):
        assert read_brief_input(named) == expected


def test_a_form_without_prompts_is_refused() -> None:
    """Nobody pays for an example that stands in a form."""
    with pytest.raises(BriefError, match=r"prompts: needs at least one entry"):
        read_brief_input({"name": "teapots"})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({**FORM, "seeds": 5000}, r"seeds: Input should be less than or equal to 1000 \(got 5000\)"),
        ({**FORM, "name": "No Name"}, r"name: String should match pattern"),
        ({**FORM, "sede": 3}, r"sede: unknown field. Did you mean 'seed'\?"),
        ({"file": "nowhere.yaml"}, r"There is no brief at nowhere\.yaml"),
        (3, r"brief: has to be a form, a path or a brief, got int"),
    ],
)
def test_a_wrong_value_is_refused_with_the_name_of_its_field(value: Any, message: str) -> None:
    """Whoever filled in a form has to see what to change."""
    with pytest.raises(BriefError, match=message):
        read_brief_input(value)


def test_the_server_names_the_wrong_field_of_the_form() -> None:
    """The UI shows a refusal beside the field: there is one shape for each parameter, so the server can tell which."""
    assert errors_in_form({"brief": FORM}) == []
    assert errors_in_form({"brief": {**FORM, "seeds": 0, "shape": "round"}, "budget": -1}) == [
        {
            "property": "brief",
            "errors": [
                {"property": "seeds", "errors": ["0 is less than the minimum of 1"]},
                {"property": "shape", "errors": ["'round' is not one of ['square', 'landscape', 'portrait']"]},
            ],
        },
        {"property": "budget", "errors": ["-1 is not valid under any of the given schemas"]},
    ]


def test_the_form_says_what_each_parameter_is_for() -> None:
    """A stranger reads the form, not the code."""
    for flow in (campaign, revise):
        properties = parameter_schema(flow.fn).properties
        assert [name for name, shown in properties.items() if not shown.get("description")] == []


def test_a_whole_brief_passes_the_form_of_the_server() -> None:
    """What a file can say, a call of the API can say as well."""
    whole = small_brief(prompts=["a teapot"], edits=[{"instruction": "Make it blue."}], dedupe={"threshold": "strict"})

    assert errors_in_form({"brief": whole}) == []
    assert read_brief_input(whole).edits[0].instruction == "Make it blue."


def test_a_revision_is_read_from_a_form() -> None:
    """As a brief is."""
    revision = read_revision_input({"name": "blue", "instructions": ["Make it blue."]})

    assert (revision.name, [edit.instruction for edit in revision.edits]) == ("blue", ["Make it blue."])


def test_an_archive_is_a_block_a_folder_or_nothing(tmp_path: Path) -> None:
    """What else might be handed over is a mistake, and is named before a folder of that name is made."""
    block = ImageArchive(root=str(tmp_path))

    assert [read_archive_input(each) for each in (None, tmp_path, "folder", block)] == [None, tmp_path, "folder", block]
    assert read_archive_input({"root": "here"}) == ImageArchive(root="here")
    with pytest.raises(BriefError, match="archive: has to be a block or a folder, got int"):
        read_archive_input(3)


@pytest.mark.parametrize("amount", [-1, "Infinity", "NaN", "much"])
def test_a_budget_is_an_amount(amount: Any) -> None:
    """A budget that is no number would be no limit."""

    class Terms(BaseModel):
        budget: BudgetInput = None

    with pytest.raises(ValueError, match="budget"):
        Terms.model_validate({"budget": amount})
