"""The form of a review in Prefect's UI: what a person fills in when a run waits."""

from typing import Annotated, ClassVar
from uuid import UUID

from prefect.input import RunInput
from prefect.input.actions import acreate_flow_run_input_from_model, aread_flow_run_input
from prefect.input.run_input import Keyset
from pydantic import BaseModel, ConfigDict, Field

from blocks.provider import Frozen
from tasks.frame_numbers import FRAME_PATTERN, FRAMES_PATTERN
from tasks.review import MAX_NOTE_LENGTH, MAX_NUMBERS_LENGTH, MAX_PROMPT_LENGTH, Again, Answer, Shown

_NUMBERS = Annotated[str, Field(pattern=FRAMES_PATTERN, max_length=MAX_NUMBERS_LENGTH)]


class MakeAgain(BaseModel):
    """Same seed and settings, another text. It is bought, and shown to you when it is there."""

    model_config = ConfigDict(title="Picture")

    number: str = Field(title="Number", pattern=FRAME_PATTERN, max_length=20, description="As under the picture.")
    prompt: str = Field(
        title="New text",
        min_length=1,
        max_length=MAX_PROMPT_LENGTH,
        description="Taken as it is; only `@role` becomes the number of its reference.",
    )


class Put(Frozen):
    """What a form was put with: what its numbers mean, and what it was filled in with."""

    shown: tuple[Shown, ...]
    earlier: Answer


class ReviewForm(RunInput):
    """Every rule stands in the JSON schema too, so that the UI refuses what the run could not read."""

    put: ClassVar[Put]

    reject: str
    keep_only: str
    again: list[MakeAgain]
    note: str

    def answer(self) -> Answer:
        """What was filled in, in our words."""
        again = tuple(Again(number=each.number, prompt=each.prompt) for each in self.again)
        return Answer(reject=self.reject, keep_only=self.keep_only, again=again, note=self.note)

    @classmethod
    async def asave(cls, keyset: Keyset, flow_run_id: UUID | None = None) -> None:
        """Saves what the numbers mean, and then the form: nobody can fill in one whose numbers mean nothing."""
        await acreate_flow_run_input_from_model(_put_key(keyset), cls.put, flow_run_id=flow_run_id)
        await super().asave(keyset, flow_run_id)


async def put_with(keyset: Keyset) -> Put:
    """Reads what a form was put with that this flow run has saved.

    Raises:
        ValidationError: There is nothing that could be read.
    """
    return Put.model_validate(await aread_flow_run_input(_put_key(keyset)))


def _put_key(keyset: Keyset) -> str:
    return f"{keyset['schema']}-put"


def form_for(put: Put, page: str) -> type[ReviewForm]:
    """Makes the form of one question.

    Args:
        put: What its numbers mean, and what it is filled in with.
        page: Markdown above the form.
    """
    earlier = put.earlier
    rows = [MakeAgain(number=each.number, prompt=each.prompt) for each in earlier.again]

    class Review(ReviewForm):
        """Leave it as it is and press Submit to keep all pictures."""

        reject: _NUMBERS = Field(
            default=earlier.reject, title="Reject these", description="Numbers, such as 2, 5, 7-9. Empty: none."
        )
        keep_only: _NUMBERS = Field(
            default=earlier.keep_only,
            title="… or keep only these",
            description="Numbers; all others are rejected. Empty: keep all that are not rejected above.",
        )
        again: list[MakeAgain] = Field(default=rows, title="Make these again")
        note: str = Field(
            default=earlier.note,
            title="Note",
            max_length=MAX_NOTE_LENGTH,
            description="Kept with the decision in the archive.",
        )

    Review.put = put
    return Review.with_initial_data(description=page)
