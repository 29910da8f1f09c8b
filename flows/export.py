"""Archive -> dataset: pictures leave the archive, as copies that say what they are."""

from datetime import date
from pathlib import Path

from prefect.artifacts import acreate_table_artifact
from prefect.context import FlowRunContext

from blocks.signing.block import SigningCertificate
from blocks.signing.key import SigningKey
from flows.accounts import BLOCK_NAME
from flows.archives import existing_archive
from flows.editions import edition_of, meant_to_start
from flows.history import keep_history
from flows.inputs import ArchiveInput
from flows.runnable import runnable
from tasks.export.export import Exported, export_pictures
from tasks.export.terms import CaptionKind, ExportFormat, Terms, Wanted, WantedVerdict
from tasks.provenance.marking import ProvenanceMode
from tasks.report.markdown import escape
from tasks.run_log import run_log
from tasks.steps import Steps


@runnable(name="export", flow_run_name="export as {format}")
async def export(
    format: ExportFormat = "imagefolder",
    campaign: str | None = None,
    edition: str | None = None,
    verdict: WantedVerdict = "keeper",
    prompt: str | None = None,
    since: date | None = None,
    until: date | None = None,
    captions: CaptionKind = "chain",
    provenance: ProvenanceMode = "xmp",
    with_prompt: bool = False,
    folder: Path | None = None,
    archive: ArchiveInput = None,
    certificate: SigningCertificate | None = None,
) -> Exported:
    """Copies pictures out of the archive, for other programs or for people. Buys nothing.

    Args:
        format: imagefolder (files and metadata.jsonl), webdataset (tar), parquet, zip, or kohya (picture and caption).
        campaign: Only what this campaign consists of.
        edition: Only what belongs to this edition; daily, hourly, weekly and monthly follow the clock.
        verdict: Only pictures of this verdict; any takes those that nobody has judged, too.
        prompt: Only pictures with this text in their prompt or instruction.
        since: Only pictures made on this day (UTC) or later.
        until: Only pictures made on this day (UTC) or earlier.
        captions: chain (prompt and all instructions after it), prompt (the picture's own alone), or none.
        provenance: xmp marks each copy as made by AI; full signs it, too; keep and none leave it as it was received.
        with_prompt: Write the prompt into the pictures as well. Prompts can be personal or secret.
        folder: Where the export goes: it must not exist yet. If left out, a new folder in the archive's `exports`; for
            an archive in a bucket it has to be named.
        archive: Where the pictures are. If left out: the saved block named default, or the folder named archive.
        certificate: Signs, for provenance full; the saved block named default if left out.

    Raises:
        BriefError: No picture is meant, or the folder holds something else.
        SetupError: There is no archive, a library or a certificate is missing, the folder cannot be written, or none is
            named where the archive is a bucket.
        ArchiveError: A picture is damaged, or cannot be marked as wished; nothing was exported.
    """
    wanted = Wanted(
        campaign=campaign or None,
        edition=edition_of(edition, meant_to_start()) if edition else None,
        verdict=verdict,
        since=since,
        until=until,
        prompt=prompt or None,
    )
    terms = Terms(format=format, filter=wanted, captions=captions, provenance=provenance, with_prompt=with_prompt)
    key = await _key(certificate) if provenance == "full" else None
    async with (await existing_archive(archive)).open(for_reading=True) as opened:
        exported = await export_pictures(opened, terms, folder, key=key, on_progress=Steps("exported"))
    await _tell(exported)
    await keep_history()
    return exported


async def _key(handed: SigningCertificate | None) -> SigningKey | None:
    """The key of the certificate that was handed over, or of the saved one; none where there is none."""
    if handed is not None:
        return handed.get_key()
    try:
        saved: SigningCertificate = await SigningCertificate.aload(BLOCK_NAME)
    except ValueError:  # what Prefect raises when there is no such block
        return None
    return saved.get_key()


async def _tell(exported: Exported) -> None:
    """Says in the log and in the artifact `export` what is where, and plainly what carries no mark."""
    log, terms = run_log(), exported.terms
    log.info("%d pictures as %s in %s", exported.pictures, terms.format, exported.folder)
    if terms.provenance == "none":
        log.warning("These pictures leave the archive without any mark of ours that says that AI made them.")
    if exported.left_out:
        log.warning(exported.left_out)
    if FlowRunContext.get() is None:
        return
    row = {
        "pictures": exported.pictures,
        "format": terms.format,
        "size": f"{exported.size_bytes / 1e6:.1f} MB",
        "provenance": terms.provenance,
        "folder": escape(exported.folder),
        "filter": escape(str(terms.filter)),
    }
    said = "Exported" if exported.is_new else "It was there already: nothing was done"
    await acreate_table_artifact([row], key="export", description=said)
