"""The gate itself: paid bytes either pass as the picture that was asked for, or are refused with a reason.

The walk through the structure finds what decoders let pass (a missing end, bytes behind it, chunks that are gone); the
decode finds the rest. A flipped bit in the data of a JPEG or a WebP is found by neither: `tasks/care/verify.py` finds
it, by the SHA-256, if it happens after the picture was received.
"""

from collections.abc import Callable
from typing import TypeVar

from blocks.errors import BadPicture, WrongPicture
from blocks.provider import Frozen, PictureFormat, PictureRequest
from tasks.checks import Examined, examine, refuse_bomb
from tasks.gate.png import is_interlaced, refuse_missing_rows
from tasks.gate.refusal import Flaw, Refusal
from tasks.gate.structure import Structure, structure_of
from tasks.measured import Checks

MAX_SIZE_BYTES = 64 * 1024 * 1024

T = TypeVar("T")

_FORMATS: dict[str, PictureFormat] = {"image/png": "png", "image/jpeg": "jpeg", "image/webp": "webp"}
_OTHER_NAMES = {"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/x-png": "image/png"}
_SAY_NOTHING = frozenset({"application/octet-stream", "binary/octet-stream"})
"""What stores of objects say of bytes whose type nobody told them."""


class Expected(Frozen):
    """What a picture should be; None where nobody has said."""

    declared_type: str | None = None
    picture_format: PictureFormat | None = None
    width_px: int | None = None
    height_px: int | None = None

    @classmethod
    def of(cls, request: PictureRequest, declared_type: str | None) -> "Expected":
        """Takes from a request what it names, and from the server what it declared (`Content-Type`)."""
        return cls(
            declared_type=declared_type,
            picture_format=request.output_format,
            width_px=request.width_px,
            height_px=request.height_px,
        )


def admit(data: bytes, expected: Expected, shown_as: str) -> Examined:
    """Lets a paid picture pass, with all that one decode of it gives. Call it in a thread, it is CPU work.

    Args:
        data: The bytes as they came.
        expected: What was asked for and declared.
        shown_as: What the messages call it.

    Raises:
        BadPicture: The bytes are no good picture; another download may bring one. `reason` is a `Refusal`.
        WrongPicture: It is a whole picture, and not the one that was asked for.
    """
    structure = _structure(data, shown_as)
    refuse_bomb(structure.width_px, structure.height_px, shown_as)
    examined = examine(data, shown_as)
    if examined.checks.media_type == "image/png" and (examined.ends_black or is_interlaced(data)):
        _flawless(refuse_missing_rows, data, shown_as)
    _compare(examined.checks, structure, expected, shown_as)
    credentials = "present" if structure.has_credentials else "none"
    return examined._replace(checks=examined.checks.model_copy(update={"content_credentials": credentials}))


def _structure(data: bytes, shown_as: str) -> Structure:
    if len(data) > MAX_SIZE_BYTES:
        raise BadPicture(f"{shown_as} is larger than {MAX_SIZE_BYTES} bytes.", reason=Refusal.TOO_LARGE)
    return _flawless(structure_of, data, shown_as)


def _flawless(look: Callable[[bytes], T], data: bytes, shown_as: str) -> T:
    """Looks at the bytes; a flaw is said of the picture."""
    try:
        return look(data)
    except Flaw as flaw:
        raise BadPicture(f"{shown_as} {flaw}.", reason=flaw.refusal) from flaw


def _compare(checks: Checks, structure: Structure, expected: Expected, shown_as: str) -> None:
    """Holds what was decoded against what the file said of itself, and then against what was asked for."""
    if (checks.media_type, checks.width_px, checks.height_px) != structure[:3]:
        raise BadPicture(f"{shown_as} is not what its own header says.", reason=Refusal.DAMAGED)
    declared = _OTHER_NAMES.get(expected.declared_type or "", expected.declared_type)
    if declared not in {None, checks.media_type, *_SAY_NOTHING}:
        said = f"is {checks.media_type}, and was sent as {declared}"
        raise WrongPicture(f"{shown_as} {said}.", reason=Refusal.WRONG_DECLARED_TYPE)
    if expected.picture_format not in {None, _FORMATS[checks.media_type]}:
        said = f"is {checks.media_type}, where {expected.picture_format} was asked for"
        raise WrongPicture(f"{shown_as} {said}.", reason=Refusal.WRONG_FORMAT)
    asked = (expected.width_px or checks.width_px, expected.height_px or checks.height_px)
    if asked != (checks.width_px, checks.height_px):
        said = f"has {checks.width_px} x {checks.height_px} pixels, where {asked[0]} x {asked[1]} were asked for"
        raise WrongPicture(f"{shown_as} {said}.", reason=Refusal.WRONG_SIZE)
