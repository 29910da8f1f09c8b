"""Which files of an archive a browser may read, and how it is told to treat each of them.

A path is served only if it looks exactly like a key that Kleinbild itself writes; so the catalogue, the ledger and
whatever else lies in the folder cannot be named at all.
"""

import re
from os import stat_result
from pathlib import Path
from typing import NamedTuple

_SHA256 = r"(?P<fan>[0-9a-f]{2})/(?P<sha256>(?P=fan)[0-9a-f]{62})"
_NAME = r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}"
_SHEET = rf"sheets/{_NAME}/{_NAME}"

FOR_EVER = "private, max-age=31536000, immutable"
ASK_FIRST = "private, no-cache"

ISOLATED = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
"""For pictures and records that are opened by themselves: browsers style them, and nothing in them may run."""

SHEET_POLICY = (
    "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page's own, stricter policy names its style and script by their hashes; a browser obeys both."""

SNIFFED_BYTES = 16
UNKNOWN = "application/octet-stream"


class Kind(NamedTuple):
    """One kind of file that may be read."""

    pattern: re.Pattern[str]
    media_type: str | None
    cache_control: str
    policy: str = ISOLATED


KINDS = (
    Kind(re.compile(f"objects/{_SHA256}"), None, FOR_EVER),
    Kind(re.compile(rf"records/{_SHA256}\.json"), "application/json", FOR_EVER),
    Kind(re.compile(rf"thumbnails/{_SHA256}\.jpg"), "image/jpeg", ASK_FIRST),
    Kind(re.compile(rf"{_SHEET}/index\.html"), "text/html", ASK_FIRST, SHEET_POLICY),
    Kind(re.compile(rf"{_SHEET}/overview\.png"), "image/png", ASK_FIRST),
)


class ServedFile(NamedTuple):
    """A file that may be read, and its HTTP headers."""

    path: Path
    stat: stat_result
    media_type: str
    headers: dict[str, str]


def find_file(root: Path, key: str) -> ServedFile | None:
    """Finds what a browser asks for; None where it is missing or none of its business.

    Args:
        root: Folder of the archive.
        key: The path after the first slash, already decoded.

    Raises:
        OSError: The file is there and cannot be read.
    """
    for kind in KINDS:
        if (match := kind.pattern.fullmatch(key)) is not None:
            path = _existing(root, key)
            return None if path is None else _described(path, kind, match.groupdict().get("sha256"))
    return None


def _existing(root: Path, key: str) -> Path | None:
    """Resolves a key. A person may have put one of the top folders elsewhere; no link inside it is followed."""
    folder, _, rest = key.partition("/")
    try:
        home = (root / folder).resolve(strict=True)
        found = (home / rest).resolve(strict=True)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found if found == home / rest and found.is_file() else None


def _described(path: Path, kind: Kind, sha256: str | None) -> ServedFile:
    stat = path.stat()
    media_type = kind.media_type or _sniffed(path)
    never_changes = kind.cache_control == FOR_EVER and sha256 is not None
    headers = {
        "cache-control": kind.cache_control,
        "content-security-policy": kind.policy,
        "etag": f'"{sha256}"' if never_changes else f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"',
    }
    if kind.media_type is None:
        headers["content-disposition"] = _disposition(str(sha256), media_type)
    return ServedFile(path, stat, media_type, headers)


def _sniffed(path: Path) -> str:
    """Tells the type of an object, which has no extension: a picture by its first bytes, or nothing in particular."""
    with path.open("rb") as file:
        return picture_type(file.read(SNIFFED_BYTES)) or UNKNOWN


def picture_type(head: bytes) -> str | None:
    """Names the media type of a picture that browsers show, from its first 16 bytes."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return None


def _disposition(sha256: str, media_type: str) -> str:
    """A picture opens in the browser and is saved under a useful name; anything else is only ever saved."""
    if media_type == UNKNOWN:
        return f'attachment; filename="{sha256}"'
    return f'inline; filename="{sha256[:16]}.{media_type.removeprefix("image/")}"'
