"""A picture on its way out: the one entry for exports and the contact sheet."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from blocks.errors import ArchiveError, SetupError
from tasks.models import ImageRecord
from tasks.provenance.signing import Signer
from tasks.provenance.source_type import AI_MARK, Lineage, source_type_of
from tasks.provenance.splice import manifest_in, with_packet
from tasks.provenance.xmp import packet_for

ProvenanceMode = Literal["none", "keep", "xmp", "full"]
"""What a copy carries. `none` and `keep`: the bytes as received, with whatever the provider put in them. `xmp`: our XMP
too. `full`: XMP and content credentials."""

NO_INPUTS: Mapping[str, bytes] = MappingProxyType({})


def mark(
    data: bytes,
    record: ImageRecord,
    mode: ProvenanceMode,
    *,
    lineage: Lineage = Lineage(),  # noqa: B008  # a frozen value
    inputs: Mapping[str, bytes] = NO_INPUTS,
    signer: Signer | None = None,
    with_prompt: bool = False,
    prompt_writer: str | None = None,
) -> bytes:
    """Makes the copy of a picture that leaves the archive. CPU work, of microseconds (`xmp`) or milliseconds (`full`).

    A file that the provider signed is left as it came in mode `xmp`: one changed byte would make its signature read as
    tampered with, and a signed AI mark is worth more than one that anybody can write.

    Args:
        data: The bytes as received.
        record: What the archive knows of them.
        mode: What the copy carries.
        lineage: What else is known of where the picture comes from.
        inputs: For `full`: what went into the picture, by SHA-256 of the received bytes: the parent and the references,
            as received or, so that chains stay whole, as copies that `full` has made.
        signer: For `full`: from `open_signer`.
        with_prompt: Puts the prompt into the XMP. Prompts can be personal or secret.
        prompt_writer: Who wrote the prompt; said only together with it.

    Raises:
        ArchiveError: The file is damaged; its XMP does not fit into a JPEG; the provider signed it without an AI mark,
            and mode is `xmp`; or it cannot be signed.
        SetupError: Mode is `full`, and there is no signer.
    """
    if mode in {"none", "keep"}:
        return data
    if mode == "xmp" and (manifest := manifest_in(data)):
        return _as_signed(data, manifest, record)
    source_type = source_type_of(record, lineage)
    packet = packet_for(record, source_type, with_prompt=with_prompt, prompt_writer=prompt_writer)
    copy = with_packet(data, packet)
    if mode == "xmp":
        return copy
    if signer is None:
        raise SetupError(
            "`--provenance full` signs each copy and needs a certificate: save a Signing Certificate block and "
            "name it, or use `--provenance xmp`."
        )
    return signer.sign(copy, data, record, source_type, inputs)


def _as_signed(data: bytes, manifest: bytes, record: ImageRecord) -> bytes:
    if AI_MARK in manifest:
        return data
    raise ArchiveError(
        f"{record.sha256[:16]} came with a signed manifest that does not call it AI-made, and XMP would break the "
        "signature. Use `--provenance full`, which keeps it as an ingredient, or `keep`."
    )
