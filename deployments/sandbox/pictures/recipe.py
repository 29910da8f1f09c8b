"""Everything that decides how one picture looks."""

import hashlib
from dataclasses import dataclass
from typing import Literal

Edits = Literal["as_asked", "nothing", "everything"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """The whole input of a drawing: equal recipes give equal bytes.

    Attributes:
        output_format: ``png``, ``jpeg`` or ``webp``.
        loras: Pairs of id and scale.
        references: Asset ids of the pictures given to the model; the first one is what an edit starts from.
        edits: What an edit does: what its prompt says, nothing at all, or a picture of its own.
        repeat_rate: Share of seeds that fall back to the composition the model likes best for this prompt.
    """

    prompt: str
    seed: int
    width_px: int
    height_px: int
    output_format: str = "png"
    steps: int = 28
    guidance: float = 4.0
    loras: tuple[tuple[str, float], ...] = ()
    references: tuple[str, ...] = ()
    repeat_rate: float = 0.0
    edits: Edits = "as_asked"

    @property
    def composition_seed(self) -> int:
        """The seed of shapes and colours: its own for most seeds, one and the same for the repeated ones."""
        draw = number_from("repeat", self.prompt, self.seed) / 2**64
        return number_from(
            "composition", self.prompt, "favourite" if draw < self.repeat_rate else self.seed, self.loras
        )

    @property
    def grain_seed(self) -> int:
        """The seed of what differs in any case: grain and exposure."""
        return number_from("grain", self.prompt, self.seed, self.steps, self.guidance, self.loras)


def number_from(*parts: object) -> int:
    """A 64-bit number out of any printable values, the same on every machine."""
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest())
