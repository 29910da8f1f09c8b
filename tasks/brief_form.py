"""The short briefs that people fill in by hand, in the form of the Prefect UI: the few fields a stranger starts with.

Everything else of a brief keeps its default. Who needs more writes a brief file, and names it in the form. Texts are
plain: one of Prefect's two UIs shows Markdown as it is written.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from blocks.errors import BriefError
from blocks.provider import ProviderName
from tasks.brief import Name, ReferenceSource
from tasks.prompts import reference_numbers

Shape = Literal["square", "landscape", "portrait"]

SIZES_PX: dict[Shape, tuple[int, int]] = {"square": (1024, 1024), "landscape": (1216, 832), "portrait": (832, 1216)}
"""Width and height of about one megapixel, klein's native size, in multiples of 16."""

Instruction = Annotated[str, Field(min_length=1)]


# Other fields of a brief may stand beside a form's: what has some is read as a whole brief.
_OPEN = ConfigDict(frozen=True, extra="allow")
_BRIEF_FILE: Any = Field(
    default="",
    title="… or a brief file",
    description="Path on the worker, such as deployments/briefs/coffee-house.yaml. Then nothing above it is read.",
)
_REFERENCES: Any = Field(
    default=[],
    title="Reference pictures",
    description="Called @role in an edit. The source is a web address, or a file on the worker.",
)


class BriefForm(BaseModel):
    """Fill in a small brief by hand, or name a brief file at the end."""

    model_config = _OPEN | ConfigDict(title="Brief")

    name: Name = Field(
        default="first-try",
        title="Name of the campaign",
        description="Lower-case letters, digits and dashes. Running the same name again buys nothing twice.",
    )
    prompts: list[Instruction] = Field(
        default=[],
        title="Prompts",
        description="Such as: a {red|blue} teapot on a wooden table. That makes a picture of each choice.",
    )
    seeds: int = Field(default=2, ge=1, le=1000, title="Pictures of each prompt")
    shape: Shape = Field(default="square", title="Shape")
    instructions: list[Instruction] = Field(
        default=[],
        title="Edits",
        description="Applied to the distinct pictures one after the other, such as: Turn it into a watercolor.",
    )
    references: list[ReferenceSource] = _REFERENCES
    file: str = _BRIEF_FILE

    def document(self) -> dict[str, Any]:
        """Writes the brief that a file would hold."""
        width_px, height_px = SIZES_PX[self.shape]
        return {
            "name": self.name,
            "prompts": self.prompts,
            "seeds": self.seeds,
            "generate": {"width_px": width_px, "height_px": height_px},
            **_edits(self.instructions, self.references, "sunra"),
        }


class RevisionForm(BaseModel):
    """Say what shall be made of the pictures, or name a brief file at the end."""

    model_config = _OPEN | ConfigDict(title="Revision")

    name: Name = Field(
        default="revisions", title="Name of the campaign", description="The new pictures belong to this campaign."
    )
    instructions: list[Instruction] = Field(
        default=[],
        title="Edits",
        description="Applied one after the other, such as: Turn it into a watercolor.",
    )
    references: list[ReferenceSource] = _REFERENCES
    provider: ProviderName = Field(default="sunra", title="Who edits")
    file: str = _BRIEF_FILE

    def document(self) -> dict[str, Any]:
        """Writes the revision that a file would hold."""
        return {"name": self.name, **_edits(self.instructions, self.references, self.provider)}


def _edits(instructions: list[str], references: list[ReferenceSource], provider: ProviderName) -> dict[str, Any]:
    """Sends each edit the references that its text speaks of.

    Raises:
        BriefError: A reference is never spoken of.
    """
    roles = [reference.role for reference in references]
    edits = [
        {"instruction": text, "provider": provider, "references": [role for role in roles if _speaks_of(text, role)]}
        for text in instructions
    ]
    for role in roles:
        if not any(role in edit["references"] for edit in edits):
            raise BriefError(f"references: no edit speaks of @{role}. Write @{role} where it is meant, or remove it.")
    return {"references": [reference.model_dump() for reference in references], "edits": edits}


def _speaks_of(text: str, role: str) -> bool:
    return reference_numbers(text, (role,), first=1) != text
