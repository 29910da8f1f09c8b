"""The XMP packet of a picture: the AI mark, the system that made it, and what it derives from.

Properties and namespaces: IPTC Photo Metadata Standard 2025.1 (Iptc4xmpExt), XMP specification parts 1 and 2 (dc, xmp,
xmpMM, stRef). The packet of a record is always the same bytes, so that exports can be compared.
"""

import hashlib
import re
from collections.abc import Iterable
from xml.sax.saxutils import escape

from tasks.models import ImageRecord
from tasks.provenance.identity import TOOL, system_of, uri_of_sha256
from tasks.provenance.source_type import SourceType, uri_of

NAMESPACES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpMM": "http://ns.adobe.com/xap/1.0/mm/",
    "stRef": "http://ns.adobe.com/xap/1.0/sType/ResourceRef#",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
}

# Everything outside XML 1.0's Char production, lone surrogates included: no escape can say these.
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_HEAD = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
_TAIL = '</x:xmpmeta>\n<?xpacket end="w"?>'


def packet_for(
    record: ImageRecord, source_type: SourceType, *, with_prompt: bool = False, prompt_writer: str | None = None
) -> bytes:
    """Writes the packet of a picture.

    Args:
        record: The picture.
        source_type: The AI mark, from `source_type_of`.
        with_prompt: Says the prompt too. Prompts can be personal or secret, so it takes an explicit wish.
        prompt_writer: Name of the person who wrote it; said only together with the prompt.

    Returns:
        UTF-8, ready for `splice.with_packet`. Characters that XML cannot hold have become U+FFFD.
    """
    lines = [*_marks(record, source_type), *_origin(record)]
    if with_prompt:
        lines += _prompt(record.request.prompt, prompt_writer)
    lines.append(_simple("xmpMM:InstanceID", _instance_id(record, lines)))
    return _packet(lines)


def packet_for_view(source_type: SourceType, systems: Iterable[str], derived_from: str | None = None) -> bytes:
    """Writes the packet of what only shows pictures: a small copy, an overview. It says that they are made by AI.

    No more than that: it is looked at, not worked with, and there are thousands.

    Args:
        source_type: The AI mark.
        systems: What made the pictures, from `system_of`.
        derived_from: SHA-256 of the one picture that it shows.
    """
    lines = [
        _simple("Iptc4xmpExt:DigitalSourceType", uri_of(source_type)),
        _simple("Iptc4xmpExt:AISystemUsed", "; ".join(dict.fromkeys(systems))),
        _simple("xmp:CreatorTool", TOOL),
    ]
    if derived_from is not None:
        lines.append(_derived_from(derived_from))
    return _packet(lines)


def _packet(lines: list[str]) -> bytes:
    body = "".join(f"  {line}\n" for line in lines)
    used = {prefix: uri for prefix, uri in NAMESPACES.items() if prefix != "rdf" and f"<{prefix}:" in body}
    declared = "".join(f'\n  xmlns:{prefix}="{uri}"' for prefix, uri in used.items())
    described = f' <rdf:Description rdf:about=""{declared}>\n{body} </rdf:Description>\n'
    return f'{_HEAD}<rdf:RDF xmlns:rdf="{NAMESPACES["rdf"]}">\n{described}</rdf:RDF>\n{_TAIL}'.encode()


def instance_id_in(packet: bytes) -> str | None:
    """The name that a packet of ours gives to its copy, for content credentials that have to say the same."""
    found = re.search(rb"<xmpMM:InstanceID>([^<]+)<", packet)
    return None if found is None else found[1].decode()


def _instance_id(record: ImageRecord, lines: list[str]) -> str:
    # Another prompt switch or another mark is another copy of the same document (XMP specification part 1).
    return "xmp.iid:" + hashlib.sha256("\n".join((record.sha256, *lines)).encode()).hexdigest()[:32]


def _marks(record: ImageRecord, source_type: SourceType) -> list[str]:
    return [
        _simple("Iptc4xmpExt:DigitalSourceType", uri_of(source_type)),
        _simple("Iptc4xmpExt:AISystemUsed", system_of(record)),
        _simple("Iptc4xmpExt:AISystemVersionUsed", record.request.model),
    ]


def _origin(record: ImageRecord) -> list[str]:
    this = uri_of_sha256(record.sha256)
    lines = [
        _simple("dc:identifier", this),
        _simple("dc:format", record.checks.media_type),
        _simple("xmp:CreateDate", record.made_at.isoformat(timespec="seconds")),
        _simple("xmp:CreatorTool", TOOL),
        _simple("xmpMM:DocumentID", this),
    ]
    if record.parent_sha256 is not None:
        lines.append(_derived_from(record.parent_sha256))
    if record.references:
        items = "".join(
            f'<rdf:li rdf:parseType="Resource">{_document(use.sha256)}</rdf:li>' for use in record.references
        )
        lines.append(f"<xmpMM:Ingredients><rdf:Bag>{items}</rdf:Bag></xmpMM:Ingredients>")
    return lines


def _prompt(prompt: str, writer: str | None) -> list[str]:
    described = f'<rdf:Alt><rdf:li xml:lang="x-default">{_text(prompt)}</rdf:li></rdf:Alt>'
    lines = [
        _simple("Iptc4xmpExt:AIPromptInformation", prompt),
        f"<dc:description>{described}</dc:description>",
    ]
    return lines if writer is None else [*lines, _simple("Iptc4xmpExt:AIPromptWriterName", writer)]


def _derived_from(sha256: str) -> str:
    return f'<xmpMM:DerivedFrom rdf:parseType="Resource">{_document(sha256)}</xmpMM:DerivedFrom>'


def _document(sha256: str) -> str:
    return _simple("stRef:documentID", uri_of_sha256(sha256))


def _simple(name: str, value: str) -> str:
    return f"<{name}>{_text(value)}</{name}>"


def _text(value: str) -> str:
    # A bare carriage return would be read back as a line feed (XML 1.0, section 2.11).
    return escape(_NO_XML.sub("\ufffd", value), {"\r": "&#xD;"})
