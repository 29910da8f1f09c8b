"""Where pictures come from, as far as the archive knows: the records of all that went into them."""

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Self

from blocks.archive.catalogue import Catalogue
from blocks.errors import ArchiveError
from tasks.archive import read_record
from tasks.models import ImageRecord
from tasks.provenance.source_type import Lineage


class Family:
    """Pictures, with the parents and references of each, and theirs.

    Args:
        records: By SHA-256, all that is known.

    Raises:
        ArchiveError: Two pictures are said to have been made from each other.
    """

    def __init__(self, records: Mapping[str, ImageRecord]) -> None:
        self._records = records
        self._order = _oldest_first(records)
        self._generated = self._without_foreign_parts()

    @classmethod
    async def of(cls, records: Iterable[ImageRecord], catalogue: Catalogue) -> Self:
        """Looks up what pictures were made from, generation by generation."""
        known = {record.sha256: record for record in records}
        asked: set[str] = set(known)
        newest = list(known.values())
        while wanted := {sha256 for record in newest for sha256 in inputs_of(record)} - asked:
            asked |= wanted
            newest = [read_record(entry.record_json) for entry in await catalogue.entries(sorted(wanted))]
            known |= {record.sha256: record for record in newest}
        return cls(known)

    def ancestors_of(self, record: ImageRecord) -> tuple[ImageRecord, ...]:
        """What a picture is an edit of: its parent first, the first picture of its chain last."""
        found: list[ImageRecord] = []
        parent = record.parent_sha256
        while parent is not None and parent in self._records:
            found.append(self._records[parent])
            parent = self._records[parent].parent_sha256
        return tuple(found)

    def lineage_of(self, record: ImageRecord) -> Lineage:
        """What the marks of a picture depend on."""
        ancestors = self.ancestors_of(record)
        references = {use.sha256 for each in (record, *ancestors) for use in each.references}
        return Lineage(ancestors=ancestors, generated=references & self._generated)

    @property
    def sources(self) -> tuple[ImageRecord, ...]:
        """The pictures that others were made from: each comes after all that went into it."""
        used = {sha256 for record in self._records.values() for sha256 in inputs_of(record)}
        return tuple(self._records[sha256] for sha256 in self._order if sha256 in used)

    def _without_foreign_parts(self) -> frozenset[str]:
        """Picks what is known to be generated all through: nothing that we did not make went in anywhere."""
        pure: set[str] = set()
        for sha256 in self._order:
            if pure.issuperset(inputs_of(self._records[sha256])):
                pure.add(sha256)
        return frozenset(pure)


def inputs_of(record: ImageRecord) -> tuple[str, ...]:
    """SHA-256s of what went into a picture: its parent and its references."""
    parent = () if record.parent_sha256 is None else (record.parent_sha256,)
    return (*parent, *(use.sha256 for use in record.references))


def _oldest_first(records: Mapping[str, ImageRecord]) -> tuple[str, ...]:
    sorter = TopologicalSorter(
        {sha256: [each for each in inputs_of(record) if each in records] for sha256, record in records.items()}
    )
    try:
        return tuple(sorter.static_order())
    except CycleError as error:
        circle = " and ".join(sha256[:12] for sha256 in sorted(set(error.args[1])))
        raise ArchiveError(
            f"The records of {circle} say that they were made from each other: verify the archive."
        ) from error
