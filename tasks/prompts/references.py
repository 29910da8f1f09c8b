"""Turns the roles of references (`@product`) into the numbers by which the model knows them (`image 2`)."""

import re
from collections.abc import Sequence

# A " right behind a digit is an inch mark, unless it closes.
_QUOTED = r'(?<![0-9])"[^"]*"|“[^”]*”|„[^“”]*[“”]'


def reference_numbers(text: str, roles: Sequence[str], first: int) -> str:
    """Replaces `@role` by `image N`, the way in which FLUX.2 is told which picture is meant.

    Only whole words that are one of the roles are replaced: not `@productline`, `@product-line` or `info@product`.
    Double quotes, straight or curly, hold text that shall be visible in the picture: nothing in them is replaced. In a
    JSON prompt every string is in double quotes, so there nothing is replaced at all.

    Args:
        text: A finished edit instruction.
        roles: The roles of the references, in the order in which they are sent.
        first: Number of the first reference.
    """
    if not roles:
        return text
    numbers = {role: number for number, role in enumerate(roles, start=first)}
    names = "|".join(map(re.escape, roles))
    # Before the @ only ASCII counts as part of an address: Chinese and Japanese put no space there.
    pattern = re.compile(rf"{_QUOTED}|(?<![A-Za-z0-9_+-])@(?P<role>{names})(?!\w|-\w)")
    return pattern.sub(lambda match: f"image {numbers[match['role']]}" if match["role"] else match[0], text)
