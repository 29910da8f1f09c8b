"""Arranges a campaign's outcome for the eye: families, numbers, duplicates under their keepers. Pure."""

from collections.abc import Callable, Iterable, Mapping

from tasks.models import Failure, ImageRecord, Prompt
from tasks.report.view import FailureGroup, Family, Frame, Repeats, Section, Sheet, SheetView


def build_view(sheet: Sheet, unreadable: frozenset[str] = frozenset()) -> SheetView:
    """Arranges a sheet for the eye.

    Args:
        sheet: The campaign's outcome.
        unreadable: SHA-256 of pictures whose bytes are missing or broken: they get a placeholder.
    """
    album = _Album(sheet, unreadable)
    families = [album.family(root) for root in album.roots if root not in album.folded]
    return SheetView(
        sheet=sheet,
        sections=_by_prompt(families, album),
        archive_repeats=album.archive_repeats(),
        failures=_by_kind(sheet.failures),
        references=tuple(
            Frame(label=use.role, sha256=use.sha256, state="archived", readable=use.sha256 not in unreadable)
            for use in dict.fromkeys(sheet.references)
        ),
    )


def number_frames(images: Iterable[ImageRecord]) -> dict[str, str]:
    """Numbers pictures as their sheet does: SHA-256 and label. Later pictures do not change the numbers before them."""
    shown = tuple(images)
    by_sha256 = {image.sha256: image for image in reversed(shown)}
    order = dict.fromkeys(image.sha256 for image in shown)
    return dict(_number(_group(order, lambda sha256: _root_of(sha256, by_sha256))))


def pictures_of(sheet: Sheet) -> tuple[str, ...]:
    """Names every picture that the page shows: images, parents and keepers from the archive, references."""
    images = [image.sha256 for image in sheet.images]
    parents = [image.parent_sha256 for image in sheet.images if image.parent_sha256 is not None]
    keepers = [verdict.keeper_sha256 for verdict in sheet.verdicts if verdict.sha256 in set(images)]
    references = [use.sha256 for use in sheet.references]
    return tuple(dict.fromkeys(images + parents + keepers + references))


class _Album:
    """The pictures of a sheet, linked: parents, children, numbers, keepers."""

    def __init__(self, sheet: Sheet, unreadable: frozenset[str]) -> None:
        self.images = {image.sha256: image for image in reversed(sheet.images)}
        self.order = tuple(dict.fromkeys(image.sha256 for image in sheet.images))
        self.verdicts = {verdict.sha256: verdict for verdict in sheet.verdicts}
        self.opinions = {opinion.sha256: opinion for opinion in sheet.opinions}
        self._flagged = {flagged.sha256: flagged for flagged in sheet.flagged}
        self._unreadable = unreadable
        self._members = _group(self.order, lambda sha256: _root_of(sha256, self.images))
        self._children = _group(self.order, lambda sha256: self.images[sha256].parent_sha256 or "")
        self._repeats = _group((sha256 for sha256 in self.order if self._is_duplicate(sha256)), self._keeper_of)
        self.roots = tuple(self._members)
        self._labels = dict(_number(self._members))
        self.folded = frozenset(sha256 for sha256 in self.order if self._is_folded(sha256))

    def frame(self, sha256: str) -> Frame:
        image, verdict = self.images.get(sha256), self.verdicts.get(sha256)
        keeper = self._labels.get(self._keeper_of(sha256)) if verdict and verdict.kind == "duplicate" else None
        return Frame(
            label=self._labels.get(sha256, "archive"),
            sha256=sha256,
            state="archived" if image is None else "unjudged" if verdict is None else verdict.kind,
            readable=sha256 not in self._unreadable,
            image=image,
            verdict=verdict,
            repeats=keeper,
            opinion=self.opinions.get(sha256),
            before=self._instruction_before(image),
            flagged=self._flagged.get(sha256),
        )

    def _instruction_before(self, image: ImageRecord | None) -> str:
        parent = None if image is None or image.parent_sha256 is None else self.images.get(image.parent_sha256)
        return parent.request.prompt if parent is not None and parent.step > 0 else ""

    def family(self, root: str) -> Family:
        strips = tuple(tuple(self.frame(sha256) for sha256 in path) for path in self._paths((root,)) if len(path) > 1)
        shown = dict.fromkeys([root, *(frame.sha256 for strip in strips for frame in strip)])
        groups = (Repeats(keeper=self.frame(sha256), duplicates=self._repeats_of(sha256)) for sha256 in shown)
        return Family(
            root=self.frame(root), strips=strips, repeats=tuple(group for group in groups if group.duplicates)
        )

    def archive_repeats(self) -> tuple[Repeats, ...]:
        return tuple(
            Repeats(keeper=self.frame(keeper), duplicates=self._repeats_of(keeper))
            for keeper in self._repeats
            if keeper not in self.images
        )

    def prompt_of(self, family: Family) -> Prompt:
        first = self.images[family.root.sha256 if family.root.image else self._members[family.root.sha256][0]]
        return first.prompt

    def _repeats_of(self, keeper: str) -> tuple[Frame, ...]:
        return tuple(self.frame(sha256) for sha256 in self._repeats.get(keeper, ()) if sha256 != keeper)

    def _is_duplicate(self, sha256: str) -> bool:
        verdict = self.verdicts.get(sha256)
        return verdict is not None and verdict.kind == "duplicate"

    def _is_folded(self, sha256: str) -> bool:
        # A duplicate that was edited stays where its chain starts, and so does an edit in its chain.
        keeper = self._keeper_of(sha256)
        alone = self._members.get(sha256) == [sha256]
        return alone and self._is_duplicate(sha256) and keeper != sha256 and not self._is_duplicate(keeper)

    def _keeper_of(self, sha256: str) -> str:
        """Follows verdicts to a picture that is no duplicate; guards against verdicts that point at each other."""
        seen = {sha256}
        while self._is_duplicate(sha256) and (keeper := self.verdicts[sha256].keeper_sha256) not in seen:
            seen.add(keeper)
            sha256 = keeper
        return sha256

    def _paths(self, path: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
        children = [sha256 for sha256 in self._children.get(path[-1], ()) if sha256 not in path]
        if not children:
            yield path
        for child in children:
            yield from self._paths((*path, child))


def _root_of(sha256: str, images: Mapping[str, ImageRecord]) -> str:
    """Climbs to the first parent; an edit that gave back the bytes of an ancestor ends the climb."""
    seen = {sha256}
    while (image := images.get(sha256)) and (parent := image.parent_sha256) and parent not in seen:
        seen.add(parent)
        sha256 = parent
    return sha256


def _group(items: Iterable[str], key: Callable[[str], str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def _number(members: Mapping[str, list[str]]) -> Iterable[tuple[str, str]]:
    for number, (root, family) in enumerate(members.items(), start=1):
        yield root, str(number)
        edits = [sha256 for sha256 in family if sha256 != root]
        yield from ((sha256, f"{number}{_letters(index)}") for index, sha256 in enumerate(edits))


def _letters(index: int) -> str:
    """Counts as film does: A, B … Z, AA, AB and so on."""
    head, tail = divmod(index, 26)
    return (_letters(head - 1) if head else "") + chr(ord("A") + tail)


def _by_prompt(families: Iterable[Family], album: _Album) -> tuple[Section, ...]:
    groups: dict[str, tuple[Prompt, list[Family]]] = {}
    for family in families:
        prompt = album.prompt_of(family)
        groups.setdefault(prompt.text, (prompt, []))[1].append(family)
    return tuple(Section(prompt=prompt, families=tuple(members)) for prompt, members in groups.values())


def _by_kind(failures: Iterable[Failure]) -> tuple[FailureGroup, ...]:
    groups: dict[str, list[Failure]] = {}
    for failure in failures:
        groups.setdefault(failure.kind, []).append(failure)
    return tuple(FailureGroup(kind=kind, failures=tuple(members)) for kind, members in groups.items())
