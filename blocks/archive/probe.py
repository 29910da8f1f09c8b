"""What a store has to be able to do, and what to say of one that cannot.

rclone's S3 server and s3rver answer 200 to `If-None-Match: *` and overwrite: of 24 writers of one key, 24 were told
that they had won (archive notes, section 2). So no store is trusted before it was tried.
"""

from blocks.errors import SetupError
from blocks.provider import Frozen

FIRST = b"the first of two"
SECOND = b"the second of two, which must not win"
PART = slice(4, 9)
STRAY_AFTER_SECONDS = 3600.0
"""What a killed probe left may belong to one that lives: only older things are swept."""

_INSTEAD = (
    "Choose another root: a folder on a local disk, or a bucket of a store with conditional writes "
    "(AWS S3, Google Cloud Storage, Azure Blob Storage, Cloudflare R2, SeaweedFS)."
)


class Seen(Frozen):
    """What came of putting `FIRST` and then `SECOND` under one key.

    Args:
        first_won: The put of the first said that it wrote.
        second_won: The put of the second said so, too.
        read: What was there to read afterwards; None where there was nothing.
        part: What was read of `PART` alone; None where that cannot be read.
        is_listed: The key was in the list.
    """

    first_won: bool
    second_won: bool
    read: bytes | None
    part: bytes | None
    is_listed: bool


def judge(root: str, seen: Seen) -> None:
    """Refuses a store that lies.

    Raises:
        SetupError: Saying which promise it broke, what that would do to an archive, and what to do.
    """
    broken = next((what for is_broken, what in _promises(seen) if is_broken), None)
    if broken is not None:
        raise SetupError(f"The store {root} {broken}. {_INSTEAD}")


def _promises(seen: Seen) -> tuple[tuple[bool, str], ...]:
    return (
        (
            seen.read is not None and (seen.second_won or seen.read == SECOND),
            "overwrites what is put only if absent: two runs would overwrite each other's pictures",
        ),
        (not seen.first_won, "says that a new key was taken: pictures that were paid would not be kept"),
        (seen.read != FIRST, "does not give back what was just written: pictures that were paid could be gone"),
        (seen.part != FIRST[PART], "cannot read a part of an object"),
        (not seen.is_listed, "does not list what was just written: an archive could not be verified or rebuilt"),
    )
