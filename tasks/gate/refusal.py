"""Why the gate refuses bytes, as words that programs and people can go by."""

from enum import StrEnum


class Refusal(StrEnum):
    """Why bytes are not kept as a picture.

    The last three are whole pictures, and not those that were asked for: another download would bring the same. For
    the others the transfer may be to blame, so the bytes are downloaded again.
    """

    EMPTY = "empty"
    UNKNOWN_TYPE = "unknown_type"
    CUT_SHORT = "cut_short"
    DAMAGED = "damaged"
    TRAILING_BYTES = "trailing_bytes"
    OVERSIZED_METADATA = "oversized_metadata"
    ANIMATED = "animated"
    TOO_LARGE = "too_large"
    TOO_MANY_PIXELS = "too_many_pixels"
    UNDECODABLE = "undecodable"
    WRONG_DECLARED_TYPE = "wrong_declared_type"
    WRONG_FORMAT = "wrong_format"
    WRONG_SIZE = "wrong_size"


class Flaw(Exception):
    """What is wrong with a file, found by the gate; `admit` makes a `BadPicture` of it.

    Args:
        refusal: The kind of flaw.
        said: A predicate without its subject, such as "ends in the middle of a chunk".
    """

    def __init__(self, refusal: Refusal, said: str) -> None:
        super().__init__(said)
        self.refusal = refusal
