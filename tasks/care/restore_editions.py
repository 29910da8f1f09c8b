"""Files of editions and decisions -> catalogue: what campaigns consist of, and the verdicts on their pictures.

Only for editions of which the catalogue knows nothing: what it knows is newer. Nothing is judged here, for how near is
too near stands in the brief: pictures of which no file says anything stay unjudged until their campaign is run again.
"""

from collections.abc import Iterable, Mapping

from blocks.archive.archive import Archive
from blocks.archive.catalogue import CatalogueEntry, VerdictRow
from blocks.errors import ArchiveError
from blocks.provider import Frozen
from tasks.care.findings import Finding, FindingKind
from tasks.decided import as_decided, decisions_on
from tasks.edition_file import EditionFile, edition_files, file_key, put_verdicts
from tasks.grouping import KEPT
from tasks.near import FINGERPRINT_RULE
from tasks.review import Standing
from tasks.rulings import Rulings, rulings_in

Edition = tuple[str, str]
"""Its campaign, and its name."""

Shot = tuple[str, int, int]
"""Its key, its position and its step."""


class RestoredEditions(Frozen):
    """What is known again of editions."""

    verdicts: int = 0
    unjudged: int = 0
    findings: tuple[Finding, ...] = ()


async def restore_editions(
    archive: Archive, of_records: Mapping[Edition, Iterable[Shot]], known: frozenset[Edition]
) -> RestoredEditions:
    """Puts back what editions consist of, and the verdicts there.

    An edition whose file cannot be read now is left alone, for a rebuild when it can be read, or has been taken away.

    Args:
        archive: The open archive; the rows of all images are there already.
        of_records: The shots that records name, by edition: for editions that have no file.
        known: Editions whose shots the catalogue knew before.

    Raises:
        ArchiveError: The store cannot be listed, or the database not be written.
    """
    findings: list[Finding] = []
    files: dict[Edition, EditionFile] = {}
    async for key, file in edition_files(archive.store):
        if isinstance(file, str):
            findings.append(Finding(kind=FindingKind.UNREADABLE, key=key, detail=file))
        else:
            files[file.campaign, file.edition] = file
    unreadable = {finding.key for finding in findings}
    rulings: Rulings | None = None
    verdicts = unjudged = 0
    for edition in sorted(files.keys() | of_records.keys() | known):
        if file_key(*edition) in unreadable:  # what it says is more than records do, and would be written over
            continue
        stored = files.get(edition)
        if edition not in known:  # at once: half of an edition would pass for all of it
            named = of_records.get(edition, ()) if stored is None else stored.members
            await archive.catalogue.add_members(*edition, sorted(set(named)))
        if await archive.catalogue.verdicts_of(*edition):
            continue
        try:
            # Once: they hold for all editions.
            rulings = await rulings_in(archive.store) if rulings is None else rulings
            put, left = await _restore_verdicts(edition, stored, rulings, archive)
        except ArchiveError as error:
            findings.append(Finding(kind=FindingKind.UNREADABLE, key="decisions/", detail=str(error)))
            continue
        verdicts, unjudged = verdicts + put, unjudged + left
    return RestoredEditions(verdicts=verdicts, unjudged=unjudged, findings=tuple(findings))


async def _restore_verdicts(
    edition: Edition, stored: EditionFile | None, rulings: Rulings, archive: Archive
) -> tuple[int, int]:
    """Puts the verdicts of one edition back; returns how many, and how many of its pictures have none."""
    standing = Standing(await decisions_on(*edition, archive.store, rulings))
    images = await archive.catalogue.images_of(*edition)
    if stored is not None:
        rows = [as_decided(row, standing, rulings.apart) for row in stored.verdicts]
    else:
        rows = _as_decided_alone(edition, images, standing)
    if rows:
        await put_verdicts(*edition, rows, archive)
    return len(rows), len({image.sha256 for image in images} - {row.sha256 for row in rows})


def _as_decided_alone(edition: Edition, images: Iterable[CatalogueEntry], standing: Standing) -> list[VerdictRow]:
    """Says of pictures that a person has rejected or kept what became of them, and nothing of the others."""
    kept = {opinion.sha256 for opinion in standing.opinions if opinion.is_kept}
    sha256s = sorted({image.sha256 for image in images} & (standing.rejected.keys() | kept))
    return [
        VerdictRow(
            campaign=edition[0],
            edition=edition[1],
            sha256=sha256,
            kind="rejected" if sha256 in standing.rejected else "keeper",
            keeper_sha256=sha256,
            distance_bits=0,
            reason=standing.rejected.get(sha256, KEPT),
            rule=FINGERPRINT_RULE,
        )
        for sha256 in sha256s
    ]
