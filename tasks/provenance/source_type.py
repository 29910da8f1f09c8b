"""Which of IPTC's words for "made with AI" a picture carries, from what is known of its lineage.

IPTC's Digital Source Type vocabulary (cv.iptc.org/newscodes/digitalsourcetype, terms as of 2024-09-17) offers:

`trainedAlgorithmicMedia`, "Created using Generative AI": created algorithmically by an AI model trained on captured
content. `compositeWithTrainedAlgorithmicMedia`, "Edited using Generative AI": augmentation, correction or enhancement
using a generative AI model. The second implies something before it that no model had made.

So what counts is whether anything in the lineage came from outside. A picture made from text is *created*, and so is
every edit of it, however long the chain: nothing in it was ever captured or drawn, and "edited" would say less than is
true. Once a reference that we did not generate ourselves (a photograph of the product) went in anywhere on the way,
its content may stand in the result, and the picture is *edited*. Both words are an AI mark.
"""

from typing import Literal

from blocks.provider import Frozen
from tasks.models import ImageRecord

DIGITAL_SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
AI_MARK = b"rainedAlgorithmicMedia"
"""What both terms have in common, as bytes: a manifest that holds it says that the picture is AI-made."""

SourceType = Literal["trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia"]


class Lineage(Frozen):
    """What is known of where a picture comes from, beyond its own record.

    Nothing known is safe: a reference counts as foreign until it is known to be generated.
    """

    ancestors: tuple[ImageRecord, ...] = ()
    """Records of the pictures that it is an edit of: its parent, the parent's parent, and so on."""
    generated: frozenset[str] = frozenset()
    """SHA-256 of the references that are pictures without any foreign one in their own lineage."""


def source_type_of(record: ImageRecord, lineage: Lineage) -> SourceType:
    """Chooses the term for the picture as a whole; the module says why."""
    shots = (record, *lineage.ancestors)
    foreign = {use.sha256 for shot in shots for use in shot.references} - lineage.generated
    return "compositeWithTrainedAlgorithmicMedia" if foreign else "trainedAlgorithmicMedia"


def uri_of(source_type: SourceType) -> str:
    """The term as XMP and C2PA write it."""
    return DIGITAL_SOURCE_TYPES + source_type
