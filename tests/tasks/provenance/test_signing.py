"""Content credentials, written by us and read by the library's own validator."""

import io
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import c2pa  # type: ignore[import-untyped]  # ships no types
import pytest
from PIL import Image
from pydantic import SecretStr

from blocks.errors import ArchiveError, SetupError
from tasks.models import ImageRecord, ReferenceUse, sha256_of
from tasks.provenance import library
from tasks.provenance.demo_certificates import DemoCertificates, make_demo_certificates
from tasks.provenance.marking import mark
from tasks.provenance.reading import ContentCredentials, read_credentials
from tasks.provenance.signing import Signer, open_signer
from tasks.provenance.splice import manifest_in, media_type_of, packet_of, with_packet
from tests.tasks.provenance.conftest import FORMATS

MADE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
EDITED = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
Write = Callable[..., bytes]
MakeRecord = Callable[..., ImageRecord]


@pytest.fixture
def signer(certificates: DemoCertificates) -> Iterator[Signer]:
    """A signer with our demo certificates."""
    with open_signer(certificates.key) as opened:
        yield opened


@pytest.fixture
def vendor_signs(vendor_certificates: DemoCertificates) -> Callable[..., bytes]:
    """Puts a vendor's own manifest into a file, as Black Forest Labs does: created, by an AI model."""
    return lambda data, source_type=MADE: _signed_by(vendor_certificates, data, source_type)


def _signed_by(vendor: DemoCertificates, data: bytes, source_type: str, *, at_url: str | None = None) -> bytes:
    actions = {"actions": [{"action": "c2pa.created", "digitalSourceType": source_type}]}
    assertion = {"label": "c2pa.actions.v2", "created": True, "data": actions}
    definition = {"claim_generator_info": [{"name": "Vendor"}], "assertions": [assertion]}
    secret = vendor.key.private_key.get_secret_value()
    info = c2pa.C2paSignerInfo(b"es256", vendor.key.certificate_chain.encode(), secret.encode(), None)
    context = c2pa.Context.from_dict(library.settings(), signer=c2pa.Signer.from_info(info))
    with context, c2pa.Builder(json.dumps(definition), context=context) as builder, io.BytesIO() as signed:
        if at_url is not None:
            builder.set_no_embed()
            builder.set_remote_url(at_url)
        builder.sign(media_type_of(data), io.BytesIO(data), signed)
        return signed.getvalue()


def manifests_of(data: bytes) -> list[dict[str, Any]]:
    """All manifests in a file, the active one first."""
    with c2pa.Reader(media_type_of(data), io.BytesIO(data)) as reader:
        report = json.loads(reader.json())
    active = report["manifests"].pop(report["active_manifest"])
    return [active, *report["manifests"].values()]


def actions_of(manifest: dict[str, Any]) -> list[tuple[str, str | None]]:
    """Names and source types of a manifest's actions."""
    (assertion,) = [each for each in manifest["assertions"] if each["label"].startswith("c2pa.actions")]
    return [(action["action"], action.get("digitalSourceType")) for action in assertion["data"]["actions"]]


def ingredients_of(manifest: dict[str, Any]) -> list[tuple[str, str]]:
    """Relationships and names of a manifest's ingredients."""
    return [(each["relationship"], each["instance_id"]) for each in manifest.get("ingredients", ())]


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_chain_of_eight_edits_is_valid_and_whole(
    file_format: str, file_of: Write, record_for: MakeRecord, signer: Signer, certificates: DemoCertificates
) -> None:
    """Each copy holds the manifests of all before it; XMP and signature fit; the picture is untouched."""
    photograph = file_of("JPEG", number=99)
    inputs, parent = {sha256_of(photograph): photograph}, None
    uses = (ReferenceUse(role="product", sha256=sha256_of(photograph)),)
    for step in range(9):
        data = file_of(file_format, number=step)
        record = record_for(data, step=step, parent_sha256=parent, references=uses if step else ())
        copy = mark(data, record, "full", inputs=inputs, signer=signer)
        inputs[record.sha256], parent, grandparent = copy, record.sha256, parent
    assert read_credentials(copy, trust_anchors=certificates.trust_anchors) == ContentCredentials(
        state="trusted",
        issuer="Kleinbild demo",
        signer="Kleinbild demo signer",
        generator="Kleinbild",
        source_types=(EDITED, MADE),
        manifests=9,
    )
    last = manifests_of(copy)[0]
    assert actions_of(last) == [("c2pa.opened", None), ("c2pa.edited", EDITED)]
    assert set(ingredients_of(last)) == {
        ("parentOf", f"nih:sha-256;{grandparent}"),
        ("inputTo", f"nih:sha-256;{sha256_of(photograph)}"),
    }
    assert b"compositeWithTrained" in (packet_of(copy) or b"")
    assert _pixels(copy) == _pixels(data)
    assert len(copy) - len(data) < 100_000


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_flipped_byte_makes_it_invalid(
    file_format: str, file_of: Write, record_for: MakeRecord, signer: Signer, certificates: DemoCertificates
) -> None:
    """In the picture as in our XMP: nothing in the copy can be changed unseen."""
    data = file_of(file_format)
    copy = mark(data, record_for(data), "full", signer=signer)
    for place in (copy.index(b"Iptc4xmpExt:AISystemUsed>") + 30, copy.index(data[-200:-50]) + 70):
        changed = bytearray(copy)
        changed[place] ^= 1
        found = read_credentials(bytes(changed), trust_anchors=certificates.trust_anchors)
        assert (found.state, found.problems) == ("invalid", ("assertion.dataHash.mismatch",))


def test_a_generated_picture_is_created(file_of: Write, record_for: MakeRecord, signer: Signer) -> None:
    """First action, source type, and nothing else; XMP and manifest name the same copy; titles leak nothing."""
    data = file_of("PNG")
    copy = mark(data, record_for(data, prompt="secret launch"), "full", signer=signer)
    (manifest,) = manifests_of(copy)
    assert actions_of(manifest) == [("c2pa.created", MADE)]
    assert ingredients_of(manifest) == []
    assert manifest["title"] == sha256_of(data)[:16]
    assert manifest["instance_id"].encode() in (packet_of(copy) or b"")
    assert b"secret" not in copy


def test_references_are_inputs_of_the_creation(file_of: Write, record_for: MakeRecord, signer: Signer) -> None:
    """A photograph that went in is named, with the mark that fits it, even where its bytes are gone."""
    data, gone = file_of("PNG"), "c" * 64
    uses = (ReferenceUse(role="a", sha256=gone), ReferenceUse(role="b", sha256=gone))
    copy = mark(data, record_for(data, references=uses), "full", signer=signer)
    (manifest,) = manifests_of(copy)
    assert actions_of(manifest) == [("c2pa.created", EDITED)]
    assert ingredients_of(manifest) == [("inputTo", f"nih:sha-256;{gone}")]
    assert read_credentials(copy).state == "valid"


@pytest.mark.parametrize("file_format", FORMATS)
def test_the_providers_manifest_is_kept_as_an_ingredient(
    file_format: str,
    file_of: Write,
    record_for: MakeRecord,
    signer: Signer,
    vendor_signs: Callable[..., bytes],
    certificates: DemoCertificates,
) -> None:
    """What the vendor signed is still there, under its own signature; ours adds the lineage around it."""
    received = vendor_signs(file_of(file_format))
    record = record_for(received, step=1, parent_sha256="c" * 64)
    copy = mark(received, record, "full", signer=signer)
    ours, vendors = manifests_of(copy)
    assert read_credentials(copy, trust_anchors=certificates.trust_anchors).state == "trusted"
    assert (vendors["signature_info"]["issuer"], actions_of(vendors)) == ("A vendor", [("c2pa.created", MADE)])
    assert actions_of(ours) == [("c2pa.opened", MADE), ("c2pa.edited.metadata", None)]
    assert set(ingredients_of(ours)) == {
        ("parentOf", f"nih:sha-256;{record.sha256}"),
        ("inputTo", "nih:sha-256;" + "c" * 64),
    }
    assert _pixels(copy) == _pixels(received)


def test_xmp_leaves_a_signed_file_as_it_came(
    file_of: Write, record_for: MakeRecord, vendor_signs: Callable[..., bytes]
) -> None:
    """Its signed AI mark is worth more than ours, and one more chunk would make it read as tampered with."""
    received = vendor_signs(file_of("PNG"))
    assert read_credentials(with_packet(received, b"<xmp/>")).state == "invalid"
    assert mark(received, record_for(received), "xmp") == received


def test_xmp_refuses_a_signed_file_that_hides_that_it_is_ai(
    file_of: Write, record_for: MakeRecord, vendor_signs: Callable[..., bytes]
) -> None:
    """Neither a broken signature nor a picture without a mark leaves the archive."""
    received = vendor_signs(file_of("PNG"), "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture")
    with pytest.raises(ArchiveError, match="--provenance full"):
        mark(received, record_for(received), "xmp")


def test_an_ingredient_whose_certificate_has_expired_stays_an_ingredient(
    file_of: Write, record_for: MakeRecord, signer: Signer, certificates: DemoCertificates
) -> None:
    """Signatures rot; ours must not rot with the vendor's."""
    expiring = make_demo_certificates("A vendor", life=timedelta(seconds=3))  # the library signs with no expired one
    received = _signed_by(expiring, file_of("PNG"), MADE)
    time.sleep(4.1)  # certificates know whole seconds, and the last one is theirs
    assert "signingCredential.expired" in read_credentials(received).problems
    copy = mark(received, record_for(received), "full", signer=signer)
    assert read_credentials(copy, trust_anchors=certificates.trust_anchors).state == "trusted"
    assert len(manifests_of(copy)) == 2


@pytest.mark.parametrize("purpose", ["1.3.6.1.5.5.7.3.36", "1.3.6.1.4.1.62558.2.1"], ids=["documents", "c2pa"])
def test_certificates_for_other_purposes_sign_too(purpose: str, file_of: Write, record_for: MakeRecord) -> None:
    """Authorities give out certificates for documents and for C2PA itself; the library alone takes only e-mail's."""
    bought = make_demo_certificates(purpose=purpose)
    data = file_of("PNG")
    with open_signer(bought.key) as signer:
        copy = mark(data, record_for(data), "full", signer=signer)
    assert read_credentials(copy, trust_anchors=bought.trust_anchors).state == "trusted"


def test_one_signer_serves_many_threads(
    file_of: Write, record_for: MakeRecord, signer: Signer, certificates: DemoCertificates
) -> None:
    """Exports sign in threads, over one open key."""
    files = [file_of("WEBP", number=number) for number in range(8)]
    with ThreadPoolExecutor(4) as pool:
        copies = list(pool.map(lambda data: mark(data, record_for(data), "full", signer=signer), files))
    states = [read_credentials(copy, trust_anchors=certificates.trust_anchors).state for copy in copies]
    assert states == ["trusted"] * 8


def test_reading_fetches_nothing(file_of: Write, vendor_certificates: DemoCertificates) -> None:
    """A file that names an address must not make us call it."""
    asked: list[str] = []

    class Recorder(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:  # the base class names it so
            pass

    with HTTPServer(("127.0.0.1", 0), Recorder) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}/manifest.c2pa"
            linked = _signed_by(vendor_certificates, file_of("JPEG"), MADE, at_url=url)
            assert url.encode() in linked
            assert read_credentials(linked).state in {"none", "unreadable"}
        finally:
            server.shutdown()
            thread.join()
    assert asked == []


def test_states_of_files(file_of: Write, record_for: MakeRecord, signer: Signer) -> None:
    """None, garbage, and a signature of somebody whom nobody vouches for."""
    data = file_of("PNG")
    copy = mark(data, record_for(data), "full", signer=signer)
    broken = copy.replace(manifest_in(copy)[:60], b"\x00" * 60)
    found = read_credentials(copy)
    assert (found.state, found.problems) == ("valid", ("signingCredential.untrusted",))
    assert read_credentials(data) == ContentCredentials(state="none")
    assert read_credentials(broken).state == "unreadable"


@pytest.mark.parametrize(
    "change",
    [
        {"private_key": SecretStr("-----BEGIN PRIVATE KEY-----\nhidden")},
        {"algorithm": "es384"},
        {"certificate_chain": "no certificate"},
        {"certificate_chain": make_demo_certificates("Another").key.certificate_chain},
        make_demo_certificates(life=timedelta(hours=-1)).key.__dict__,
    ],
    ids=["no key", "algorithm", "no certificate", "certificate of another", "expired"],
)
def test_a_key_that_does_not_fit_is_refused_at_the_start(
    change: dict[str, Any], certificates: DemoCertificates
) -> None:
    """Before any picture is touched; and the message does not quote the key."""
    bad = certificates.key.model_copy(update=change)
    with pytest.raises(SetupError, match="must fit each other") as raised, open_signer(bad):
        pass
    assert "hidden" not in f"{raised.value}{raised.value.__cause__}"
    assert certificates.key.private_key.get_secret_value() not in f"{raised.value}{certificates!r}"


def test_the_missing_library_is_named(monkeypatch: pytest.MonkeyPatch, certificates: DemoCertificates) -> None:
    """The extra is optional: the message says what to install, and what works without it."""
    monkeypatch.setitem(sys.modules, "c2pa", None)
    with pytest.raises(SetupError, match="pip install c2pa-python"), open_signer(certificates.key):
        pass


def _pixels(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data)) as picture:
        return picture.tobytes()
