"""What a content credential of ours says: which actions made a picture, and from which ingredients.

The statement follows what happened (actions and ingredients of the C2PA specification 2.2):

=================================  =======================  ===========================================================
the bytes came                     actions                  ingredients
=================================  =======================  ===========================================================
unsigned, and were generated       created                  references: inputTo
unsigned, and are an edit          opened, edited           parent: parentOf; references: inputTo
with a manifest of the provider's  opened, edited.metadata  the bytes: parentOf; parent and references: inputTo
=================================  =======================  ===========================================================

In the third row the provider has already said, under its own signature, how the picture came to be. It stands in our
manifest unchanged, and we add what it does not know: the lineage. Nothing here repeats the claim that it was "edited".
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from blocks.provider import Frozen
from tasks.models import ImageRecord
from tasks.provenance.identity import MODEL, TOOL, uri_of_sha256
from tasks.provenance.source_type import SourceType, uri_of

EDITED_WITH_AI: SourceType = "compositeWithTrainedAlgorithmicMedia"
"""An action says what was done, not what the result is: an edit by a model is always this one."""


class Ingredient(Frozen):
    """A picture that went into another."""

    sha256: str
    relationship: Literal["parentOf", "inputTo"]

    def definition(self, media_type: str) -> dict[str, Any]:
        """The ingredient as the library takes it.

        Titles are hashes: file names and roles are the user's words, and may be secret.
        """
        return {
            "title": self.sha256[:16],
            "format": media_type,
            "instance_id": uri_of_sha256(self.sha256),
            "relationship": self.relationship,
            "label": self.label,
        }

    @property
    def label(self) -> str:
        """By which the actions refer to it; the library gives it its final name."""
        return f"{self.relationship}-{self.sha256[:16]}"


def ingredients_of(record: ImageRecord, *, came_signed: bool) -> tuple[Ingredient, ...]:
    """Lists what went into a picture, each once: the table above, last column."""
    before: list[Ingredient] = []
    if came_signed:
        before.append(Ingredient(sha256=record.sha256, relationship="parentOf"))
    if record.parent_sha256 is not None:
        role: Literal["parentOf", "inputTo"] = "inputTo" if came_signed else "parentOf"
        before.append(Ingredient(sha256=record.parent_sha256, relationship=role))
    inputs = [Ingredient(sha256=use.sha256, relationship="inputTo") for use in record.references]
    return tuple(dict.fromkeys([*before, *inputs]))


def definition_of(
    record: ImageRecord,
    ingredients: Sequence[Ingredient],
    source_type: SourceType,
    *,
    came_signed: bool,
    instance_id: str | None,
) -> dict[str, Any]:
    """Writes the manifest definition that the library signs."""
    actions = _actions(record, ingredients, source_type, came_signed=came_signed)
    # Without "created" the library files the actions among those that it only gathered (seen in 0.38.1).
    assertion = {"label": "c2pa.actions.v2", "created": True, "data": {"actions": actions}}
    named = {} if instance_id is None else {"instance_id": instance_id}
    return {
        "claim_generator_info": [{"name": TOOL}],
        "title": record.sha256[:16],
        "format": record.checks.media_type,
        "assertions": [assertion],
        **named,
    }


def _actions(
    record: ImageRecord, ingredients: Sequence[Ingredient], source_type: SourceType, *, came_signed: bool
) -> list[dict[str, Any]]:
    opened = [each.label for each in ingredients if each.relationship == "parentOf"]
    inputs = [each.label for each in ingredients if each.relationship == "inputTo"]
    made: Mapping[str, Any] = {
        "when": record.made_at.isoformat(timespec="seconds"),
        "softwareAgent": {"name": MODEL, "version": record.request.model},
    }
    whole = {"digitalSourceType": uri_of(source_type)}
    if came_signed:
        return [_with("c2pa.opened", opened, **whole), _with("c2pa.edited.metadata", inputs)]
    if opened:
        edited = {**made, "digitalSourceType": uri_of(EDITED_WITH_AI)}
        return [_with("c2pa.opened", opened), _with("c2pa.edited", inputs, **edited)]
    return [_with("c2pa.created", inputs, **made, **whole)]


def _with(action: str, labels: Sequence[str], **fields: Any) -> dict[str, Any]:
    parameters = {"parameters": {"ingredientIds": list(labels)}} if labels else {}
    return {"action": action, **fields, **parameters}
