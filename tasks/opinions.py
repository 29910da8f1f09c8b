"""What people think of pictures, beside keeping and rejecting them: stars."""

from pydantic import Field

from blocks.provider import Frozen

MOST_STARS = 5


class Stars(Frozen):
    """How many stars a person gave a picture; 0 takes them back."""

    sha256: str
    stars: int = Field(ge=0, le=MOST_STARS)


class Opinion(Stars):
    """What people said of a picture on a contact sheet, as it holds now."""

    is_kept: bool = False
