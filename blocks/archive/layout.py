"""Where things lie in an archive: keys as pure functions, and what a key may look like.

A key is a relative POSIX path, the same in a folder and in an object store. Objects and records are spread over 256
folders by the first two digits of their SHA-256, as restic, DVC and git do it.
"""

import re

from blocks.errors import ArchiveError

MANIFEST_KEY = "archive.json"
CATALOGUE_FILE = "catalogue.sqlite"
TEMP_FOLDER = "tmp"
"""Half-written files of a folder store. On the same file system as everything else, and no part of the archive."""

MAX_KEY_LENGTH = 512
_MEANT_TO_STAY = ("decisions/", "objects/", "quarantine/", "records/", "repeats/")

_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def object_key(sha256: str) -> str:
    """Key of a picture's bytes, exactly as they were received."""
    return f"objects/{_checked(sha256)[:2]}/{sha256}"


def record_key(sha256: str) -> str:
    """Key of a picture's record (JSON)."""
    return f"records/{_checked(sha256)[:2]}/{sha256}.json"


def repeat_key(shot_key: str, output_index: int) -> str:
    """Key of what the record of one output of a shot would say, where another shot had made the very same bytes."""
    return f"repeats/{_checked(shot_key)[:2]}/{shot_key}-{output_index}.json"


def thumbnail_key(sha256: str) -> str:
    """Key of a picture's small copy (JPEG). Derived: it can be made again at any time."""
    return f"thumbnails/{_checked(sha256)[:2]}/{sha256}.jpg"


def quarantine_key(sha256: str) -> str:
    """Key of paid bytes that failed a check."""
    return f"quarantine/{_checked(sha256)[:2]}/{sha256}"


def quarantine_reason_key(sha256: str) -> str:
    """Key of the reason (JSON) why bytes are in quarantine."""
    return f"{quarantine_key(sha256)}.json"


def quarantine_repeat_key(sha256: str, shot_key: str, output_index: int) -> str:
    """Key of what the reason says for one output of a shot, where another one had got the very same bytes before."""
    return f"{quarantine_key(sha256)}-{_checked(shot_key)}-{output_index}.json"


def trash_key(sha256: str) -> str:
    """Key of bytes that nothing names any more, until they are deleted for good."""
    return f"trash/{_checked(sha256)[:2]}/{sha256}"


def trash_note_key(sha256: str) -> str:
    """Key of the note (JSON) that says since when they lie in the trash."""
    return f"{trash_key(sha256)}.json"


def decision_key(decision_id: str) -> str:
    """Key of something that a person decided.

    Raises:
        ArchiveError: The id is no plain name.
    """
    if _NAME.fullmatch(decision_id) is None:
        raise ArchiveError(f"{decision_id!r} cannot name a decision: use letters, digits, '.', '_' and '-'.")
    return f"decisions/{decision_id}.json"


def edition_key(edition_id: str) -> str:
    """Key of what an edition of a campaign consists of (JSON). Written anew whenever it is judged."""
    return f"editions/{edition_id}.json"


def is_meant_to_stay(key: str) -> bool:
    """Says whether what lies at a key is written once; only what is damaged there is ever replaced."""
    return key.startswith(_MEANT_TO_STAY)


def sha256_of_key(key: str) -> str | None:
    """The SHA-256 that a key of this archive names, or None where it names none."""
    name = key.rpartition("/")[2].removesuffix(".json")
    return name if _SHA256.fullmatch(name) else None


def check_key(key: str) -> None:
    """Refuses a key that could leave the archive or that some store could not hold.

    Raises:
        ArchiveError: Saying what is wrong with it.
    """
    if not key or len(key) > MAX_KEY_LENGTH:
        raise ArchiveError(f"A key has 1 to {MAX_KEY_LENGTH} characters; this one has {len(key)}.")
    if not key.isprintable() or "\\" in key:
        raise ArchiveError(f"Key {key!r} has a control character or a backslash: use plain names with '/'.")
    parts = key.split("/")
    if any(part in {"", ".", ".."} for part in parts):
        raise ArchiveError(f"Key {key!r} is no relative path inside the archive.")
    if parts[0] == TEMP_FOLDER:
        raise ArchiveError(f"Key {key!r} lies in {TEMP_FOLDER!r}, which is for half-written files only.")


def _checked(sha256: str) -> str:
    if _SHA256.fullmatch(sha256) is None:
        raise ArchiveError(f"{sha256!r} is no SHA-256: 64 digits of 0-9 and a-f.")
    return sha256
