import hashlib
from pathlib import Path

import pytest

from deployments.accepting import accept
from tasks.brief import Brief
from tasks.brief_reading import load_brief
from tasks.documents import read_yaml

FIELDS = """name: cups
title: "2026-11-20"   # a text, not a date
prompts: ["a cup like @cup {on|off} the table"]
"""
PAIRS = "references: {cup: photographs/cup.jpg, web: 'https://example.com/a.jpg', home: ~/b.jpg, root: /c.jpg}\n"
LISTED = "references:\n- {role: cup, source: photographs/cup.jpg}\n- {role: root, source: /c.jpg}\n"
SENT = "generate: {provider: sunra, references: [cup]}\n"


def accepted(folder: Path, text: str) -> Path:
    content = text.encode()
    return accept(folder / "cups.yaml", content, hashlib.sha256(content).hexdigest())


def read(path: Path) -> Brief:
    return load_brief(path)


def test_characters_that_no_file_holds_stop_nobody(tmp_path: Path) -> None:
    """Half a character, which JSON and YAML can write: the watcher does not end of it."""
    copy = accepted(tmp_path, 'title: "\\uD800 für Jürgen"\nreferences: {cup: a.jpg}\n')

    document = read_yaml(copy)
    assert document == {"title": "\ud800 für Jürgen", "references": {"cup": str(tmp_path / "a.jpg")}}


@pytest.mark.parametrize("references", [PAIRS, LISTED], ids=["pairs", "listed"])
def test_a_copy_means_what_the_brief_meant(tmp_path: Path, references: str) -> None:
    """Wherever the copy lies, it reads as the brief does, its references included."""
    text = FIELDS + references + SENT
    (tmp_path / "cups.yaml").write_text(text, encoding="utf-8")

    copy = accepted(tmp_path, text)

    assert copy == tmp_path / "accepted" / hashlib.sha256(text.encode()).hexdigest() / "cups.yaml"
    assert read(copy) == read(tmp_path / "cups.yaml")
    assert read(copy).references[0].source == str(tmp_path / "photographs" / "cup.jpg")


@pytest.mark.parametrize(
    "text",
    [
        FIELDS,
        FIELDS + "references: {root: /c.jpg}\n",
        "no: [brief",
        "- a list",
        "references: 7\n",
        "references: [cup, {role: cup}, {source: 7}]\n",
        "references: {cup: ''}\n",
        f"references: {{cup: a.jpg}}\nseed: 0x{'f' * 5000}\n",
    ],
    ids=range(8),
)
def test_what_needs_no_change_is_kept_byte_for_byte(tmp_path: Path, text: str) -> None:
    """Also what is no brief at all: its run fails, and says why."""
    assert accepted(tmp_path, text).read_bytes() == text.encode()


def test_a_copy_is_written_once_and_leaves_nothing_else(tmp_path: Path) -> None:
    """A run may be reading it."""
    first = accepted(tmp_path, FIELDS + PAIRS)
    before = first.stat()

    assert accepted(tmp_path, FIELDS + PAIRS) == first
    assert (first.stat().st_ino, first.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [first]
