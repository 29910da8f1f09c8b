import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from blocks.archive.layout import object_key
from blocks.errors import BriefError
from deployments.sandbox.server import served
from tasks import references as references_module
from tasks.brief import Brief
from tasks.models import ReferenceUse
from tasks.references import in_roles, keep_references, read_references
from tasks.studio import Studio

MakePicture = Callable[..., Image.Image]
Encode = Callable[..., bytes]

NOBODY = 65534


@dataclass(frozen=True)
class Web:
    """A web server of this test's own, and what it was asked for."""

    url: str
    requests: list[tuple[str, dict[str, str]]]


@pytest.fixture
def web(make_picture: MakePicture, encode: Encode) -> Iterator[Web]:
    """Serves a picture, a text under the name of a picture, a page, a redirect, and answers that fail."""
    asked: list[tuple[str, dict[str, str]]] = []

    async def answer(request: Request) -> Response:
        name = request.path_params["name"]
        asked.append((name, dict(request.headers)))
        if name == "moved.png":
            return RedirectResponse("/cup.png")
        if name == "flaky.png" and len(asked) == 1:
            return Response(status_code=503)
        bodies = {
            "cup.png": ("image/png", cup),
            "flaky.png": ("image/png", cup),
            "untyped": ("application/octet-stream", cup),
            "text.png": ("image/png", b"no picture at all"),
            "page.png": ("text/html", b"<html>Please log in</html>"),
        }
        if name not in bodies:
            return Response(status_code=404)
        media_type, body = bodies[name]
        return Response(body, media_type=media_type)

    cup = encode(make_picture(1), "PNG")
    with served(Starlette(routes=[Route("/{name}", answer)])) as origin:
        yield Web(origin, asked)


@pytest.fixture
def cup(make_picture: MakePicture, encode: Encode) -> bytes:
    """The bytes of a picture of a cup."""
    return encode(make_picture(1), "PNG")


def brief_with(**sources: str) -> Brief:
    """A brief that uses every reference that it names."""
    fields: dict[str, Any] = {"name": "cards", "prompts": ["a mug"], "references": sources}
    return Brief.model_validate({**fields, "generate": {"references": list(sources)}})


async def refusal(source: str) -> str:
    with pytest.raises(BriefError) as caught:
        await read_references(brief_with(cup=source))
    assert caught.value.where == "references.cup"
    return str(caught.value)


def use(role: str, data: bytes) -> ReferenceUse:
    return ReferenceUse(role=role, sha256=hashlib.sha256(data).hexdigest())


async def test_files_and_urls_are_read_byte_for_byte(
    tmp_path: Path, web: Web, make_picture: MakePicture, encode: Encode, cup: bytes
) -> None:
    """A reference is known by the SHA-256 of exactly the bytes that lie there, in the order of the brief."""
    photograph = encode(make_picture(2), "JPEG")
    (tmp_path / "photo.jpg").write_bytes(photograph)

    assert await read_references(brief_with(photo=str(tmp_path / "photo.jpg"), cup=f"{web.url}/cup.png?size=2")) == (
        (use("photo", photograph), photograph),
        (use("cup", cup), cup),
    )


@pytest.mark.parametrize("name", ["moved.png", "flaky.png", "untyped"])
async def test_what_the_web_does_on_ordinary_days_is_no_error(web: Web, cup: bytes, name: str) -> None:
    """Redirects are followed, a bad moment is waited for, and the bytes count more than the declared type."""
    assert await read_references(brief_with(cup=f"{web.url}/{name}")) == ((use("cup", cup), cup),)


async def test_no_credentials_travel_to_a_reference(web: Web) -> None:
    """A URL that a brief names belongs to a stranger: it is asked without any key or cookie."""
    await read_references(brief_with(cup=f"{web.url}/cup.png"))

    ((_, headers),) = web.requests
    assert not {"authorization", "cookie"} & set(headers)


async def test_references_that_no_stage_uses_are_not_read(tmp_path: Path, cup: bytes) -> None:
    """An unused entry costs no time and stops nobody, even where its file is missing."""
    path = tmp_path / "cup.png"
    path.write_bytes(cup)
    brief = Brief.model_validate(
        {
            "name": "cards",
            "prompts": ["a mug"],
            "references": {"unused": str(tmp_path / "missing.png"), "cup": str(path)},
            "edits": [{"instruction": "put @cup here", "references": ["cup"]}],
        }
    )

    assert await read_references(brief) == ((use("cup", cup), cup),)
    assert await read_references(brief.model_copy(update={"edits": ()})) == ()


async def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The role and the path that was looked for."""
    path = tmp_path / "cup.png"

    assert await refusal(str(path)) == f"references.cup: there is no file at {path}."


async def test_a_text_named_png_is_refused(tmp_path: Path) -> None:
    """A name makes no picture."""
    (tmp_path / "cup.png").write_text("This is not a picture.", encoding="utf-8")

    assert await refusal(str(tmp_path / "cup.png")) == (
        "references.cup: cup.png is no complete PNG, JPEG or WebP picture: cannot identify image file"
    )


async def test_a_photograph_that_is_cut_short_is_refused(tmp_path: Path, cup: bytes) -> None:
    """Half a picture is none."""
    (tmp_path / "cup.png").write_bytes(cup[: len(cup) // 2])

    assert (await refusal(str(tmp_path / "cup.png"))).startswith("references.cup: cup.png is no complete PNG")


async def test_a_folder_is_refused(tmp_path: Path) -> None:
    """What cannot be read is named, with the system's reason."""
    assert await refusal(str(tmp_path)) == (
        f"references.cup: {str(tmp_path)!r} cannot be read: [Errno 21] Is a directory: {str(tmp_path)!r}."
    )


@pytest.fixture
def locked(tmp_path: Path, cup: bytes) -> Iterator[Path]:
    """A picture that this process may not read, which is nobody's for so long where root runs it: root may read all."""
    path, was = tmp_path / "cup.png", os.geteuid()
    path.write_bytes(cup)
    path.chmod(0)
    if was == 0:
        os.seteuid(NOBODY)
    yield path
    os.seteuid(was)


async def test_a_file_without_permission_is_refused(locked: Path) -> None:
    """What may not be read is named, with the system's reason."""
    assert "Permission denied" in await refusal(str(locked))


@pytest.mark.parametrize("name", ["a\0b.png", "x" * 300 + ".png"])
async def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path, name: str) -> None:
    """A hostile name is an error of the brief, shown without its control characters."""
    message = await refusal(str(tmp_path / name))

    assert message.startswith("references.cup: ")
    assert "cannot be read" in message
    assert message.isprintable()


async def test_a_file_that_is_too_large_is_refused(tmp_path: Path, cup: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit itself is allowed; one byte more is not, and no more than that is read."""
    path = tmp_path / "cup.png"
    path.write_bytes(cup)
    monkeypatch.setattr(references_module, "MAX_REFERENCE_SIZE_BYTES", len(cup))
    assert await read_references(brief_with(cup=str(path))) == ((use("cup", cup), cup),)

    monkeypatch.setattr(references_module, "MAX_REFERENCE_SIZE_BYTES", len(cup) - 1)
    assert await refusal(str(path)) == f"references.cup: {path} is larger than {len(cup) - 1} bytes."


async def test_a_download_that_is_too_large_is_refused(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server cannot fill our memory."""
    monkeypatch.setattr(references_module, "MAX_REFERENCE_SIZE_BYTES", 100)

    assert (await refusal(f"{web.url}/cup.png")).endswith("/cup.png is larger than 100 bytes.")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("missing.png", "/missing.png no longer works (HTTP 404)."),
        ("page.png", "/page.png is text/html, not a picture."),
        ("text.png", "/text.png is no complete PNG, JPEG or WebP picture: cannot identify image file"),
    ],
)
async def test_a_url_that_gives_no_picture_is_refused_without_its_query(web: Web, name: str, said: str) -> None:
    """The message names role and address; the query of a signed URL is a key, and stays out of it."""
    message = await refusal(f"{web.url}/{name}?signature=SECRET")

    assert message.startswith("references.cup: http://127.0.0.1/")
    assert message.endswith(said)
    assert "SECRET" not in message


@pytest.mark.parametrize("url", ["http://", "https://:80/cup.png", "http://[::1/cup.png", "http://host:0/cup.png"])
async def test_what_is_no_web_address_is_refused(url: str) -> None:
    """Nothing is asked of a URL that leads nowhere."""
    assert (await refusal(url)).endswith("which is no web address.")


async def test_references_are_kept_in_the_archive(studio: Studio, cup: bytes) -> None:
    """A year later the bytes that a picture was made from are still there; keeping them twice changes nothing."""
    read = ((use("cup", cup), cup), (use("hat", cup), cup))

    assert await keep_references(read, studio.archive.store) == (use("cup", cup), use("hat", cup))
    assert await keep_references(read, studio.archive.store) == (use("cup", cup), use("hat", cup))
    assert await studio.archive.store.get(object_key(use("cup", cup).sha256)) == cup


def test_references_come_in_the_order_of_the_roles() -> None:
    """A prompt counts its pictures in the order in which the stage names their roles."""
    cup, hat = use("cup", b"1"), use("hat", b"2")

    assert in_roles((cup, hat), ("hat", "cup", "hat")) == (hat, cup, hat)
    assert in_roles((cup, hat), ()) == ()
