from collections.abc import Callable
from typing import Final

from tasks.models import ImageRecord, ReferenceUse
from tasks.provenance.source_type import Lineage, source_type_of, uri_of

MADE: Final = "trainedAlgorithmicMedia"
EDITED: Final = "compositeWithTrainedAlgorithmicMedia"
PHOTOGRAPH = (ReferenceUse(role="product", sha256="c" * 64),)


def test_a_picture_made_from_text_is_created_with_ai(image_of: Callable[..., ImageRecord]) -> None:
    """Nothing but words went in."""
    assert source_type_of(image_of(), Lineage()) == MADE


def test_an_edit_of_a_generated_picture_is_still_created_with_ai(image_of: Callable[..., ImageRecord]) -> None:
    """`Edited using Generative AI` would imply an original that no model had made."""
    edit = image_of(step=2, parent_sha256="a" * 64)
    assert source_type_of(edit, Lineage(ancestors=(image_of(step=1), image_of()))) == MADE


def test_a_reference_makes_it_edited_with_ai(image_of: Callable[..., ImageRecord]) -> None:
    """The content of a photograph may stand in the result."""
    assert source_type_of(image_of(references=PHOTOGRAPH), Lineage()) == EDITED


def test_a_photograph_is_not_forgotten_along_a_chain(image_of: Callable[..., ImageRecord]) -> None:
    """What went into a grandparent is still in the picture."""
    ancestors = (image_of(step=1), image_of(references=PHOTOGRAPH))
    assert source_type_of(image_of(step=2), Lineage(ancestors=ancestors)) == EDITED


def test_a_reference_that_was_generated_is_no_photograph(image_of: Callable[..., ImageRecord]) -> None:
    """Two pictures of ours make a third one that is as much ours."""
    known = Lineage(generated=frozenset({"c" * 64}))
    assert source_type_of(image_of(references=PHOTOGRAPH), known) == MADE


def test_terms_are_written_as_iptc_registered_them() -> None:
    """With http, not https: the URI is a name (NewsCodes, Digital Source Type)."""
    assert uri_of(MADE) == "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
