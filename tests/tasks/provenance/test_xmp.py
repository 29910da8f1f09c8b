from collections.abc import Callable
from typing import Any, Final
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tasks.models import ImageRecord, ReferenceUse
from tasks.provenance.splice import with_packet
from tasks.provenance.xmp import NAMESPACES, instance_id_in, packet_for
from tests.tasks.provenance.conftest import FORMATS

MADE: Final = "trainedAlgorithmicMedia"
HOSTILE = [
    "Ein „Teekännchen“ – 日本語 \U0001f3a8\U0001f469‍\U0001f3a8 ñ",
    """Quotes ' " and <b>&amp;</b> ]]> <?xpacket end="w"?> </x:xmpmeta> <!-- -->""",
    "two\nlines, a\ttab and a\r\ncarriage return",
]
Read = Callable[[list[bytes]], list[dict[str, Any]]]


@pytest.mark.parametrize("file_format", FORMATS)
def test_exiftool_reads_every_field_back(
    file_format: str, file_of: Callable[..., bytes], record_for: Callable[..., ImageRecord], exiftool: Read
) -> None:
    """An independent reader finds each field under its name, equal."""
    data = file_of(file_format)
    uses = tuple(ReferenceUse(role="style", sha256=digit * 64) for digit in "de")
    record = record_for(data, prompt=HOSTILE[0], parent_sha256="c" * 64, references=uses)
    packet = packet_for(record, MADE, with_prompt=True, prompt_writer="Ada <ada@example.org>")
    (tags,) = exiftool([with_packet(data, packet)])
    assert "ExifTool:Warning" not in tags
    assert {name: value for name, value in tags.items() if name.startswith("XMP-")} == {
        "XMP-iptcExt:DigitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
        "XMP-iptcExt:AISystemUsed": "FLUX.2 [klein] 4B, by Scenario",
        "XMP-iptcExt:AISystemVersionUsed": "klein",
        "XMP-iptcExt:AIPromptInformation": HOSTILE[0],
        "XMP-iptcExt:AIPromptWriterName": "Ada <ada@example.org>",
        "XMP-dc:Description": HOSTILE[0],
        "XMP-dc:Identifier": f"nih:sha-256;{record.sha256}",
        "XMP-dc:Format": record.checks.media_type,
        "XMP-xmp:CreateDate": "2025:11:20 10:00:00+00:00",
        "XMP-xmp:CreatorTool": "Kleinbild",
        "XMP-xmpMM:DocumentID": f"nih:sha-256;{record.sha256}",
        "XMP-xmpMM:InstanceID": instance_id_in(packet),
        "XMP-xmpMM:DerivedFrom": {"DocumentID": "nih:sha-256;" + "c" * 64},
        "XMP-xmpMM:Ingredients": [{"DocumentID": "nih:sha-256;" + digit * 64} for digit in "de"],
    }


@pytest.mark.parametrize("file_format", FORMATS)
def test_exiftool_reads_hostile_prompts_back(
    file_format: str, file_of: Callable[..., bytes], record_for: Callable[..., ImageRecord], exiftool: Read
) -> None:
    """Unicode, quotes, markup and line ends arrive as they were written."""
    data = file_of(file_format)
    packets = [packet_for(record_for(data, prompt=text), MADE, with_prompt=True) for text in HOSTILE]
    tags = exiftool([with_packet(data, packet) for packet in packets])
    assert [each["XMP-iptcExt:AIPromptInformation"] for each in tags] == HOSTILE
    assert [each["XMP-dc:Description"] for each in tags] == HOSTILE


@given(prompt=st.text(min_size=1), writer=st.text())
@example(prompt="\x00\x0b\x1b\ud800￾￿", writer="\x85  \r")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_every_text_makes_a_packet_that_xml_reads_back(
    prompt: str, writer: str, plain_png: bytes, record_for: Callable[..., ImageRecord]
) -> None:
    """No text breaks out of its element; only what XML 1.0 cannot hold at all is replaced, one for one."""
    packet = packet_for(record_for(plain_png, prompt=prompt), MADE, with_prompt=True, prompt_writer=writer)
    fields = _fields(packet)
    assert fields["AIPromptInformation"] == "".join(char if _in_xml(char) else "\ufffd" for char in prompt)
    assert fields["AIPromptWriterName"] == "".join(char if _in_xml(char) else "\ufffd" for char in writer)
    assert set(fields) == set(_fields(packet_for(record_for(plain_png), MADE))) | {
        "AIPromptInformation",
        "AIPromptWriterName",
        "description",
    }


def test_the_prompt_is_said_only_when_it_is_wished(plain_png: bytes, record_for: Callable[..., ImageRecord]) -> None:
    """Prompts and names can be personal or secret; the mark must not leak them."""
    packet = packet_for(record_for(plain_png, prompt="our secret launch"), MADE, prompt_writer="Ada")
    assert b"secret" not in packet
    assert b"Ada" not in packet


def test_a_record_always_makes_the_same_packet(plain_png: bytes, record_for: Callable[..., ImageRecord]) -> None:
    """Exports can be compared byte for byte; copies that differ have different instance ids."""
    record = record_for(plain_png)
    assert packet_for(record, MADE) == packet_for(record, MADE)
    other = packet_for(record, "compositeWithTrainedAlgorithmicMedia")
    assert instance_id_in(other) != instance_id_in(packet_for(record, MADE)) is not None


def test_the_stand_in_is_never_called_the_model(plain_png: bytes, record_for: Callable[..., ImageRecord]) -> None:
    """A picture of the sandbox says so, whatever its mark."""
    fields = _fields(packet_for(record_for(plain_png, sandbox=True), MADE))
    assert fields["AISystemUsed"] == "Stand-in for FLUX.2 [klein] 4B, by the sandbox of Scenario"


def _fields(packet: bytes) -> dict[str, str]:
    described = ET.fromstring(packet.decode().partition("?>")[2]).find(".//rdf:Description", NAMESPACES)
    assert described is not None
    return {child.tag.partition("}")[2]: "".join(child.itertext()) for child in described}


def _in_xml(char: str) -> bool:
    point = ord(char)
    return char in "\t\n\r" or 0x20 <= point <= 0xD7FF or 0xE000 <= point <= 0xFFFD or point >= 0x10000
