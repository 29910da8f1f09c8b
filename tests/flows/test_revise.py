from collections import Counter

import pytest

from blocks.errors import BriefError, InvalidRequest
from flows.revise import revise
from tasks.brief import RevisionBrief
from tasks.brief_reading import read_brief
from tasks.models import CampaignResult
from tests.conftest import Sandbox
from tests.flows.conftest import Workplace


def revision(workplace: Workplace, *instructions: str, references: tuple[str, ...] = ()) -> RevisionBrief:
    edits = [{"instruction": each, "references": references} for each in instructions]
    document = {"name": "second-thoughts", "references": {"cup": str(workplace.photograph)}, "edits": edits}
    return read_brief(document, RevisionBrief, shown_as="revision")


def revised(images: list[str], brief: RevisionBrief, workplace: Workplace) -> CampaignResult:
    result: CampaignResult = revise(images, brief, **workplace.terms)
    return result


def test_archived_images_are_edited_further(workplace: Workplace, sandbox: Sandbox, started: Counter[str]) -> None:
    """The chain goes on where the picture ended, in a campaign of its own; a second run buys nothing."""
    first = workplace.run(workplace.brief())
    brief = revision(workplace, "Add the cup of @cup.", "Make it night.", references=("cup",))
    chosen = first.images[0]
    result = revised([chosen.sha256[:10]], brief, workplace)

    assert [(image.step, image.parent_sha256) for image in result.images] == [
        (1, chosen.sha256),
        (2, result.images[0].sha256),
    ]
    assert {image.campaign for image in result.images} == {"second-thoughts"}
    assert result.images[0].prompt.text == "Add the cup of image 2."
    assert (result.bought, len(sandbox.jobs("sunra"))) == (2, 2)

    started.clear()
    again = revised([chosen.sha256], brief, workplace)
    assert [image.sha256 for image in again.images] == [image.sha256 for image in result.images]
    assert (again.bought, again.reused, started) == (0, 2, Counter())
    assert len(sandbox.jobs("sunra")) == 2


def test_an_image_that_is_not_in_the_archive_is_refused(workplace: Workplace, sandbox: Sandbox) -> None:
    """Nothing is bought for a digest that names no image."""
    workplace.run(workplace.brief())
    with pytest.raises(BriefError, match="No image in the archive begins with 'fffffff0'"):
        revised(["fffffff0"], revision(workplace, "Make it night."), workplace)

    assert sandbox.jobs("sunra") == []


def test_too_many_references_are_refused_before_the_first_edit(workplace: Workplace, sandbox: Sandbox) -> None:
    """The second step of a chain is held against the limits before the first one is bought."""
    first = workplace.run(workplace.brief())
    references = {f"r{number}": str(workplace.photograph) for number in range(4)}
    edits = [{"instruction": "Make it night."}, {"instruction": "Add all.", "references": tuple(references)}]
    brief = read_brief({"name": "x", "references": references, "edits": edits}, RevisionBrief, shown_as="revision")
    with pytest.raises(InvalidRequest, match=r"edits\.1: "):
        revised([first.images[0].sha256], brief, workplace)

    assert sandbox.jobs("sunra") == []
