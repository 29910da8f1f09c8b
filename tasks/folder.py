"""Foreign folders: finds the near-duplicates among pictures that no archive has. Reads, and changes nothing.

Every picture is signed as those of an archive are, by what it shows and not by its name; nothing is remembered.
"""

import asyncio
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from blocks.errors import BadPicture, BriefError
from blocks.provider import Frozen
from tasks.brief import Dedupe
from tasks.checks import decode_and_check
from tasks.dedupe import WORKERS, detail_octaves, rule_text
from tasks.grouping import COLOR_VARIANT, Entrant, Merits, Placing, group
from tasks.likeness import Alikeness
from tasks.measured import Checks, How
from tasks.models import sha256_of
from tasks.shown import one_line
from tasks.signature import signature_row

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
MOST_BYTES = 256 * 1024 * 1024
"""A larger file is named as one that cannot be read: it is no picture that anybody looks at."""

AT_ONCE = 256
"""Pictures under way together; as many as the machine has cores are decoded at a time."""

MOST_LETTERS = 300


class Broken(Frozen):
    """A file that is called a picture and is none, and why."""

    path: str
    reason: str


class Member(Frozen):
    """A picture of a group."""

    path: str
    sha256: str
    width_px: int
    height_px: int
    distance_bits: int = 0
    how: How = "copy"
    because: str = ""
    """Why the keeper is the keeper; empty for the keeper itself."""
    is_color_variant: bool = False
    """Like the keeper in gray, in much other colours: kept, and named beside it."""


class FolderGroup(Frozen):
    """A keeper, and what repeats it: the nearest first, colour variants last."""

    keeper: Member
    members: tuple[Member, ...]


class FolderReport(Frozen):
    """What a look at a folder has found."""

    folder: str
    rule: str
    pictures: int
    distinct: int
    groups: tuple[FolderGroup, ...]
    """Of more than one picture, in the order of their keepers' paths."""
    skipped: int
    """Files of other kinds, and links to pictures that are listed themselves."""
    broken: tuple[Broken, ...]

    @property
    def duplicates(self) -> int:
        """How many pictures repeat another."""
        return self.pictures - self.distinct


class _Picture(NamedTuple):
    path: str
    sha256: str
    checks: Checks
    modified_at: float


class _Listing(NamedTuple):
    paths: tuple[str, ...]
    skipped: int


async def look_through(
    folder: Path,
    rule: Dedupe,
    *,
    on_read: Callable[[int, int], None] = lambda done, due: None,
    on_placed: Callable[[int, int], None] = lambda done, due: None,
) -> FolderReport:
    """Finds the near-duplicates in a folder, and in those below it; links to folders are not followed.

    Links to pictures that are listed themselves are skipped.

    Args:
        folder: Where to look.
        rule: What counts as a repeat.
        on_read: Told how many pictures are read.
        on_placed: Told how many are compared.

    Raises:
        BriefError: The folder cannot be read.
    """
    listing = await asyncio.to_thread(_listed, folder)
    decoders = asyncio.Semaphore(os.cpu_count() or 1)

    async def look(path: str) -> _Picture | Broken:
        async with decoders:
            return await asyncio.to_thread(_looked_at, folder, path)

    found: list[_Picture | Broken] = []
    for start in range(0, len(listing.paths), AT_ONCE):
        batch = listing.paths[start : start + AT_ONCE]
        found += await asyncio.gather(*map(look, batch))
        on_read(start + len(batch), len(listing.paths))
    pictures = {each.path: each for each in found if isinstance(each, _Picture)}
    entrants = [_entrant(each) for each in pictures.values()]
    placings = await asyncio.to_thread(group, entrants, Alikeness.of(rule), workers=WORKERS, on_progress=on_placed)
    return FolderReport(
        folder=shown(str(folder)),
        rule=rule_text(rule),
        pictures=len(pictures),
        distinct=sum(not each.follows for each in placings),
        groups=tuple(_groups(placings, pictures)),
        skipped=listing.skipped,
        broken=tuple(each for each in found if isinstance(each, Broken)),
    )


def shown(path: str) -> str:
    """A path as text: bytes that are none become U+FFFD."""
    return os.fsencode(path).decode("utf-8", errors="replace")


def _listed(folder: Path) -> _Listing:
    """Lists what is called a picture, and counts the rest."""

    def refuse(error: OSError) -> None:
        raise BriefError(f"{shown(str(error.filename))} cannot be read: {error.strerror or error}") from error

    paths: list[str] = []
    skipped = 0
    for here, _, names in os.walk(folder, onerror=refuse):
        called = [name for name in names if name.lower().endswith(SUFFIXES)]
        paths += [os.path.relpath(Path(here) / name, folder) for name in called]
        skipped += len(names) - len(called)
    own = _without_links_among(folder, sorted(paths))
    return _Listing(own, skipped + len(paths) - len(own))


def _without_links_among(folder: Path, paths: Sequence[str]) -> tuple[str, ...]:
    """Leaves out links to what is listed itself: no picture is to be taken for a repeat of a link to it."""
    root = folder.resolve()
    links = {path for path in paths if (folder / path).is_symlink()}
    listed = {str(root / path) for path in paths if path not in links}
    return tuple(path for path in paths if path not in links or os.path.realpath(folder / path) not in listed)


def _looked_at(folder: Path, path: str) -> _Picture | Broken:
    file = folder / path
    try:
        facts = file.stat()
        if not file.is_file() or facts.st_size > MOST_BYTES:
            return Broken(path=shown(path), reason=f"It is no file of at most {MOST_BYTES >> 20} MiB.")
        data = file.read_bytes()
        return _Picture(path, sha256_of(data), decode_and_check(data, "It"), facts.st_mtime)
    except OSError as error:
        return Broken(path=shown(path), reason=f"It cannot be read: {error.strerror or error}")
    except BadPicture as error:
        return Broken(path=shown(path), reason=one_line(str(error), MOST_LETTERS))


def _entrant(picture: _Picture) -> Entrant:
    checks = picture.checks
    pixels = checks.width_px * checks.height_px
    merits = Merits(
        is_flagged=bool(checks.flags),
        minus_quality=0 if checks.quality is None else -detail_octaves(checks.quality.sharpness, pixels),
        minus_pixels=-pixels,
        made_at=picture.modified_at,
        sha256=picture.sha256,
    )
    return Entrant(picture.path, signature_row(checks)[1], picture.path, merits=merits)


def _groups(placings: Sequence[Placing], pictures: Mapping[str, _Picture]) -> Iterator[FolderGroup]:
    members: defaultdict[str, list[Member]] = defaultdict(list)
    for placing in placings:
        if placing.leader is not None:
            members[placing.leader].append(_member(placing, pictures[placing.name]))
    for keeper in sorted(members):
        ordered = sorted(members[keeper], key=lambda each: (each.is_color_variant, each.distance_bits, each.path))
        yield FolderGroup(keeper=_member(None, pictures[keeper]), members=tuple(ordered))


def _member(placing: Placing | None, picture: _Picture) -> Member:
    member = Member(
        path=shown(picture.path),
        sha256=picture.sha256,
        width_px=picture.checks.width_px,
        height_px=picture.checks.height_px,
    )
    if placing is None or placing.resemblance is None:
        return member
    distance_bits, how = placing.resemblance
    said = {"distance_bits": distance_bits, "how": how, "because": placing.because}
    return member.model_copy(update={**said, "is_color_variant": placing.because == COLOR_VARIANT})
