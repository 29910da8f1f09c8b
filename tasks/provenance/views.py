"""The AI mark in what a contact sheet shows: small copies of pictures, and the overview of all of them.

A saved thumbnail, or an overview that somebody posts, says what it is. The mark is spliced in as XMP, in microseconds
and less than a kilobyte, without touching a pixel.
"""

from collections.abc import Sequence

from tasks.models import ImageRecord
from tasks.provenance.identity import system_of
from tasks.provenance.source_type import Lineage, SourceType, source_type_of
from tasks.provenance.splice import with_packet
from tasks.provenance.xmp import packet_for_view

_NOTHING_KNOWN = Lineage()


def marked_thumbnail(thumbnail: bytes, record: ImageRecord) -> bytes:
    """Puts the mark into the small copy of a picture.

    Args:
        thumbnail: A JPEG from `tasks/thumbnails.py`.
        record: The picture.
    """
    source_type = source_type_of(record, _NOTHING_KNOWN)
    return with_packet(thumbnail, packet_for_view(source_type, [system_of(record)], record.sha256))


def marked_overview(overview: bytes, records: Sequence[ImageRecord]) -> bytes:
    """Puts the mark into the overview of many pictures; where there are none, there is nothing to mark.

    Args:
        overview: A PNG.
        records: The pictures that it shows.
    """
    if not records:
        return overview
    edited: SourceType = "compositeWithTrainedAlgorithmicMedia"
    kinds = {source_type_of(record, _NOTHING_KNOWN) for record in records}
    source_type: SourceType = edited if edited in kinds else "trainedAlgorithmicMedia"
    return with_packet(overview, packet_for_view(source_type, [system_of(record) for record in records]))
