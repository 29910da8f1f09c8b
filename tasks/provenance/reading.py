"""What the content credentials in a file say, and whether they hold: asked when a picture comes in, and recorded.

Signatures rot: a certificate expires, and without a trusted time stamp the file then reads as invalid. What was seen on
the day it came is worth keeping.
"""

import io
import json
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from blocks.provider import Frozen
from tasks.provenance.library import c2pa, settings
from tasks.provenance.splice import media_type_of
from tasks.shown import one_line

SHOWN_CHARS = 120
_STATES: dict[str, Literal["invalid", "valid", "trusted"]] = {
    "Invalid": "invalid",
    "Valid": "valid",
    "Trusted": "trusted",
}


class ContentCredentials(Frozen):
    """The state of a file's content credentials. Its texts are strangers', made fit to be shown."""

    state: Literal["none", "unreadable", "invalid", "valid", "trusted"] = Field(
        description="valid: unchanged since it was signed; trusted: and by one of the given authorities."
    )
    issuer: str | None = None
    signer: str | None = Field(default=None, description="Common name in the certificate.")
    generator: str | None = None
    signed_at: str | None = Field(default=None, description="As the time-stamp authority says it.")
    source_types: tuple[str, ...] = Field(default=(), description="Of the actions of all manifests: IPTC's URIs.")
    manifests: int = Field(default=0, description="Manifests in the file: its own, and those of its ingredients.")
    problems: tuple[str, ...] = Field(default=(), description="Failure codes of the C2PA specification.")


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Generator(_Lenient):
    name: str = ""


class _Signature(_Lenient):
    issuer: str | None = None
    common_name: str | None = None
    time: str | None = None


class _Assertion(_Lenient):
    label: str = ""
    data: Any = None


class _Manifest(_Lenient):
    claim_generator_info: list[_Generator] = []
    signature_info: _Signature = _Signature()
    assertions: list[_Assertion] = []


class _Finding(_Lenient):
    code: str = ""


class _Findings(_Lenient):
    failure: list[_Finding] = []


class _Results(_Lenient):
    activeManifest: _Findings = _Findings()  # as the library names it


class _Report(_Lenient):
    active_manifest: str = ""
    manifests: dict[str, _Manifest] = {}
    validation_state: str = "Invalid"
    validation_results: _Results = _Results()


def read_credentials(data: bytes, *, trust_anchors: str | None = None) -> ContentCredentials:
    """Reads and checks the content credentials of a file. CPU work of some milliseconds; nothing is fetched.

    Args:
        data: A PNG, JPEG or WebP file.
        trust_anchors: Root certificates, as PEM, whose signatures count as trusted.

    Raises:
        SetupError: The library is not installed.
        ArchiveError: The bytes are in no format of ours.
    """
    library = c2pa()
    media_type = media_type_of(data)
    try:
        with library.Context.from_dict(settings(trust_anchors)) as context:
            reader = library.Reader.try_create(media_type, io.BytesIO(data), context=context)
            if reader is None:
                return ContentCredentials(state="none")
            with reader:
                report = _Report.model_validate(json.loads(reader.json()))
    except library.C2paError as error:
        return ContentCredentials(state="unreadable", problems=(one_line(str(error), SHOWN_CHARS),))
    return _summary(report)


def _summary(report: _Report) -> ContentCredentials:
    active = report.manifests.get(report.active_manifest, _Manifest())
    generator = active.claim_generator_info[0].name if active.claim_generator_info else None
    return ContentCredentials(
        state=_STATES.get(report.validation_state, "invalid"),
        issuer=_shown(active.signature_info.issuer),
        signer=_shown(active.signature_info.common_name),
        generator=_shown(generator),
        signed_at=_shown(active.signature_info.time),
        source_types=tuple(sorted(set(_source_types(report)))),
        manifests=len(report.manifests),
        problems=tuple(_shown(finding.code) or "" for finding in report.validation_results.activeManifest.failure),
    )


def _source_types(report: _Report) -> Iterator[str]:
    for manifest in report.manifests.values():
        for assertion in manifest.assertions:
            if assertion.label.startswith("c2pa.actions") and isinstance(assertion.data, dict):
                for action in assertion.data.get("actions") or ():
                    if isinstance(action, dict) and isinstance(action.get("digitalSourceType"), str):
                        yield one_line(action["digitalSourceType"], SHOWN_CHARS)


def _shown(text: str | None) -> str | None:
    return None if text is None else one_line(text, SHOWN_CHARS)
