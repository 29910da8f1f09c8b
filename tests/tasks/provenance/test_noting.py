import io
import json
from collections.abc import Callable
from typing import Any

import c2pa  # type: ignore[import-untyped]  # ships no types
import pytest

from blocks.errors import ArchiveError, SetupError
from tasks.gate.admit import Expected, admit
from tasks.provenance import library, noting
from tasks.provenance.demo_certificates import DemoCertificates
from tasks.provenance.noting import with_credentials
from tasks.provenance.splice import media_type_of
from tests.tasks.gate.files import PNG, flipped
from tests.tasks.provenance.conftest import FORMATS

MADE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


@pytest.fixture
def signed(vendor_certificates: DemoCertificates) -> Callable[[bytes], bytes]:
    """Puts a vendor's manifest into a file."""

    def sign(data: bytes) -> bytes:
        actions = {"actions": [{"action": "c2pa.created", "digitalSourceType": MADE}]}
        definition = {"assertions": [{"label": "c2pa.actions.v2", "created": True, "data": actions}]}
        key = vendor_certificates.key
        secret = key.private_key.get_secret_value()
        info = c2pa.C2paSignerInfo(b"es256", key.certificate_chain.encode(), secret.encode(), None)
        context = c2pa.Context.from_dict(library.settings(), signer=c2pa.Signer.from_info(info))
        with context, c2pa.Builder(json.dumps(definition), context=context) as builder, io.BytesIO() as file:
            builder.sign(media_type_of(data), io.BytesIO(data), file)
            return file.getvalue()

    return sign


@pytest.mark.parametrize("file_format", FORMATS)
def test_what_a_manifest_says_today_is_noted(
    file_format: str, file_of: Callable[..., bytes], signed: Callable[[bytes], bytes]
) -> None:
    """Signatures rot: who signed, and that it held when the picture came, is worth keeping."""
    data = signed(file_of(file_format))
    checks = with_credentials(admit(data, Expected(), "it").checks, data)

    assert (checks.content_credentials, checks.credentials_issuer, checks.credentials_state) == (
        "present",
        "A vendor",
        "valid",
    )


def test_a_manifest_that_does_not_hold_is_noted_as_such(
    file_of: Callable[..., bytes], signed: Callable[[bytes], bytes]
) -> None:
    """A picture that was changed after it was signed is kept, and the note says so."""
    data = signed(file_of("JPEG"))
    checks = admit(data, Expected(), "it").checks

    assert with_credentials(checks, flipped(data, 0.9)).credentials_state == "invalid"


def test_a_picture_without_a_manifest_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most pictures have none, and cost nothing here."""

    def never(*_: Any) -> None:
        raise AssertionError("read")

    monkeypatch.setattr(noting, "read_credentials", never)
    checks = admit(PNG, Expected(), "it").checks

    assert with_credentials(checks, PNG) == checks


@pytest.mark.parametrize(
    ("error", "state"),
    [(SetupError("not installed"), None), (ArchiveError("odd"), "unreadable"), (ValueError("odd"), "unreadable")],
)
def test_no_trouble_with_a_manifest_keeps_a_picture_out(
    error: Exception, state: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was paid for; that it came with a manifest is recorded in any case."""

    def fail(_: bytes) -> None:
        raise error

    monkeypatch.setattr(noting, "read_credentials", fail)
    checks = admit(PNG, Expected(), "it").checks.model_copy(update={"content_credentials": "present"})
    noted = with_credentials(checks, PNG)

    assert noted == checks.model_copy(update={"credentials_state": state})
