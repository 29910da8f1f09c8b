"""What is measured of a picture: figures of its bytes and pixels, as frozen values. How, say the modules they name."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from blocks.provider import Frozen

MediaType = Literal["image/png", "image/jpeg", "image/webp"]
PictureFlag = Literal["flat", "black", "released"]
DriftFlag = Literal["no_change", "too_little", "too_much"]
How = Literal["copy", "crop", "mirror"]
"""In what way one picture repeats another."""

HOW_IN_WORDS: dict[How, str] = {"copy": "", "crop": ", cropped", "mirror": ", mirrored"}
"""The same for people, at the end of what is said already."""

FINGERPRINT_DIGITS = 48
VIEWS = 10
"""The full picture, and a 3 x 3 grid of crops."""


def _hex(digits: int) -> StringConstraints:
    return StringConstraints(pattern=rf"^[0-9a-f]{{{digits}}}$")


class Signature(Frozen):
    """What a picture looks like in 298 bytes (`tasks/signature.py`), to find its copies, crops and mirror images by."""

    rule: str = Field(description="Name and version of the rule that made it: only what has the same rule compares.")
    views: Annotated[str, _hex(VIEWS * FINGERPRINT_DIGITS)] = Field(
        description="Fingerprints of the full picture and of its nine crops, 48 hexadecimal digits each."
    )
    mirror: Annotated[str, _hex(FINGERPRINT_DIGITS)] = Field(description="Fingerprint of the full picture, mirrored.")
    detail: int = Field(ge=0, le=128, description="How many of 128 differences of neighbours are more than noise.")
    gradient: int = Field(ge=0, le=255, description="How much there is to see at all; 255: enough, or more.")
    chroma: Annotated[str, _hex(64)] = Field(description="16 places, Cb and Cr of each, to tell colour variants apart.")


class Drift(Frozen):
    """How far an edit went from the picture that it was made of (`tasks/drift.py`)."""

    changed_share: float = Field(ge=0, le=1, description="Share of the picture that looks different, tints left out.")
    mean_change: float = Field(ge=0, le=1, description="Mean difference of all places, 1: black against white.")
    color_shift: float = Field(ge=0, description="Delta E of the mean colour of what did not change: a tint.")
    places: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{2})*$")] = Field(
        default="", description="Where: 16 x 16 places, row by row, two hexadecimal digits each; ff: wholly different."
    )

    @property
    def said(self) -> str:
        """The two figures for people: `34 % changed, colour shift 2.1`."""
        return f"{100 * self.changed_share:.0f} % changed, colour shift {self.color_shift:.1f}"


class Quality(Frozen):
    """Plain figures of a picture's luma, to sort and to filter by; no judgement (`tasks/quality.py`)."""

    sharpness: float = Field(ge=0, description="Variance of the Laplacian: small for blurred pictures.")
    contrast: float = Field(ge=0, le=1, description="Standard deviation, as a share of the whole range.")
    clipped_share: float = Field(ge=0, le=1, description="Share of pixels that are fully black or fully white.")
    entropy_bits: float = Field(ge=0, le=8, description="Bits per pixel that the distribution of luma holds.")


class Checks(Frozen):
    """What one full decode of the bytes found out."""

    media_type: MediaType
    width_px: int
    height_px: int
    size_bytes: int
    fingerprint: str = Field(description="48 hexadecimal digits: the 192 bits of `tasks/near.py`.")
    pixels_blake3: str | None = Field(
        default=None, description="BLAKE3 of size and decoded pixels (`tasks/pixels.py`): same pixels in other bytes."
    )
    pixels_sha256: str | None = Field(
        default=None, description="The same by SHA-256, in records of formats 2 and 3; null in all others."
    )
    signature: Signature | None = Field(
        default=None, description="What near-duplicates are found by; null: not signed."
    )
    quality: Quality | None = None
    flags: tuple[PictureFlag, ...] = Field(
        default=(),
        description="What a person should look at: `flat` (one colour all over, as of a placeholder), `black`; and "
        "`released`, where the gate refused the picture and a person took it in.",
    )
    content_credentials: Literal["none", "present"] | None = Field(
        default=None, description="Whether the bytes came with a C2PA manifest; null: nobody has looked."
    )
    credentials_issuer: str | None = Field(default=None, description="Who signed the manifest, as it was read then.")
    credentials_state: str | None = Field(default=None, description="What a validator said of it then, in its words.")
