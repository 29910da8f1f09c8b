"""What near-duplicates are found by, beside the images: one narrow row each, so that a million are read at once.

Knows bytes, and the name of the rule that made them, not what they mean.
"""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import LargeBinary, Select, Text, and_, func, literal, not_, select

from blocks.archive.schema import images, members, signatures, verdicts


class Signature(NamedTuple):
    """What a rule made of an image's pixels."""

    sha256: str
    rule: str
    signature: bytes


class Signed(NamedTuple):
    """What dedupe compares: a bare tuple, since an archive has millions of them."""

    sha256: str
    rule: str
    signature: bytes
    parent_sha256: str | None
    is_repeat: bool
    """Whether some campaign has found it to repeat another, or a person has rejected it: no picture is held to it."""


def select_images() -> Select[Any]:
    """Selects images with all that an entry of the catalogue holds."""
    rule = func.coalesce(signatures.c.rule, literal("", Text)).label("signature_rule")
    signature = func.coalesce(signatures.c.signature, literal(b"", LargeBinary)).label("signature")
    joined = images.outerjoin(signatures, signatures.c.sha256 == images.c.sha256)
    return select(images, rule, signature).select_from(joined)


def select_signed(
    exclude_campaign: str | None, exclude_edition: str | None, made_before: datetime | None = None
) -> Select[Any]:
    """Selects the signatures of images, the oldest first; without those of a campaign, or of one edition of it.

    All that it asks of the images lies in the index `images_by_age`: the images themselves are not read.
    """
    repeats = select(verdicts.c.sha256).where(verdicts.c.kind.in_(("duplicate", "rejected")))
    is_repeat = images.c.sha256.in_(repeats).label("is_repeat")
    statement = select(
        images.c.sha256, signatures.c.rule, signatures.c.signature, images.c.parent_sha256, is_repeat
    ).join(signatures, signatures.c.sha256 == images.c.sha256)
    if exclude_campaign is not None:
        statement = _without(statement, exclude_campaign, exclude_edition)
    if made_before is not None:
        statement = statement.where(images.c.made_at < made_before)
    return statement.order_by(images.c.made_at, images.c.sha256)


def _without(statement: Select[Any], campaign: str, edition: str | None) -> Select[Any]:
    """Leaves out what a campaign made, and what it contains although another one made it."""
    made_by_it = [images.c.campaign == campaign]
    its_members = select(members.c.shot_key).where(members.c.campaign == campaign)
    if edition is not None:
        made_by_it.append(images.c.edition == edition)
        its_members = its_members.where(members.c.edition == edition)
    return statement.where(not_(and_(*made_by_it)), images.c.shot_key.not_in(its_members))
