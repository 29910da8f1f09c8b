from collections.abc import Callable

import pytest

from blocks.errors import SetupError
from tasks.models import ImageRecord
from tasks.provenance.marking import ProvenanceMode, mark
from tasks.provenance.splice import packet_of
from tasks.provenance.xmp import packet_for


@pytest.mark.parametrize("mode", ["none", "keep"])
def test_bytes_leave_as_they_came(
    mode: ProvenanceMode, plain_png: bytes, record_for: Callable[..., ImageRecord]
) -> None:
    """Whoever asks for the original gets it."""
    assert mark(plain_png, record_for(plain_png), mode) == plain_png


def test_xmp_marks_a_copy(plain_png: bytes, record_for: Callable[..., ImageRecord]) -> None:
    """The packet of the record, with the prompt only where it is wished."""
    record = record_for(plain_png)
    marked = packet_for(record, "trainedAlgorithmicMedia")
    told = packet_for(record, "trainedAlgorithmicMedia", with_prompt=True, prompt_writer="Ada")
    assert packet_of(mark(plain_png, record, "xmp")) == marked
    assert packet_of(mark(plain_png, record, "xmp", with_prompt=True, prompt_writer="Ada")) == told


def test_full_needs_a_signer(plain_png: bytes, record_for: Callable[..., ImageRecord]) -> None:
    """Never a copy with less in it than was asked for."""
    with pytest.raises(SetupError, match="Signing Certificate"):
        mark(plain_png, record_for(plain_png), "full")
