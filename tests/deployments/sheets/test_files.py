import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.archive.layout import object_key, record_key, thumbnail_key
from deployments.sheets.files import FOR_EVER, ISOLATED, SHEET_POLICY, find_file, picture_type

SHA256 = "ab" + "0" * 62
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
OURS = re.compile(
    r"objects/[0-9a-f]{2}/[0-9a-f]{64}|records/[0-9a-f]{2}/[0-9a-f]{64}\.json"
    r"|thumbnails/[0-9a-f]{2}/[0-9a-f]{64}\.jpg|sheets/[\w.-]+/[\w.-]+/(index\.html|overview\.png)",
    re.ASCII,
)


def put(root: Path, key: str, data: bytes = PNG) -> Path:
    file = root / key
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file


@pytest.mark.parametrize(
    ("key", "media_type", "policy"),
    [
        (object_key(SHA256), "image/png", ISOLATED),
        (record_key(SHA256), "application/json", ISOLATED),
        (thumbnail_key(SHA256), "image/jpeg", ISOLATED),
        ("sheets/coffee-house/1/index.html", "text/html", SHEET_POLICY),
        ("sheets/_a-ab12cd34/2026-11-20/overview.png", "image/png", ISOLATED),
    ],
)
def test_what_a_sheet_shows_is_found(tmp_path: Path, key: str, media_type: str, policy: str) -> None:
    """Every key that a contact sheet links to is served, as what it is."""
    file = put(tmp_path, key)

    found = find_file(tmp_path, key)

    assert found is not None
    assert (found.path, found.media_type, found.headers["content-security-policy"]) == (file, media_type, policy)


@pytest.mark.parametrize(
    "key",
    [
        "catalogue.sqlite",
        "catalogue.sqlite-wal",
        "archive.json",
        "decisions/one.json",
        f"quarantine/ab/{SHA256}",
        f"tmp/ab/{SHA256}",
        "objects",
        "objects/ab",
        f"objects/cd/{SHA256}",
        f"objects/ab/{SHA256}\n",
        f"objects/ab/{SHA256.upper()}",
        "sheets/coffee-house/1/notes.html",
        "sheets/../1/index.html",
        "sheets/./1/index.html",
        "sheets/.hidden/1/index.html",
        "sheets/coffee-house/1/../../../catalogue.sqlite",
        f"objects/../objects/ab/{SHA256}",
        f"/objects/ab/{SHA256}",
        "sheets/a\0b/1/index.html",
    ],
)
def test_nothing_else_is_found(tmp_path: Path, key: str) -> None:
    """What is no key of a picture, record or sheet is not served, whether it is there or not."""
    for there in (
        "catalogue.sqlite",
        "archive.json",
        "decisions/one.json",
        f"quarantine/ab/{SHA256}",
        f"tmp/ab/{SHA256}",
    ):
        put(tmp_path, there)
    put(tmp_path, object_key(SHA256))
    put(tmp_path, f"objects/cd/{SHA256}")
    for there in ("notes.html", "index.html"):
        put(tmp_path, f"sheets/coffee-house/1/{there}")
    put(tmp_path, "sheets/.hidden/1/index.html")

    assert find_file(tmp_path, key) is None


@given(st.lists(st.sampled_from(["objects", "sheets", "records", "ab", SHA256, "..", ".", "", "index.html", "é"])))
def test_only_our_own_keys_are_ever_found(tmp_path_factory: pytest.TempPathFactory, parts: list[str]) -> None:
    """Whatever the path is made of: what is found has the shape of a key, and lies where the key says."""
    root = tmp_path_factory.getbasetemp() / "fuzzed"
    put(root, object_key(SHA256))
    put(root, "sheets/ab/ab/index.html")

    key = "/".join(parts)
    found = find_file(root, key)

    assert found is None or (OURS.fullmatch(key) and found.path == root / key)


def test_links_are_not_followed(tmp_path: Path) -> None:
    """A link out of the archive, or to something else in it, is as good as missing."""
    root = tmp_path / "archive"
    secret = put(tmp_path, "secret")
    catalogue = put(root, "catalogue.sqlite")
    for number, target in enumerate((secret, catalogue)):
        link = root / object_key(f"{number:064x}")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)
    (root / "sheets").mkdir()
    (root / "sheets" / "linked").symlink_to(put(tmp_path, "elsewhere/1/index.html").parents[1])

    assert find_file(root, object_key("0" * 64)) is None
    assert find_file(root, object_key(f"{1:064x}")) is None
    assert find_file(root, "sheets/linked/1/index.html") is None


def test_a_top_folder_may_lie_elsewhere(tmp_path: Path) -> None:
    """Who puts the objects onto a larger disk by a link still sees the pictures."""
    root = tmp_path / "archive"
    root.mkdir()
    file = put(tmp_path / "disk", object_key(SHA256))
    (root / "objects").symlink_to(tmp_path / "disk" / "objects")

    found = find_file(root, object_key(SHA256))

    assert found is not None
    assert found.path == file


def test_an_object_that_is_no_picture_is_only_ever_saved(tmp_path: Path) -> None:
    """A page that was stored as an object is never run: no type that a browser would act on, and an attachment."""
    put(tmp_path, object_key(SHA256), b"<script>alert(1)</script>")

    found = find_file(tmp_path, object_key(SHA256))

    assert found is not None
    assert found.media_type == "application/octet-stream"
    assert found.headers == {
        "cache-control": FOR_EVER,
        "content-security-policy": ISOLATED,
        "etag": f'"{SHA256}"',
        "content-disposition": f'attachment; filename="{SHA256}"',
    }


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF\0", "image/jpeg"),
        (b"RIFF\x24\0\0\0WEBPVP8 ", "image/webp"),
        (b"RIFF\x24\0\0\0WAVEfmt ", None),
        (b"<svg xmlns='http", None),
        (b"", None),
    ],
)
def test_pictures_are_known_by_their_first_bytes(head: bytes, media_type: str | None) -> None:
    """The three formats of the archive, and nothing that can hold a script."""
    assert picture_type(head) == media_type
