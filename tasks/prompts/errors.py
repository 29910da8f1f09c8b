"""The error of a prompt that does not follow the grammar, with the place where it leaves it."""

from typing import Self

from blocks.errors import BriefError

EXCERPT_CHARACTERS = 24


class PromptSyntaxError(BriefError):
    """A prompt does not follow the grammar; nothing was bought.

    Args:
        message: Where, what is wrong, and how to mend it.
        where: Place in the brief, such as `prompts.0`.
        line: Line in the prompt, from 1.
        column: Character in that line, from 1.
    """

    def __init__(
        self, message: str, *, where: str | None = None, line: int | None = None, column: int | None = None
    ) -> None:
        super().__init__(message, where=where)
        self.line = line
        self.column = column

    @classmethod
    def at(cls, text: str, position: int, problem: str) -> Self:
        """Makes the error for one place.

        Args:
            text: The whole prompt.
            position: Offset of the offending character, from 0.
            problem: What is wrong there and how to mend it, as full sentences.
        """
        line = text.count("\n", 0, position) + 1
        column = position - text.rfind("\n", 0, position)
        excerpt = text[position : position + EXCERPT_CHARACTERS].partition("\n")[0]
        return cls(f"Prompt, line {line}, column {column}, at {excerpt!r}: {problem}", line=line, column=column)
