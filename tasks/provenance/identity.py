"""The names of pictures and models in provenance: the same in XMP and in content credentials."""

from tasks.models import ImageRecord

TOOL = "Kleinbild"
MODEL = "FLUX.2 [klein] 4B"
VENDORS = {"scenario": "Scenario", "sunra": "Sunra"}


def uri_of_sha256(sha256: str) -> str:
    """Names bytes by their hash: `nih:sha-256;9f86d081…`.

    RFC 6920, section 7: a registered scheme, unlike `urn:sha256:`. Its digits are those of the archive's file names, so
    that a search for one finds the other.
    """
    return f"nih:sha-256;{sha256}"


def system_of(record: ImageRecord) -> str:
    """The AI system that made a picture, for people: `FLUX.2 [klein] 4B, by Scenario`."""
    vendor = VENDORS[record.provider]
    return f"Stand-in for {MODEL}, by the sandbox of {vendor}" if record.sandbox else f"{MODEL}, by {vendor}"
