import pytest

from blocks.archive import layout
from blocks.errors import ArchiveError

SHA256 = "ab" + "0" * 62


def test_keys_are_the_documented_paths() -> None:
    """Keys are the archive's format: changing one makes every existing archive unreadable."""
    assert layout.object_key(SHA256) == f"objects/ab/{SHA256}"
    assert layout.record_key(SHA256) == f"records/ab/{SHA256}.json"
    assert layout.quarantine_key(SHA256) == f"quarantine/ab/{SHA256}"
    assert layout.quarantine_reason_key(SHA256) == f"quarantine/ab/{SHA256}.json"
    assert layout.decision_key("2026-11-20_a.1") == "decisions/2026-11-20_a.1.json"


@pytest.mark.parametrize("name", ["", "AB" + "0" * 62, "ab" + "0" * 61, "../" + "0" * 61, SHA256 + "\n"])
def test_what_is_no_sha256_makes_no_key(name: str) -> None:
    """Only 64 lower-case hex digits reach a path."""
    with pytest.raises(ArchiveError, match="is no SHA-256"):
        layout.object_key(name)


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a\n", "a" * 129])
def test_decisions_have_plain_names(name: str) -> None:
    """A decision's id cannot leave its folder."""
    with pytest.raises(ArchiveError, match="cannot name a decision"):
        layout.decision_key(name)


def test_a_key_tells_its_sha256() -> None:
    """`sha256_of_key` undoes the keys, and answers None for any other file."""
    assert layout.sha256_of_key(layout.object_key(SHA256)) == SHA256
    assert layout.sha256_of_key(layout.record_key(SHA256)) == SHA256
    assert layout.sha256_of_key("objects/ab/.DS_Store") is None
    assert layout.sha256_of_key("archive.json") is None
