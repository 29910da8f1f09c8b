import io
import re
from collections.abc import Callable

from PIL import Image

from tasks.models import ImageRecord, ReferenceUse
from tasks.provenance.splice import packet_of
from tasks.provenance.views import marked_overview, marked_thumbnail

MOST_BYTES = 1024


def facts_in(data: bytes) -> dict[str, str]:
    packet = packet_of(data)
    assert packet is not None
    return dict(re.findall(r"<([A-Za-z0-9]+:[A-Za-z]+)>([^<]+)<", packet.decode()))


def test_a_small_copy_says_what_it_is(image_of: Callable[..., ImageRecord], encode: Callable[..., bytes]) -> None:
    """The AI mark, who made it, and the picture that it shows; the pixels stay, and little is added."""
    small = encode(Image.linear_gradient("L").convert("RGB"), "JPEG")
    marked = marked_thumbnail(small, image_of())

    assert facts_in(marked) == {
        "Iptc4xmpExt:DigitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
        "Iptc4xmpExt:AISystemUsed": "Stand-in for FLUX.2 [klein] 4B, by the sandbox of Scenario",
        "xmp:CreatorTool": "Kleinbild",
        "stRef:documentID": f"nih:sha-256;{'a' * 64}",
    }
    assert len(marked) - len(small) < MOST_BYTES
    assert Image.open(io.BytesIO(marked)).tobytes() == Image.open(io.BytesIO(small)).tobytes()


def test_an_overview_is_marked_for_all_of_its_pictures(
    image_of: Callable[..., ImageRecord], encode: Callable[..., bytes]
) -> None:
    """One picture with something foreign in it makes the overview a composite; each system is named once."""
    overview = encode(Image.linear_gradient("L"), "PNG")
    generated = image_of(sandbox=False)
    composed = image_of(provider="sunra", sandbox=False, references=(ReferenceUse(role="cup", sha256="c" * 64),))
    names = ("trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia")

    for records, name in zip(([generated] * 2, [generated, composed]), names, strict=True):
        facts = facts_in(marked_overview(overview, records))
        assert facts["Iptc4xmpExt:DigitalSourceType"].rpartition("/")[2] == name
    assert facts["Iptc4xmpExt:AISystemUsed"] == "FLUX.2 [klein] 4B, by Scenario; FLUX.2 [klein] 4B, by Sunra"
    assert marked_overview(overview, []) == overview
