import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from blocks.archive.layout import object_key
from deployments.sheets.app import create_app

SHA256 = "cd" + "1" * 62
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
HOSTILE = "<img src=x onerror=alert(1)> & Söhne"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "archive"
    put(root, object_key(SHA256), PNG)
    put(root, "sheets/teapots/1/index.html", page("Teapots of the world"))
    put(root, "sheets/teapots/1/overview.png", PNG)
    put(root, "sheets/teapots/2/index.html", page(HOSTILE))
    os.utime(root / "sheets/teapots/1/index.html", (1_000_000_000, 1_000_000_000))
    return root


@pytest.fixture
async def browser(root: Path) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(root))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8780") as client:
        yield client


def put(root: Path, key: str, data: bytes) -> None:
    file = root / key
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


def page(title: str) -> bytes:
    escaped = title.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"<!doctype html><head><title>{escaped} · contact sheet</title></head>".encode()


async def test_the_first_page_lists_the_sheets_newest_first(browser: httpx.AsyncClient) -> None:
    """Each edition has its title, its overview where there is one, and a link; titles are people's texts."""
    answer = await browser.get("/")

    assert answer.status_code == 200
    assert re.findall(r'<a href="([^"]+)"', answer.text) == [
        "/sheets/teapots/2/index.html",
        "/sheets/teapots/1/index.html",
    ]
    assert re.findall(r'<img src="([^"]+)"', answer.text) == ["/sheets/teapots/1/overview.png"]
    assert "Teapots of the world" in answer.text
    assert "&lt;img src=x onerror=alert(1)&gt; &amp; Söhne" in answer.text
    assert HOSTILE not in answer.text
    assert "script-src" not in answer.headers["content-security-policy"]  # none at all: default-src 'none'
    assert answer.headers["content-security-policy"].startswith(
        "default-src 'none'; img-src 'self'; style-src 'sha256-"
    )


async def test_an_archive_that_is_not_there_yet_has_no_sheets(tmp_path: Path) -> None:
    """The server may be started before the first campaign."""
    transport = httpx.ASGITransport(create_app(tmp_path / "none"))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as browser:
        answer = await browser.get("/")

    assert answer.status_code == 200
    assert "No campaign has come to its end yet." in answer.text


async def test_a_sheets_links_lead_somewhere(browser: httpx.AsyncClient) -> None:
    """The page links relative to its own address: from there, the picture is found."""
    sheet = httpx.URL("http://127.0.0.1:8780/sheets/teapots/1/index.html")

    answer = await browser.get(sheet.join(f"../../../{object_key(SHA256)}"))

    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, PNG, "image/png")


async def test_a_sheets_folder_leads_to_its_page(browser: httpx.AsyncClient) -> None:
    """Who types the folder's address sees the page."""
    answer = await browser.get("/sheets/teapots/1/", follow_redirects=True)

    assert str(answer.url) == "http://127.0.0.1:8780/sheets/teapots/1/index.html"
    assert answer.content == page("Teapots of the world")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8780", ""])
async def test_other_names_are_not_answered(browser: httpx.AsyncClient, host: str) -> None:
    """A web page that leads its own name to this machine (DNS rebinding) reads nothing."""
    answer = await browser.get(f"/{object_key(SHA256)}", headers={"host": host})

    assert answer.status_code == 400
    assert PNG not in answer.content


async def test_nothing_can_be_changed(browser: httpx.AsyncClient) -> None:
    """The server knows how to read and nothing else."""
    answers = [await browser.request(method, f"/{object_key(SHA256)}") for method in ("POST", "PUT", "DELETE", "PATCH")]

    assert [answer.status_code for answer in answers] == [405] * 4


@pytest.mark.parametrize(
    "path", ["/catalogue.sqlite", "/sheets/%2e%2e/%2e%2e/etc/passwd", "/objects/..%2f..%2fsecret", "/%00"]
)
async def test_nothing_else_is_there(browser: httpx.AsyncClient, root: Path, path: str) -> None:
    """The catalogue holds what things cost; and no path leads out."""
    put(root, "catalogue.sqlite", b"money")
    put(root, "../secret", b"secret")

    answer = await browser.get(path)

    assert (answer.status_code, answer.text) == (404, "There is nothing here.\n")


@pytest.mark.parametrize("path", ["/", f"/{object_key(SHA256)}", "/sheets/teapots/1/index.html", "/nothing"])
async def test_every_answer_is_taken_for_what_it_is(browser: httpx.AsyncClient, path: str) -> None:
    """No guessing of types, nothing for other sites, a policy on each answer, on errors too."""
    headers = (await browser.get(path)).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-site"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["content-security-policy"].startswith("default-src 'none'")


async def test_pictures_are_asked_for_once(browser: httpx.AsyncClient) -> None:
    """An object never changes: it is kept for ever, and not sent again to who has it."""
    path = f"/{object_key(SHA256)}"
    first = await browser.get(path)
    again = await browser.get(path, headers={"if-none-match": f'"other", W/{first.headers["etag"]}'})

    assert first.headers["etag"] == f'"{SHA256}"'
    assert first.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert (again.status_code, again.content) == (304, b"")


async def test_a_sheet_that_was_written_again_is_sent_again(browser: httpx.AsyncClient, root: Path) -> None:
    """A sheet changes while its campaign goes on: browsers ask each time, and get the new one."""
    path = "/sheets/teapots/1/index.html"
    first = await browser.get(path)
    same = await browser.get(path, headers={"if-none-match": first.headers["etag"]})
    put(root, path[1:], page("Teapots of the moon"))
    changed = await browser.get(path, headers={"if-none-match": first.headers["etag"]})

    assert first.headers["cache-control"] == "private, no-cache"
    assert (same.status_code, changed.status_code) == (304, 200)
    assert "moon" in changed.text


async def test_head_tells_without_sending(browser: httpx.AsyncClient) -> None:
    """HEAD has the headers of GET and no body."""
    path = f"/{object_key(SHA256)}"
    told, sent = await browser.head(path), await browser.get(path)

    assert told.content == b""
    assert dict(told.headers) == dict(sent.headers)
